"""An engine that remembers routes decides as one that does not."""

from random import Random

import pytest

from sidecar.core.engine import Engine
from sidecar.core.plan import Plan, Route
from sidecar.core.request import Attached, Request
from sidecar.core.rules.body import BodyField, BodyIs
from sidecar.core.rules.fields import QueryField
from sidecar.core.rules.path import PathUnder
from sidecar.core.rules.where import OneOf
from sidecar.core.state.memory import State
from sidecar.wire.body import Arriving, Given
from tests.builders import a_request, a_route, decided, header_is


def a_plan(*routes: Route, cached: int = 100, always: bool = True, generation: int = 1) -> Plan:
    return Plan(generation, list(routes), cached=cached, cached_s=60.0, cached_always=always)


def an_engine(plan: Plan) -> Engine:
    return Engine(plan, State(), Random(1))


def counts(engine: Engine) -> tuple[int, int, int]:
    assert engine.cache is not None
    return (engine.cache.hits, engine.cache.misses, engine.cache.size)


def chosen(engine: Engine, path: str, *headers: tuple[str, str], now: float = 0.0) -> str:
    return decided(engine, a_request(path, *headers), now).route.name


def test_a_plan_that_replaces_another_is_asked_anew() -> None:
    """M19: dropped on every change; the counts go on."""
    engine = an_engine(a_plan(a_route("old", PathUnder("/"))))
    assert [chosen(engine, "/a") for _ in range(3)] == ["old"] * 3

    engine.swap(a_plan(a_route("new", PathUnder("/a")), a_route("old", PathUnder("/")), generation=2))

    assert [chosen(engine, "/a"), chosen(engine, "/b"), chosen(engine, "/a")] == ["new", "old", "new"]
    assert counts(engine) == (3, 3, 2)


def test_a_route_that_is_switched_off_is_not_remembered() -> None:
    """M19"""
    routes = [a_route("first", PathUnder("/a")), a_route("second", PathUnder("/"))]
    engine = an_engine(a_plan(*routes))
    assert chosen(engine, "/a") == "first"

    engine.swap(a_plan(a_route("first", PathUnder("/a"), enabled=False), routes[1], generation=2))

    assert chosen(engine, "/a") == "second"


def test_facts_that_differ_are_told_apart() -> None:
    """M19"""
    gold = a_route("gold", header_is("x-tier", "gold"))
    beta = a_route("beta", OneOf(QueryField("beta"), ("1",)))
    engine = an_engine(a_plan(gold, beta, a_route("rest", PathUnder("/"), priority=-1)))

    for _ in range(2):
        assert chosen(engine, "/a", ("x-tier", "gold")) == "gold"
        assert chosen(engine, "/a?beta=1") == "beta"
        assert chosen(engine, "/a?beta=2") == "rest"
        assert chosen(engine, "/a") == "rest"
    assert counts(engine) == (4, 4, 5)


def test_explaining_neither_asks_nor_fills_what_is_remembered() -> None:
    """M19, O6"""
    engine = an_engine(a_plan(a_route("old", PathUnder("/"))))

    engine.explain(a_request("/a"), 0.0)

    assert counts(engine) == (0, 0, 0)


def test_other_limits_make_another_cache_and_none_makes_none() -> None:
    """M19"""
    route = a_route("old", PathUnder("/"))
    engine = an_engine(a_plan(route))
    chosen(engine, "/a")

    engine.swap(a_plan(route, always=False, generation=2))
    chosen(engine, "/a")
    assert counts(engine) == (0, 0, 0)

    engine.swap(a_plan(route, cached=0, generation=3))
    assert engine.cache is None
    assert chosen(engine, "/a") == "old"


JSON = ("content-type", "application/json")
HEADERS = a_request("/", JSON, ("x-a", "1")).headers
LARGE = b'{"model": "a"}' + b" " * 100


@pytest.mark.parametrize(
    "attached", [Arriving(HEADERS, b"", 50), Given(HEADERS, LARGE, {}, 0, {}, 50)], ids=["arriving", "large"]
)
def test_a_body_that_only_later_routes_ask_for_is_not_asked_for(attached: Attached) -> None:
    """M19, M7: a request would wait for it, or be refused because it is too large."""
    by_body = a_route("body", BodyIs(BodyField("model"), ('"a"',)))
    engine = an_engine(a_plan(a_route("first", header_is("x-a", "1"), priority=1), by_body))

    for _ in range(2):
        decision = decided(engine, Request("POST", "shop.test", "/", HEADERS, attached))
        assert decision.route.name == "first"
        assert not attached.waits()
