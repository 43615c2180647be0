"""Scores, weighed up."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.best_score import BestScore
from sidecar.core.strategies.failover import Failover
from sidecar.core.strategies.sticky import Sticky
from tests.builders import a_request, an_engine_by, decided, endpoints_of, picks
from tests.core.strategies.answering import answered, failed, took


def priced(id: str, price: int, zone: str = "") -> Endpoint:
    return Endpoint("shop", id, "10.0.0.1:80", input_micro_usd=price, output_micro_usd=price, zone=zone)


def a_turn(engine: Engine, request: Request | None = None, seed: int = 1) -> Turn:
    pool = engine.state.pools.of("main")
    request = a_request() if request is None else request
    return Turn(request, pool, pool.candidates, engine.state, Random(seed), 0.0)


def totals(strategy: BestScore, turn: Turn) -> dict[str, float]:
    return {endpoint.id: score for endpoint, score in strategy.scores(turn)}


def test_the_highest_weighted_sum_wins_and_is_normalised_by_the_weights() -> None:
    """S17: cost 1 and 0.5, health 0.5665 and 1: (3 + 0.5665) / 4 beside (1.5 + 1) / 4, and the other way
    round with the other weights. After an answer of 100 ms and three failures in the same second success is
    0.343, errors 0.3 of 3/4 and latency 0.8: 0.1715 + 0.155 + 0.24."""
    for weights, first, expected in (
        ({"cost": 3.0, "health": 1.0}, "cheap", (0.8916, 0.625)),
        ({"cost": 1.0, "health": 3.0}, "sound", (0.6749, 0.875)),
    ):
        strategy = BestScore(**weights)  # type: ignore[arg-type]
        engine = an_engine_by(strategy, [priced("cheap", 5), priced("sound", 10)], want=2)
        answered(engine, "cheap", *took(0.1), *failed(3))

        decision = decided(engine)

        assert decision.endpoint.id == first
        assert len(decision.fallbacks) == 1
        made = totals(strategy, a_turn(engine))
        assert (made["cheap"], made["sound"]) == pytest.approx(expected, rel=0.02)


def test_every_score_is_shown_and_their_weighted_sum_is_the_total() -> None:
    """S17"""
    weights = {
        "load": 1.0,
        "latency": 2.0,
        "cost": 3.0,
        "cache": 4.0,
        "quota": 5.0,
        "health": 6.0,
        "zone": 7.0,
    }
    strategy = BestScore(**weights, local="east")  # type: ignore[arg-type]
    engine = an_engine_by(strategy, [priced("a", 5, "east"), priced("b", 10, "west")])
    engine.state.reports.told("shop/a", 0.0, utilisation=0.5, quota_used=0.9, cache_hit_rate=0.1)
    engine.state.reports.told("shop/b", 0.0, utilisation=0.1, quota_used=0.2, cache_hit_rate=0.7)
    answered(engine, "b", *took(*[0.1] * 20), *failed(5))
    turn = a_turn(engine)

    parts = strategy.parts(turn)

    shown = {endpoint.id: dict(scores) for endpoint, scores in parts}
    assert list(shown) == ["a", "b"]
    for name, scores in shown.items():
        assert set(scores) == set(weights)
        total = sum(weights[part] * score for part, score in scores.items()) / sum(weights.values())
        assert totals(strategy, turn)[name] == pytest.approx(total)
    assert len({tuple(scores.values()) for scores in shown.values()}) == 2
    assert strategy.rank(turn, 1)[0].id == max(shown, key=totals(strategy, turn).__getitem__)


def test_without_weights_load_latency_cost_and_cache_count() -> None:
    strategy = BestScore()
    engine = an_engine_by(strategy, endpoints_of({"a": 1}))

    assert [name for name, _ in strategy.parts(a_turn(engine))[0][1]] == ["load", "latency", "cost", "cache"]


def test_a_weight_of_0_leaves_its_scorer_out() -> None:
    strategy = BestScore(load=1.0, zone=0.0)
    engine = an_engine_by(strategy, endpoints_of({"a": 1}))

    assert strategy.parts(a_turn(engine))[0][1] == [("load", 1.0)]


def test_equals_are_drawn_by_weight() -> None:
    """S17: 4,000 draws for 1 : 3, five standard deviations of the binomial."""
    engine = an_engine_by(BestScore(health=1.0), endpoints_of({"a": 1, "b": 3}))

    names = Counter(picks(engine, 4000).split())

    assert abs(names["b"] - 3000) <= 5 * (4000 * 0.25 * 0.75) ** 0.5


def test_equals_are_drawn_by_weight_with_fallbacks_too() -> None:
    engine = an_engine_by(BestScore(health=1.0), endpoints_of({"a": 1, "b": 3}), want=2)

    names = Counter(picks(engine, 4000).split())

    assert abs(names["b"] - 3000) <= 5 * (4000 * 0.25 * 0.75) ** 0.5


def test_requests_in_flight_level_what_else_speaks_for_an_endpoint() -> None:
    """S17: the cheap one is not flooded by 300 requests that stay, at 1 beside 1/4, load counting as much."""
    engine = an_engine_by(BestScore(load=1.0, cost=1.0), [priced("cheap", 1), priced("dear", 4)])

    names = Counter(picks(engine, 300).split())

    assert 150 < names["cheap"] < 290
    assert names["dear"] > 10


def test_among_many_no_more_are_compared_than_drawn() -> None:
    """S17: 1,000 endpoints of which 8 are drawn: the cheapest of all is seldom among them."""
    engine = an_engine_by(BestScore(cost=1.0, draw=8), [priced(f"e{at}", at + 1) for at in range(1000)])

    names = Counter(picks(engine, 300).split())

    assert names["e0"] <= 15
    # The best of 8 is in the better half but once in 256 times.
    assert sum(count for name, count in names.items() if int(name[1:]) < 500) >= 285


def test_among_many_the_one_that_has_the_prompt_in_its_cache_is_compared_too() -> None:
    strategy = BestScore(cache=1.0, prompt=(HeaderField("prompt"),), draw=2)
    engine = an_engine_by(strategy, endpoints_of({f"e{at}": 1 for at in range(1000)}))
    request = a_request("/", ("prompt", "x" * 600))
    first = decided(engine, request).endpoint

    assert {decided(engine, request).endpoint.id for _ in range(50)} == {first.id}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"load": -1.0}, "load must not be negative, got -1"),
        ({"zone": float("nan")}, "zone must not be negative, got nan"),
        ({"cost": float("inf")}, "cost must not be negative, got inf"),
        ({"cost": 0.0, "zone": 0.0}, "at least one weight must be above 0"),
        ({"draw": 1}, "draw must be at least 2, got 1"),
    ],
)
def test_refuses_options_that_cannot_be(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        BestScore(**options)  # type: ignore[arg-type]


def test_an_explanation_shows_the_parts_of_every_score() -> None:
    """S17"""
    engine = an_engine_by(
        BestScore(cost=3.0, zone=1.0, local="east"), [priced("a", 4, "west"), priced("b", 1)]
    )

    explanation = engine.explain(a_request(), 0.0)

    assert [(each.endpoint.id, each.score, each.parts) for each in explanation.candidates] == [
        ("b", 0.875, [("cost", 1.0), ("zone", 0.5)]),
        ("a", 0.1875, [("cost", 0.25), ("zone", 0.0)]),
    ]
    assert engine.state.tickets.opened == 0


def test_around_it_a_wrapper_shows_the_parts_too() -> None:
    """S17: an affinity, and a chain of pools."""
    for wrapped in (
        Sticky(BestScore(health=1.0), by=(HeaderField("session"),)),
        Failover(BestScore(health=1.0), ()),
    ):
        engine = an_engine_by(wrapped, endpoints_of({"a": 1}))

        assert wrapped.parts(a_turn(engine))[0][1] == [("health", 1.0)]
