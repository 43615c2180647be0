"""Draw two endpoints at random and prefer the one that is less busy by its own report.

A report is old when it comes, and every sidecar has the same: always taking the least busy of all would send
everybody there until the next one. Comparing a random pair does not, and is nearly as good as comparing all
(Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001, and of old reports "How Useful
Is Old Information?", 2000).
"""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn

_MORE: Final = 16
_AT_REST: Final = 0.25
"""What is taken for the utilisation of an idle endpoint, so that one that reports 0 is not flooded."""


@final
class LeastLoaded(Strategy):
    """`draw` endpoints are drawn by weight; the least (utilisation + 0.25) x (in flight / weight + 1) wins.

    Utilisation is what the endpoint reported, and the requests that we have in flight there are what
    changed since and what is known at once: of two that report the same, the one with fewer of ours is less
    busy. Where one of those drawn reports nothing, requests in flight divided by weight decide alone.

    An endpoint that reports more than `full` is passed over for another of those drawn. Where all of these
    are full, 16 more are drawn (that is all, where there are no more), and one with room of these is taken.
    To look at all of a thousand would make decisions dearest when everybody has the most to do, and would
    send all requests to the only one with room.
    """

    def __init__(self, *, draw: int = 2, full: float = 0.9) -> None:
        if draw < 2:
            raise ValueError(f"draw must be at least 2, got {draw}")
        if not full > 0.0:
            raise ValueError(f"full must be above 0, got {full}")
        self._draw: Final = draw
        self._full: Final = full

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        most = max(self._draw, want)
        drawn = turn.draw(most)
        if len(drawn) == 1 or (len(drawn) == 2 and self._compared(turn, drawn)):
            return drawn[:want]
        room, full = self._sorted(turn, drawn)
        if not room and len(drawn) < len(turn.candidates.endpoints):
            reports, now = turn.state.reports, turn.now
            others = turn.draw(max(_MORE, most))
            others = [each for each in others if reports.utilisation(each.key, now) <= self._full]
            if others:
                room, _ = self._sorted(turn, others[:most])
        return (room + full)[:want]

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """The product, or requests in flight divided by weight where one candidate reports nothing; the least
        is the best."""
        endpoints = turn.candidates.endpoints
        return list(zip(endpoints, _loads(turn, endpoints, _reported(turn, endpoints)), strict=True))

    def _compared(self, turn: Turn, drawn: list[Endpoint]) -> bool:
        """Puts the less loaded of two first, as `_sorted` does, but cheaper: most requests go this way. Not
        where both are full."""
        one, other = drawn[0], drawn[1]
        reports, load, now = turn.state.reports, turn.state.load, turn.now
        reported, others = reports.utilisation(one.key, now), reports.utilisation(other.key, now)
        if reported > self._full or others > self._full:
            if reported > self._full and others > self._full:
                return False
            swap = reported > self._full
        else:
            ours = load.of(one.key) / turn.weight(one)
            theirs = load.of(other.key) / turn.weight(other)
            if reported >= 0.0 and others >= 0.0:
                ours = (reported + _AT_REST) * (ours + 1.0)
                theirs = (others + _AT_REST) * (theirs + 1.0)
            swap = theirs < ours
        if swap:
            drawn[0] = other
            drawn[1] = one
        return True

    def _sorted(self, turn: Turn, drawn: list[Endpoint]) -> tuple[list[Endpoint], list[Endpoint]]:
        """Those with room and those without, the least loaded first; equals stay as they were drawn."""
        reported = _reported(turn, drawn)
        loads = _loads(turn, drawn, reported)
        room: list[Endpoint] = []
        full: list[Endpoint] = []
        for at in sorted(range(len(drawn)), key=loads.__getitem__):
            if reported[at] > self._full:
                full.append(drawn[at])
            else:
                room.append(drawn[at])
        return room, full


def _reported(turn: Turn, endpoints: list[Endpoint]) -> list[float]:
    reports, now = turn.state.reports, turn.now
    return [reports.utilisation(each.key, now) for each in endpoints]


def _loads(turn: Turn, endpoints: list[Endpoint], reported: list[float]) -> list[float]:
    load = turn.state.load
    ours = [load.of(each.key) / turn.weight(each) for each in endpoints]
    if min(reported) < 0.0:
        return ours
    return [(share + _AT_REST) * (own + 1.0) for share, own in zip(reported, ours, strict=True)]
