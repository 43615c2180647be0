"""Outcomes as nobody should send them, over the real services: counted, ignored, and nothing held."""

import gc
import sys
from typing import Any

import grpc
import pytest
from envoy.service.accesslog.v3 import als_pb2

from tests.runtime.sidecars import SMALL, Sidecar, with_sidecar
from tests.waiting import until_in_loop
from tests.wire.entries import a_whole_entry, an_entry, batch
from tests.wire.messages import request_headers, response_headers

pytestmark = pytest.mark.usefixtures("each_transport")

BY_RESPONSE = "envoy: {feedback: response, tokens: {header: x-usage}}\n" + SMALL


async def ticket_of(sidecar: Sidecar) -> int:
    return int((await sidecar.caller.route("/shop")).decision.ticket)


async def told(sidecar: Sidecar, *messages: bytes) -> Any:
    """How a stream with these messages ends."""
    call = sidecar.caller.access_log()
    for message in messages:
        await call.write(message)
    await call.done_writing()
    return await call.code()


def counts(sidecar: Sidecar) -> tuple[float | None, ...]:
    """Tickets reported, lost, unknown, open; foreign entries; bugs."""
    ends = [sidecar.sample("sidecar_tickets_total", end=end) for end in ("reported", "lost", "unknown")]
    rest = ("sidecar_tickets_open", "sidecar_foreign_log_entries_total", "sidecar_decision_failures_total")
    return (*ends, *(sidecar.sample(name) for name in rest))


def test_forged_repeated_and_foreign_tickets_are_counted_and_change_nothing() -> None:
    """H1 X4"""

    async def ask(sidecar: Sidecar) -> None:
        ticket = await ticket_of(sidecar)
        forged = [an_entry(number) for number in (1, ticket ^ (1 << 50), 2**62, 2**63 - 1)]
        entries = [an_entry(0), *forged, an_entry(ticket, 201), an_entry(ticket, 500), an_entry(0)]
        assert await told(sidecar, batch(*entries), batch(an_entry(ticket))) is grpc.StatusCode.OK
        assert counts(sidecar) == (1, 0, 6, 0, 2, 0)

    with_sidecar(ask)


def test_an_outcome_before_its_decision_does_not_settle_it() -> None:
    """H1: a number that nobody has yet is unknown, and its ticket awaits its own outcome."""

    async def ask(sidecar: Sidecar) -> None:
        first = await ticket_of(sidecar)
        assert await told(sidecar, batch(an_entry(first + 1), an_entry(first + 2))) is grpc.StatusCode.OK
        second = await ticket_of(sidecar)
        assert second == first + 1
        assert counts(sidecar) == (0, 0, 2, 2, 0, 0)
        assert await told(sidecar, batch(an_entry(second), an_entry(first))) is grpc.StatusCode.OK
        assert counts(sidecar) == (2, 0, 2, 0, 0, 0)

    with_sidecar(ask)


@pytest.mark.parametrize("seconds", [-1, -(2**62), 2**40])
def test_a_clock_that_ran_backwards_or_jumped_tells_no_time(seconds: int) -> None:
    """H1: then the sidecar's own clock counts in the metrics."""

    async def ask(sidecar: Sidecar) -> None:
        entry = a_whole_entry(await ticket_of(sidecar))
        for field in ("duration", "time_to_first_upstream_rx_byte", "time_to_last_upstream_tx_byte"):
            getattr(entry.common_properties, field).seconds = seconds
        assert await told(sidecar, batch(entry)) is grpc.StatusCode.OK
        seen = sidecar.sample("gateway_route_duration_seconds_sum", route="shop", upstream="shop")
        assert seen is not None
        assert 0.0 <= seen < 60.0
        assert counts(sidecar) == (1, 0, 0, 0, 0, 0)

    with_sidecar(ask)


def test_messages_without_http_entries_are_passed_over() -> None:
    """H1: logs of TCP, and who sends."""

    async def ask(sidecar: Sidecar) -> None:
        tcp = als_pb2.StreamAccessLogsMessage(tcp_logs={"log_entry": [{}, {}]})
        who = als_pb2.StreamAccessLogsMessage(identifier={"node": {"id": "x" * 10_000}, "log_name": "other"})
        empty = b""
        ticket = await ticket_of(sidecar)
        messages = [each.SerializeToString() for each in (tcp, who)]
        assert await told(sidecar, *messages, empty, batch(an_entry(ticket))) is grpc.StatusCode.OK
        assert counts(sidecar) == (1, 0, 0, 0, 0, 0)

    with_sidecar(ask)


