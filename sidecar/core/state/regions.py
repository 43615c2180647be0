"""How long requests to each region take, to leave one that is slow."""

from typing import Final, final

from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.base import Changes, Keeper, Learner, finite
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict, verdict

_WEIGHT: Final = 0.1
"""Of the latest duration in the mean."""
_FEWEST: Final = 5
_FRESH_S: Final = 30.0
UNKNOWN: Final = -1.0


@final
class _Region:
    """`told_s` is the mean that counts, `mean_s` the one that is learnt, from `count` durations."""

    def __init__(self) -> None:
        self.told_s: float = UNKNOWN
        self.mean_s: float = 0.0
        self.count: int = 0
        self.at: float = 0.0


@final
class Regions(Learner, Keeper):
    """The mean latency by region, exponentially weighted, of answers and timeouts; errors are fast.

    It counts from five on. When nothing was heard of a region for 30 s, which may be because it was left for
    being slow, it is `due`: what was known counts until five more are in, which begin a mean of their own.
    """

    def __init__(self) -> None:
        self._regions: dict[str, _Region] = {}
        self._changes: Final = Changes()

    def duration_s(self, region: str) -> float:
        """UNKNOWN, below 0, when it is not known."""
        known = self._regions.get(region)
        return UNKNOWN if known is None else known.told_s

    def due(self, region: str, now: float) -> bool:
        """Whether what is known of it is old."""
        known = self._regions.get(region)
        return known is not None and (known.count < _FEWEST or now - known.at >= _FRESH_S)

    def keep_only(self, regions: set[str]) -> None:
        """A new plan has endpoints in these regions and no others."""
        for region in [region for region in self._regions if region not in regions]:
            del self._regions[region]

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        region = ticket.endpoint.region
        latency_s = outcome.latency_s()
        if not region or latency_s < 0.0:
            return
        if outcome.failure is not Failure.TIMEOUT and verdict(ticket, outcome) is not Verdict.SERVED:
            return
        known = self._regions.get(region)
        if known is None:
            known = self._regions[region] = _Region()
        if known.count == 0 or now - known.at >= _FRESH_S:
            known.count = 0
            known.mean_s = latency_s
        known.mean_s += _WEIGHT * (latency_s - known.mean_s)
        known.count += 1
        known.at = now
        if known.count >= _FEWEST:
            known.told_s = known.mean_s
            self._changes.add(region)

    def changed(self) -> set[str]:
        return self._changes.take()

    def row(self, key: str, now: float) -> list[float] | None:
        known = self._regions.get(key)
        return None if known is None or known.told_s < 0.0 else [known.told_s, max(now - known.at, 0.0)]

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        """The region is due: what was known counts until five durations more are in."""
        if not finite(row, 2) or len(row) > 2 or min(row) < 0.0:
            raise ValueError(f"not what is known of a region: {row[:2]}")
        known = self._regions[key] = _Region()
        known.told_s = row[0]
        known.at = now - row[1] - away_s
