"""The less busy of two endpoints drawn at random."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.engine import Engine
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.least_loaded import LeastLoaded
from tests.builders import (
    COMPILED,
    OK,
    a_request,
    an_engine_by,
    decided,
    endpoints_of,
    lines_run,
    picks,
    ticket_of,
)


def an_engine_where(reported: dict[str, float], strategy: LeastLoaded | None = None, want: int = 1) -> Engine:
    """Each endpoint reports this utilisation; negative is none."""
    made = LeastLoaded() if strategy is None else strategy
    engine = an_engine_by(made, endpoints_of(dict.fromkeys(reported, 1)), want=want)
    for name, utilisation in reported.items():
        engine.state.reports.told(f"shop/{name}", 0.0, utilisation=utilisation)
    return engine


def given(engine: Engine, count: int = 1000, now: float = 0.0) -> Counter[str]:
    """Who gets the requests where each has ended before the next comes."""
    names: Counter[str] = Counter()
    for _ in range(count):
        decision = decided(engine, now=now)
        engine.settle(ticket_of(decision), OK, now)
        names[decision.endpoint.id] += 1
    return names


def test_prefers_the_endpoint_that_reports_less() -> None:
    """S6"""
    assert given(an_engine_where({"a": 0.6, "b": 0.5})) == {"b": 1000}


def test_the_least_busy_of_many_gets_no_more_than_its_part_of_the_pairs() -> None:
    """S6: 1,000 draws of 2 in 10: each is in 2 of 10 pairs, and the two busiest share what is left to
    them."""
    names = given(an_engine_where({str(at): at / 20 for at in range(10)}))

    assert 150 < names["0"] < 250
    assert names["0"] > names["5"] > names["8"]
    assert names["9"] == 0


def test_more_that_are_drawn_leave_less_to_the_busy_ones() -> None:
    """S6"""
    assert given(an_engine_where({"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.2}, LeastLoaded(draw=4))) == {
        "d": 1000
    }


def test_without_a_report_requests_in_flight_decide() -> None:
    """S6: also where only some report, because the two do not compare."""
    engine = an_engine_where({"a": 0.1, "b": -1.0})

    names = Counter(picks(engine, 100).split())

    assert names == {"a": 50, "b": 50}


def test_requests_in_flight_are_divided_by_the_weight() -> None:
    """S6: of 60 requests that stay, whatever is drawn."""
    engine = an_engine_by(LeastLoaded(), endpoints_of({"a": 5, "b": 1, "never": 0}))

    assert Counter(picks(engine, 60).split()) == {"a": 50, "b": 10}


def test_an_old_report_counts_no_more() -> None:
    """S6"""
    engine = an_engine_where({"a": 0.6, "b": 0.5})

    assert set(given(engine, now=60.0)) == {"a", "b"}


def test_what_was_sent_since_the_report_counts_too() -> None:
    """S6: one that reports nothing to do is not flooded until its next report."""
    engine = an_engine_where({"a": 0.0, "b": 0.5})

    names = Counter(picks(engine, 100).split())

    assert names["a"] == pytest.approx(75, abs=1)  # 3 to 1, as 0.75 to 0.25


@pytest.mark.parametrize("count", [2, 3, 16])
def test_an_endpoint_above_90_percent_is_passed_over_while_another_is_left(count: int) -> None:
    """S6: also where a random pair would seldom have met the other."""
    names = given(an_engine_where({"free": 0.9, **{str(at): 0.91 for at in range(count - 1)}}))

    assert names == {"free": 1000}


def test_among_many_that_are_full_16_more_are_looked_at() -> None:
    """S6: of 200, half are full, and all of 1,000 requests find one that is not: chance misses it once in
    200,000."""
    names = given(an_engine_where({f"{at}": 0.5 if at % 2 else 0.95 for at in range(200)}))

    assert all(int(name) % 2 for name in names)


@pytest.mark.skipif(COMPILED, reason="counts lines of Python")
@pytest.mark.parametrize("want", [1, 3])
def test_where_all_of_a_thousand_are_full_a_decision_costs_little(want: int) -> None:
    """S6: 16 more are drawn, each with at most 10 steps of a search and 16 that are stepped over."""
    engine = an_engine_where({str(at): 0.95 for at in range(1000)}, want=want)
    decided(engine)

    assert max(lines_run(lambda: decided(engine)) for _ in range(20)) < 2500


def test_where_all_are_full_the_least_full_of_those_drawn_is_taken() -> None:
    """S6"""
    assert given(an_engine_where({"a": 0.99, "b": 0.95})) == {"b": 1000}


def test_full_is_what_the_option_says() -> None:
    """S6"""
    engine = an_engine_where({"a": 0.0, "b": 0.6}, LeastLoaded(full=0.5))
    for _ in range(50):
        assert decided(engine).endpoint.id == "a"  # however many are in flight


def test_full_endpoints_are_the_last_of_the_fallbacks() -> None:
    """S6"""
    engine = an_engine_where({"a": 0.95, "b": 0.5, "c": 0.2}, want=3)

    for _ in range(20):
        decision = decided(engine)
        assert [decision.endpoint.id, *[each.id for each in decision.fallbacks]][2] == "a"


def test_tells_its_scores() -> None:
    """S6"""
    engine = an_engine_where({"a": 0.5, "b": 0.25})
    decided(engine)
    pool = engine.state.pools.of("main")
    turn = Turn(a_request(), pool, pool.candidates, engine.state, Random(1), 0.0)

    scores = {endpoint.id: score for endpoint, score in LeastLoaded().scores(turn)}

    assert scores == {"a": 0.75, "b": 1.0}
    assert [endpoint.id for endpoint in LeastLoaded().rank(turn, 2)] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"draw": 1}, "draw must be at least 2, got 1"),
        ({"full": 0.0}, r"full must be above 0, got 0\.0"),
        ({"full": float("nan")}, "full must be above 0, got nan"),
    ],
)
def test_refuses_options_that_make_no_sense(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LeastLoaded(**options)  # type: ignore[arg-type]
