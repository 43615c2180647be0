"""A small HTTP server behind Envoy that says who it is and what it saw."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

ECHO: Final = b"echo: "
PIECE: Final = b"0123456789abcdef" * 4096
"""What `/download/N` answers N times."""
_LONGEST_HOLD_S: Final = 30.0


@dataclass
class Endpoint:
    """It echoes over a WebSocket-like upgrade, fails on demand, and holds `/hold` until it is released."""

    name: str
    port: int = 0
    host: str = "127.0.0.1"
    failing: bool = False
    sick: bool = False
    """`/health` says so; whatever else it is asked, it answers as usual."""
    metrics: str = ""
    """The page at `/metrics`. Neither is counted in `asked`."""
    asked: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    """What it told of the request before."""
    held: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    counting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def usual(self) -> None:
        """Forget what was asked, and what it was told to answer."""
        self.failing, self.asked, self.headers, self.last = False, 0, {}, {}
        self.sick, self.metrics = False, ""
        self.released.clear()


def _server(endpoint: Endpoint) -> ThreadingHTTPServer:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            path = urlsplit(self.path).path
            if path in {"/health", "/metrics"} and self.headers.get("user-agent", "").startswith("sidecar-"):
                self._about_itself(path)
                return
            with endpoint.counting:
                endpoint.asked += 1
            if self.headers.get("upgrade") == "websocket":
                self._echo()
            elif path.startswith("/download/"):
                self._download(int(path.rpartition("/")[2]), chunked=self.path.endswith("?chunked"))
            else:
                if path == "/hold":
                    self._hold()
                self._tell()

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_PROPFIND = _answer  # noqa: N815

        def _about_itself(self, path: str) -> None:
            body = endpoint.metrics.encode() if path == "/metrics" else b""
            self.send_response(503 if path == "/health" and endpoint.sick else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _tell(self) -> None:
            digest = hashlib.sha256()
            size = 0
            for piece in self._body():
                digest.update(piece)
                size += len(piece)
            pairs = [(key.lower(), value) for key, value in self.headers.items()]
            told = {
                "name": endpoint.name,
                "method": self.command,
                "path": self.path,
                "host": self.headers.get("host"),
                "headers": dict(pairs),
                "pairs": pairs,
                "body_bytes": size,
                "body_sha256": digest.hexdigest(),
            }
            endpoint.last = told
            body = json.dumps(told).encode()
            self.send_response(503 if endpoint.failing else 200)
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _body(self) -> Iterator[bytes]:
            if self.headers.get("transfer-encoding", "") == "chunked":
                while size := int(self.rfile.readline().partition(b";")[0], 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass  # trailers
                return
            left = int(self.headers.get("content-length", "0"))
            while left > 0:
                piece = self.rfile.read(min(left, len(PIECE)))
                left -= len(piece)
                yield piece

        def _download(self, pieces: int, *, chunked: bool) -> None:
            self.send_response(200)
            if chunked:
                self.send_header("transfer-encoding", "chunked")
            else:
                self.send_header("content-length", str(pieces * len(PIECE)))
            self.end_headers()
            for _ in range(pieces):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            if chunked:
                self.wfile.write(b"0\r\n\r\n")

        def _hold(self) -> None:
            with endpoint.counting:
                endpoint.held += 1
            endpoint.released.wait(_LONGEST_HOLD_S)
            with endpoint.counting:
                endpoint.held -= 1

        def _echo(self) -> None:
            self.send_response_only(101)
            self.send_header("connection", "upgrade")
            self.send_header("upgrade", "websocket")
            self.end_headers()
            self.wfile.write(ECHO + self.rfile.readline())
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        daemon_threads = True
        block_on_close = False
        request_queue_size = 1024

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # Envoy hangs up on its pooled connections at the end

    return Server((endpoint.host, 0), Answer)


@contextmanager
def endpoint(name: str, host: str = "127.0.0.1") -> Iterator[Endpoint]:
    one = Endpoint(name, host=host)
    server = _server(one)
    one.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
