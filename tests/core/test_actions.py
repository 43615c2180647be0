"""What a route does besides sending a request to an endpoint."""

from random import Random

import pytest

from sidecar.core.decision import Decision
from sidecar.core.gates import Gate
from sidecar.core.happening import Happening
from sidecar.core.plan import HeaderChanges, Plan, Route
from sidecar.core.refusal import REFUSED, Reason, Refusal
from sidecar.core.reply import Redirect, Reply
from sidecar.core.rules.facts import Priority
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.path import PathUnder
from sidecar.core.rules.where import OneOf, Present
from tests.builders import ALWAYS, a_request, a_route, an_engine, decided, header_is

SAID = Priority((HeaderField("x-priority"),))


def a_step(name: str, priority: str = "", *, rank: int = 1, changes: HeaderChanges | None = None) -> Route:
    return Route(
        name, ALWAYS, (), priority=rank, set_priority=priority, request_headers=changes or HeaderChanges()
    )


def test_a_route_refuses_with_its_own_reason() -> None:
    """A2"""
    refusal = Refusal(Reason.REJECTED, "closed", status=451, message="not here", body="sorry")
    engine = an_engine(Route("closed", ALWAYS, (), direct=refusal))

    answer = engine.decide(a_request(), 0.0)

    assert isinstance(answer, Refusal)
    assert (answer.status, answer.message, answer.body, answer.route) == (451, "not here", "sorry", "closed")
    assert len(engine.state.tickets) == 0


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_a_status_and_a_sentence_unless_told_otherwise(reason: Reason) -> None:
    """A2"""
    plain = Refusal(reason)

    assert (plain.status, plain.message) == REFUSED[reason]


def test_a_route_answers_by_itself() -> None:
    """A7"""
    reply = Reply("robots", 200, (("content-type", "text/plain"),), "User-agent: *")
    engine = an_engine(Route("robots", PathUnder("/robots.txt"), (), direct=reply), a_route("rest"))

    assert engine.decide(a_request("/robots.txt"), 0.0) is reply
    assert decided(engine, a_request("/else")).route.name == "rest"
    assert len(engine.state.tickets) == 1


@pytest.mark.parametrize(
    ("redirect", "asked", "location"),
    [
        (Redirect("r", 301, lambda _: "/new"), "/old/x", "/new"),
        (Redirect("r", 301, lambda _: "/new"), "/old?a=1&b", "/new?a=1&b"),
        (Redirect("r", 301, lambda _: "/new?c=2"), "/old?a=1", "/new?c=2&a=1"),
        (Redirect("r", 301, lambda _: "/new", keep_query=False), "/old?a=1", "/new"),
        (Redirect("r", 301, lambda path: path.replace("old", "new")), "/old/x", "/new/x"),
        (Redirect("r", 301, scheme="https"), "/old?a", "https://shop.test/old?a"),
        (Redirect("r", 301, host="www.shop.test"), "/old", "http://www.shop.test/old"),
        (Redirect("r", 301, lambda _: "/n", "a.test:8443", "https"), "/old", "https://a.test:8443/n"),
        (Redirect("r", 301, lambda path: path.removeprefix("/old")), "/old//evil.test", "/evil.test"),
    ],
)
def test_a_redirect_leads_where_it_says(redirect: Redirect, asked: str, location: str) -> None:
    """A7"""
    engine = an_engine(Route("r", ALWAYS, (), direct=redirect))

    answer = engine.decide(a_request(asked), 0.0)

    assert isinstance(answer, Reply)
    assert (answer.status, answer.headers) == (301, (("location", location),))


def test_a_step_sets_the_priority_and_the_search_goes_on() -> None:
    """A3"""
    engine = an_engine(
        a_step("vip", "high", rank=2),
        a_route("fast", OneOf(SAID, ("high", "critical")), priority=1),
        a_route("slow"),
    )

    answer = decided(engine, a_request("/", ("x-priority", "low")))

    assert answer.route.name == "fast"
    assert [step.name for step in answer.steps] == ["vip"]


def test_steps_add_up_and_the_last_priority_counts() -> None:
    """A3"""
    engine = an_engine(
        a_step("first", "high", rank=4),
        a_step("headers", rank=3, changes=HeaderChanges(set=(("x-step", "1"),))),
        a_step("second", "low", rank=2),
        a_route("fast", OneOf(SAID, ("high",)), priority=1),
        a_route("slow"),
    )

    answer = decided(engine)

    assert answer.route.name == "slow"
    assert [step.name for step in answer.steps] == ["first", "headers", "second"]


