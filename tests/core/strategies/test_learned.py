"""Success within a target, learnt by what requests are like."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.request import UNKNOWN_SIZE, Attached, Request, headers_of
from sidecar.core.rules.fields import HeaderField
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.learned import Learned
from tests.builders import a_plan, a_request, a_route_by, an_engine_by, decided, endpoints_of, ticket_of

MONDAY_S = 1767571200.0
"""2026-01-05 00:00 UTC."""
DAY_S = 86_400.0
GOOD, BAD = Outcome(200, 0.1), Outcome(200, 3.0)


def a_request_of(size: int = 0, at: float = MONDAY_S, region: str = "") -> Request:
    headers = (
        [("content-length", str(size)), ("region", region)] if region else [("content-length", str(size))]
    )
    request = a_request("/", *headers, method="POST")
    request.received_at = at
    return request


def an_engine_of(names: str, strategy: Learned | None = None, seed: int = 1) -> Engine:
    return an_engine_by(strategy or Learned(), endpoints_of(dict.fromkeys(names, 1)), seed=seed)


def taught(engine: Engine, request: Request, best: str, count: int, now: float = 0.0) -> Counter[str]:
    """So many requests, each answered in time by the best one alone, before the next; who got them."""
    names: Counter[str] = Counter()
    for _ in range(count):
        decision = decided(engine, request, now)
        engine.settle(ticket_of(decision), GOOD if decision.endpoint.id == best else BAD, now)
        names[decision.endpoint.id] += 1
    return names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (a_request_of(100), a_request_of(100_000)),
        (a_request_of(at=MONDAY_S + 3600), a_request_of(at=MONDAY_S + 15 * 3600)),
        (a_request_of(at=MONDAY_S), a_request_of(at=MONDAY_S + 5 * DAY_S)),
        (a_request_of(region="eu"), a_request_of(region="us")),
    ],
    ids=["size", "hour", "weekday", "region"],
)
def test_requests_that_differ_go_to_different_endpoints(one: Request, other: Request) -> None:
    """S12: 600 of each, in turns of ten; of the last 100 of each 80 go to the one that is good at it."""
    engine = an_engine_of("ab", Learned(by=(HeaderField("region"),)))
    for _ in range(50):
        taught(engine, one, "a", 10)
        taught(engine, other, "b", 10)
    last = [Counter[str](), Counter[str]()]
    for _ in range(10):
        last[0] += taught(engine, one, "a", 10)
        last[1] += taught(engine, other, "b", 10)

    assert last[0]["a"] >= 80
    assert last[1]["b"] >= 80


def test_a_success_that_comes_late_is_none() -> None:
    """S12: a takes 200 ms and b 40: with a target of 100 ms b is the best, with one of a second both are."""
    for target_s, least in ((0.1, 270), (1.0, 0)):
        engine = an_engine_of("ab", Learned(target_s=target_s))
        names: Counter[str] = Counter()
        for at in range(500):
            decision = decided(engine)
            engine.settle(ticket_of(decision), Outcome(200, {"a": 0.2, "b": 0.04}[decision.endpoint.id]), 0.0)
            if at >= 200:
                names[decision.endpoint.id] += 1
        assert names["b"] >= least
        if least == 0:
            assert names["a"] > 20


def test_an_outcome_that_says_nothing_of_the_endpoint_is_not_learnt() -> None:
    """S12: neither do lost ones count, nor those that clients gave up, nor Envoy's own answers."""
    engine = an_engine_of("ab")
    model = engine.state.pools.of("main").model
    assert model is not None

    for failure in (Failure.CANCELLED, Failure.REFUSED, Failure.LOST):
        engine.settle(ticket_of(decided(engine)), Outcome(0, 1.0, failure), 0.0)
    for _ in range(5):
        decided(engine)
    engine.expire(301.0)

    assert model.outcomes == 0
    engine.settle(ticket_of(decided(engine)), GOOD, 0.0)
    assert model.outcomes == 1


def test_before_100_outcomes_there_is_nothing_to_judge_by() -> None:
    """S12"""
    engine = an_engine_of("ab")
    strategy = engine.plan.routes[0].variants[0].strategy
    pool = engine.state.pools.of("main")

    def shown() -> dict[str, float]:
        turn = Turn(a_request_of(), pool, pool.candidates, engine.state, Random(1), 0.0)
        return {endpoint.id: score for endpoint, score in strategy.scores(turn)}

    taught(engine, a_request_of(), "a", 99)
    assert shown() == {}

    taught(engine, a_request_of(), "a", 1)

    assert set(shown()) == {"a", "b"}
    assert shown()["b"] < 0.1
    assert shown()["a"] > 0.9


def test_what_was_learnt_stays_when_a_new_plan_comes_and_goes_with_another_target() -> None:
    engine = an_engine_of("ab")
    taught(engine, a_request_of(), "a", 150)

    engine.swap(a_plan(a_route_by(Learned(), endpoints_of({"a": 1, "b": 1, "new": 1}))))
    kept = engine.state.pools.of("main").model
    assert kept is not None
    assert kept.outcomes == 150
    assert taught(engine, a_request_of(), "a", 50)["b"] <= 3

    engine.swap(a_plan(a_route_by(Learned(target_s=0.5), endpoints_of({"a": 1, "b": 1}))))
    begun = engine.state.pools.of("main").model
    assert begun is not None
    assert begun.outcomes == 0


def test_a_new_endpoint_that_is_better_is_found() -> None:
    """S12: a and b succeed in half of the cases. Of 10 runs, 1,000 requests after the new one came."""
    for seed in range(10):
        engine, chance = an_engine_of("ab", seed=seed), Random(seed)
        names: Counter[str] = Counter()
        for at in range(1500):
            if at == 500:
                listed = endpoints_of({"a": 1, "b": 1, "new": 1})
                engine.swap(a_plan(a_route_by(Learned(), listed)))
            decision = decided(engine, a_request_of())
            good = chance.random() < (0.95 if decision.endpoint.id == "new" else 0.5)
            engine.settle(ticket_of(decision), GOOD if good else BAD, 0.0)
            if at >= 1300:
                names[decision.endpoint.id] += 1
        assert names["new"] >= 180


def test_among_many_the_one_that_leads_takes_part() -> None:
    """S12: of 200 endpoints 4 take part in each request, and one is good."""
    engine = an_engine_by(Learned(draw=4), endpoints_of({f"e{at}": 1 for at in range(200)}))
    taught(engine, a_request_of(), "e7", 1500)

    assert taught(engine, a_request_of(), "e7", 100)["e7"] >= 80


class Body(Attached):
    """Still on its way."""

    asked = False

    def body_size(self, enough: int, *, end: bool) -> int:
        Body.asked = True
        return UNKNOWN_SIZE

    def waits(self) -> bool:
        return Body.asked

    def at_hand(self) -> bool:
        return False


def test_a_body_that_is_still_to_come_is_not_waited_for() -> None:
    engine = an_engine_of("ab")
    taught(engine, a_request_of(), "a", 120)
    request = Request("POST", "shop.test", "/", headers_of([]), Body())

    assert engine.attempt(request, 0.0) is not None
    assert not Body.asked


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target_s": 0.0}, "target_s must be above 0, got 0"),
        ({"target_s": float("nan")}, "target_s must be above 0, got nan"),
        ({"draw": 1}, "draw must be at least 2, got 1"),
    ],
)
def test_refuses_options_that_cannot_be(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        Learned(**options)  # type: ignore[arg-type]
