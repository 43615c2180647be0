"""Hosts the services as an ASGI application. Thin: it moves bytes, and turns failures into gRPC statuses.

For application servers that send trailers (the extension `http.response.trailers`) and give the body as it
comes. The order of what is checked, and the statuses, are those of gRPC's own server, so that a caller
cannot tell which shell it talks to.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol

import structlog

from sidecar.runtime.calls import Calls
from sidecar.runtime.framing import ENCODINGS, Unframer, framed, only, seconds_of, told
from sidecar.runtime.methods import (
    Bidirectional,
    ClientStream,
    Code,
    Conversation,
    Failed,
    Method,
    Methods,
    Unary,
    Watch,
)

log = structlog.get_logger("asgi")

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_GRPC: Final = b"application/grpc"
_HEADERS: Final = [(b"content-type", _GRPC), (b"grpc-accept-encoding", ENCODINGS)]
_START: Final[Event] = {
    "type": "http.response.start",
    "status": 200,
    "headers": _HEADERS,
    "trailers": True,
}
_OK: Final[Event] = {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]}
_END: Final[Event] = {"type": "http.response.body", "body": b""}
_BEAT: Final[Event] = {"type": "http.response.body", "body": b"", "more_body": True}
_BEAT_S: Final = 5.0
_ENDS_WITHIN_S: Final = 1.0
_LONGEST_S: Final = 365 * 86_400.0


class Host(Protocol):
    """What the application server can do for the shell."""

    async def accepting(self) -> None:
        """Returns once connections are accepted."""

    async def stop_accepting(self) -> None:
        """Take no new connections, and have those that are open end in good order."""


class AsgiShell:
    """The ASGI application; `lifespan` is called for the scope of that name."""

    def __init__(
        self, methods: Methods, host: Host, lifespan: Callable[[Receive, Send], Awaitable[None]]
    ) -> None:
        self._host: Final = host
        self._lifespan: Final = lifespan
        self._calls: Final = Calls()
        self._open = 0
        self._all_over: asyncio.Event | None = None
        self._runs: Final = {name.encode(): _run(method, self._calls) for name, method in methods.items()}
        self._singles: Final = {
            name.encode(): (key.encode(), value.encode(), method.single)
            for name, method in methods.items()
            if isinstance(method, Bidirectional) and method.single is not None
            for key, value in [method.announced_by]
        }

    def listen(self, address: str) -> str:
        """The address: the application server listens."""
        return address

    async def start(self) -> None:
        await self._host.accepting()

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, let those in flight finish within the grace, end with OK those that wait."""
        await self._host.stop_accepting()
        await self._calls.finish(grace_s)
        self._all_over = asyncio.Event()
        if self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDS_WITHIN_S):
                    await self._all_over.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lifespan(receive, send)
            return
        call = _Call(receive, send)
        self._open += 1
        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            call.accept(scope["method"], headers)
            path = scope["raw_path"]
            single = self._singles.get(path)
            if single is not None and headers.get(single[0]) == single[1]:
                await call.finish(single[2](await call.read() or b""))
            else:
                await self._run(scope)(call)
        except _Over:
            pass
        except Failed as failed:
            await call.end(failed.code, failed.message)
        except Exception as bug:
            log.exception("call_failed", method=scope["path"][:200], error=repr(bug))
            await call.end(Code.UNKNOWN, f"Unexpected {type(bug)}: {bug}")
        finally:
            call.close()
            self._open -= 1
            if self._all_over is not None and not self._open:
                self._all_over.set()

    def _run(self, scope: Scope) -> "_Run":
        run = self._runs.get(scope["raw_path"])
        if run is None or scope["query_string"]:
            raise Failed(Code.UNIMPLEMENTED, f"no method {scope['path'][:200]}")
        return run


class _Over(Exception):
    """The call has ended, or the caller has left: nobody is there for more."""


