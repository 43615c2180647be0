"""The more of its quota an endpoint has left, the more requests it gets."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.shares import Shares
from sidecar.core.strategies.base import Strategy, Turn


@final
class QuotaAware(Strategy):
    """Shares in proportion to weight x left^2, where left is the part of its quota that nobody has used.

    With half as much left as another an endpoint gets a quarter of its requests, so that quotas draw level.
    One that has used `nearly_used` of its quota or more gets at most the part `trickle` of the requests, and
    one that has used all gets none, while others have room. What is used an endpoint reports; where it does
    not, it is what it was given of its limits. One without either is taken for the average of the others.
    Changes count within a second; where nothing is known, shares are those of the weights.
    """

    def __init__(self, *, nearly_used: float = 0.95, trickle: float = 0.02) -> None:
        if not 0.0 < nearly_used <= 1.0:
            raise ValueError(f"nearly_used must be above 0 and at most 1, got {nearly_used}")
        if not 0.0 <= trickle <= 1.0:
            raise ValueError(f"trickle must be 0 to 1, got {trickle}")
        self._nearly_used: Final = nearly_used
        self._trickle: Final = trickle
        self._name: Final = f"quota_aware {nearly_used} {trickle}"

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        shares = turn.candidates.prepared.get(self._name)
        if not isinstance(shares, Shares) or shares.old(turn.now):
            shares = self._shares(turn)
        return shares.draw(want, turn.rng)

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        if turn.candidates is turn.pool.candidates:
            shares = turn.candidates.prepared.get(self._name)
            if not isinstance(shares, Shares) or shares.due(turn.now):
                turn.candidates.prepared[self._name] = self._shares(turn)

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """left^2, 0 to 1."""
        lefts = self._lefts(turn)
        return [(each, lefts[at] * lefts[at]) for at, each in enumerate(turn.candidates.endpoints)]

    def _shares(self, turn: Turn) -> Shares:
        endpoints = turn.candidates.endpoints
        shares: list[float] = []
        nearly: list[int] = []
        room = 0.0
        for at, left in enumerate(self._lefts(turn)):
            share = turn.weight(endpoints[at]) * left * left
            shares.append(share)
            # As it was told, not 1 - left: that would round.
            if _used(turn, endpoints[at]) >= self._nearly_used:
                nearly.append(at)
            else:
                room += share
        if room > 0.0:
            for at in nearly:
                shares[at] = min(shares[at], self._trickle * room)
        return Shares(endpoints, shares, turn.now)

    def _lefts(self, turn: Turn) -> list[float]:
        """Of each candidate the part of its quota that is left, 0 to 1."""
        lefts: list[float] = []
        known = 0
        total = 0.0
        for endpoint in turn.candidates.endpoints:
            used = _used(turn, endpoint)
            left = -1.0
            if used >= 0.0:
                left = max(1.0 - used, 0.0)
                known += 1
                total += left
            lefts.append(left)
        average = total / known if known else 1.0
        return [average if left < 0.0 else left for left in lefts]


def _used(turn: Turn, endpoint: Endpoint) -> float:
    """What the endpoint says, else what it was given; negative when neither is known."""
    used = turn.state.reports.quota_used(endpoint.key, turn.now)
    return used if used >= 0.0 else turn.state.quotas.used(endpoint.key, turn.now)
