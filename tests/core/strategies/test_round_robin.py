"""Each endpoint in turn."""

from tests.builders import a_plan, a_route, an_engine, decided, endpoints_of, picks


def test_gives_each_endpoint_in_turn() -> None:
    """S1"""
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 9, "c": 1})))

    assert picks(engine, 7) == "a b c a b c a"


def test_shares_are_exact_after_each_cycle_whatever_the_weights() -> None:
    """S1: 5 endpoints, 2,000 cycles."""
    engine = an_engine(a_route(to=endpoints_of({name: at + 1 for at, name in enumerate("abcde")})))

    for _ in range(2_000):
        assert sorted(picks(engine, 5).split()) == ["a", "b", "c", "d", "e"]


def test_routes_rotate_independently() -> None:
    """S1"""
    both = endpoints_of({"a": 1, "b": 1})
    engine = an_engine(a_route("first", to=both))
    assert picks(engine, 1) == "a"

    engine.swap(a_plan(a_route("first", to=both), a_route("second", to=both, priority=1)))

    assert picks(engine, 2) == "a b"


def test_an_endpoint_of_weight_0_has_no_turn() -> None:
    """S2"""
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 0, "c": 1})))

    assert picks(engine, 4) == "a c a c"


def test_the_fallbacks_are_those_whose_turn_comes_next() -> None:
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 1, "c": 1}), want=5))
    decided(engine)

    decision = decided(engine)

    assert [decision.endpoint.id, *[endpoint.id for endpoint in decision.fallbacks]] == ["b", "c", "a"]


def test_a_reload_goes_on_with_the_turn() -> None:
    """S1"""
    route = a_route(to=endpoints_of({"a": 1, "b": 1, "c": 1}))
    engine = an_engine(route)
    assert picks(engine, 2) == "a b"

    engine.swap(a_plan(route, generation=2))

    assert picks(engine, 2) == "c a"
