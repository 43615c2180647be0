"""Requests by the quota that is left."""

from collections import Counter
from collections.abc import Mapping

import pytest

from sidecar.core.engine import Engine
from sidecar.core.strategies.quota_aware import QuotaAware
from tests.builders import an_engine_by, decided, endpoints_of
from tests.core.limited import a_limited_engine, an_offer, limited

THREE = endpoints_of({"a": 1, "b": 1, "c": 1})


def told(engine: Engine, used: Mapping[str, float], now: float) -> None:
    for name, part in used.items():
        engine.state.reports.told(f"shop/{name}", now, quota_used=part)


def shares(engine: Engine, count: int, now: float = 0.0) -> Counter[str]:
    """Of so many decisions, one each millisecond."""
    return Counter(decided(engine, now=now + at / 1000).endpoint.id for at in range(count))


def test_who_has_used_95_percent_gets_hardly_any_and_who_has_most_left_gets_most() -> None:
    """S10: 95, 45 and 78 % used, 500 requests: at most 2 % to the first and at least 80 % to the second. As
    left^2 is 0.0025, 0.3025 and 0.0484, 0.7 % and 85.6 % are expected, and three standard deviations fit."""
    engine = an_engine_by(QuotaAware(), THREE)
    told(engine, {"a": 0.95, "b": 0.45, "c": 0.78}, 0.0)

    given = shares(engine, 500)

    assert given["a"] <= 10
    assert given["b"] >= 400
    assert given["c"] > given["a"]


@pytest.mark.parametrize("others", [0.5, 0.8, 0.9, 0.94])
def test_who_is_nearly_used_up_gets_at_most_2_percent_however_little_others_have(others: float) -> None:
    """S10: 20,000 requests; five standard deviations of 2 % are 0.5 %. By left^2 alone 40 % would go there
    where the others are at 94 %."""
    engine = an_engine_by(QuotaAware(), THREE)
    told(engine, {"a": 0.95, "b": others, "c": others}, 0.0)

    assert shares(engine, 20_000)["a"] <= 0.025 * 20_000


def test_who_has_used_all_gets_none_while_others_have_some() -> None:
    """S10"""
    engine = an_engine_by(QuotaAware(), THREE)
    told(engine, {"a": 1.0, "b": 0.99, "c": 1.2}, 0.0)

    assert shares(engine, 1_000) == {"b": 1_000}


def test_where_all_is_used_up_weights_count() -> None:
    """S10: 4,000 requests; five standard deviations of 3/4 are 137."""
    engine = an_engine_by(QuotaAware(), endpoints_of({"a": 3, "b": 1}))
    told(engine, {"a": 1.0, "b": 1.0}, 0.0)

    assert abs(shares(engine, 4_000)["a"] - 3_000) <= 137


def test_shares_follow_the_weight_too() -> None:
    """S10: 4,000 requests; weights 3 and 1 with 1/4 and 9/16 of left^2 give 4 to 3; five deviations are
    157."""
    engine = an_engine_by(QuotaAware(), endpoints_of({"a": 3, "b": 1}))
    told(engine, {"a": 0.5, "b": 0.25}, 0.0)

    assert abs(shares(engine, 4_000)["a"] - 4_000 * 4 / 7) <= 157


def test_without_reports_weights_count() -> None:
    """S10: 4,000 requests; five standard deviations of 3/4 are 137."""
    assert abs(shares(an_engine_by(QuotaAware(), endpoints_of({"a": 3, "b": 1})), 4_000)["a"] - 3_000) <= 137


def test_who_reports_nothing_is_taken_for_the_average() -> None:
    """S10: with 0.2 and 0.6 left, 0.4; of 0.04, 0.36 and 0.16 that is 2/7. Five deviations of 4,000 are
    143."""
    engine = an_engine_by(QuotaAware(), THREE)
    told(engine, {"a": 0.8, "b": 0.4}, 0.0)

    assert abs(shares(engine, 4_000)["c"] - 4_000 * 2 / 7) <= 143


def test_a_new_report_counts_within_a_second() -> None:
    """S10: requests go on each millisecond; half a second after the report nothing more goes to the one that
    is used up."""
    engine = an_engine_by(QuotaAware(), THREE)
    told(engine, {"a": 0.1, "b": 0.5, "c": 0.5}, 0.0)
    assert shares(engine, 500)["a"] > 250

    told(engine, {"a": 1.0, "b": 0.5, "c": 0.5}, 0.5)
    shares(engine, 500, now=0.5)

    assert shares(engine, 500, now=1.0)["a"] == 0


def test_a_report_that_is_old_counts_for_nothing() -> None:
    """S10"""
    engine = an_engine_by(QuotaAware(), THREE)
    told(engine, {"a": 1.0, "b": 0.5, "c": 0.5}, 0.0)
    assert shares(engine, 200)["a"] == 0

    assert shares(engine, 200, now=31.0)["a"] > 0


def test_those_who_have_none_left_are_the_last_fallbacks() -> None:
    """S10"""
    engine = an_engine_by(QuotaAware(), THREE, want=3)
    told(engine, {"a": 1.0, "b": 0.5, "c": 0.9}, 0.0)

    for _ in range(50):
        assert decided(engine).fallbacks[-1].id == "a"


def test_where_nobody_reports_what_they_were_given_counts() -> None:
    """S10, Q5: limits of 10,000 a minute, of which 95, 45 and 78 % were given; 500 requests, as above."""
    offers = {name: an_offer(10_000) for name in "abc"}
    engine = a_limited_engine(offers, strategy=QuotaAware())
    for endpoint, count in zip(limited(offers), (9_500, 4_500, 7_800), strict=True):
        for _ in range(count):
            ticket = engine.state.tickets.open("main", "main", "main", endpoint, 1, 0.0, 300.0)
            engine.state.quotas.admitted(ticket, 0.0)

    given = shares(engine, 500, now=0.5)

    assert given["a"] <= 10
    assert given["b"] >= 400
    assert given["c"] > given["a"]


def test_what_an_endpoint_says_counts_more_than_what_it_was_given() -> None:
    """S10, Q5: others may use its quota too."""
    engine = a_limited_engine({"a": an_offer(1_000), "b": an_offer(1_000)}, strategy=QuotaAware())
    told(engine, {"a": 1.0}, 0.0)

    assert shares(engine, 100) == {"b": 100}


def test_says_what_it_judges_by() -> None:
    """S10, C8"""
    strategy = QuotaAware()
    engine = an_engine_by(strategy, THREE)
    told(engine, {"a": 0.5, "b": 0.75, "c": 1.5}, 0.0)
    turn = decided(engine).turn
    assert turn is not None

    assert [(endpoint.id, score) for endpoint, score in strategy.scores(turn)] == [
        ("a", 0.25),
        ("b", 0.0625),
        ("c", 0.0),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nearly_used": 0.0}, "nearly_used must be above 0 and at most 1, got 0.0"),
        ({"nearly_used": 1.1}, "nearly_used must be above 0 and at most 1, got 1.1"),
        ({"trickle": -0.1}, "trickle must be 0 to 1, got -0.1"),
    ],
)
def test_options_are_checked(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        QuotaAware(**options)
