"""What the shell makes of a handler's bug, and of a caller that has left, whatever server hosts it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from sidecar.runtime.asgi_shell import AsgiShell
from sidecar.runtime.framing import framed
from sidecar.runtime.methods import Bidirectional, Conversation, Methods, Unary

PATH = "/a.Service/Method"
Event = MutableMapping[str, Any]


class Nowhere:
    async def accepting(self) -> None: ...

    async def stop_accepting(self) -> None: ...


async def no_lifespan(
    receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]
) -> None:
    raise AssertionError("only calls are made here")


def broken(data: bytes) -> bytes:
    raise ZeroDivisionError("a bug")


def never_opened() -> Conversation:
    raise AssertionError("the call was announced")


def asked(methods: Methods, *headers: tuple[bytes, bytes], left: bool = False) -> list[Event]:
    """What is sent for one message; nothing more can be sent to a caller that has left."""
    sent: list[Event] = []

    async def receive() -> Event:
        return {"type": "http.request", "body": framed(b"hello"), "more_body": False}

    async def send(event: Event) -> None:
        if left:
            raise OSError("gone")
        sent.append(event)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"te", b"trailers"), *headers],
    }
    asyncio.run(AsgiShell(methods, Nowhere(), no_lifespan)(scope, receive, send))
    return sent


@pytest.mark.parametrize("announced", [False, True])
def test_a_bug_is_told_and_ends_its_own_call_only(announced: bool) -> None:
    """V6: with UNKNOWN, as on gRPC's own server."""
    methods: Methods = {PATH: Unary(broken)}
    if announced:
        methods = {PATH: Bidirectional(never_opened, single=broken, announced_by=("x-one", "yes"))}
    with capture_logs() as logs:
        sent = asked(methods, (b"x-one", b"yes"))

    assert (b"grpc-status", b"2") in sent[0]["headers"]
    assert [line["event"] for line in logs] == ["call_failed"]


def test_an_answer_is_one_message_and_the_status() -> None:
    """V6"""
    start, body, trailers = asked({PATH: Unary(lambda data: data.upper())})

    assert start["trailers"]
    assert body["body"] == framed(b"HELLO")
    assert trailers["headers"] == [(b"grpc-status", b"0")]


def test_a_caller_that_has_left_is_no_bug() -> None:
    """checklist 15"""
    with capture_logs() as logs:
        assert asked({PATH: Unary(lambda data: data)}, left=True) == []

    assert logs == []
