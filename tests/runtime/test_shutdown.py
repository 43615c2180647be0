"""The sidecar leaves in good order: it says so, finishes what it began, and ends with 0."""

import asyncio
import signal
import time
from pathlib import Path

import grpc
import grpc.aio
import pytest

from tests.runtime.caller import NOT_SERVING, SERVING, Caller
from tests.runtime.sidecars import SMALL, Process, process
from tests.waiting import until
from tests.wire.entries import an_entry, batch
from tests.wire.messages import phase_of, request_headers, response_headers

pytestmark = [pytest.mark.usefixtures("each_transport"), pytest.mark.alone]


async def leave_in_good_order(one: Process) -> None:
    async with Caller(one.address) as caller:
        watches = [caller.watch(name) for name in ("", "readiness")]
        assert [await watch.read() for watch in watches] == [SERVING, SERVING]
        in_flight, idle = (caller.process() for _ in range(2))
        for exchange in (in_flight, idle):
            assert phase_of(await exchange.ask(request_headers("/shop"))) == "request_headers"
        log = caller.access_log()
        await log.write(batch(an_entry(0)))
        # gRPC cancels a call that it has not taken when it is told to stop.
        await asyncio.to_thread(
            until, lambda: one.sample("sidecar_foreign_log_entries_total") == 1, "the log's arrival"
        )

        one.tell(signal.SIGTERM)

        assert [await watch.read() for watch in watches] == [NOT_SERVING, NOT_SERVING]
        assert phase_of(await in_flight.ask(response_headers())) == "response_headers"
        assert await in_flight.finish() is grpc.StatusCode.OK
        assert await idle.answer() is None
        ends = [await idle.status(), await log.code()]
        ends += [await watch.code() for watch in watches]
        assert ends == [grpc.StatusCode.OK] * 4


def test_finishes_what_is_in_flight_and_ends_the_rest_with_ok(tmp_path: Path) -> None:
    """checklist 22, V6"""
    with process(tmp_path) as one:
        asyncio.run(leave_in_good_order(one))

        assert one.ended() == 0
        assert one.events("draining")
        assert one.events("stopped")
        assert not [line for line in one.lines if "Traceback" in line or '"error"' in line]


def test_says_that_it_leaves_even_when_nothing_is_in_flight(tmp_path: Path) -> None:
    """checklist 22: who watches is told before the stream ends."""

    async def watch(one: Process) -> None:
        async with Caller(one.address) as caller:
            watch = caller.watch("")
            assert await watch.read() == SERVING
            one.tell(signal.SIGTERM)
            assert await watch.read() == NOT_SERVING
            assert await watch.read() is grpc.aio.EOF
            assert await watch.code() is grpc.StatusCode.OK

    with process(tmp_path) as one:
        asyncio.run(watch(one))
        assert one.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_there_is_nothing_to_finish(tmp_path: Path, number: signal.Signals) -> None:
    """checklist 22"""
    with process(tmp_path, SMALL.replace("drain: 1s", "drain: 30s")) as one:
        one.wait_ready()
        begun = time.monotonic()
        one.tell(number)

        assert one.ended() == 0
        assert time.monotonic() - begun < 3.0


def test_an_idle_stream_is_waited_for_no_longer_than_the_drain(tmp_path: Path) -> None:
    """checklist 22"""

    async def stay(one: Process) -> None:
        async with Caller(one.address) as caller:
            exchange = caller.process()
            await exchange.ask(request_headers("/shop"))
            begun = time.monotonic()
            one.tell(signal.SIGTERM)
            assert await exchange.answer() is None
            assert 0.3 < time.monotonic() - begun < 3.0
            assert await exchange.status() is grpc.StatusCode.OK

    with process(tmp_path, SMALL.replace("drain: 1s", "drain: 400ms")) as one:
        asyncio.run(stay(one))
        assert one.ended() == 0
