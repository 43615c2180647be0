"""RouteService over gRPC: the same answers for callers that do not go through Envoy."""

from typing import Any

import grpc
import grpc.aio
import pytest

from sidecar.v1 import route_pb2
from tests.runtime.caller import ACCESS_LOG, ROUTE, Caller
from tests.runtime.sidecars import SMALL, Sidecar, with_sidecar
from tests.waiting import until_in_loop
from tests.wire.entries import an_entry, batch

pytestmark = pytest.mark.usefixtures("each_transport")


async def refused(caller: Caller, method: str, data: bytes) -> tuple[object, str]:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await caller.raw(f"/{ROUTE}/{method}", data)
    return told.value.code(), told.value.details() or ""


def test_decides_and_settles_once() -> None:
    """V1, H1: the second report of a ticket changes nothing, and says so."""

    async def ask(sidecar: Sidecar) -> None:
        decision = (await sidecar.caller.route("/shop/x?y=1", method="POST")).decision
        assert (decision.cluster, decision.endpoint.address) == ("shop", "10.0.0.1:80")
        assert (decision.path, decision.route, decision.generation) == ("/x?y=1", "shop", 1)
        assert await sidecar.caller.report(decision.ticket, 503, duration_seconds=0.25) is True
        assert await sidecar.caller.report(decision.ticket, 200) is False
        labels = {"route": "shop", "method": "POST", "upstream": "shop"}
        assert sidecar.sample("gateway_route_requests_total", status_code="503", **labels) == 1
        assert sidecar.sample("gateway_route_requests_total", status_code="200", **labels) is None

    with_sidecar(ask)


def test_a_refusal_is_an_answer() -> None:
    """V1, M18"""

    async def ask(sidecar: Sidecar) -> None:
        refusal = (await sidecar.caller.route("/nowhere")).refusal
        assert (refusal.reason, refusal.status) == (route_pb2.REFUSAL_REASON_NO_ROUTE, 404)

    with_sidecar(ask)


@pytest.mark.parametrize("ticket", [0, 1, 2**60, 2**64 - 1])
def test_a_ticket_that_nobody_got_settles_nothing(ticket: int) -> None:
    """V1, X4"""

    async def ask(sidecar: Sidecar) -> None:
        await sidecar.caller.route("/shop")
        assert await sidecar.caller.report(ticket) is False
        assert sidecar.sample("sidecar_tickets_total", end="unknown") == 1
        assert sidecar.sample("sidecar_tickets_open") == 1

    with_sidecar(ask)


def test_a_ticket_whose_lease_is_over_settles_nothing() -> None:
    """H1"""

    async def ask(sidecar: Sidecar) -> None:
        ticket = (await sidecar.caller.route("/shop")).decision.ticket
        await until_in_loop(
            lambda: sidecar.sample("sidecar_tickets_total", end="lost") == 1, "the lease's end"
        )
        assert await sidecar.caller.report(ticket) is False

    with_sidecar(ask, SMALL + "tickets: {lease: 20ms}\n")


def test_explains_without_an_effect() -> None:
    """O6"""

    async def ask(sidecar: Sidecar) -> None:
        for _ in range(3):
            told = await sidecar.caller.explain("/shop/x")
            assert told.answer.decision.route == "shop"
            assert told.answer.decision.ticket == 0
            assert [route.chosen for route in told.routes] == [True]
        assert sidecar.sample("sidecar_tickets_open") == 0
        assert sidecar.sample("sidecar_decision_seconds_count") == 0

    with_sidecar(ask)


@pytest.mark.parametrize(
    ("method", "data", "text"),
    [
        ("Route", b"\xff", "not a sidecar.v1.RouteRequest"),
        ("ReportOutcome", b"\xff", "not a sidecar.v1.ReportOutcomeRequest"),
        ("Explain", b"\xff", "not a sidecar.v1.ExplainRequest"),
        ("ReportLoad", b"\xff", "not a sidecar.v1.ReportLoadRequest"),
        (
            "ReportLoad",
            route_pb2.ReportLoadRequest(cluster="shop", id="a").SerializeToString(),
            "needs one of utilisation, quota_used, cache_hit_rate and quota_left, got none",
        ),
        (
            "Route",
            route_pb2.RouteRequest(path="shop").SerializeToString(),
            "path must start with /, got 'shop'",
        ),
        (
            "Explain",
            route_pb2.ExplainRequest(request=route_pb2.RouteRequest(path="shop")).SerializeToString(),
            "path must start with /, got 'shop'",
        ),
        (
            "ReportOutcome",
            route_pb2.ReportOutcomeRequest(ticket=1, status=42).SerializeToString(),
            "status must be 100 to 599, or 0 for none, got 42",
        ),
    ],
)
def test_a_malformed_call_is_an_invalid_argument_that_says_why(method: str, data: bytes, text: str) -> None:
    """V1"""

    async def ask(sidecar: Sidecar) -> None:
        assert await refused(sidecar.caller, method, data) == (grpc.StatusCode.INVALID_ARGUMENT, text)

    with_sidecar(ask)