class _Call:
    """One call: messages in and out, and its end, which comes once."""

    # Nearly every call has one message in and one out: what it does not use costs it nothing.
    _frames: Unframer | None = None
    _half_closed = False
    _started = False
    _over = False
    _timer: asyncio.TimerHandle | None = None
    _ending: asyncio.Task[None] | None = None

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive: Final = receive
        self._send: Final = send

    def accept(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Judge the head of the call, and begin its deadline. May raise Failed."""
        if method != "POST" or headers.get(b"te") != b"trailers":
            raise Failed(Code.INTERNAL, "gRPC wants POST and te: trailers")
        if b"grpc-encoding" in headers:
            self._frames = Unframer(headers[b"grpc-encoding"])
        if b"grpc-timeout" in headers:
            seconds = seconds_of(headers[b"grpc-timeout"])
            if not seconds:
                raise Failed(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
            expire = functools.partial(self.end_soon, Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
            self._timer = asyncio.get_running_loop().call_later(min(seconds, _LONGEST_S), expire)

    async def read(self) -> bytes | None:
        """The next message; None when the caller has sent all it will. Raises _Over, Failed."""
        while self._frames is None or (message := self._frames.take()) is None:
            if self._half_closed:
                return None
            event = await self._receive()
            if self._over or event["type"] == "http.disconnect":
                raise _Over
            self._half_closed = not event.get("more_body", False)
            data = event.get("body", b"")
            if self._frames is None:
                message = only(data)
                if message is not None:
                    return message
                self._frames = Unframer()
            self._frames.add(data)
        return message

    async def write(self, message: bytes) -> None:
        """One message of several; waits while the caller does not read. Raises _Over."""
        await self._event({"type": "http.response.body", "body": framed(message), "more_body": True})

    async def beat(self) -> None:
        """Raises _Over when the caller has left; sends nothing."""
        await self._event(_BEAT)

    async def finish(self, message: bytes) -> None:
        """The last message, or the only one, and OK. Raises _Over."""
        if self._over:
            raise _Over
        try:
            if not self._started:
                await self._send(_START)
            await self._send({"type": "http.response.body", "body": framed(message)})
            self._over = True
            await self._send(_OK)
        except OSError as left:
            raise _Over from left

    async def end(self, code: Code = Code.OK, message: str = "") -> None:
        """The status, unless the call is over."""
        if self._over:
            return
        self._over = True
        status = [(b"grpc-status", b"%d" % code.value)]
        if message:
            status.append((b"grpc-message", told(message)))
        with contextlib.suppress(OSError):  # the caller has left
            if self._started:
                await self._send(_END)
                await self._send({"type": "http.response.trailers", "headers": status})
            else:
                await self._send(
                    {"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *status]}
                )
                await self._send(_END)

    def end_soon(self, code: Code = Code.OK, message: str = "") -> None:
        """End the call from outside, while its own task waits."""
        self._ending = asyncio.ensure_future(self.end(code, message))

    def finish_soon(self, message: bytes) -> None:
        """As `end_soon`, with a last message."""
        self._ending = asyncio.ensure_future(self._last(message))

    async def _last(self, message: bytes) -> None:
        with contextlib.suppress(_Over):  # nobody waits for this task's failure
            await self.finish(message)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def _event(self, event: Event) -> None:
        if self._over:
            raise _Over
        try:
            if not self._started:
                self._started = True
                await self._send(_START)
            await self._send(event)
        except OSError as left:
            raise _Over from left


_Run = Callable[[_Call], Awaitable[None]]


def _run(method: Method, calls: Calls) -> _Run:
    match method:
        case Unary():
            return _unary(method.handler)
        case Watch():
            return _watch(method.handler)
        case Bidirectional():
            return _conversation(method.open, calls, awaited=method.awaited)
        case ClientStream():
            return _one_answer(method.open, calls)


def _unary(handler: Callable[[bytes], bytes]) -> _Run:
    async def run(call: _Call) -> None:
        data = await call.read()
        if data is None:
            raise Failed(Code.INTERNAL, "no message came")
        await call.finish(handler(data))

    return run


def _watch(handler: Callable[[bytes], AsyncIterator[bytes]]) -> _Run:
    async def run(call: _Call) -> None:
        data = await call.read()
        if data is None:
            raise Failed(Code.INTERNAL, "no message came")
        replies = aiter(handler(data))
        # Nothing tells that a caller leaves who has sent all it will: so try, from time to time.
        pending = asyncio.ensure_future(anext(replies, None))
        try:
            while True:
                done, _ = await asyncio.wait({pending}, timeout=_BEAT_S)
                if not done:
                    await call.beat()
                    continue
                reply = pending.result()
                if reply is None:
                    break
                await call.write(reply)
                pending = asyncio.ensure_future(anext(replies, None))
        finally:
            pending.cancel()
        await call.end()

    return run


def _conversation(open_call: Callable[[], Conversation], calls: Calls, *, awaited: bool) -> _Run:
    async def run(call: _Call) -> None:
        conversation = open_call()
        in_flight = False

        def leave() -> None:
            try:
                conversation.half_closed()
            except Failed as failed:
                call.end_soon(failed.code, failed.message)
            else:
                call.end_soon()

        try:
            data = await _waited_for(call, calls, leave)
            in_flight = awaited
            if in_flight:
                calls.begun()
            while data is not None:
                for reply in conversation.receive(data):
                    await call.write(reply)
                if conversation.finished or calls.draining():
                    break
                data = await _waited_for(call, calls, leave)
            if not conversation.finished:
                for reply in conversation.half_closed():
                    await call.write(reply)
            await call.end()
        finally:
            if in_flight:
                calls.ended()
            conversation.closed()

    return run


def _one_answer(open_call: Callable[[], Conversation], calls: Calls) -> _Run:
    async def run(call: _Call) -> None:
        conversation = open_call()

        def leave() -> None:
            call.finish_soon(conversation.half_closed()[0])

        try:
            while not calls.draining() and (data := await _waited_for(call, calls, leave)) is not None:
                conversation.receive(data)
            await call.finish(conversation.half_closed()[0])
        finally:
            conversation.closed()

    return run


async def _waited_for(call: _Call, calls: Calls, leave: Callable[[], None]) -> bytes | None:
    """The next message; a shutdown may `leave` meanwhile."""
    calls.waiting.add(leave)
    try:
        return await call.read()
    finally:
        calls.waiting.discard(leave)
