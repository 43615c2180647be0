"""Limits of requests and tokens a minute, from the decision to the refusal."""

from collections import Counter, deque

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.request import Request
from sidecar.core.state.standing import GONE, OUT, Mark
from sidecar.core.strategies.base import Strategy, Turn
from tests.builders import a_request, decided, lines_run, ticket_of
from tests.core.limited import a_limited_engine, a_limited_plan, an_offer, asking, most_in_a_minute


class InOrder(Strategy):
    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        return turn.candidates.endpoints[:want]


def refused(engine: Engine, request: Request | None = None, now: float = 0.0) -> Refusal:
    answer = engine.decide(a_request() if request is None else request, now)
    assert isinstance(answer, Refusal), answer
    return answer


def test_who_has_had_all_is_passed_over_for_others() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(3), "b": an_offer(), "c": an_offer(5)})

    given = Counter(decided(engine, now=1.0).endpoint.id for _ in range(30))

    assert given == {"a": 3, "b": 22, "c": 5}


def test_when_all_have_had_all_requests_are_refused_until_the_minute_is_over() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(2), "b": an_offer(1)})
    for now in (0.0, 10.0, 20.0):
        decided(engine, now=now)

    refusal = refused(engine, now=30.0)

    assert refusal.reason is Reason.RATE_LIMITED
    assert refusal.status == 429
    assert refusal.message == "every endpoint has had all that it may have this minute"
    assert refused(engine, now=60.9).reason is Reason.RATE_LIMITED
    assert decided(engine, now=61.0).endpoint.id == "a"
    assert refused(engine, now=61.0).reason is Reason.RATE_LIMITED


def test_a_refused_request_is_not_counted() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(1)})
    decided(engine, now=0.0)
    for at in range(100):
        refused(engine, now=at / 2)

    assert engine.state.quotas.used("shop/a", 50.0) == 1.0
    assert decided(engine, now=61.0).endpoint.id == "a"


@pytest.mark.parametrize(("level", "reason"), [(OUT, Reason.NO_HEALTHY_ENDPOINT), (GONE, Reason.NO_ENDPOINT)])
def test_where_nobody_would_be_left_without_quotas_the_refusal_is_another(level: int, reason: Reason) -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(5), "b": an_offer(5)})
    for each in "ab":
        engine.state.standing.mark(f"shop/{each}", "test", Mark(level, "down"), 0.0)

    assert refused(engine).reason is reason


def test_even_in_a_panic_nobody_gets_more_than_it_may_have() -> None:
    """Q5: a panic is about health, of which a quota says nothing."""
    engine = a_limited_engine({"a": an_offer(2), "b": an_offer(2), "c": an_offer(2)}, panic=0.9)
    for each in "abc":
        engine.state.standing.mark(f"shop/{each}", "test", Mark(OUT, "down"), 0.0)

    given = Counter(decided(engine).endpoint.id for _ in range(6))

    assert given == {"a": 2, "b": 2, "c": 2}
    assert refused(engine).reason is Reason.RATE_LIMITED


def test_tokens_are_reserved_by_estimate_and_settled_by_what_was_used() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(0, 1000)})
    first = decided(engine, asking(600), 0.0)
    assert first.ticket is not None
    assert first.ticket.tokens == 600
    assert engine.state.quotas.used("shop/a", 0.0) == 0.6
    assert refused(engine, asking(600), 1.0).reason is Reason.RATE_LIMITED

    engine.settle(ticket_of(first), Outcome(200, tokens=150), 2.0)

    assert engine.state.quotas.used("shop/a", 2.0) == 0.15
    assert decided(engine, asking(600), 2.0).endpoint.id == "a"


def test_who_has_too_few_tokens_left_for_a_request_is_passed_over_for_it_alone() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(0, 1000), "b": an_offer(0, 10_000)})
    assert {decided(engine, asking(800), 0.0).endpoint.id for _ in range(2)} == {"a", "b"}

    assert {decided(engine, asking(300), 0.0).endpoint.id for _ in range(4)} == {"b"}
    assert {decided(engine, asking(10), 0.0).endpoint.id for _ in range(4)} == {"a", "b"}


def test_fallbacks_have_enough_tokens_too() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(0, 100), "b": an_offer(0, 1000), "c": an_offer()}, want=3)

    for _ in range(4):
        decision = decided(engine, asking(200), 0.0)
        assert {decision.endpoint.id, *(each.id for each in decision.fallbacks)} == {"b", "c"}


def test_nothing_is_estimated_where_nobody_counts_tokens() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(100), "b": an_offer()})

    for _ in range(2):
        ticket = decided(engine, asking(600)).ticket
        assert ticket is not None
        assert ticket.tokens == 0


def test_a_request_that_never_came_to_its_endpoint_is_given_back() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(1, 1000)})
    for at in range(5):
        decision = decided(engine, asking(900), at / 10)
        engine.settle(ticket_of(decision), Outcome(0, failure=Failure.CONNECTION), at / 10)

    assert engine.state.quotas.used("shop/a", 1.0) == 0.0


