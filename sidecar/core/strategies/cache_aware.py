"""Requests go where the answer, or the beginning of its prompt, is likely to be in a cache."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.base import Field
from sidecar.core.state.pools import Pool
from sidecar.core.state.prefixes import prefix_keys
from sidecar.core.state.shares import Shares
from sidecar.core.state.tally import Tally
from sidecar.core.strategies.base import Strategy, Turn

_MOST_HITS: Final = 0.99
_SPARE: Final = 0.01
"""Of the time for which a beginning is kept: so much earlier it may end, which spares most of the writing."""


@final
class CacheAware(Strategy):
    """Shares in proportion to weight / (1 - h), where h, at most 0.99, is the hit rate that is reported.

    So every endpoint has the same number of misses to work off, and these are its work. Below a rate of
    `least_hits` it gets none while at least half of those that report have more. Where fewer have, caches are
    cold, and without requests they would stay so: the first to be warm would get all. An endpoint that
    reports nothing gets the average share. Reports count within a second; where none come, or none has
    `least_hits`, shares are those of the weights.

    Where `by` names fields that hold the prompt, an endpoint that served the longest beginning of it within
    `kept_s` seconds is preferred, because it has the work for that still in its cache. It is passed over when
    it has more than `spare` requests of the pool in flight and they are more than `load_factor` times its
    part: a beginning that all requests share would send all of them to one endpoint.
    """

    def __init__(
        self,
        *,
        least_hits: float = 0.3,
        by: tuple[Field, ...] = (),
        kept_s: float = 600.0,
        load_factor: float = 1.5,
        spare: int = 4,
    ) -> None:
        if not 0.0 <= least_hits <= 1.0:
            raise ValueError(f"least_hits must be 0 to 1, got {least_hits}")
        if kept_s <= 0:
            raise ValueError(f"kept_s must be above 0, got {kept_s}")
        if not load_factor > 1.0:
            raise ValueError(f"load_factor must be above 1, got {load_factor}")
        if spare < 0:
            raise ValueError(f"spare must not be negative, got {spare}")
        self._least_hits: Final = least_hits
        self._by: Final = by
        self._kept_s: Final = kept_s
        self._load_factor: Final = load_factor
        self._spare: Final = spare
        self._name: Final = f"cache_aware {least_hits}"

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        shares = turn.candidates.prepared.get(self._name)
        if not isinstance(shares, Shares) or shares.old(turn.now):
            shares = self._shares(turn)
        served = self._served(turn) if self._by else None
        if served is None:
            return shares.draw(want, turn.rng)
        if want == 1:
            return [served]
        others = [other for other in shares.draw(want, turn.rng) if other.key != served.key]
        return [served, *others[: want - 1]]

    def arrange(self, pool: Pool) -> None:
        if not self._by:
            pool.tally = None
        elif pool.tally is None:
            pool.tally = Tally()

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        if self._by:
            for key in self._keys(turn):
                turn.state.prefixes.bind(
                    key, endpoint.key, turn.now + self._kept_s, turn.now, _SPARE * self._kept_s
                )
        if turn.candidates is turn.pool.candidates:
            shares = turn.candidates.prepared.get(self._name)
            if not isinstance(shares, Shares) or shares.due(turn.now):
                turn.candidates.prepared[self._name] = self._shares(turn)

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """The hit rate that the endpoint reports, 0 to 1; negative when it reports none."""
        reports = turn.state.reports
        return [(each, reports.cache_hit_rate(each.key, turn.now)) for each in turn.candidates.endpoints]

    def _keys(self, turn: Turn) -> list[int]:
        keys = turn.beginnings
        if keys is None:
            keys = []
            for field in self._by:
                value = field.first(turn.request)
                if value:
                    keys = prefix_keys(turn.pool.salt, value)
                    break
            turn.beginnings = keys
        return keys

    def _served(self, turn: Turn) -> Endpoint | None:
        """Who served the longest beginning of this prompt, if it is not too busy."""
        for key in self._keys(turn):
            name = turn.state.prefixes.of(key, turn.now)
            endpoint = None if name is None else turn.candidates.by_key.get(name)
            if endpoint is not None:
                tally = turn.pool.tally
                if (
                    tally is None
                    or tally.of(endpoint.key) < self._spare
                    or tally.has_room(endpoint, turn.candidates, self._load_factor)
                ):
                    return endpoint
        return None

    def _shares(self, turn: Turn) -> Shares:
        endpoints = turn.candidates.endpoints
        reports = turn.state.reports
        shares: list[float] = []
        known = 0
        warm = 0
        for endpoint in endpoints:
            hits = reports.cache_hit_rate(endpoint.key, turn.now)
            shares.append(hits)
            if hits >= 0.0:
                known += 1
                if hits >= self._least_hits:
                    warm += 1
        least = self._least_hits if warm == 0 or 2 * warm >= known else 0.0
        total = 0.0
        for at, hits in enumerate(shares):
            if hits >= 0.0:
                shares[at] = 0.0 if hits < least else 1.0 / (1.0 - min(hits, _MOST_HITS))
                total += shares[at]
        average = total / known if known else 1.0
        for at, endpoint in enumerate(endpoints):
            shares[at] = turn.weight(endpoint) * (average if shares[at] < 0.0 else shares[at])
        return Shares(endpoints, shares, turn.now)
