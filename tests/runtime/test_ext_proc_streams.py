"""The ext_proc service over gRPC, as Envoy meets it."""

import asyncio
import time

import grpc
import grpc.aio
import pytest

from tests.runtime.caller import EXT_PROC
from tests.runtime.sidecars import SMALL, Sidecar, with_sidecar
from tests.waiting import until_in_loop
from tests.wire.messages import (
    BUFFERED,
    FULL_DUPLEX,
    PHASES,
    UNKNOWN_PHASE,
    body,
    chunks,
    empty,
    phase_of,
    request_headers,
    response_headers,
    set_headers,
)

pytestmark = [pytest.mark.usefixtures("each_transport"), pytest.mark.alone]

SHORT_LEASE = SMALL + "tickets: {lease: 300ms}\n"


def test_a_decision_sets_each_header_once_in_raw_values() -> None:
    """checklist 1, 2, 6"""

    async def ask(sidecar: Sidecar) -> None:
        answer = await sidecar.caller.process().ask(request_headers("/shop/x?y=1"))
        common = answer.request_headers.response
        assert common.clear_route_cache
        assert not [each for each in common.header_mutation.set_headers if each.header.value]
        assert set_headers(answer) == {
            "x-sidecar-cluster": "shop",
            "x-sidecar-route": "shop",
            ":path": "/x?y=1",
        }

    with_sidecar(ask)


def test_a_control_character_never_leaves() -> None:
    """checklist 3"""

    async def ask(sidecar: Sidecar) -> None:
        for code in (*range(32), 127):
            answer = await sidecar.caller.process().ask(request_headers(f"/shop/a{chr(code)}b"))
            assert set_headers(answer)[":path"] == f"/a%{code:02X}b"

    with_sidecar(ask)


def test_repeated_and_broken_headers_are_no_trouble() -> None:
    """checklist 5"""

    async def ask(sidecar: Sidecar) -> None:
        pairs = [("x-a", b"1"), ("x-a", b"\xff"), ("cookie", b"\xc3\x28"), ("x-b", b"")]
        answer = await sidecar.caller.process().ask(request_headers(b"/shop/\xff", *pairs))
        assert phase_of(answer) == "request_headers"
        assert sidecar.sample("sidecar_decision_failures_total") == 0

    with_sidecar(ask)


def test_every_phase_is_answered_with_its_own() -> None:
    """checklist 7, 11: in order, out of order, twice."""

    async def ask(sidecar: Sidecar) -> None:
        for order in (PHASES, PHASES[::-1], PHASES + PHASES):
            exchange = sidecar.caller.process()
            first = True
            for phase in order:
                message = request_headers("/shop") if phase == "request_headers" and first else empty(phase)
                first = first and phase != "request_headers"
                assert phase_of(await exchange.ask(message)) == phase
            assert await exchange.finish() is grpc.StatusCode.OK

    with_sidecar(ask)


def test_a_buffered_body_is_let_through() -> None:
    """checklist 8, 9"""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        headers = request_headers("/shop", request_mode=BUFFERED, end_of_stream=False)
        assert not (await exchange.ask(headers)).HasField("mode_override")
        answer = await exchange.ask(body(b"x" * 1_000_000, end=True))
        assert not answer.request_body.HasField("response")

    with_sidecar(ask)


def test_a_body_handed_over_comes_back_whole() -> None:
    """checklist 10"""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        await exchange.ask(request_headers("/shop", request_mode=FULL_DUPLEX, end_of_stream=False))
        sent = [b"a" * 150_000, b"", b"b" * 62_000]
        for data in sent:
            await exchange.send(body(data, end=data is sent[-1]))
        answers = [await exchange.answer() for _ in range(3 + 1 + 1)]
        given = chunks(answers)
        assert b"".join(chunk.body for chunk in given) == b"".join(sent)
        assert [chunk.end_of_stream for chunk in given] == [False] * 4 + [True]
        assert max(len(chunk.body) for chunk in given) <= 62_000
        assert await exchange.finish() is grpc.StatusCode.OK

    with_sidecar(ask)


def test_an_upgrade_waits_for_no_body() -> None:
    """checklist 12"""

    async def ask(sidecar: Sidecar) -> None:
        message = request_headers(
            "/shop/chat", ("upgrade", "websocket"), request_mode=FULL_DUPLEX, end_of_stream=False
        )
        assert set_headers(await sidecar.caller.process().ask(message))[":path"] == "/chat"

    with_sidecar(ask)


def test_nothing_is_answered_in_observability_mode() -> None:
    """checklist 13"""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        for phase in PHASES:
            message = empty(phase)
            message.observability_mode = True
            await exchange.send(message)
        assert await exchange.finish() is grpc.StatusCode.OK

    with_sidecar(ask)


