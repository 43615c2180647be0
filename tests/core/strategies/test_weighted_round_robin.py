"""Each endpoint in turn, as often as its weight says."""

from collections import Counter
from random import Random

import pytest

from tests.builders import OK, a_plan, a_route, an_engine, decided, endpoints_of, picks, ticket_of
from tests.core.limited import an_offer, limited

WEIGHTED = "weighted_round_robin"


def test_five_one_one_gives_a_a_b_a_c_a_a() -> None:
    """S2"""
    engine = an_engine(a_route(to=endpoints_of({"a": 5, "b": 1, "c": 1}), strategy=WEIGHTED))

    assert picks(engine, 14) == "a a b a c a a a a b a c a a"


def test_seventy_and_thirty_are_exact_after_a_cycle() -> None:
    """S2"""
    engine = an_engine(a_route(to=endpoints_of({"a": 70, "b": 30}), strategy=WEIGHTED))

    for _ in range(3):
        given = picks(engine, 100).split()
        assert (given.count("a"), given.count("b")) == (70, 30)


def test_seventy_and_thirty_are_exact_to_one_cycle_over_10_000_requests() -> None:
    """S2: after each request, each has its part of all so far to one request, which is less than a cycle, and
    after each cycle of ten (70 and 30 have the same order as 7 and 3) exactly."""
    engine = an_engine(a_route(to=endpoints_of({"a": 70, "b": 30}), strategy=WEIGHTED))

    given = 0
    for count in range(1, 10_001):
        given += decided(engine).endpoint.id == "a"
        assert abs(given - 0.7 * count) <= 1
        if count % 10 == 0:
            assert given == 7 * count // 10

    assert given == 7_000


def test_a_weight_of_0_is_never_chosen_in_10_000_requests_nor_named_as_a_fallback() -> None:
    """S2"""
    weights = {"never": 0, "a": 70, "nor-this": 0, "b": 30}
    engine = an_engine(a_route(to=endpoints_of(weights), strategy=WEIGHTED, want=4))

    for _ in range(10_000):
        decision = decided(engine)
        assert {decision.endpoint.id, *[each.id for each in decision.fallbacks]} == {"a", "b"}


@pytest.mark.parametrize("weight", [1, 1000])
def test_weights_go_up_to_1000_and_0_means_never(weight: int) -> None:
    """S2"""
    weights = {"never": 0, "a": weight, "b": 1000}
    engine = an_engine(a_route(to=endpoints_of(weights), strategy=WEIGHTED))

    given = picks(engine, weight + 1000).split()

    assert {name: given.count(name) for name in weights} == weights


def test_a_reload_with_the_same_weights_keeps_the_position() -> None:
    """S2"""
    engine = an_engine(a_route(to=endpoints_of({"a": 5, "b": 1, "c": 1}), strategy=WEIGHTED))
    assert picks(engine, 4) == "a a b a"

    engine.swap(a_plan(a_route(to=endpoints_of({"a": 5, "b": 1, "c": 1}), strategy=WEIGHTED), generation=2))

    assert picks(engine, 3) == "c a a"


def test_a_reload_with_other_weights_begins_a_new_rotation_and_forgets_who_left() -> None:
    """S2"""
    engine = an_engine(a_route(to=endpoints_of({"a": 5, "b": 1, "c": 1}), strategy=WEIGHTED))
    assert picks(engine, 2) == "a a"

    engine.swap(a_plan(a_route(to=endpoints_of({"a": 1, "c": 2}), strategy=WEIGHTED)))

    assert picks(engine, 6) == "c a c c a c"


def test_a_decision_after_a_reload_names_the_endpoint_as_the_new_plan_has_it() -> None:
    engine = an_engine(a_route(to=endpoints_of({"a": 1}), strategy=WEIGHTED))
    renewed = endpoints_of({"a": 1})

    engine.swap(a_plan(a_route(to=renewed, strategy=WEIGHTED)))

    assert decided(engine).endpoint is renewed[0]


def test_the_fallbacks_are_the_next_richest() -> None:
    engine = an_engine(a_route(to=endpoints_of({"a": 5, "b": 1, "c": 3}), strategy=WEIGHTED, want=3))

    decision = decided(engine)

    assert [decision.endpoint.id, *[endpoint.id for endpoint in decision.fallbacks]] == ["a", "c", "b"]


def test_where_reports_near_the_limit_come_with_every_answer_nobody_is_first_or_left_out() -> None:
    """S2, C5: 20 endpoints with a limit of 90 %, 20,000 requests; one in five answers reports 95 %. Each has
    its part to three tenths; of a rotation that began anew with each change the first would have most."""
    names = [f"e{at:02}" for at in range(20)]
    engine = an_engine(a_route(to=limited(dict.fromkeys(names, an_offer(load=0.9))), strategy=WEIGHTED))
    rng = Random(3)
    given: Counter[str] = Counter()
    for at in range(20_000):
        now = at / 1000
        decision = decided(engine, now=now)
        engine.settle(ticket_of(decision), OK, now)
        engine.state.reports.told(decision.endpoint.key, now, utilisation=0.95 if rng.random() < 0.2 else 0.6)
        given[decision.endpoint.id] += 1

    assert all(700 < given[name] < 1300 for name in names)


def test_who_left_the_plan_is_owed_nothing_when_it_is_there_again() -> None:
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 1, "c": 1}), strategy=WEIGHTED))
    assert picks(engine, 1) == "a"

    for weights in ({"b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}):
        engine.swap(a_plan(a_route(to=endpoints_of(weights), strategy=WEIGHTED)))

    assert picks(engine, 3) == "a b c"
