"""What the sidecar learns of how requests ended, and tells in its metrics."""

from collections.abc import Iterator

import pytest

from tests.e2e.gateway import Gateway, running_gateway
from tests.waiting import until

pytestmark = pytest.mark.e2e

GATEWAY = """\
listen: {grpc: $grpc, admin: $admin}
envoy: {listen: $envoy, admin: null, message_timeout: 1s, feedback: FEEDBACK}
clusters:
  shop: {endpoints: [{address: $a}, {address: $b}]}
  broken: {endpoints: [{address: $c}]}
  nobody: {endpoints: [{address: "127.0.0.1:1"}]}
routes:
  - {name: shop, match: {path: {prefix: /shop}}, to: shop}
  - {name: broken, match: {path: {prefix: /broken}}, to: broken}
  - {name: nobody, match: {path: {prefix: /nobody}}, to: nobody}
"""


@pytest.fixture(scope="module", params=["access_log", "response"])
def told(
    request: pytest.FixtureRequest, transport: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    text = GATEWAY.replace("FEEDBACK", request.param)
    with running_gateway(text, tmp_path_factory.mktemp("outcomes"), transport) as gateway:
        gateway.endpoints["c"].failing = True
        yield gateway


def _settled(gateway: Gateway, count: float) -> None:
    """Wait until so many tickets were reported; none may be left."""
    until(
        lambda: gateway.sidecar.sample("sidecar_tickets_total", end="reported") >= count, f"{count} reports"
    )
    assert gateway.sidecar.sample("sidecar_tickets_total", end="reported") == count
    assert gateway.sidecar.sample("sidecar_tickets_total", end="lost") == 0
    assert gateway.sidecar.sample("sidecar_tickets_total", end="unknown") == 0
    assert gateway.sidecar.sample("sidecar_tickets_open") == 0


def test_every_ticket_settles_once_and_counts_under_its_labels(told: Gateway) -> None:
    """H1 O1: by Envoy's access log, and by ext_proc's response phase."""
    sidecar = told.sidecar
    labels = ("route", "method", "status_code", "upstream")
    before = sidecar.sample("sidecar_tickets_total", end="reported")
    sent = {
        ("shop", "GET", "200", "shop"): 20,
        ("shop", "POST", "200", "shop"): 5,
        ("shop", "OTHER", "200", "shop"): 1,
        ("broken", "GET", "503", "broken"): 7,
        ("nobody", "DELETE", "503", "nobody"): 3,
    }
    for (route, method, status, _), times in sent.items():
        for _ in range(times):
            reply = told.ask(f"/{route}/x", method="PROPFIND" if method == "OTHER" else method)
            assert str(reply.status) == status, reply

    _settled(told, before + sum(sent.values()))

    assert sidecar.samples("gateway_route_requests_total", *labels) == sent
    assert sidecar.samples("gateway_route_duration_seconds_count", "route", "upstream") == {
        ("shop", "shop"): 26,
        ("broken", "broken"): 7,
        ("nobody", "nobody"): 3,
    }
    longest = sidecar.sample("gateway_route_duration_seconds_sum", route="shop", upstream="shop")
    assert 0 < longest < 26 * 5


def test_refused_requests_count_by_their_reason_and_hold_nothing(told: Gateway) -> None:
    """H1 O1 M18"""
    before = told.sidecar.sample("sidecar_tickets_total", end="reported")
    refused = told.sidecar.sample("sidecar_refusals_total", reason="no_route")
    for _ in range(4):
        assert told.ask("/nothing/here").status == 404
    assert told.ask("/shop").status == 200

    _settled(told, before + 1)

    assert told.sidecar.sample("sidecar_refusals_total", reason="no_route") == refused + 4
    assert told.sidecar.sample("sidecar_foreign_log_entries_total") == 0


def test_the_log_has_a_line_for_each_change_of_state_and_none_for_each_request(told: Gateway) -> None:
    """O4"""
    before = len(told.sidecar.lines())
    for _ in range(20):
        assert told.ask("/shop").status == 200

    assert len(told.sidecar.lines()) == before
    (ready,) = told.sidecar.events("ready")
    assert ready["routes"] == 3
    assert ready["grpc"] == [told.grpc]
