"""Endpoints that answer a probe or a scrape in every wrong way there is, each on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Answer = Callable[[Writer], Awaitable[None]]

_HEAD: Final = b"HTTP/1.1 200 OK\r\n"


class Odd:
    """`asked` are the requests that came, as their head says them; `most` is how many were there at once."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.address = ""
        self.sent = 0
        self._now = 0
        self.most = 0

    async def connected(self, reader: Reader, writer: Writer) -> None:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            await self.answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._now -= 1
            writer.transport.abort()


@contextlib.asynccontextmanager
async def odd(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[Odd]:
    """One that answers so."""
    one = Odd(answer)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: Reader, writer: Writer) -> None:
        task = asyncio.ensure_future(one.connected(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, host, 0)
    shown = f"[{host}]" if ":" in host else host
    one.address = f"{shown}:{server.sockets[0].getsockname()[1]}"
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def with_status(status: int, *headers: str, body: bytes = b"") -> Answer:
    async def answer(writer: Writer) -> None:
        lines = [f"HTTP/1.1 {status} So", f"content-length: {len(body)}", *headers]
        writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)
        await writer.drain()

    return answer


def with_bytes(data: bytes) -> Answer:
    """These, and then it hangs up."""

    async def answer(writer: Writer) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return answer


async def never(writer: Writer) -> None:
    await asyncio.Event().wait()


async def at_once(writer: Writer) -> None:
    """Hangs up."""


async def slow_body(writer: Writer) -> None:
    """Good headers, and a body of which the rest never comes."""
    writer.write(_HEAD + b"content-length: 100\r\n\r\nsome")
    await never(writer)


def endless(start: bytes, piece: bytes, told: list[int]) -> Answer:
    """Begins with `start`, then sends `piece` for as long as somebody takes it; `told` gets how many
    bytes."""

    async def answer(writer: Writer) -> None:
        writer.write(start)
        told.append(0)
        while True:
            writer.write(piece)
            await writer.drain()
            told[0] += len(piece)

    return answer


def endless_body(told: list[int]) -> Answer:
    return endless(_HEAD + b"\r\n", b"x" * 65536, told)


def endless_headers(told: list[int]) -> Answer:
    return endless(_HEAD, b"x-more: and more of it\r\n" * 100, told)


def endless_interim(told: list[int]) -> Answer:
    return endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, told)