def test_attributes_may_be_missing() -> None:
    """checklist 14"""

    async def ask(sidecar: Sidecar) -> None:
        for attributes in ({}, {"source.address": "10.1.1.1:9"}):
            message = request_headers("/shop")
            message.attributes["envoy.filters.http.ext_proc"].update(attributes)
            assert phase_of(await sidecar.caller.process().ask(message)) == "request_headers"

    with_sidecar(ask)


def test_two_thousand_cancelled_streams_leave_nothing_behind() -> None:
    """checklist 15, 16: no task, no stream; each ticket expires exactly once."""

    async def ask(sidecar: Sidecar) -> None:
        await sidecar.caller.process().ask(request_headers("/nowhere"))
        tasks = len(asyncio.all_tasks())

        async def cancelled(at: int) -> None:
            exchange = sidecar.caller.process()
            await exchange.ask(request_headers("/shop"))
            if at % 2:  # half of them in the middle of a message
                await exchange.send(response_headers())
            exchange.call.cancel()

        for batch in range(20):
            await asyncio.gather(*(cancelled(batch * 100 + at) for at in range(100)))
        await until_in_loop(lambda: len(asyncio.all_tasks()) <= tasks, "the end of every call")
        await until_in_loop(lambda: sidecar.sample("sidecar_tickets_open") == 0, "every lease's end")
        assert sidecar.sample("sidecar_tickets_total", end="lost") == 2000
        assert sidecar.sample("sidecar_tickets_total", end="reported") == 0

    with_sidecar(ask, SHORT_LEASE)


def test_a_cancel_is_neither_an_error_nor_a_success() -> None:
    """checklist 15: the ticket stays open for whoever knows how the request ended."""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        answer = await exchange.ask(request_headers("/shop"))
        exchange.call.cancel()
        ticket = int(answer.dynamic_metadata["sidecar"]["ticket"], 16)
        assert await sidecar.caller.report(ticket)
        assert sidecar.sample("sidecar_decision_failures_total") == 0

    with_sidecar(ask)


def test_the_response_phase_settles_where_it_is_asked_to() -> None:
    """checklist 16, H1: `envoy.feedback: response`."""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        answer = await exchange.ask(request_headers("/shop"))
        assert phase_of(await exchange.ask(response_headers("503"))) == "response_headers"
        labels = {"route": "shop", "method": "GET", "status_code": "503", "upstream": "shop"}
        assert sidecar.sample("gateway_route_requests_total", **labels) == 1
        assert not await sidecar.caller.report(int(answer.dynamic_metadata["sidecar"]["ticket"], 16))

    with_sidecar(ask, SMALL + "envoy: {feedback: response}\n")


def test_a_phase_not_known_yet_ends_the_stream_with_ok() -> None:
    """checklist 18: a clean end lets the request go on without the sidecar."""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        await exchange.call.write(UNKNOWN_PHASE)
        assert await exchange.answer() is None
        assert await exchange.status() is grpc.StatusCode.OK

    with_sidecar(ask)


def test_bytes_that_are_no_message_end_the_stream_with_a_reason() -> None:
    """checklist 18"""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        await exchange.call.write(b"\xff")
        assert await exchange.status() is grpc.StatusCode.INVALID_ARGUMENT
        assert await exchange.call.details() == "not an envoy.service.ext_proc.v3.ProcessingRequest"

    with_sidecar(ask)


def test_a_refusal_has_a_status() -> None:
    """checklist 20: without one it would be a 200."""

    async def ask(sidecar: Sidecar) -> None:
        answer = await sidecar.caller.process().ask(request_headers("/nowhere"))
        assert answer.immediate_response.status.code == 404
        assert answer.immediate_response.details == "sidecar_no_route"

    with_sidecar(ask)


def test_a_thousand_idle_streams_do_not_stall_the_next_one() -> None:
    """checklist 21"""

    async def ask(sidecar: Sidecar) -> None:
        idle = [sidecar.caller.process() for _ in range(1_000)]
        await asyncio.gather(*(exchange.ask(request_headers("/shop")) for exchange in idle))
        begun = time.monotonic()
        answer = await sidecar.caller.process().ask(request_headers("/shop"))
        assert phase_of(answer) == "request_headers"
        assert time.monotonic() - begun < 0.2  # Envoy's message timeout
        for exchange in idle:
            await exchange.call.done_writing()
        assert {await exchange.status() for exchange in idle} == {grpc.StatusCode.OK}

    with_sidecar(ask)


def test_a_method_that_is_not_there_is_unimplemented() -> None:
    """V6"""

    async def ask(sidecar: Sidecar) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await sidecar.caller.raw(f"/{EXT_PROC}/Reprocess", b"")
        assert told.value.code() is grpc.StatusCode.UNIMPLEMENTED

    with_sidecar(ask)
