"""Hosts the services on `grpc.aio`. Thin: it moves bytes, and turns failures into gRPC statuses.

Handlers read and write raw bytes on the call itself, which costs less than generators and serializers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from sidecar.runtime.addresses import CannotListen, clear_the_way, probe
from sidecar.runtime.calls import Calls
from sidecar.runtime.methods import (
    MOST_BYTES,
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

_CODES: Final = {code: grpc.StatusCode[code.name] for code in Code}

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.so_reuseport", 0),  # two sidecars must never share a port in silence
    ("grpc.http2.bdp_probe", 0),  # or each upload that Envoy hands over may have megabytes on the way
    ("grpc.max_concurrent_streams", 100_000),  # Envoy opens one stream for each request in flight
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


async def _next_message(calls: Calls, context: Any) -> Any:
    """The next message of the call, or EOF, also when the shutdown ends it."""
    if calls.draining():
        return grpc.aio.EOF
    task = asyncio.current_task()
    assert task is not None
    calls.waiting.add(task.cancel)
    try:
        return await context.read()
    except asyncio.CancelledError:
        if not calls.draining():
            raise
        task.uncancel()
        return grpc.aio.EOF
    finally:
        calls.waiting.discard(task.cancel)


class GrpcShell:
    """One server on any number of addresses."""

    def __init__(self, methods: Methods) -> None:
        self._calls: Final = Calls()
        self._server: Final = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((_Handlers(methods, self._calls),))

    def listen(self, address: str) -> str:
        """Bind `host:port` or `unix:/path`; returns it with the port that it got. May raise CannotListen."""
        if address.startswith("unix:"):
            clear_the_way(Path(address.removeprefix("unix:")))
            # gRPC removes the socket as soon as it stops, before a successor makes its own.
            self._bind(address)
            return address
        probe(address)
        port = self._bind(address)
        return f"{address.rpartition(':')[0]}:{port}"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, let those in flight finish within the grace, end with OK those that wait."""
        stopping = asyncio.ensure_future(self._server.stop(grace_s + 1.0))
        await self._calls.finish(grace_s)
        await stopping

    def _bind(self, address: str) -> int:
        try:
            port: int = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {address}; choose another with --listen") from error
        return port


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc] # grpcio ships no types
    def __init__(self, methods: Methods, calls: Calls) -> None:
        self._handlers: Final = {name: _handler(method, calls) for name, method in methods.items()}
        self._singles: Final = {
            name: (method.announced_by, grpc.stream_unary_rpc_method_handler(_single(method.single)))
            for name, method in methods.items()
            if isinstance(method, Bidirectional) and method.single is not None
        }

    def service(self, handler_call_details: Any) -> Any:
        single = self._singles.get(handler_call_details.method)
        if single is not None and single[0] in handler_call_details.invocation_metadata:
            return single[1]
        return self._handlers.get(handler_call_details.method)


def _handler(method: Method, calls: Calls) -> Any:
    match method:
        case Unary():
            return grpc.unary_unary_rpc_method_handler(_unary(method.handler))
        case Watch():
            return grpc.unary_stream_rpc_method_handler(_watch(method.handler))
        case Bidirectional():
            return grpc.stream_stream_rpc_method_handler(
                _conversation(method.open, calls, awaited=method.awaited)
            )
        case ClientStream():
            return grpc.stream_unary_rpc_method_handler(_one_answer(method.open, calls))


def _unary(handler: Callable[[bytes], bytes]) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def call(data: bytes, context: Any) -> bytes:
        try:
            return handler(data)
        except Failed as failed:
            await _abort(context, failed)
            raise

    return call


def _watch(
    handler: Callable[[bytes], AsyncIterator[bytes]],
) -> Callable[[bytes, Any], Awaitable[None]]:
    async def call(data: bytes, context: Any) -> None:
        try:
            async for reply in handler(data):
                await context.write(reply)
        except Failed as failed:
            await _abort(context, failed)

    return call


def _conversation(
    open_call: Callable[[], Conversation], calls: Calls, *, awaited: bool
) -> Callable[[Any, Any], Awaitable[None]]:
    async def call(_requests: Any, context: Any) -> None:
        conversation = open_call()
        in_flight = False
        try:
            data = await _next_message(calls, context)
            in_flight = awaited
            if in_flight:
                calls.begun()
            while data is not grpc.aio.EOF:
                for reply in conversation.receive(data):
                    await context.write(reply)
                if conversation.finished:
                    return
                data = await _next_message(calls, context)
            for reply in conversation.half_closed():
                await context.write(reply)
        except Failed as failed:
            await _abort(context, failed)
        finally:
            if in_flight:
                calls.ended()
            conversation.closed()

    return call


def _single(handler: Callable[[bytes], bytes]) -> Callable[[Any, Any], Awaitable[bytes]]:
    """Message and status leave together, which saves a hand-over between gRPC's thread and the loop."""

    async def call(_requests: Any, context: Any) -> bytes:
        data = await context.read()
        try:
            return handler(b"" if data is grpc.aio.EOF else data)
        except Failed as failed:
            await _abort(context, failed)
            raise

    return call


def _one_answer(
    open_call: Callable[[], Conversation], calls: Calls
) -> Callable[[Any, Any], Awaitable[bytes]]:
    async def call(_requests: Any, context: Any) -> bytes:
        conversation = open_call()
        try:
            while (data := await _next_message(calls, context)) is not grpc.aio.EOF:
                conversation.receive(data)
            return conversation.half_closed()[0]
        except Failed as failed:
            await _abort(context, failed)
            raise
        finally:
            conversation.closed()

    return call


async def _abort(context: Any, failed: Failed) -> None:
    await context.abort(_CODES[failed.code], failed.message)
