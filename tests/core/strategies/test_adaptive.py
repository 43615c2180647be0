"""Thompson sampling."""

from collections import Counter
from math import sqrt
from random import Random

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.strategies.adaptive import Adaptive, beta
from sidecar.core.strategies.base import Turn
from tests.builders import a_request, an_engine_by, decided, endpoints_of, picks, ticket_of
from tests.core.strategies.answering import answered, failed, given, took


def an_engine_of(*names: str, strategy: Adaptive | None = None, want: int = 1) -> Engine:
    return an_engine_by(strategy or Adaptive(), endpoints_of(dict.fromkeys(names, 1)), want=want)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (1.5, 4.0), (30.0, 2.0), (900.0, 100.0)])
def test_draws_come_from_the_beta_distribution(a: float, b: float) -> None:
    """S11: 20,000 draws against as many of the standard library's; Kolmogorov and Smirnov's distance is above
    1.95 sqrt(2 / n) by chance once in a thousand times."""
    ours, theirs, count = Random(1), Random(2), 20_000
    drawn = sorted(beta(a, b, ours) for _ in range(count))
    expected = sorted(theirs.betavariate(a, b) for _ in range(count))

    distance, behind = 0.0, 0
    for at, value in enumerate(drawn):
        while behind < count and expected[behind] <= value:
            behind += 1
        distance = max(distance, abs(at + 1 - behind) / count)

    assert drawn[0] > 0.0
    assert drawn[-1] < 1.0
    assert distance < 1.95 * sqrt(2 / count)


def test_the_draws_are_those_of_the_posteriors() -> None:
    """S11: two of three good against one of three: Beta(3, 2) exceeds Beta(2, 3) in 29 of 35. 4,000 draws,
    five standard deviations."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(0.0, 0.0), *failed(1))
    answered(engine, "b", *took(0.0), *failed(2))
    pool = engine.state.pools.of("main")
    rng = Random(1)
    turn = Turn(a_request(), pool, pool.candidates, engine.state, rng, 0.0)

    firsts = Counter(Adaptive().rank(turn, 1)[0].id for _ in range(4000))

    rng = Random(2)
    wins = sum(rng.betavariate(3, 2) > rng.betavariate(2, 3) for _ in range(40_000)) / 40_000
    assert abs(firsts["a"] - 4000 * wins) <= 5 * sqrt(4000 * wins * (1 - wins) * 1.1)


def test_before_the_first_outcome_all_are_alike() -> None:
    """S11: 3,000 requests that stay; five standard deviations of the binomial."""
    names = Counter(picks(an_engine_of("a", "b", "c"), 3000).split())

    assert all(abs(names[name] - 1000) <= 5 * sqrt(3000 * 2 / 9) for name in "abc")


def test_the_endpoint_that_succeeds_gets_nearly_everything() -> None:
    """S11: 1,000 requests."""
    engine = an_engine_of("bad", "good")
    names: Counter[str] = Counter()
    for _ in range(1000):
        decision = decided(engine)
        names[decision.endpoint.id] += 1
        good = decision.endpoint.id == "good"
        engine.settle(ticket_of(decision), Outcome(200 if good else 503, 0.01), 0.0)

    assert names["good"] > 980


def test_of_two_that_succeed_the_faster_one_gets_most() -> None:
    """S11: 0.1 s and 1.5 s are rewards of 0.98 and 0.7; 2,000 requests."""
    engine = an_engine_of("fast", "slow")
    names: Counter[str] = Counter()
    for _ in range(2000):
        decision = decided(engine)
        names[decision.endpoint.id] += 1
        engine.settle(ticket_of(decision), Outcome(200, 0.1 if decision.endpoint.id == "fast" else 1.5), 0.0)

    assert names["fast"] > 1900


def test_of_two_as_fast_the_cheaper_one_gets_most() -> None:
    """S11: 95 % of the last 500 of 1,500; without prices each would have half of them, more or less."""
    endpoints = (
        Endpoint("shop", "cheap", "", input_micro_usd=1_000, output_micro_usd=1_000),
        Endpoint("shop", "dear", "", input_micro_usd=10_000, output_micro_usd=10_000),
    )
    engine = an_engine_by(Adaptive(cost=0.4), endpoints, seed=3)

    given(engine, 1500, lasting_s=0.1)

    assert given(engine, 500, lasting_s=0.1)["cheap"] >= 475


def test_rewards_of_one_pool_say_nothing_of_another() -> None:
    """S11: requests of different routes differ, and so do their durations."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *failed(50))
    arms = engine.state.pools.of("main").arms
    assert arms is not None

    other = engine.state.pools.arrange("other", engine.state.pools.of("main").candidates)
    Adaptive().arrange(other)

    assert other.arms is not None
    assert other.arms is not arms


def test_an_endpoint_that_was_silent_for_30_s_is_tried_once() -> None:
    """S11: 1,000 requests, of which one in ten may try; it fails again."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.0] * 200))
    answered(engine, "b", *failed(200))
    assert given(engine, 1000, now=29.0, lasting_s=0.0)["b"] == 0

    answered(engine, "a", *took(0.0), now=31.0)

    names: Counter[str] = Counter()
    for _ in range(1000):
        decision = decided(engine, now=31.0)
        names[decision.endpoint.id] += 1
        good = decision.endpoint.id == "a"
        engine.settle(ticket_of(decision), Outcome(200 if good else 503, 0.0), 31.0)
    assert names["b"] == 1


def test_in_a_large_pool_the_best_takes_part_whoever_is_drawn() -> None:
    """S11: 500 requests among 200 endpoints, of which 8 take part; without it the best would be in 4 % of
    them."""
    names = [str(at) for at in range(200)]
    engine = an_engine_of(*names, strategy=Adaptive(draw=8))
    answered(engine, "7", *took(*[0.0] * 100))
    for name in names:
        if name != "7":
            answered(engine, name, *failed(30))

    assert given(engine, 500, lasting_s=0.0)["7"] > 490


def test_tells_its_scores() -> None:
    """S11"""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(2.5))
    pool = engine.state.pools.of("main")
    turn = Turn(a_request(), pool, pool.candidates, engine.state, Random(1), 0.0)

    scores = {endpoint.id: score for endpoint, score in Adaptive().scores(turn)}

    assert scores == pytest.approx({"a": 0.5, "b": 0.5})


def test_works_in_a_pool_that_was_not_arranged_for_it() -> None:
    """S11: by chance, as before the first outcome."""
    engine = an_engine_of("a", "b", "c")
    bare = engine.state.pools.arrange("bare", engine.state.pools.of("main").candidates)
    turn = Turn(a_request(), bare, bare.candidates, engine.state, Random(1), 0.0)

    assert {Adaptive().rank(turn, 1)[0].id for _ in range(100)} == {"a", "b", "c"}
    assert {score for _, score in Adaptive().scores(turn)} == {0.5}


def test_refuses_options_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="draw must be at least 2, got 1"):
        Adaptive(draw=1)
    with pytest.raises(ValueError, match="cost must be at least 0 and less than 1, got 1"):
        Adaptive(cost=1.0)
