"""What the sidecar learns of how requests ended, and tells in its metrics."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.e2e.gateway import Gateway, running_gateway
from tests.running.sidecar import run
from tests.waiting import until

pytestmark = pytest.mark.e2e

GATEWAY: Final = """\
listen: {grpc: $grpc, admin: $admin}
envoy:
  {listen: $envoy, admin: null, message_timeout: 1s, feedback: FEEDBACK, tokens: {header: X-Usage-Tokens}}
clusters:
  shop: {endpoints: [{address: $a}, {address: $b}]}
  broken: {endpoints: [{address: $c}]}
  nobody: {endpoints: [{address: "127.0.0.1:1"}]}
  model: {endpoints: [{address: $d}], limits: {tokens_per_minute: 1000}}
routes:
  - {name: shop, match: {path: {prefix: /shop}}, to: shop}
  - {name: broken, match: {path: {prefix: /broken}}, to: broken}
  - {name: nobody, match: {path: {prefix: /nobody}}, to: nobody}
  - {name: hold, match: {path: {prefix: /hold}}, to: shop}
  - {name: model, match: {path: {prefix: /model}}, to: model}
"""


@pytest.fixture(scope="module", params=["access_log", "response"])
def told(
    request: pytest.FixtureRequest, transport: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    text = GATEWAY.replace("FEEDBACK", request.param)
    with running_gateway(text, tmp_path_factory.mktemp("outcomes"), transport) as gateway:
        gateway.endpoints["c"].failing = True
        yield gateway


def _reported(gateway: Gateway) -> float:
    """How many tickets were reported, once none is open."""
    until(lambda: gateway.sidecar.sample("sidecar_tickets_open") == 0, "the reports of what went before")
    return gateway.sidecar.sample("sidecar_tickets_total", end="reported")


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
    before = _reported(told)
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
    assert ready["routes"] == 5
    assert ready["grpc"] == [told.grpc]


def test_a_client_that_leaves_holds_nothing_until_the_end_of_a_lease(told: Gateway) -> None:
    """H1: by the access log, and by the end of the stream where no response comes."""
    before = _reported(told)
    a, b = told.endpoints["a"], told.endpoints["b"]
    with socket.create_connection(("127.0.0.1", told.envoy.port)) as client:
        client.sendall(b"GET /hold HTTP/1.1\r\nhost: shop.test\r\n\r\n")
        until(lambda: a.held + b.held == 1, "the request at its endpoint")
        assert told.sidecar.sample("sidecar_tickets_open") == 1

    _settled(told, before + 1)
    for one in (a, b):
        one.released.set()
    until(lambda: a.held + b.held == 0, "the endpoint's end")
    a.released.clear()
    b.released.clear()


def test_tokens_that_an_endpoint_tells_take_the_place_of_the_estimate(told: Gateway) -> None:
    """H1 B1: 20 requests take few of the 1,000 tokens, and one takes the rest."""
    before = _reported(told)
    model = told.endpoints["d"]
    model.headers["x-usage-tokens"] = "1"
    for at in range(20):
        reply = told.ask("/model")
        assert (reply.status, reply.all("x-usage-tokens")) == (200, ["1"])
        _settled(told, before + at + 1)  # until then its estimate counts
    model.headers["x-usage-tokens"] = "990"
    assert told.ask("/model").status == 200
    _settled(told, before + 21)

    assert told.ask("/model").status == 429


def with_both(printed: str, config: Path) -> str:
    """The bootstrap that sends responses to the sidecar, and the access log as well."""
    by_log = config.with_name("by_log.yaml")
    by_log.write_text(config.read_text().replace("feedback: response", "feedback: access_log"))
    made, other = yaml.safe_load(printed), yaml.safe_load(run("envoy", by_log).stdout)
    mine, others = (
        one["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        for one in (made, other)
    )
    assert "access_log" not in mine
    mine["access_log"] = others["access_log"]
    return yaml.safe_dump(made)


def test_an_envoy_that_tells_both_ways_counts_nothing_twice(
    transport: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """H1: by a configuration of one's own; the access log finds the tickets settled."""
    text = GATEWAY.replace("FEEDBACK", "response")
    folder = tmp_path_factory.mktemp("both")
    with running_gateway(text, folder, transport, with_both) as gateway:
        gateway.endpoints["c"].failing = True
        for at in range(30):
            assert gateway.ask("/broken" if at % 3 == 0 else "/shop").status == (503 if at % 3 == 0 else 200)
        sidecar = gateway.sidecar
        until(
            lambda: sidecar.sample("sidecar_tickets_total", end="unknown") == 30,
            "30 entries of the access log",
        )

        assert sidecar.sample("sidecar_tickets_total", end="reported") == 30
        assert sidecar.sample("sidecar_tickets_open") == 0
        counts = sidecar.samples("gateway_route_requests_total", "route", "status_code")
        assert counts == {("broken", "503"): 10, ("shop", "200"): 20}
