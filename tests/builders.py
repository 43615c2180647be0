"""Plans, requests and engines as tests want them: whatever a test does not say has a plain default."""

import gc
import sys
from collections.abc import Callable, Iterable, Mapping
from random import Random
from types import FrameType
from typing import Any, Final

import sidecar.core.engine
from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.plan import NO_CHANGES, HeaderChanges, Plan, Rewrite, Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request, headers_of
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.logic import All
from sidecar.core.rules.where import OneOf
from sidecar.core.split import Split
from sidecar.core.state.memory import State
from sidecar.core.strategies.base import Strategy

ALWAYS: Final = All(())
COMPILED: Final = not sidecar.core.engine.__file__.endswith(".py")
OK: Final = Outcome(200, duration_s=0.01)


def a_request(
    target: str = "/",
    *headers: tuple[str, str | bytes],
    method: str = "GET",
    host: str = "shop.test",
    ends: bool = False,
) -> Request:
    """Headers are (name, value) pairs, so that they may repeat."""
    pairs = [(name, value.encode() if isinstance(value, str) else value) for name, value in headers]
    return Request(method, host, target, headers_of(pairs), ends=ends)


def an_endpoint(
    id: str = "a", weight: int = 1, *, cluster: str = "shop", address: str = "10.0.0.1:80", version: str = ""
) -> Endpoint:
    return Endpoint(cluster, id, address, weight, version)


def endpoints_of(weights: Mapping[str, int]) -> tuple[Endpoint, ...]:
    """Endpoints by id and weight: `{"a": 5, "b": 1}`."""
    return tuple(an_endpoint(name, weight) for name, weight in weights.items())


def a_variant(
    name: str = "main",
    endpoints: Iterable[Endpoint] | None = None,
    *,
    strategy: str = "round_robin",
    pool: str = "",
) -> Variant:
    """Its pool has its name unless told otherwise."""
    to = (an_endpoint(),) if endpoints is None else tuple(endpoints)
    return Variant(name, pool or name, to, STRATEGIES[strategy](), strategy)


def a_route(
    name: str = "main",
    matcher: Matcher = ALWAYS,
    to: Iterable[Endpoint] | None = None,
    *,
    strategy: str = "round_robin",
    priority: int = 0,
    enabled: bool = True,
    request_headers: HeaderChanges = NO_CHANGES,
    response_headers: HeaderChanges = NO_CHANGES,
    rewrite: Rewrite | None = None,
    labels: tuple[tuple[str, str], ...] = (),
    want: int = 1,
) -> Route:
    """A route with one variant, and one endpoint `a` unless told otherwise."""
    return Route(
        name,
        matcher,
        (a_variant("main", to, strategy=strategy, pool=name),),
        priority=priority,
        enabled=enabled,
        request_headers=request_headers,
        response_headers=response_headers,
        rewrite=rewrite,
        labels=labels,
        want=want,
    )


def a_split_route(
    name: str,
    arms: Mapping[str, float],
    matcher: Matcher = ALWAYS,
    *,
    sticky: tuple[Field, ...] = (),
    strategy: str = "round_robin",
    endpoints: int = 1,
) -> Route:
    """Each arm has its own endpoints `<arm>-0`, `<arm>-1` …, whose version label is the arm's name."""
    variants = tuple(
        a_variant(
            arm,
            [an_endpoint(f"{arm}-{at}", version=arm) for at in range(endpoints)],
            strategy=strategy,
            pool=f"{name}/{arm}",
        )
        for arm in arms
    )
    return Route(name, matcher, variants, Split(name, list(arms), list(arms.values())), sticky)


def a_plan(*routes: Route, generation: int = 1, lease_s: float = 300.0) -> Plan:
    """One route to one endpoint when none is given."""
    return Plan(generation, list(routes) or [a_route()], lease_s)


def an_engine(
    *routes: Route, seed: int = 1, lease_s: float = 300.0, epoch: int = 0, most_tickets: int = 200_000
) -> Engine:
    return Engine(a_plan(*routes, lease_s=lease_s), State(epoch, most_tickets), Random(seed))


def an_engine_by(
    strategy: Strategy, endpoints: Iterable[Endpoint], *, want: int = 1, seed: int = 1
) -> Engine:
    """With one route, `main`, whose requests this strategy gives to these endpoints."""
    return an_engine(a_route_by(strategy, endpoints, want=want), seed=seed)


def a_route_by(strategy: Strategy, endpoints: Iterable[Endpoint], *, want: int = 1) -> Route:
    return Route("main", ALWAYS, (Variant("main", "main", tuple(endpoints), strategy, "own"),), want=want)


def header_is(name: str, *values: str) -> OneOf:
    return OneOf(HeaderField(name), values)


def decided(engine: Engine, request: Request | None = None, now: float = 0.0) -> Decision:
    """The decision; a refusal fails the test."""
    answer = engine.decide(a_request() if request is None else request, now)
    assert isinstance(answer, Decision), answer
    return answer


def ticket_of(decision: Decision) -> int:
    assert decision.ticket is not None
    return decision.ticket.id


def picks(engine: Engine, count: int, request: Request | None = None) -> str:
    """The ids of the endpoints of the next decisions, with a space between."""
    return " ".join(decided(engine, request).endpoint.id for _ in range(count))


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of Python the call runs: its cost, free of the clock. Compiled code runs none."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # what others do when garbage is looked for is none of the call's
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        gc.enable()
    return count
