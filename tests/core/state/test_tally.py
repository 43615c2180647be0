"""How many of one pool's requests each endpoint is working on."""

import pytest

from sidecar.core.endpoint import Candidates
from sidecar.core.state.tally import Tally
from tests.builders import endpoints_of


def test_counts_up_and_down_to_nothing() -> None:
    tally = Tally()
    for key in ("a", "a", "b"):
        tally.admitted(key)
    assert (tally.of("a"), tally.of("b"), tally.of("c"), tally.total()) == (2, 1, 0, 3)

    for key in ("a", "b", "a"):
        tally.settled(key)

    assert (tally.of("a"), tally.of("b"), tally.total()) == (0, 0, 0)


def test_what_it_never_counted_is_not_taken_off() -> None:
    tally = Tally()
    tally.admitted("a")

    for key in ("b", "a", "a"):
        tally.settled(key)

    assert (tally.of("a"), tally.of("b"), tally.total()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("in_flight", "factor", "room"),
    [(0, 1.25, True), (4, 1.25, True), (5, 1.25, False), (5, 1.5, True), (6, 1.5, False)],
)
def test_has_room_for_its_factor_of_its_part_rounded_up(in_flight: int, factor: float, room: bool) -> None:
    """S13: weight 1 of 3, with 11 in flight and one to come: 1.25 x 4 and 1.5 x 4."""
    candidates = Candidates(list(endpoints_of({"a": 1, "b": 2})))
    tally = Tally()
    for at in range(11):
        tally.admitted("shop/a" if at < in_flight else "shop/b")

    assert tally.has_room(candidates.endpoints[0], candidates, factor) is room
