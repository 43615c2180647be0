"""Streams that Envoy announces to have the request's headers only, as our own bootstrap makes it do."""

import asyncio

import grpc
import pytest

from sidecar.names import HEADERS_ONLY, PHASES_METADATA
from tests.runtime.sidecars import SMALL, Sidecar, with_sidecar
from tests.waiting import until_in_loop
from tests.wire.messages import UNKNOWN_PHASE, empty, phase_of, request_headers, response_headers

pytestmark = pytest.mark.usefixtures("each_transport")

ANNOUNCED = (PHASES_METADATA, HEADERS_ONLY)


@pytest.mark.parametrize("target", ["/shop/x?y=1", "/nowhere"])
def test_the_answer_is_that_of_any_other_stream_and_ends_it_with_ok(target: str) -> None:
    """checklist 1, 7, 18"""

    async def ask(sidecar: Sidecar) -> None:
        announced = sidecar.caller.process(ANNOUNCED)
        found = await announced.ask(request_headers(target))
        assert await announced.answer() is None
        assert await announced.status() is grpc.StatusCode.OK
        other = await sidecar.caller.process().ask(request_headers(target))
        for answer in (found, other):
            answer.dynamic_metadata.fields.pop("sidecar", None)
        assert found == other

    with_sidecar(ask)


def test_the_ticket_is_reported_as_any_other() -> None:
    """H1"""

    async def ask(sidecar: Sidecar) -> None:
        answer = await sidecar.caller.process(ANNOUNCED).ask(request_headers("/shop"))
        assert await sidecar.caller.report(int(answer.dynamic_metadata["sidecar"]["ticket"], 16))

    with_sidecar(ask)


def test_other_metadata_announces_nothing() -> None:
    """checklist 7"""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process((PHASES_METADATA, "all"), ("x-other", HEADERS_ONLY))
        await exchange.ask(request_headers("/shop"))
        assert phase_of(await exchange.ask(response_headers())) == "response_headers"
        assert await exchange.finish() is grpc.StatusCode.OK

    with_sidecar(ask)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff", "not an envoy.service.ext_proc.v3.ProcessingRequest"),
        (UNKNOWN_PHASE, "a stream announced as request headers only begins otherwise"),
    ],
)
def test_a_stream_that_begins_otherwise_ends_with_a_reason(data: bytes, text: str) -> None:
    """checklist 18"""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process(ANNOUNCED)
        await exchange.call.write(data)
        assert await exchange.status() is grpc.StatusCode.INVALID_ARGUMENT
        assert await exchange.call.details() == text

    with_sidecar(ask)


def test_a_stream_without_a_message_ends() -> None:
    """checklist 15"""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process(ANNOUNCED)
        await exchange.call.done_writing()
        assert await exchange.status() is grpc.StatusCode.INVALID_ARGUMENT

    with_sidecar(ask)


def test_another_phase_still_gets_the_answer_of_its_own() -> None:
    """checklist 7"""

    async def ask(sidecar: Sidecar) -> None:
        answer = await sidecar.caller.process(ANNOUNCED).ask(empty("request_trailers"))
        assert phase_of(answer) == "request_trailers"

    with_sidecar(ask)


def test_cancelled_streams_leave_nothing_behind() -> None:
    """checklist 15, 16"""

    async def ask(sidecar: Sidecar) -> None:
        await sidecar.caller.process(ANNOUNCED).ask(request_headers("/nowhere"))
        tasks = len(asyncio.all_tasks())

        async def cancelled(at: int) -> None:
            exchange = sidecar.caller.process(ANNOUNCED)
            await exchange.call.wait_for_connection()
            if at % 2:
                await exchange.send(request_headers("/shop"))
            exchange.call.cancel()

        for _ in range(5):
            await asyncio.gather(*(cancelled(at) for at in range(100)))
        await until_in_loop(lambda: len(asyncio.all_tasks()) <= tasks, "the end of every call")
        await until_in_loop(lambda: sidecar.sample("sidecar_tickets_open") == 0, "every lease's end")
        assert sidecar.sample("sidecar_decision_failures_total") == 0

    with_sidecar(ask, SMALL + "tickets: {lease: 50ms}\n")
