"""Endpoints with a share of the requests each, to be drawn from.

Shares that follow what endpoints report change by themselves. They are made for all endpoints at once, which
costs a visit to each, but only every so often: reports come by the second, requests by the millisecond. In
between, a request is one draw.
"""

from math import log
from random import Random
from typing import Final, final

from sidecar.core.endpoint import Endpoint

RENEWED_EACH_S: Final = 0.25
"""While requests come, shares are made anew so often."""
_OLD_S: Final = 1.0


def place_of(upto: list[float], point: float) -> int:
    """Whose part of the sum the point lies in, where `upto` are the sums up to each; the last, beyond all.

    Compiled, this is faster than a call of `bisect`, which makes objects of its numbers.
    """
    low = 0
    high = len(upto) - 1
    while low < high:
        middle = (low + high) >> 1
        if point < upto[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@final
class Shares:
    """`shares[i]` is that of `endpoints[i]`, not negative; only proportions count, and those of the weights
    where all are 0. Else endpoints with a share of 0 come after all others. `endpoints` are not empty."""

    def __init__(self, endpoints: list[Endpoint], shares: list[float], made_at: float = 0.0) -> None:
        self._made_at: Final = made_at
        self._endpoints: Final[list[Endpoint]] = []
        self._upto: Final[list[float]] = []
        self._others: Final[list[Endpoint]] = []
        alike = max(shares) <= 0.0
        total = 0.0
        for at, endpoint in enumerate(endpoints):
            share = float(endpoint.weight) if alike else shares[at]
            if share > 0.0:
                total += share
                self._endpoints.append(endpoint)
                self._upto.append(total)
            else:
                self._others.append(endpoint)
        self._total: Final = total

    def due(self, now: float) -> bool:
        """Whether it is time to make them anew."""
        return now - self._made_at >= RENEWED_EACH_S

    def old(self, now: float) -> bool:
        """Whether they are not to be drawn from any more."""
        return now - self._made_at >= _OLD_S

    def draw(self, want: int, rng: Random) -> list[Endpoint]:
        """`want` endpoints by chance, or all, none twice: each drawn by its share among those left.

        One that comes up again is drawn anew, which gives the others their due. Where many are wanted, or
        shares are so uneven that this would go on, the rest is ordered by -ln(u)/share, smallest first
        (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006), which comes to the same.
        """
        endpoints = self._endpoints
        last = len(endpoints) - 1
        if last == 0:
            return [endpoints[0], *self._others[: want - 1]]
        found = [endpoints[place_of(self._upto, rng.random() * self._total)]]
        if want == 1:
            return found
        most = min(want, last + 1)
        tries = 4 * most if 2 * most <= last else 0
        while tries > 0 and len(found) < most:
            tries -= 1
            other = endpoints[place_of(self._upto, rng.random() * self._total)]
            if other not in found:
                found.append(other)
        if len(found) < most:
            self._draw_others(found, most, rng)
        return found + self._others[: want - len(found)]

    def _draw_others(self, found: list[Endpoint], most: int, rng: Random) -> None:
        keyed: list[tuple[float, int]] = []
        below = 0.0
        for at, upto in enumerate(self._upto):
            if self._endpoints[at] not in found:
                keyed.append((-log(1.0 - rng.random()) / (upto - below), at))
            below = upto
        keyed.sort()
        for _, at in keyed[: most - len(found)]:
            found.append(self._endpoints[at])
