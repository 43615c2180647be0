"""What endpoints say of themselves: how busy they are, how much quota is used, how often their cache hits.

Each number has its own time, because an endpoint may tell them one by one, and counts for a while only: an
endpoint that fell silent may be idle or dead, and its last word must not draw requests to it, nor keep them
away, for ever.
"""

from typing import Final, final

from sidecar.core.state.base import Learner
from sidecar.core.state.standing import DEGRADED, Mark, Standing

UNKNOWN: Final = -1.0
"""In place of a number that was not told, or too long ago."""
FRESH_S: Final = 30.0
"""How long a number counts after it was told."""
_ENDLESS: Final = float("inf")
_CLEAR: Final = 0.95
"""A report above a limit counts against the endpoint until one is at most so much of the limit. Near it,
reports are on either side by turns, and each change makes the candidates of all its pools anew."""


@final
class _Over:
    """The limit that the last report was above, until when that counts; both are 0 where it was not."""

    def __init__(self) -> None:
        self.limit: float = 0.0
        self.until: float = 0.0


@final
class _Said:
    """Numbers and the instants at which they were told."""

    def __init__(self) -> None:
        self.utilisation: float = UNKNOWN
        self.utilisation_at: float = 0.0
        self.quota_used: float = UNKNOWN
        self.quota_used_at: float = 0.0
        self.cache_hit_rate: float = UNKNOWN
        self.cache_hit_rate_at: float = 0.0
        self.over_load: Final = _Over()
        self.over_quota: Final = _Over()


@final
class Reports(Learner):
    """By endpoint key. A number counts for `fresh_s` seconds after it was told.

    When it reports more load or quota than its cluster allows, an endpoint is passed over for others, until
    it reports a twentieth less than that, or nothing for so long that its word counts no more.
    """

    def __init__(self, fresh_s: float = FRESH_S, *, standing: Standing | None = None) -> None:
        if fresh_s <= 0:
            raise ValueError(f"fresh_s must be above 0, got {fresh_s}")
        self._fresh_s: Final = fresh_s
        self._standing: Final = Standing() if standing is None else standing
        self._said: dict[str, _Said] = {}

    def utilisation(self, endpoint_key: str, now: float) -> float:
        """0 is idle, 1 is all that the endpoint can do; more when it is beyond. UNKNOWN below 0."""
        said = self._said.get(endpoint_key)
        return UNKNOWN if said is None else self._fresh(said.utilisation, said.utilisation_at, now)

    def quota_used(self, endpoint_key: str, now: float) -> float:
        """0 to 1, more when it is overdrawn; of several quotas the one that is used most. UNKNOWN below 0."""
        said = self._said.get(endpoint_key)
        return UNKNOWN if said is None else self._fresh(said.quota_used, said.quota_used_at, now)

    def cache_hit_rate(self, endpoint_key: str, now: float) -> float:
        """0 to 1. UNKNOWN below 0."""
        said = self._said.get(endpoint_key)
        return UNKNOWN if said is None else self._fresh(said.cache_hit_rate, said.cache_hit_rate_at, now)

    def told(
        self,
        endpoint_key: str,
        now: float,
        *,
        utilisation: float = UNKNOWN,
        quota_used: float = UNKNOWN,
        cache_hit_rate: float = UNKNOWN,
    ) -> None:
        """An endpoint of the plan said this. What it left out, and what can not be, stays as it was."""
        said = self._said.get(endpoint_key)
        if said is None:
            said = self._said[endpoint_key] = _Said()
        if 0.0 <= utilisation < _ENDLESS:  # NaN fails this as well
            said.utilisation = utilisation
            said.utilisation_at = now
        if 0.0 <= quota_used < _ENDLESS:
            said.quota_used = quota_used
            said.quota_used_at = now
        if 0.0 <= cache_hit_rate <= 1.0:
            said.cache_hit_rate = cache_hit_rate
            said.cache_hit_rate_at = now
        self._judge(endpoint_key, said, now)

    def keep_endpoints(self, keys: set[str]) -> None:
        self._said = {key: said for key, said in self._said.items() if key in keys}

    def plan_changed(self, now: float) -> None:
        for key, said in self._said.items():
            self._judge(key, said, now)

    def _judge(self, endpoint_key: str, said: _Said, now: float) -> None:
        offer = self._standing.offer(endpoint_key)
        load, at = self._fresh(said.utilisation, said.utilisation_at, now), said.utilisation_at
        self._mark(endpoint_key, "load", load, at, offer.most_utilisation, said.over_load, now)
        quota, at = self._fresh(said.quota_used, said.quota_used_at, now), said.quota_used_at
        self._mark(endpoint_key, "quota report", quota, at, offer.most_quota, said.over_quota, now)

    def _mark(
        self,
        endpoint_key: str,
        cause: str,
        number: float,
        told_at: float,
        most: float,
        over: _Over,
        now: float,
    ) -> None:
        """`number` is that of a report that still counts."""
        if 0.0 < most < number:
            why = f"{cause}: {100 * number:.4g}% is above {100 * most:.4g}%"
        elif most == over.limit and now < over.until and _CLEAR * most < number:
            why = f"{cause}: {100 * number:.4g}% is above {100 * _CLEAR * most:.4g}%, after {100 * most:.4g}%"
        else:
            over.until = 0.0
            self._standing.clear(endpoint_key, cause, now)
            return
        over.limit = most
        over.until = told_at + self._fresh_s
        self._standing.mark(endpoint_key, cause, Mark(DEGRADED, why, over.until), now)

    def _fresh(self, number: float, told_at: float, now: float) -> float:
        return number if now - told_at < self._fresh_s else UNKNOWN
