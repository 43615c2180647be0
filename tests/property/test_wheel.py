"""Rotations and splits against what they are defined by."""

from hypothesis import assume, given
from hypothesis import strategies as st

from sidecar.core.endpoint import Candidates, eligible
from sidecar.core.split import Split
from sidecar.core.state.wheel import Wheel
from tests.builders import endpoints_of

PICK = 1 << 16
"""One, as `owed` counts them."""
MANY = 100
"""So many are not found in the lines, but by sorting all."""


def nginx(weights: list[int], count: int) -> list[int]:
    """Smooth weighted round-robin as nginx has it: all gain their weight; the richest is picked and pays."""
    wealth = [0] * len(weights)
    given: list[int] = []
    for _ in range(count):
        for at, weight in enumerate(weights):
            wealth[at] += weight
        richest = max(range(len(weights)), key=lambda at: (wealth[at], -at))
        wealth[richest] -= sum(weights)
        given.append(richest)
    return given


def turned(weights: list[int], count: int) -> list[int]:
    wheel = Wheel(eligible(endpoints_of({str(at): weight for at, weight in enumerate(weights)})))
    given: list[int] = []
    for _ in range(count):
        endpoint = wheel.next(1)[0]
        wheel.pick(endpoint)
        given.append(int(endpoint.id))
    return given


@given(weights=st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_the_rotation_is_that_of_nginx_through_several_cycles(weights: list[int]) -> None:
    """S2"""
    assume(any(weights))
    count = 3 * sum(weights) + 1

    assert turned(weights, count) == nginx(weights, count)


@given(weights=st.lists(st.integers(1, 1000), min_size=1, max_size=12))
def test_the_rotation_is_that_of_nginx_for_great_weights(weights: list[int]) -> None:
    """S2"""
    assert turned(weights, 300) == nginx(weights, 300)


@given(
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    order=st.lists(st.integers(0, 5), max_size=40),
)
def test_who_is_picked_out_of_turn_pays_for_it(weights: list[int], order: list[int]) -> None:
    """S2: whoever was picked before, the next is the one whose picks lag most behind its weight."""
    endpoints = eligible(endpoints_of({str(at): weight for at, weight in enumerate(weights)})).endpoints
    wheel = Wheel(eligible(tuple(endpoints)))
    wealth = [0] * len(weights)
    for drawn in order:
        picked = drawn % len(weights)
        wheel.pick(endpoints[picked])
        wealth = [rich + weight for rich, weight in zip(wealth, weights, strict=True)]
        wealth[picked] -= sum(weights)

        after_gain = [rich + weight for rich, weight in zip(wealth, weights, strict=True)]
        ranked = sorted(range(len(weights)), key=lambda at: (-after_gain[at], at))
        assert [int(endpoint.id) for endpoint in wheel.next(9)] == ranked
        assert int(wheel.next(1)[0].id) == ranked[0]


@given(
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    changes=st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 5))), min_size=1, max_size=6),
    anew=st.booleans(),
)
def test_after_changes_of_the_candidates_shares_are_those_of_the_weights(
    weights: list[int], changes: list[tuple[int, set[int]]], *, anew: bool
) -> None:
    """S2: to one pick in the first cycle after them, exactly in those after it; made anew or changed."""
    fleet = eligible(endpoints_of({str(at): weight for at, weight in enumerate(weights)}))
    listed = tuple(fleet.endpoints)
    wheel = Wheel(fleet, None, listed)
    now = fleet
    for count, away in changes:
        for _ in range(count):
            wheel.pick(wheel.next(1)[0])
        now = Candidates([each for each in fleet.endpoints if int(each.id) not in away])
        assume(now.endpoints)
        if anew:
            wheel = Wheel(now, wheel, listed)
        else:
            assert wheel.change(now, listed)

    for bound in (1, 0, 0):
        given = []
        for _ in range(now.total_weight):
            given.append(wheel.next(1)[0])
            wheel.pick(given[-1])
        for endpoint in now.endpoints:
            assert abs(given.count(endpoint) - endpoint.weight) <= bound


@given(
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=8),
    changes=st.lists(
        st.tuples(st.lists(st.integers(0, 7), max_size=12), st.sets(st.integers(0, 7))), max_size=8
    ),
)
def test_a_wheel_that_is_changed_owes_what_one_made_anew_does(
    weights: list[int], changes: list[tuple[list[int], set[int]]]
) -> None:
    """S2: to the thousandth of a pick, whoever was picked in between and whoever leaves and comes."""
    fleet = eligible(endpoints_of({str(at): weight for at, weight in enumerate(weights)}))
    listed = tuple(fleet.endpoints)
    changed, made = Wheel(fleet, None, listed), Wheel(fleet)
    now = fleet
    for picks, away in changes:
        for drawn in picks:
            if now.endpoints:
                picked = now.endpoints[drawn % len(now.endpoints)]
                changed.pick(picked)
                made.pick(picked)
        now = Candidates([each for each in fleet.endpoints if int(each.id) not in away])
        assert changed.change(now, listed)
        made = Wheel(now, made)

        owed, expected = changed.owed(), made.owed()
        assert owed.keys() == expected.keys()
        for key, (weight, picks_owed) in owed.items():
            assert expected[key][0] == weight
            assert abs(expected[key][1] - picks_owed) <= PICK / 1000
        assert sum(owed[each.key][1] for each in now.endpoints) <= 0
        in_lines, sorted_all = changed.next(len(fleet.endpoints)), changed.next(MANY)
        assert in_lines == sorted_all


@given(
    weights=st.lists(st.floats(0.01, 100.0), min_size=2, max_size=6),
    grows=st.integers(0, 5),
    factor=st.floats(1.0, 50.0),
    keys=st.lists(st.text(max_size=8), min_size=1, max_size=30),
)
def test_when_one_weight_grows_keys_move_only_to_it(
    weights: list[float], grows: int, factor: float, keys: list[str]
) -> None:
    """R4"""
    grown = grows % len(weights)
    names = [f"v{at}" for at in range(len(weights))]
    before = Split("route", names, weights)
    after = Split("route", names, [w * factor if at == grown else w for at, w in enumerate(weights)])

    for key in keys:
        assert after.by_key(key) in {before.by_key(key), grown}
