"""The endpoint that will answer soonest."""

from collections import Counter
from math import sqrt
from random import Random

import pytest

from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.least_latency import LeastLatency
from tests.builders import a_request, an_engine_by, decided, endpoints_of, picks, ticket_of
from tests.core.strategies.answering import answered, failed, given, took

GOOD_MEDIAN = [0.05] * 18 + [2.0] * 2
"""One in ten takes 40 times as long."""


def an_engine_of(*names: str, strategy: LeastLatency | None = None, want: int = 1) -> Engine:
    made = LeastLatency() if strategy is None else strategy
    return an_engine_by(made, endpoints_of(dict.fromkeys(names, 1)), want=want)


def test_the_one_with_the_least_median_gets_the_requests() -> None:
    """S7"""
    engine = an_engine_of("a", "b", "c")
    for name, duration_s in (("a", 0.3), ("b", 0.1), ("c", 0.2)):
        answered(engine, name, *took(*[duration_s] * 20))

    assert given(engine, 100) == {"b": 100}


def test_by_p95_an_endpoint_with_a_good_median_and_a_bad_tail_is_avoided() -> None:
    """S7"""
    for quantile, expected in (("p50", "tail"), ("p95", "steady")):
        engine = an_engine_of("tail", "steady", strategy=LeastLatency(quantile=quantile))
        answered(engine, "tail", *took(*GOOD_MEDIAN * 10))
        answered(engine, "steady", *took(*[0.1] * 200))

        assert given(engine, 100) == {expected: 100}


def test_those_that_are_as_fast_share_the_requests_by_weight() -> None:
    """S7: 4,000 requests; the bound is five standard deviations of the binomial."""
    engine = an_engine_by(LeastLatency(), endpoints_of({"a": 3, "b": 1, "slow": 1}))
    for name, duration_s in (("a", 0.1), ("b", 0.1), ("slow", 0.13)):
        answered(engine, name, *took(*[duration_s] * 20))

    names = given(engine, 4000)

    assert abs(names["a"] - 3000) <= 5 * sqrt(4000 * 3 / 16)
    assert names["slow"] == 0


def test_requests_in_flight_keep_the_fastest_from_being_flooded() -> None:
    """S7: a with n in flight is taken to need 0.1 (n + 1) s."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.25] * 20))

    assert picks(engine, 4) == "a a b a"


def test_requests_in_flight_are_divided_by_the_weight() -> None:
    """S7: of 60 that stay, a, twice as fast and with a weight of 2, holds some four times as many."""
    engine = an_engine_by(LeastLatency(), endpoints_of({"a": 2, "b": 1}))
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.2] * 20))

    assert Counter(picks(engine, 60).split())["a"] == pytest.approx(48, abs=2)


def test_an_endpoint_counts_from_ten_samples_on_and_is_explored_until_then() -> None:
    """S7: 1,000 requests each; nine samples, of whatever duration, are no reason to leave it out or to prefer
    it, so chance has it in one of three. With the tenth it is known to be slow."""
    engine = an_engine_of("a", "b", "new")
    for name in "ab":
        answered(engine, name, *took(*[0.1] * 20))
    answered(engine, "new", *took(*[1.0] * 9))
    pool = engine.state.pools.of("main")
    strategy = LeastLatency()
    firsts = Counter(
        strategy.rank(Turn(a_request(), pool, pool.candidates, engine.state, Random(seed), 0.0), 1)[0].id
        for seed in range(1000)
    )
    assert abs(firsts["new"] - 333) <= 5 * sqrt(1000 * 2 / 9)

    answered(engine, "new", *took(1.0))

    assert given(engine, 1000, lasting_s=0.1)["new"] == 0


def test_an_endpoint_that_is_explored_has_no_more_requests_at_once_than_it_needs_samples() -> None:
    """S7: of 1,000 that stay."""
    engine = an_engine_of("a", "b", "new", strategy=LeastLatency(min_samples=7))
    for name in "ab":
        answered(engine, name, *took(*[0.1] * 20))

    assert Counter(picks(engine, 1000).split())["new"] == 7


def test_where_nobody_is_known_the_requests_are_spread() -> None:
    """S7: also beyond the samples that are needed; 300 that stay."""
    engine = an_engine_of("a", "b", "c")

    assert Counter(picks(engine, 300).split()) == {"a": 100, "b": 100, "c": 100}


def test_an_endpoint_that_fails_at_once_does_not_look_fast() -> None:
    """S7: divided by the share of successes, 0.1 s becomes 0.5 s; and one that only fails is the last of
    all."""
    engine = an_engine_of("flaky", "slow", "dead", want=3)
    answered(engine, "flaky", *[each for _ in range(50) for each in (*failed(4), *took(0.1))])
    answered(engine, "slow", *took(*[0.3] * 20))
    answered(engine, "dead", *failed(20))

    decision = decided(engine)

    assert [decision.endpoint.id, *[each.id for each in decision.fallbacks]] == ["slow", "flaky", "dead"]


def test_a_target_drops_who_is_above_it_while_one_is_left_that_is_not() -> None:
    """S7"""
    engine = an_engine_of("a", "b", "c", strategy=LeastLatency(target_s=0.25), want=3)
    for name, duration_s in (("a", 0.3), ("b", 0.1), ("c", 0.2)):
        answered(engine, name, *took(*[duration_s] * 20))

    assert set(picks(engine, 300).split()) == {"b", "c"}  # also when these have many in flight

    for name in "bc":
        answered(engine, name, *took(*[0.4] * 800))

    assert decided(engine).endpoint.id == "a"


def test_those_that_a_target_dropped_are_the_last_fallbacks_the_soonest_first() -> None:
    """S7, F1: behind those that nothing is known of; whatever is drawn first."""
    names = ("dead", "slower", "slow", "new", "good")
    engine = an_engine_of(*names, strategy=LeastLatency(target_s=0.25), want=9)
    answered(engine, "dead", *failed(20))
    for name, duration_s in (("slower", 0.5), ("slow", 0.3), ("good", 0.1)):
        answered(engine, name, *took(*[duration_s] * 20))

    orders = set()
    for _ in range(50):
        decision = decided(engine)
        orders.add(" ".join([decision.endpoint.id, *[each.id for each in decision.fallbacks]]))
        engine.settle(ticket_of(decision), Outcome(0), 0.0)

    assert orders == {"good new slow slower dead", "new good slow slower dead"}


def test_an_endpoint_that_was_silent_for_30_s_is_tried_once() -> None:
    """S7: 1,000 requests, of which one in ten may try, if chance has drawn it first."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.5] * 20))
    assert given(engine, 1000, now=29.0, lasting_s=0.1)["b"] == 0

    answered(engine, "a", *took(0.1), now=31.0)

    assert given(engine, 1000, now=31.0, lasting_s=0.4)["b"] == 1


