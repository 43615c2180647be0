"""A body that Envoy has handed over is never cut short in silence, whatever becomes of the sidecar."""

import asyncio
import signal
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest

from tests.runtime.caller import Caller, Exchange
from tests.runtime.sidecars import SMALL, Process, Sidecar, process, with_sidecar
from tests.wire.messages import FULL_DUPLEX, body, chunks, phase_of, request_headers

pytestmark = [pytest.mark.usefixtures("each_transport"), pytest.mark.alone]

FILE: Final = SMALL.replace(
    "routes: [", "routes: [{name: item, match: {path: /item, body: {items.0: 1}}, to: shop}, "
)
LEAVES: Final = FILE.replace("drain: 1s", "drain: 400ms")
JSON: Final = ("content-type", "application/json")


def to_json(path: str = "/item") -> Any:
    return request_headers(path, JSON, method="POST", request_mode=FULL_DUPLEX, end_of_stream=False)


async def given_back(exchange: Exchange, data: bytes) -> bytes:
    back = b""
    while len(back) < len(data):
        (chunk,) = chunks([await exchange.answer()])
        back += chunk.body
    return back


def test_the_answer_waits_for_the_body_and_then_the_call_ends() -> None:
    """M7: every byte comes back, and an end in good order."""
    data = b'{"items": [1], "x": "' + b"x" * 300_000 + b'"}'

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process(("x-sidecar-phases", "request-body"))
        await exchange.send(to_json())
        for at in range(0, len(data), 100_000):
            await exchange.send(body(data[at : at + 100_000], end=at + 100_000 >= len(data)))
        assert phase_of(await exchange.answer()) == "request_headers"
        assert await given_back(exchange, data) == data
        assert await exchange.answer() is None
        assert await exchange.status() is grpc.StatusCode.OK

    with_sidecar(ask, FILE)


async def read_so_far(caller: Caller) -> None:
    """What was sent before: the sidecar answers what came behind it on the same connection."""
    for _ in range(2):
        assert phase_of(await caller.process().ask(request_headers("/shop"))) == "request_headers"


@pytest.mark.parametrize("decided", [False, True], ids=["while it waits", "after the decision"])
def test_a_shutdown_that_waits_no_longer_fails_the_request(tmp_path: Path, decided: bool) -> None:
    """checklist 10, 22: an end in good order would pass on the half of a body as if it were whole."""

    async def stay(one: Process) -> None:
        async with Caller(one.address) as caller:
            exchange = caller.process(("x-sidecar-phases", "request-body"))
            if decided:
                await exchange.ask(to_json("/shop"))
                await exchange.send(body(b"half"))
                assert await given_back(exchange, b"half") == b"half"
            else:
                await exchange.send(to_json())
                await exchange.send(body(b'{"items": '))
                await read_so_far(caller)
            one.tell(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError, match="before the body has come"):
                await exchange.answer()
            assert await exchange.status() is grpc.StatusCode.UNAVAILABLE

    with process(tmp_path, LEAVES) as one:
        one.wait_ready()
        asyncio.run(stay(one))
        assert one.ended() == 0


def test_a_body_that_comes_to_its_end_in_time_is_decided_by_a_sidecar_that_leaves(tmp_path: Path) -> None:
    """checklist 22, M7"""

    async def finish(one: Process) -> None:
        async with Caller(one.address) as caller:
            watch = caller.watch("")
            await watch.read()
            exchange = caller.process(("x-sidecar-phases", "request-body"))
            await exchange.send(to_json())
            await exchange.send(body(b'{"items": '))
            await read_so_far(caller)
            one.tell(signal.SIGTERM)
            await watch.read()
            await exchange.send(body(b"[1]}", end=True))
            assert phase_of(await exchange.answer()) == "request_headers"
            assert await given_back(exchange, b'{"items": [1]}') == b'{"items": [1]}'
            assert await exchange.answer() is None
            assert await exchange.status() is grpc.StatusCode.OK

    with process(tmp_path, FILE.replace("drain: 1s", "drain: 10s")) as one:
        one.wait_ready()
        asyncio.run(finish(one))
        assert one.ended() == 0
