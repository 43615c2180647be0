"""The smooth weighted rotation."""

from functools import partial

import pytest

from sidecar.core.endpoint import Candidates, Endpoint, eligible
from sidecar.core.state.wheel import Wheel
from tests.builders import COMPILED, endpoints_of, lines_run


def turn(wheel: Wheel) -> str:
    endpoint = wheel.next(1)[0]
    wheel.pick(endpoint)
    return endpoint.id


def candidates_of(**weights: int) -> Candidates:
    return eligible(endpoints_of(weights))


def test_five_one_one_gives_a_a_b_a_c_a_a() -> None:
    """S2"""
    wheel = Wheel(candidates_of(a=5, b=1, c=1))

    assert [turn(wheel) for _ in range(14)] == list("aabacaa") * 2


def test_names_those_that_follow_in_the_order_of_their_wealth() -> None:
    wheel = Wheel(candidates_of(a=5, b=1, c=3))

    assert [endpoint.id for endpoint in wheel.next(2)] == ["a", "c"]
    assert [endpoint.id for endpoint in wheel.next(9)] == ["a", "c", "b"]


def test_a_look_at_the_next_moves_nothing() -> None:
    wheel = Wheel(candidates_of(a=5, b=1, c=1))

    assert [wheel.next(1)[0].id for _ in range(5)] == ["a"] * 5


def test_an_empty_wheel_has_no_next() -> None:
    wheel = Wheel(Candidates([]))
    wheel.pick(endpoints_of({"a": 1})[0])

    assert wheel.next(1) == []
    assert wheel.next(3) == []


def test_picks_out_of_turn_are_paid_for_later() -> None:
    """Wealth counts every pick, whoever's turn it was, so a cycle of 9 still gives 3 to each."""
    wheel = Wheel(candidates_of(a=1, b=1, c=1))
    by_id = {endpoint.id: endpoint for endpoint in wheel.next(3)}
    for _ in range(3):
        wheel.pick(by_id["c"])

    assert sorted(turn(wheel) for _ in range(6)) == list("aaabbb")


def test_one_that_left_is_not_missed() -> None:
    wheel = Wheel(candidates_of(a=2, b=1))
    wheel.pick(Endpoint("shop", "gone", "", 2))
    wheel.pick(Endpoint("shop", "gone", "", 7))

    assert [turn(wheel) for _ in range(3)] == list("aba")


def test_fits_the_same_endpoints_with_the_same_weights_only() -> None:
    wheel = Wheel(candidates_of(a=2, b=1))

    assert wheel.fits(candidates_of(a=2, b=1))
    assert not wheel.fits(candidates_of(a=2, b=2))
    assert not wheel.fits(candidates_of(a=2))
    assert not wheel.fits(candidates_of(a=2, c=1))


def test_a_rotation_of_many_endpoints_is_exact() -> None:
    """S2"""
    weights = {f"e{n}": n % 7 + 1 for n in range(200)}
    wheel = Wheel(eligible(endpoints_of(weights)))
    given = [turn(wheel) for _ in range(sum(weights.values()) * 2)]

    assert all(given.count(name) == 2 * weight for name, weight in weights.items())


@pytest.mark.skipif(COMPILED, reason="counts lines of Python")
def test_a_turn_costs_as_much_among_a_thousand_endpoints_as_among_three() -> None:
    """S2: it follows the number of different weights, which is 3 in both."""
    few = Wheel(candidates_of(a=1, b=2, c=3))
    many = Wheel(eligible(endpoints_of({f"e{n}": n % 3 + 1 for n in range(999)})))

    # Not to the end of a cycle, where all picks are counted back, once for the sum of the weights.
    costs = [[lines_run(partial(turn, wheel)) for _ in range(5)] for wheel in (few, many)]

    assert max(costs[1]) <= max(costs[0])
