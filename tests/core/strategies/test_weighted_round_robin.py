"""Each endpoint in turn, as often as its weight says."""

import pytest

from tests.builders import a_plan, a_route, an_engine, decided, endpoints_of, picks

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
