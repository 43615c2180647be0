"""A load of so many GETs a second, whatever becomes of them, over connections that are kept.

The n-th request goes out at its own time, also when those before it are not answered yet. So an endpoint that
hangs costs what it costs real clients, and not fewer requests.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Self

_ANSWERS_WITHIN_S: Final = 10.0
_REQUEST: Final = b"GET /cart HTTP/1.1\r\nhost: shop.test\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Got:
    """One request: when it was due, how long the answer took from then on, and who gave it.

    `status` is 0 where there was no answer.
    """

    due: float
    took_s: float
    status: int
    endpoint: str


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self._answer: asyncio.Future[tuple[int, str]] | None = None
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.open = False
        self._give((0, ""))

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(rest) < int(headers.get("content-length", "0")):
            return
        self._read = b""
        if headers.get("connection", "") == "close":
            self.open = False
        self._give((int(first.split(" ")[1]), headers.get("x-endpoint", "")))

    def ask(self) -> asyncio.Future[tuple[int, str]]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(_REQUEST)
        return self._answer

    def close(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def _give(self, answer: tuple[int, str]) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)


class Steady:
    """Sends while the block runs; `got` has what ended, in the order in which it did."""

    def __init__(self, address: str, per_s: float) -> None:
        self._host, _, port = address.rpartition(":")
        self._port: Final = int(port)
        self._step_s: Final = 1.0 / per_s
        self._idle: Final[list[_Connection]] = []
        self._under_way: Final[set[asyncio.Task[None]]] = set()
        self._sending: asyncio.Task[None] | None = None
        self.got: Final[list[Got]] = []

    async def __aenter__(self) -> Self:
        self._sending = asyncio.ensure_future(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._sending is not None
        self._sending.cancel()
        await asyncio.gather(*self._under_way)
        for connection in self._idle:
            connection.close()

    async def _send(self) -> None:
        due = time.monotonic()
        while True:
            due += self._step_s
            wait_s = due - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            task = asyncio.ensure_future(self._one(due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _one(self, due: float) -> None:
        status, endpoint = 0, ""
        connection: _Connection | None = None
        try:
            connection = await self._connection()
            status, endpoint = await asyncio.wait_for(connection.ask(), _ANSWERS_WITHIN_S)
        except OSError:  # TimeoutError is one
            if connection is not None:
                connection.close()
        if connection is not None and connection.open:
            self._idle.append(connection)
        self.got.append(Got(due, time.monotonic() - due, status, endpoint))

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(_Connection, self._host, self._port)
        return made