def test_one_that_nobody_reports_keeps_what_was_reserved() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(2, 1000)})
    engine.swap(a_limited_plan({"a": an_offer(2, 1000)}, lease_s=5.0), 0.0)
    decided(engine, asking(700), 0.0)

    engine.expire(5.0)

    assert len(engine.state.tickets) == 0
    assert engine.state.quotas.used("shop/a", 5.0) == 0.7
    assert engine.state.quotas.used("shop/a", 61.0) == 0.0


def test_a_reload_changes_limits_at_once_and_keeps_what_was_given() -> None:
    """Q5"""
    engine = a_limited_engine({"a": an_offer(10)})
    for _ in range(6):
        decided(engine, now=0.0)

    engine.swap(a_limited_plan({"a": an_offer(6)}), 1.0)
    assert refused(engine, now=1.0).reason is Reason.RATE_LIMITED

    engine.swap(a_limited_plan({"a": an_offer(8)}), 2.0)
    assert [decided(engine, now=2.0).endpoint.id for _ in range(2)] == ["a", "a"]
    assert refused(engine, now=2.0).reason is Reason.RATE_LIMITED

    engine.swap(a_limited_plan({"a": an_offer()}), 3.0)
    assert [decided(engine, now=3.0).endpoint.id for _ in range(20)] == ["a"] * 20


@pytest.mark.parametrize(("known_after", "most"), [(0, 60), (10, 60 + 11), (50, 60 + 51)])
def test_retries_go_beyond_a_limit_only_while_nobody_knows_of_them(known_after: int, most: int) -> None:
    """Q5: 100 requests a second fail at the first and are answered by the fallback, which may have 60 a
    minute. Each is known so many hundredths of a second after it began, and by then as many more have begun.
    Who is known to have had all is named as a fallback no more."""
    engine = a_limited_engine({"a": an_offer(), "b": an_offer(60)}, strategy=InOrder(), want=2)
    under_way: deque[tuple[int, Decision]] = deque()
    came: list[float] = []
    for at in range(13_000):
        now = at / 100
        decision = decided(engine, now=now)
        assert decision.endpoint.id == "a"
        if decision.fallbacks:
            came.append(now)
        under_way.append((at + known_after, decision))
        while under_way and under_way[0][0] <= at:
            known = under_way.popleft()[1]
            outcome = Outcome(200, served="10.0.0.2:80", attempts=2) if known.fallbacks else Outcome(503)
            engine.settle(ticket_of(known), outcome, now)
            if engine.state.quotas.requests_left("shop/b", now) <= 0:
                assert not decided(engine, now=now).fallbacks

    assert 60 <= most_in_a_minute(came) <= most


def test_explaining_says_who_has_had_all_and_who_has_too_few_tokens() -> None:
    """Q5, C8"""
    engine = a_limited_engine({"a": an_offer(1), "b": an_offer(0, 100), "c": an_offer()})
    assert decided(engine, now=0.0).endpoint.id == "a"

    explanation = engine.explain(asking(120), 1.0)

    assert {each.endpoint.id: each.why for each in explanation.candidates} == {
        "a": "spent: it has had its 1 requests of this minute; back in 60 s",
        "b": "it has 100 tokens left this minute, the request is likely to take 120",
        "c": "",
    }
    assert engine.state.quotas.used("shop/b", 1.0) == 0.0


def test_a_request_looks_at_no_more_of_1_000_endpoints_with_limits_than_of_10() -> None:
    """Q5: nobody is short of tokens, and nobody is asked."""

    def cost(count: int) -> int:
        engine = a_limited_engine({f"e{at}": an_offer(1000, 100_000) for at in range(count)})
        for _ in range(20):
            decided(engine, asking(10), 1.0)
        return min(lines_run(lambda: engine.decide(asking(10), 1.0)) for _ in range(5))

    assert cost(1_000) <= 1.1 * cost(10)


def test_a_report_above_the_threshold_sends_requests_to_others_until_it_is_old() -> None:
    """C5"""
    engine = a_limited_engine({"a": an_offer(load=0.9), "b": an_offer(quota=0.95)})

    engine.state.reports.told("shop/a", 0.0, utilisation=0.91)
    assert {decided(engine, now=0.0).endpoint.id for _ in range(4)} == {"b"}
    assert {decided(engine, now=30.0).endpoint.id for _ in range(4)} == {"a", "b"}

    engine.state.reports.told("shop/b", 40.0, quota_used=0.96)
    assert {decided(engine, now=40.0).endpoint.id for _ in range(4)} == {"a"}
    engine.state.reports.told("shop/b", 41.0, quota_used=0.5)
    assert {decided(engine, now=41.0).endpoint.id for _ in range(4)} == {"a", "b"}


def test_where_all_are_above_their_threshold_all_are_used() -> None:
    """C5"""
    engine = a_limited_engine({"a": an_offer(load=0.9), "b": an_offer(load=0.9)})
    for each in "ab":
        engine.state.reports.told(f"shop/{each}", 0.0, utilisation=1.2)

    assert {decided(engine, now=0.0).endpoint.id for _ in range(4)} == {"a", "b"}