def test_a_step_counts_for_later_routes_only() -> None:
    """A3"""
    engine = an_engine(
        a_route("fast", OneOf(SAID, ("high",)), priority=2), a_step("late", "high", rank=1), a_route("slow")
    )

    assert decided(engine).route.name == "slow"


def test_steps_alone_lead_nowhere() -> None:
    """A3"""
    answer = an_engine(a_step("vip", "high")).decide(a_request(), 0.0)

    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NO_ROUTE


def test_explaining_shows_what_each_route_saw_of_the_priority() -> None:
    """A3"""
    engine = an_engine(
        a_route("before", OneOf(SAID, ("high",)), priority=3),
        a_step("vip", "high", rank=2),
        a_route("after", OneOf(SAID, ("high",)), priority=1),
    )

    explanation = engine.explain(a_request(), 0.0)

    assert [(route.route, route.matched, route.chosen) for route in explanation.routes] == [
        ("before", False, False),
        ("vip", True, False),
        ("after", True, True),
    ]


def test_a_route_takes_its_share_and_the_others_go_on() -> None:
    some = Route("new", ALWAYS, a_route("new").variants, priority=1, share=0.1)
    engine = an_engine(some, a_route("old"), seed=7)

    taken = sum(decided(engine).route.name == "new" for _ in range(10_000))

    assert 900 <= taken <= 1100  # 10 % of 10,000: more than 3 standard deviations of 30


def test_a_client_stays_within_a_share_or_without() -> None:
    key = HeaderField("x-user-id")
    some = Route("new", ALWAYS, a_route("new").variants, priority=1, share=0.5, sticky=(key,))
    engine = an_engine(some, a_route("old"))

    seen = {
        user: {decided(engine, a_request("/", ("x-user-id", user))).route.name for _ in range(5)}
        for user in map(str, range(50))
    }

    assert all(len(routes) == 1 for routes in seen.values())
    assert {route for routes in seen.values() for route in routes} == {"new", "old"}


def test_faults_and_copies_are_drawn_by_their_shares() -> None:
    """A6, A7"""
    happening = Happening(5000, 0.1, 500, 0.01, "shadow", 0.05)
    rng = Random(3)

    drawn = [happening.draw(rng) for _ in range(20_000)]

    # Each within 4 standard deviations of its share.
    assert 1830 <= sum(d is not None and d.delay_ms == 5000 for d in drawn) <= 2170
    assert 144 <= sum(d is not None and d.abort_status == 500 for d in drawn) <= 256
    assert 877 <= sum(d is not None and d.mirror == "shadow" for d in drawn) <= 1123
    assert all(d is None or d.delay_ms or d.abort_status or d.mirror for d in drawn)


def test_a_decision_carries_what_happens_on_purpose() -> None:
    """A6"""
    engine = an_engine(Route("chaos", ALWAYS, a_route("x").variants, happening=Happening(0, 0, 503, 1.0)))

    answer = decided(engine)

    assert answer.drawn is not None
    assert (answer.drawn.delay_ms, answer.drawn.abort_status, answer.drawn.mirror) == (0, 503, "")


def test_the_first_gate_that_refuses_counts_before_any_route() -> None:
    """X3"""
    gates = (
        Gate("never", header_is("x-never", "yes"), Refusal(Reason.INTERNAL, gate="never")),
        Gate("no-bots", Present(HeaderField("x-bot")), Refusal(Reason.ADDRESS_NOT_ALLOWED, gate="no-bots")),
        Gate("later", Present(HeaderField("x-bot")), Refusal(Reason.TOO_LARGE, gate="later")),
    )
    engine = an_engine()
    engine.swap(Plan(2, [a_route()], gates=gates))

    refused = engine.decide(a_request("/", ("x-bot", "1")), 0.0)
    let_in = engine.decide(a_request("/"), 0.0)

    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.gate, refused.route) == (Reason.ADDRESS_NOT_ALLOWED, "no-bots", "")
    assert isinstance(let_in, Decision)


def test_explaining_shows_every_gate() -> None:
    """X3"""
    gate = Gate("no-bots", header_is("x-bot", "1"), Refusal(Reason.ADDRESS_NOT_ALLOWED, gate="no-bots"))
    engine = an_engine()
    engine.swap(Plan(2, [a_route()], gates=(gate,)))

    explanation = engine.explain(a_request("/", ("x-bot", "1")), 0.0)

    (verdict,) = explanation.gates
    assert (verdict.gate, verdict.text, verdict.seen, verdict.refuses) == (
        "no-bots",
        'header x-bot is "1"',
        '"1"',
        True,
    )
    assert isinstance(explanation.answer, Refusal)
