"""One GET over a connection of its own, that reads no more than it was told to.

Who is asked may be broken in any way: it may hang, never end its headers or its body, or answer what is no
HTTP. Time is the caller's to bound; memory is bounded here. Written with h11, which is HTTP without any I/O:
a client library keeps connections, follows redirects and undoes compression, none of which a probe wants,
and takes several times as long in the loop that decides requests.
"""

import asyncio
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import h11

from sidecar.core.endpoint import names_an_ip

PROBE: Final = "sidecar-probe"
SCRAPE: Final = "sidecar-scrape"
"""Who asks, as the header `user-agent` says."""
_PIECE: Final = 8192
_MOST_HEAD: Final = 16_384
_MOST_PARTS: Final = 20_000
"""Of a body. Each takes some 20 microseconds, however small it is."""
_AT_A_TIME: Final = 32
"""So many parts are read before others have their turn."""
_RESOLVERS: Final = 4
_LONGEST_WHY: Final = 200
_HUNG_UP: Final = "it hung up without an answer"


class BadAnswer(Exception):
    """There was none, or none that can be read; the text says why."""


class Answer(NamedTuple):
    """`headers` have their names in lower case. `whole` is whether the body ends where `body` does."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    whole: bool


class Web:
    """What is needed to ask. `tls` of None is plain text."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls: Final = tls
        self.reading: Final = asyncio.Lock()
        """Held by who reads a page: a step of one at a time, and between them whoever else there is."""
        self._resolvers: ThreadPoolExecutor | None = None

    async def get(self, address: str, path: str, host: str, agent: str, most: int) -> Answer:
        """`most` is how many bytes of the body are read. May raise BadAnswer, and nothing else."""
        try:
            return await self._get(address, path, host, agent, most)
        except (OSError, UnicodeError, h11.RemoteProtocolError) as error:
            raise BadAnswer(told(error)) from error

    def close(self) -> None:
        if self._resolvers is not None:
            self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _get(self, address: str, path: str, host: str, agent: str, most: int) -> Answer:
        reader, writer = await self._connected(address)
        try:
            http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
            headers = [("host", host), ("user-agent", agent), ("accept", "*/*"), ("connection", "close")]
            asked = http.send(h11.Request(method="GET", target=path, headers=headers))
            ended = http.send(h11.EndOfMessage())
            writer.write((asked or b"") + (ended or b""))
            return await _answer(http, reader, most)
        finally:
            writer.transport.abort()  # there may be more to come, for ever

    async def _connected(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name, _, port = address.rpartition(":")
        host = name.removeprefix("[").removesuffix("]")
        refused: OSError | None = None
        for ip in [host] if names_an_ip(address) else await self._resolved(host, int(port)):
            try:
                return await asyncio.open_connection(
                    ip,
                    int(port),
                    limit=_PIECE,
                    ssl=self._tls,
                    server_hostname=None if self._tls is None else host,
                )
            except OSError as error:
                refused = error
        raise refused or BadAnswer(f"{host} has no address")

    async def _resolved(self, host: str, port: int) -> list[str]:
        """In threads of its own: those that all share are needed to read the configuration, and a name may
        hang."""
        if self._resolvers is None:
            self._resolvers = ThreadPoolExecutor(_RESOLVERS, "resolve")
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._resolvers, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM
        )
        return list(dict.fromkeys(str(each[4][0]) for each in found))


async def _answer(http: h11.Connection, reader: asyncio.StreamReader, most: int) -> Answer:
    response: h11.Response | None = None
    body = bytearray()
    read = parts = 0
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if read > _MOST_HEAD + 2 * most:
                if response is None:
                    raise BadAnswer(f"no answer within {read} bytes")
                return _of(response, body, whole=False)
            piece = await reader.read(_PIECE)
            if not piece and response is None:
                raise BadAnswer(_HUNG_UP)
            read += len(piece)
            http.receive_data(piece)
            await asyncio.sleep(0)  # what has come already must not keep others waiting
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
            parts += 1
            if (len(body) > most or parts > _MOST_PARTS) and response is not None:
                return _of(response, body[:most], whole=False)
            if parts % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        elif isinstance(event, h11.EndOfMessage) and response is not None:
            return _of(response, body, whole=True)
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise BadAnswer(_HUNG_UP)


def _of(response: h11.Response, body: bytearray, *, whole: bool) -> Answer:
    return Answer(response.status_code, list(response.headers), bytes(body), whole)


def told(error: Exception) -> str:
    """In a few words."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its name has no address"
    if isinstance(error, ssl.SSLError):
        text = f"TLS: {error.reason or error}"
    elif isinstance(error, OSError) and error.errno is not None:
        text = os.strerror(error.errno).lower()
    elif isinstance(error, h11.RemoteProtocolError):
        text = f"no HTTP: {error}"
    else:
        text = str(error) or type(error).__name__
    return text[:_LONGEST_WHY] if text.isprintable() else ascii(text)[:_LONGEST_WHY]


def elsewhere(address: str, port: int) -> str:
    """The address with another port; 0 is its own."""
    return f"{address.rpartition(':')[0]}:{port}" if port else address
