"""The order of endpoints by load."""

from collections import Counter
from math import sqrt
from random import Random

import pytest

from sidecar.core.endpoint import Candidates, eligible
from sidecar.core.state.ladder import Ladder
from sidecar.core.state.load import Load
from sidecar.core.state.tickets import Ticket, Tickets
from tests.builders import (
    COMPILED,
    OK,
    a_plan,
    a_route,
    an_endpoint,
    an_engine,
    decided,
    endpoints_of,
    lines_run,
)

THREE = {"a": 5, "b": 1, "c": 1}


def a_ticket(id: str) -> Ticket:
    return Tickets(0).open("route", "variant", "pool", an_endpoint(id), 1, 0.0, 10.0)


def candidates_of(weights: dict[str, int]) -> Candidates:
    return eligible(endpoints_of(weights))


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 5, "b": 1, "c": 2, "d": 2}])
def test_after_any_comings_and_goings_it_ranks_as_sorting_all_does(weights: dict[str, int]) -> None:
    load, rng = Load(), Random(1)
    candidates = candidates_of(weights)
    ladder = load.join(candidates)
    open_tickets: list[Ticket] = []

    for _ in range(2000):
        if open_tickets and rng.random() < 0.5:
            load.settled(open_tickets.pop(rng.randrange(len(open_tickets))), OK, 0.0)
        else:
            open_tickets.append(a_ticket(rng.choice("abcd")))
            load.admitted(open_tickets[-1], 0.0)
        loads = {each.id: load.of(each.key) / each.weight for each in candidates.endpoints}
        want = rng.randint(1, 5)
        ranked = [loads[each.id] for each in ladder.lowest(want, rng)]
        assert ranked == sorted(loads.values())[:want]


def test_endpoints_of_equal_load_are_drawn_by_weight_and_none_twice() -> None:
    """20,000 draws; the bound is five standard deviations of the binomial."""
    ladder, rng = Ladder(candidates_of(THREE), {}), Random(1)
    draws = 20_000

    rankings = [ladder.lowest(1 + at % 3, rng) for at in range(draws)]

    firsts = Counter(ranking[0].id for ranking in rankings)
    for name, weight in THREE.items():
        share = weight / 7
        assert abs(firsts[name] - draws * share) <= 5 * sqrt(draws * share * (1 - share))
    assert all(len({each.id for each in ranking}) == 1 + at % 3 for at, ranking in enumerate(rankings))


def test_fallbacks_among_many_equals_are_drawn_evenly() -> None:
    """20,000 draws of 2 in 10; the bound is five standard deviations of the binomial."""
    ladder, rng = Ladder(candidates_of(dict.fromkeys("abcdefghij", 1)), {}), Random(1)
    draws = 20_000

    seconds = Counter(ladder.lowest(2, rng)[1].id for _ in range(draws))

    assert len(seconds) == 10
    assert all(abs(times - draws / 10) <= 5 * sqrt(draws * 0.09) for times in seconds.values())


def test_begins_with_the_requests_that_are_in_flight_already() -> None:
    load = Load()
    load.admitted(a_ticket("a"), 0.0)

    ladder = load.join(candidates_of({"a": 1, "b": 1}))

    assert [each.id for each in ladder.lowest(2, Random(1))] == ["b", "a"]


def test_pools_of_the_same_candidates_share_it_until_the_last_one_leaves() -> None:
    load = Load()
    candidates = candidates_of({"a": 1, "b": 1})
    ladder = load.join(candidates)
    assert load.join(candidates) is ladder

    load.leave(ladder)
    load.admitted(a_ticket("a"), 0.0)
    assert [each.id for each in ladder.lowest(1, Random(1))] == ["b"]

    load.leave(ladder)
    assert load.join(candidates) is not ladder


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines of Python")
def test_a_request_costs_as_little_among_a_hundred_routes_of_the_same_endpoints_as_in_one() -> None:
    to = endpoints_of({"a": 1, "b": 1})
    one, many = (
        an_engine(*(a_route(f"route-{at}", to=to, strategy="least_connections") for at in range(count)))
        for count in (1, 100)
    )
    load, crowded = one.state.load, many.state.load

    assert lines_run(lambda: load.admitted(a_ticket("a"), 0.0)) == lines_run(
        lambda: crowded.admitted(a_ticket("a"), 0.0)
    )


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines of Python")
def test_a_pick_among_a_thousand_costs_what_one_among_three_does() -> None:
    few, many = (
        Ladder(candidates_of({str(at): 1 for at in range(count)}), {"shop/0": 2, "shop/1": 1})
        for count in (3, 1000)
    )

    assert lines_run(lambda: few.lowest(1, Random(1))) == lines_run(lambda: many.lowest(1, Random(1)))


def test_another_strategy_or_other_endpoints_leave_no_ladder_behind() -> None:
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 1}), strategy="least_connections"))
    first = engine.state.pools.of("main").ladder
    assert first is not None

    engine.swap(a_plan(a_route(to=endpoints_of({"b": 1, "c": 1}), strategy="least_connections")))
    second = engine.state.pools.of("main").ladder
    assert second is not None
    assert (first.users, second.users) == (0, 1)

    engine.swap(a_plan(a_route(to=endpoints_of({"b": 1, "c": 1}))))
    assert engine.state.pools.of("main").ladder is None
    assert second.users == 0
    decided(engine)

    engine.swap(a_plan(a_route("other", to=endpoints_of({"b": 1}), strategy="least_connections")))
    third = engine.state.pools.of("other").ladder
    assert third is not None
    engine.swap(a_plan(a_route("main")))
    assert third.users == 0
