"""0.7 of the response time and 0.3 of the connections."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.least_connections_response_time import LeastConnectionsResponseTime
from tests.builders import a_request, an_engine_by, decided, endpoints_of, picks
from tests.core.strategies.answering import answered, failed, given, took


def an_engine_of(*names: str, strategy: LeastConnectionsResponseTime | None = None, want: int = 1) -> Engine:
    made = LeastConnectionsResponseTime() if strategy is None else strategy
    return an_engine_by(made, endpoints_of(dict.fromkeys(names, 1)), want=want)


def scores_of(engine: Engine, strategy: LeastConnectionsResponseTime) -> dict[str, float]:
    pool = engine.state.pools.of("main")
    turn = Turn(a_request(), pool, pool.candidates, engine.state, Random(1), 0.0)
    return {endpoint.id: score for endpoint, score in strategy.scores(turn)}


def test_both_parts_are_normalised_over_the_candidates() -> None:
    """S5: 0.7 r / longest r + 0.3 c / most c."""
    strategy = LeastConnectionsResponseTime()
    engine = an_engine_by(strategy, endpoints_of({"a": 1, "b": 2, "c": 1}))
    for name, duration_s, open_requests in (("a", 0.1, 4), ("b", 0.4, 2), ("c", 0.2, 0)):
        answered(engine, name, *took(*[duration_s] * 20))
        for _ in range(open_requests):
            endpoint = engine.state.pools.of("main").candidates.by_key[f"shop/{name}"]
            ticket = engine.state.tickets.open("main", "main", "main", endpoint, 1, 0.0, 300.0)
            engine.state.load.admitted(ticket, 0.0)

    assert scores_of(engine, strategy) == pytest.approx(
        {"a": 0.7 * 0.25 + 0.3, "b": 0.7 + 0.3 * 0.25, "c": 0.7 * 0.5}, abs=1e-6
    )


def test_an_endpoint_that_is_much_slower_gets_nothing() -> None:
    """S5: at best it scores 0.7, and the fastest at worst 0.7 x 0.2 + 0.3."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.5] * 20))

    assert Counter(picks(engine, 100).split()) == {"a": 100}


def test_among_equally_fast_ones_connections_decide() -> None:
    """S5"""
    engine = an_engine_of("a", "b", "c")
    for name in "abc":
        answered(engine, name, *took(*[0.1] * 20))

    assert Counter(picks(engine, 90).split()) == {"a": 30, "b": 30, "c": 30}


def test_a_little_slower_gets_fewer_connections() -> None:
    """S5: 0.7 x 0.1 / 0.3 is 0.23: where a has c in flight, b has some 0.77 c."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.09] * 20))
    answered(engine, "b", *took(*[0.1] * 20))

    counted = Counter(picks(engine, 177).split())

    assert counted["b"] / counted["a"] == pytest.approx(0.77, abs=0.03)


def test_the_parts_weigh_what_the_options_say() -> None:
    """S5"""
    strategy = LeastConnectionsResponseTime(response_time=0.0, connections=1.0)
    engine = an_engine_of("a", "b", strategy=strategy)
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.5] * 20))

    assert Counter(picks(engine, 100).split()) == {"a": 50, "b": 50}


def test_an_endpoint_that_nobody_knows_is_tried_and_not_flooded() -> None:
    """S5: as the fastest, so by its connections; 12 requests that stay."""
    engine = an_engine_of("a", "b", "new")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.1] * 20))

    assert Counter(picks(engine, 12).split()) == {"a": 4, "b": 4, "new": 4}


def test_an_endpoint_that_fails_at_once_does_not_look_fast() -> None:
    """S5: the time to a success, where half fail, is twice as long; where all fail there is none."""
    strategy = LeastConnectionsResponseTime()
    engine = an_engine_of("a", "half", "dead", strategy=strategy)
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "half", *[outcome for _ in range(50) for outcome in (*failed(1), *took(0.1))])
    answered(engine, "dead", *failed(20))

    scores = scores_of(engine, strategy)

    assert scores["half"] == pytest.approx(0.7)
    assert scores["a"] == pytest.approx(0.35, abs=0.01)
    assert scores["dead"] == 1.0


def test_an_endpoint_that_was_silent_for_30_s_is_tried_again() -> None:
    """S5: 1,000 requests, of which one in ten may try, if chance has drawn it first."""
    engine = an_engine_of("a", "b")
    answered(engine, "a", *took(*[0.1] * 20))
    answered(engine, "b", *took(*[0.5] * 20))
    assert given(engine, 1000, now=29.0, lasting_s=0.1)["b"] == 0

    answered(engine, "a", *took(0.1), now=31.0)
    names = given(engine, 1000, now=31.0, lasting_s=0.4)

    assert names["b"] == 1


def test_in_a_large_pool_only_those_drawn_are_compared() -> None:
    """S5: the best of 8 drawn among 40 is the best of all in 8 of 40 draws; 2,000 draws."""
    names = [str(at) for at in range(40)]
    engine = an_engine_of(*names)
    for at, name in enumerate(names):
        answered(engine, name, *took(*[0.1 * 1.2**at] * 20))

    counted = given(engine, 2000)

    assert counted["0"] == pytest.approx(400, abs=90)
    assert sum(counted[name] for name in names[20:]) < 20


def test_the_fallbacks_are_the_next_best() -> None:
    """S5"""
    engine = an_engine_of("a", "b", "c", want=3)
    for name, duration_s in (("a", 0.3), ("b", 0.1), ("c", 0.2)):
        answered(engine, name, *[Outcome(200, duration_s)] * 20)

    decision = decided(engine)

    assert [decision.endpoint.id, *[each.id for each in decision.fallbacks]] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"response_time": 1.1}, r"response_time must be 0 to 1, got 1\.1"),
        ({"connections": -0.1}, r"connections must be 0 to 1, got -0\.1"),
        ({"response_time": 0.0, "connections": 0.0}, "response_time and connections are both 0"),
        ({"draw": 1}, "draw must be at least 2, got 1"),
    ],
)
def test_refuses_options_that_make_no_sense(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LeastConnectionsResponseTime(**options)  # type: ignore[arg-type]
