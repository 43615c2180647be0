"""Envoy and the callers of RouteService get the same answers, and explaining has no effect."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sidecar.v1 import route_pb2
from tests.e2e.gateway import Gateway, running_gateway
from tests.waiting import until

pytestmark = pytest.mark.e2e

_TIMEOUT_S = 5.0
_PATHS = [
    "/checkout",
    "/checkout/more",
    "/api/search?q=shoes",
    "/api/search",
    "/api/eu/items/7?x=/api/eu",
    "/api/us/items/7/parts",
    "/v2/users?page=2",
    "/vx/users",
    "/",
]
_HOSTS = ["shop.test", "www.shop.test", "WWW.Shop.Test:8080", "other.test"]
_HEADERS = [
    ("x-debug", "on"),
    ("x-debug", "off"),
    ("cookie", "a=1; debug=1"),
    ("x-part", "a secret part"),
    ("x-part", "open"),
]
_CLUSTERS = {"shop_v1": "shop", "shop_v2": "shop", "search": "search", "debug": "debug"}


@pytest.fixture(scope="module")
def asked(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    text = Path(__file__).with_name("agreement.yaml").read_text()
    with running_gateway(text, tmp_path_factory.mktemp("agreement"), transport) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def channel(asked: Gateway) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(asked.grpc) as channel:
        yield channel


@dataclass(frozen=True)
class Facts:
    """Of one request, whichever way it is asked."""

    method: str
    host: str
    path: str
    headers: tuple[tuple[str, str], ...]

    @property
    def message(self) -> route_pb2.RouteRequest:
        headers = [route_pb2.Header(name=name, value=value.encode()) for name, value in self.headers]
        return route_pb2.RouteRequest(
            method=self.method, authority=self.host, path=self.path, headers=headers
        )


@dataclass(frozen=True)
class Answer:
    """A decision as far as an endpoint can see it; a refusal has a status of its own and nothing else."""

    status: int
    route: str = ""
    cluster: str = ""
    address: str = ""
    path: str = ""
    host: str = ""


def _generated(seed: int, count: int) -> list[Facts]:
    rng = Random(seed)
    return [
        Facts(
            rng.choice(["GET", "POST", "DELETE"]),
            rng.choice(_HOSTS),
            rng.choice(_PATHS),
            (("x-user-id", f"user-{rng.randrange(20)}"), *rng.sample(_HEADERS, rng.choice([0, 0, 0, 1, 2]))),
        )
        for _ in range(count)
    ]


def _through_envoy(gateway: Gateway, facts: Facts) -> Answer:
    reply = gateway.ask(facts.path, [("host", facts.host), *facts.headers], facts.method)
    if reply.status != 200:
        return Answer(reply.status)
    address = gateway.endpoints[reply.name].address
    (route,) = reply.arrived("x-route")
    return Answer(200, route, _CLUSTERS[reply.name], address, reply.seen["path"], reply.seen["host"])


def _by_route_service(channel: grpc.Channel, facts: Facts) -> Answer:
    answer = _call(channel, "Route", facts.message, route_pb2.RouteResponse)
    if answer.HasField("refusal"):
        return Answer(answer.refusal.status)
    decision = answer.decision
    (route,) = [header.value for header in decision.set_headers if header.name == "x-route"]
    assert route == decision.route
    assert decision.ticket
    return Answer(
        200,
        decision.route,
        decision.cluster,
        decision.endpoint.address,
        decision.path or facts.path,
        decision.host or facts.host,
    )


def _call(channel: grpc.Channel, method: str, message: Any, answer: Any) -> Any:
    call = channel.unary_unary(
        f"/sidecar.v1.RouteService/{method}",
        request_serializer=type(message).SerializeToString,
        response_deserializer=answer.FromString,
    )
    return call(message, timeout=_TIMEOUT_S)


def _tickets(gateway: Gateway) -> tuple[dict[tuple[str, ...], float], float]:
    sidecar = gateway.sidecar
    return sidecar.samples("sidecar_tickets_total", "end"), sidecar.sample("sidecar_tickets_open")


def test_the_same_facts_give_the_same_decision_both_ways(asked: Gateway, channel: grpc.Channel) -> None:
    """V1 V2: 60 requests from a fixed seed; every route but the refusals is deterministic."""
    routes: Counter[str] = Counter()
    for facts in _generated(seed=20, count=60):
        through_envoy = _through_envoy(asked, facts)
        assert through_envoy == _by_route_service(channel, facts), facts
        routes[through_envoy.route] += 1

    assert routes.keys() == {"", "checkout", "debug", "search", "items", "public", "version"}


def test_a_decision_says_why_and_among_what(channel: grpc.Channel) -> None:
    """V2"""
    facts = Facts("GET", "a.test", "/checkout", (("x-user-id", "user-1"),))

    decision = _call(channel, "Route", facts.message, route_pb2.RouteResponse).decision

    shares = {weight.variant: round(weight.share, 6) for weight in decision.weights}
    assert shares == {"stable": 0.6, "canary": 0.4}
    assert decision.variant in shares
    assert decision.candidates_considered == 1
    assert decision.strategy == "weighted_round_robin"
    assert decision.reason
    assert decision.generation == 1


def test_an_outcome_is_reported_once(channel: grpc.Channel) -> None:
    """V1 H1"""
    facts = Facts("GET", "a.test", "/v1/x", ())
    ticket = _call(channel, "Route", facts.message, route_pb2.RouteResponse).decision.ticket
    report = route_pb2.ReportOutcomeRequest(ticket=ticket, status=200)

    settled = [
        _call(channel, "ReportOutcome", report, route_pb2.ReportOutcomeResponse).settled for _ in range(2)
    ]

    assert settled == [True, False]


def _opened(asked: Gateway) -> float:
    """Tickets ever opened; outcomes of earlier requests may still come in, and do not change it."""
    seen: list[float] = []

    def read_at_rest() -> bool:
        ends = asked.sidecar.samples("sidecar_tickets_total", "end")
        still_open = asked.sidecar.sample("sidecar_tickets_open")
        seen.append(still_open + ends["reported",] + ends["lost",])
        return ends == asked.sidecar.samples("sidecar_tickets_total", "end")

    until(read_at_rest, "a moment without a report")
    return seen[-1]


def test_explaining_has_no_effect(asked: Gateway, channel: grpc.Channel) -> None:
    """O6: it names every route and holds no ticket."""
    before = _opened(asked)
    facts = Facts("GET", "www.shop.test", "/api/search?q=1", ())

    explained = [
        _call(channel, "Explain", route_pb2.ExplainRequest(request=facts.message), route_pb2.ExplainResponse)
        for _ in range(5)
    ]

    first = explained[0]
    assert first.answer.decision.route == "search"
    assert first.answer.decision.ticket == 0
    assert [verdict.route for verdict in first.routes if verdict.chosen] == ["search"]
    assert {verdict.route for verdict in first.routes if verdict.matched} == {"search", "public"}
    assert len(first.routes) == 6
    assert all(one == first for one in explained)
    assert _opened(asked) == before


def test_health_and_reflection_are_served_beside_envoys_calls(channel: grpc.Channel) -> None:
    """V6"""
    health = health_pb2_grpc.HealthStub(channel)
    status = health.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S).status
    assert status == health_pb2.HealthCheckResponse.SERVING

    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
        iter([listing]), timeout=_TIMEOUT_S
    )
    named = {service.name for service in next(answers).list_services_response.service}
    assert {"sidecar.v1.RouteService", "envoy.service.ext_proc.v3.ExternalProcessor"} <= named