def test_a_malformed_report_leaves_the_ticket_open() -> None:
    """V1"""

    async def ask(sidecar: Sidecar) -> None:
        ticket = (await sidecar.caller.route("/shop")).decision.ticket
        report = route_pb2.ReportOutcomeRequest(ticket=ticket, status=42)
        await refused(sidecar.caller, "ReportOutcome", report.SerializeToString())
        assert await sidecar.caller.report(ticket)

    with_sidecar(ask)


TWO = """\
listen: {grpc: '127.0.0.1:0', admin: '127.0.0.1:0', drain: 1s}
clusters: {shop: {endpoints: [{address: 10.0.0.1:80, id: a}, {address: 10.0.0.2:80, id: b}]}}
routes: [{name: shop, to: shop, strategy: least_loaded}]
"""


def test_a_report_of_load_counts_for_the_next_requests() -> None:
    """H8 V1: by id, or by address."""

    async def ask(sidecar: Sidecar) -> None:
        async def picked() -> str:
            decision = (await sidecar.caller.route("/")).decision
            await sidecar.caller.report(decision.ticket)
            return str(decision.endpoint.id)

        await sidecar.caller.load("shop", id="a", utilisation=0.8)
        await sidecar.caller.load("shop", address="10.0.0.2:80", utilisation=0.1)
        assert [await picked() for _ in range(4)] == ["b"] * 4
        await sidecar.caller.load("shop", id="b", utilisation=0.9)
        assert [await picked() for _ in range(4)] == ["a"] * 4
        assert sidecar.sample("sidecar_load_reports_total", result="taken") == 3

    with_sidecar(ask, TWO)


@pytest.mark.parametrize(
    ("cluster", "fields", "text"),
    [
        ("shop", {"id": "c"}, "cluster 'shop' has no endpoint with id 'c'"),
        ("shop", {"id": "10.0.0.1:80"}, "cluster 'shop' has no endpoint with id '10.0.0.1:80'"),
        ("shop", {"address": "10.0.0.3:80"}, "cluster 'shop' has no endpoint with address '10.0.0.3:80'"),
        ("other", {"id": "a"}, "cluster 'other' has no endpoint with id 'a'"),
    ],
)
def test_the_load_of_nobody_is_not_found(cluster: str, fields: dict[str, Any], text: str) -> None:
    """H8 V1"""

    async def ask(sidecar: Sidecar) -> None:
        request = route_pb2.ReportLoadRequest(cluster=cluster, utilisation=0.5, **fields)
        told = await refused(sidecar.caller, "ReportLoad", request.SerializeToString())
        assert told == (grpc.StatusCode.NOT_FOUND, text)

    with_sidecar(ask, TWO)


def test_the_access_log_settles_what_route_service_decided() -> None:
    """H1: a ticket is a ticket, whoever reports it first."""

    async def ask(sidecar: Sidecar) -> None:
        ticket = (await sidecar.caller.route("/shop")).decision.ticket
        call = sidecar.caller.access_log()
        await call.write(batch(an_entry(0), an_entry(ticket, 201), an_entry(ticket, 500)))
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
        assert not await sidecar.caller.report(ticket)
        assert sidecar.sample("sidecar_foreign_log_entries_total") == 1
        labels = {"route": "shop", "method": "GET", "status_code": "201", "upstream": "shop"}
        assert sidecar.sample("gateway_route_requests_total", **labels) == 1
        assert sidecar.sample("sidecar_tickets_total", end="unknown") == 2

    with_sidecar(ask)


def test_an_access_log_that_is_none_ends_with_a_reason() -> None:
    """H1"""

    async def ask(sidecar: Sidecar) -> None:
        call = sidecar.caller.access_log()
        await call.write(b"\xff")
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert ACCESS_LOG.rpartition(".")[0] in await call.details()

    with_sidecar(ask)
