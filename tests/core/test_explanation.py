"""Why a request is answered as it is."""

import pytest

from sidecar.core.decision import Answer, Decision
from sidecar.core.engine import Engine
from sidecar.core.explanation import Explanation
from sidecar.core.refusal import Refusal
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.logic import All, AnyOf
from sidecar.core.rules.path import PathIs, PathUnder
from tests.builders import (
    ALWAYS,
    a_request,
    a_route,
    a_split_route,
    an_engine,
    decided,
    endpoints_of,
    header_is,
)

KINDS = [*sorted(STRATEGIES), "split"]


def an_engine_of(kind: str, want: int = 1) -> Engine:
    """With a route of each strategy, or a split by chance between pools that draw by chance."""
    if kind == "split":
        arms = {"stable": 60.0, "canary": 30.0, "third": 10.0}
        return an_engine(a_split_route("split", arms, strategy="weighted_random", endpoints=3))
    return an_engine(a_route(to=endpoints_of({"a": 5, "b": 1, "c": 2, "d": 2}), strategy=kind, want=want))


def said(answer: Answer) -> list[str]:
    if isinstance(answer, Refusal):
        return [answer.reason.value, answer.route]
    assert isinstance(answer, Decision)
    named = [endpoint.key for endpoint in [answer.endpoint, *answer.fallbacks]]
    return [answer.route.name, answer.variant.name, str(answer.target), str(answer.considered), *named]


@pytest.mark.parametrize("want", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_explaining_changes_none_of_the_decisions_that_follow(kind: str, want: int) -> None:
    watched, alone = an_engine_of(kind, want), an_engine_of(kind, want)

    for _ in range(50):
        for _ in range(3):
            watched.explain(a_request("/x"), 0.0)
        assert said(decided(watched)) == said(decided(alone))
    assert watched.state.tickets.opened == alone.state.tickets.opened == 50
    assert watched.state.load.total() == 50


@pytest.mark.parametrize("want", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_says_the_same_as_the_decision_that_follows(kind: str, want: int) -> None:
    engine = an_engine_of(kind, want)

    for _ in range(50):
        explanation = engine.explain(a_request("/x"), 0.0)
        decision = decided(engine, a_request("/x"))

        assert said(explanation.answer) == said(decision)
        places = [verdict.endpoint for verdict in explanation.candidates if verdict.place > 0]
        assert places[: 1 + len(decision.fallbacks)] == [decision.endpoint, *decision.fallbacks]


def test_an_explanation_has_no_ticket() -> None:
    answer = an_engine(a_route()).explain(a_request(), 0.0).answer

    assert isinstance(answer, Decision)
    assert answer.ticket is None


def explained(request: Request) -> Explanation:
    return an_engine(
        a_route("default"),
        a_route("chat", All((PathUnder("/ai"), header_is("x-model", "gpt-4"))), priority=5),
        a_route("either", AnyOf((header_is("a", "1"), header_is("b", "1")))),
        a_route("off", PathIs("/ai/x"), enabled=False),
    ).explain(request, 0.0)


def test_lists_every_route_in_its_order_with_each_condition_what_was_seen_and_the_verdict() -> None:
    explanation = explained(a_request("/ai/x", ("x-model", "gpt-3"), ("b", "1")))

    told = [
        (route.route, route.priority, route.enabled, route.matched, route.chosen)
        for route in explanation.routes
    ]
    assert told == [
        ("chat", 5, True, False, False),
        ("off", 0, False, False, False),
        ("either", 0, True, True, True),
        ("default", 0, True, True, False),
    ]
    conditions = [[(c.text, c.seen, c.held) for c in route.conditions] for route in explanation.routes]
    assert conditions == [
        [('path is under "/ai"', '"/ai/x"', True), ('header x-model is "gpt-4"', '"gpt-3"', False)],
        [('path is "/ai/x"', '"/ai/x"', True)],
        [('(header a is "1" or header b is "1")', 'absent; "1"', True)],
        [],
    ]


def test_explains_a_refusal_too() -> None:
    nowhere = an_engine(a_route("api", PathUnder("/api"))).explain(a_request("/x"), 0.0)
    empty = an_engine(a_route("api", to=endpoints_of({"a": 0}))).explain(a_request("/x"), 0.0)

    assert said(nowhere.answer) == ["no_route", ""]
    assert [(route.matched, route.chosen) for route in nowhere.routes] == [(False, False)]
    assert said(empty.answer) == ["no_endpoint", "api"]
    assert [(route.matched, route.chosen) for route in empty.routes] == [(True, True)]
    assert nowhere.candidates == []


def test_lists_every_endpoint_with_its_place_or_why_it_has_none() -> None:
    to = endpoints_of({"a": 5, "no": 0, "b": 1, "c": 3})
    explanation = an_engine(a_route(to=to, strategy="weighted_round_robin")).explain(a_request(), 0.0)

    told = [(verdict.endpoint.id, verdict.place, verdict.why) for verdict in explanation.candidates]
    assert told == [("a", 1, ""), ("c", 2, ""), ("b", 3, ""), ("no", 0, "its weight is 0")]


@pytest.mark.parametrize("kind", KINDS)
def test_each_endpoint_of_the_pool_is_listed_once(kind: str) -> None:
    engine = an_engine_of(kind)

    for _ in range(20):
        explanation = engine.explain(a_request(), 0.0)
        assert isinstance(explanation.answer, Decision)
        listed = [verdict.endpoint for verdict in explanation.candidates]
        assert sorted(e.key for e in listed) == sorted(e.key for e in explanation.answer.variant.endpoints)
        assert [verdict.place for verdict in explanation.candidates] == list(range(1, len(listed) + 1))


def test_says_how_the_split_was_decided() -> None:
    """R4"""
    route = a_split_route("s", {"x": 1, "y": 1}, sticky=(HeaderField("x-user"), HeaderField("x-session")))
    engine = an_engine(route)

    assert engine.explain(a_request(), 0.0).split == "by chance"
    assert engine.explain(a_request("/", ("x-session", "s")), 0.0).split == "by header x-session"
    assert (
        engine.explain(a_request("/", ("x-user", "u"), ("x-session", "s")), 0.0).split == "by header x-user"
    )
    assert an_engine(a_route()).explain(a_request(), 0.0).split == ""


def test_what_a_request_holds_may_be_anything() -> None:
    target = b"/caf\xe9\x00".decode("utf-8", "surrogateescape")
    request = a_request(target, ("x-model", b"\xff\x00\n"))

    explanation = explained(request)

    assert all(condition.seen.isprintable() for route in explanation.routes for condition in route.conditions)
    assert said(explanation.answer)[0] == "default"
    assert an_engine(a_route("all", ALWAYS)).explain(request, 0.0).routes[0].matched