def test_one_that_is_tried_is_not_tried_again_before_it_has_answered() -> None:
    """S7: 1,000 requests, of which that one stays."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[5.0] * 20))
    answered(engine, "a", *took(0.1), now=31.0)

    names: Counter[str] = Counter()
    for _ in range(1000):
        decision = decided(engine, now=31.0)
        names[decision.endpoint.id] += 1
        if decision.endpoint.id == "a":
            engine.settle(ticket_of(decision), Outcome(200, 0.1), 31.0)

    assert names["b"] == 1


def test_where_requests_are_few_most_of_them_go_where_they_should() -> None:
    """S7: one each 40 s, so that all are due each time; 1,000 of them. One in ten tries, half of these b."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.5] * 20))
    names: Counter[str] = Counter()
    for at in range(1000):
        decision = decided(engine, now=40.0 * at)
        names[decision.endpoint.id] += 1
        lasting_s = 0.1 if decision.endpoint.id == "a" else 0.5
        engine.settle(ticket_of(decision), Outcome(200, lasting_s), 40.0 * at)

    assert 20 < names["b"] < 90


def test_one_that_recovered_has_its_part_again_soon() -> None:
    """S7: the one that tries it finds it fast, and it is explored anew."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.5] * 500))
    answered(engine, "a", *took(0.1), now=31.0)

    names = given(engine, 1000, now=31.0, lasting_s=0.1)

    assert 400 < names["b"] < 600


def test_in_a_large_pool_only_those_drawn_are_compared() -> None:
    """S7: the best of 4 drawn among 40 is the best of all in 4 of 40 draws; 2,000 draws."""
    names = [str(at) for at in range(40)]
    engine = an_engine_of(*names, strategy=LeastLatency(draw=4))
    for at, name in enumerate(names):
        answered(engine, name, *took(*[0.1 * 1.2**at] * 20))

    counted = given(engine, 2000)

    assert counted["0"] == pytest.approx(200, abs=70)
    assert sum(counted[name] for name in names[30:]) < 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quantile": "p99"}, "quantile must be p50 or p95, got p99"),
        ({"min_samples": 0}, "min_samples must be 1 to 200, got 0"),
        ({"target_s": -1.0}, r"target_s must be at least 0, got -1\.0"),
        ({"draw": 1}, "draw must be at least 2, got 1"),
    ],
)
def test_refuses_options_that_make_no_sense(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LeastLatency(**options)  # type: ignore[arg-type]