@pytest.mark.parametrize("broken", [b"\xff", b"\x12\x05abc", b"\x12\xff\xff\xff\xff\x0f"])
def test_half_a_message_ends_its_stream_and_no_other(broken: bytes) -> None:
    """H1: what came before it counts, and Envoy may begin again."""

    async def ask(sidecar: Sidecar) -> None:
        first, second, third = [await ticket_of(sidecar) for _ in range(3)]
        other = sidecar.caller.access_log()
        await other.write(batch(an_entry(first)))
        broken_off = sidecar.caller.access_log()
        await broken_off.write(batch(an_entry(second)))
        await broken_off.write(broken)
        assert await broken_off.code() is grpc.StatusCode.INVALID_ARGUMENT
        await other.write(batch(an_entry(third)))
        await other.done_writing()
        assert await other.code() is grpc.StatusCode.OK
        assert counts(sidecar) == (3, 0, 0, 0, 0, 0)

    with_sidecar(ask)


def test_a_stream_that_is_cut_off_leaves_what_it_told() -> None:
    """H1: an Envoy that is killed ends so; the rest of its tickets expire."""
    text = "tickets: {lease: 2s}\n" + SMALL

    async def ask(sidecar: Sidecar) -> None:
        first = await ticket_of(sidecar)
        await ticket_of(sidecar)
        call = sidecar.caller.access_log()
        await call.write(batch(an_entry(first)))
        await until_in_loop(lambda: counts(sidecar)[0] == 1, "the first outcome")
        call.cancel()
        await until_in_loop(lambda: counts(sidecar)[3] == 0, "the end of the lease")
        assert counts(sidecar) == (1, 1, 0, 0, 0, 0)

    with_sidecar(ask, text)


def test_an_endless_stream_keeps_nothing(each_transport: str) -> None:
    """H1: entries that all differ, of endpoints that come and go."""

    async def send(sidecar: Sidecar, call: Any, begin: int, count: int) -> None:
        for at in range(begin, begin + count):
            entries = []
            for each in range(20):
                entry = a_whole_entry(at * 20 + each + 1, 200 + at % 300)
                address = entry.common_properties.upstream_remote_address.socket_address
                address.address, address.port_value = f"10.{at % 250}.{each}.1", 1 + at % 60_000
                entries.append(entry)
            await call.write(batch(*entries))
        expected = 20 * (begin + count)
        await until_in_loop(
            lambda: sidecar.sample("sidecar_tickets_total", end="unknown") == expected,
            f"{expected} entries",
            30.0,
        )

    async def ask(sidecar: Sidecar) -> None:
        def held() -> float:
            if each_transport == "grpc":  # in this process
                gc.collect()
                return sys.getallocatedblocks() * 64.0
            return sidecar.sample("process_resident_memory_bytes") or 0.0

        call = sidecar.caller.access_log()
        await send(sidecar, call, 0, 300)  # what is kept for speed is full by then
        before = held()
        await send(sidecar, call, 300, 900)
        assert held() - before < 8e6
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK

    with_sidecar(ask)


def test_the_response_phase_and_the_log_together_count_once() -> None:
    """H1: whichever is first."""

    async def ask(sidecar: Sidecar) -> None:
        for log_first in (False, True):
            exchange = sidecar.caller.process()
            answer = await exchange.ask(request_headers("/shop"))
            text = answer.dynamic_metadata.fields["sidecar"].struct_value.fields["ticket"].string_value
            entry = an_entry(int(text, 16), 200)
            if log_first:
                assert await told(sidecar, batch(entry)) is grpc.StatusCode.OK
            await exchange.ask(response_headers())
            await exchange.finish()
            if not log_first:
                assert await told(sidecar, batch(entry)) is grpc.StatusCode.OK
        assert counts(sidecar) == (2, 0, 2, 0, 0, 0)
        labels = {"route": "shop", "method": "GET", "status_code": "200", "upstream": "shop"}
        assert sidecar.sample("gateway_route_requests_total", **labels) == 2

    with_sidecar(ask, BY_RESPONSE)


@pytest.mark.parametrize("way", ["cancelled", "half-closed"])
def test_a_stream_that_ends_before_the_response_gives_back_its_ticket(way: str) -> None:
    """H1: over both ways in which Envoy ends one; the access log may tell so afterwards."""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        await exchange.ask(request_headers("/shop"))
        assert counts(sidecar)[3] == 1
        if way == "cancelled":
            exchange.call.cancel()
        else:
            await exchange.finish()
        await until_in_loop(lambda: counts(sidecar)[3] == 0, "the ticket's end")
        assert counts(sidecar) == (1, 0, 0, 0, 0, 0)

    with_sidecar(ask, BY_RESPONSE)


def test_a_stream_that_ends_tells_nothing_where_the_access_log_does() -> None:
    """H1: Envoy ends each as soon as it has the decision."""

    async def ask(sidecar: Sidecar) -> None:
        exchange = sidecar.caller.process()
        await exchange.ask(request_headers("/shop"))
        await exchange.finish()
        assert counts(sidecar) == (0, 0, 0, 1, 0, 0)

    with_sidecar(ask)
