"""An endpoint in a process of its own that fails as it is told, and writes down what came to it.

`python -m tests.bench.failing NAME HOST:PORT LOG` takes one word on each line of its standard input: usual,
error (500 on everything), hang (takes requests and answers none) or down (hangs up, and refuses connections).
It says the word again once it is so, with the time. LOG gets a line for each request: when it came, in
seconds of the system's monotonic clock, which all processes of a machine share, and how it was answered.
"""

import asyncio
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

USUAL: Final = "usual"
ERROR: Final = "error"
HANG: Final = "hang"
DOWN: Final = "down"
_WORDS: Final = (USUAL, ERROR, HANG, DOWN)
_TAKES_S: Final = 0.002
"""For an answer: some of the requests are always on their way."""


class Endpoint:
    """`came` has the lines of the log."""

    def __init__(self, name: str, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port: Final = int(port)
        self._serving: asyncio.Server | None = None
        self._held: socket.socket | None = None
        self.word = USUAL
        self.came: Final[list[str]] = []
        self.connections: Final[set[Connection]] = set()
        self.answers: Final = {
            word: (
                f"HTTP/1.1 {status}\r\nx-endpoint: {name}\r\ncontent-length: 3\r\n\r\nok\n".encode("ascii")
            )
            for word, status in ((USUAL, "200 OK"), (ERROR, "500 Internal Server Error"))
        }

    async def become(self, word: str) -> None:
        before, self.word = self.word, word
        for connection in list(self.connections):
            if word == DOWN or (before == HANG and connection.waits):
                connection.hang_up()
        if word == DOWN:
            if self._serving is not None:
                self._serving.close()
                self._serving = None
            self._held = self._bound()  # without listening, so that connections are refused
        elif self._serving is None:
            if self._held is not None:
                self._held.close()
                self._held = None
            made = self._bound()
            loop = asyncio.get_running_loop()
            self._serving = await loop.create_server(lambda: Connection(self), sock=made, backlog=1024)

    def _bound(self) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self._host, self._port))
        return made


class Connection(asyncio.Protocol):
    """Requests without bodies, one after the other, as Envoy sends them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint: Final = endpoint
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self.waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._endpoint.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._endpoint.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            self._read = self._read[end + 4 :]
            word = self._endpoint.word
            self._endpoint.came.append(f"{time.monotonic():.6f} {word}")
            if word in self._endpoint.answers:
                asyncio.get_running_loop().call_later(_TAKES_S, self._answer, word)
            else:
                self.waits = True

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, word: str) -> None:
        if self._transport is not None:
            self._transport.write(self._endpoint.answers[word])


async def _run(name: str, address: str) -> Endpoint:
    """What was written down, once it is told to end."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    words = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    endpoint = Endpoint(name, address)
    await endpoint.become(USUAL)

    async def listen() -> None:
        while line := await words.readline():
            word = line.decode("ascii").strip()
            if word not in _WORDS:
                raise ValueError(f"{word} is none of {', '.join(_WORDS)}")
            at = time.monotonic()
            await endpoint.become(word)
            sys.stdout.write(f"{word} {at:.6f}\n")
            sys.stdout.flush()
        told.set()

    listening = asyncio.ensure_future(listen())
    await told.wait()
    listening.cancel()
    return endpoint


if __name__ == "__main__":
    ended = asyncio.run(_run(sys.argv[1], sys.argv[2]))
    Path(sys.argv[3]).write_text("\n".join([*ended.came, ""]))
