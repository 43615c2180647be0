"""Requests stay in their zone, as far as its endpoints can take them."""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.base import Field
from sidecar.core.state.pools import Pool
from sidecar.core.state.zones import Zone, Zones
from sidecar.core.strategies.base import Strategy, Turn


@final
class ZoneAware(Strategy):
    """The zone that is the least full, where others than the request's own look `penalty` times as full.

    A zone is as full as its requests lately over its capacity: the part that `capacity` gives it, or else its
    weight, less what it has lost of its endpoints. So a request stays in its zone until that is `penalty`
    times as full as another; of each zone's requests that could stay at most the part `most_across` leave. A
    request of no known zone goes to the least full, which shares requests out as the capacities say. Within a
    zone endpoints are drawn by weight. Fallbacks are others of the zone, then those of the next.

    The zone of a request is the first value of `by`, else `local`, the zone of this sidecar. That all zones
    are compared costs little, as there are few; endpoints are not.
    """

    def __init__(
        self,
        *,
        capacity: Mapping[str, float] | None = None,
        local: str = "",
        by: tuple[Field, ...] = (),
        penalty: float = 1.5,
        most_across: float = 0.3,
    ) -> None:
        parts = {} if capacity is None else dict(capacity)
        for zone, part in parts.items():
            if not 0.0 <= part <= 1e9:
                raise ValueError(f"capacity must not be negative, got {part} for {zone}")
        if not penalty >= 1.0:
            raise ValueError(f"penalty must be at least 1, got {penalty}")
        if not 0.0 <= most_across <= 1.0:
            raise ValueError(f"most_across must be 0 to 1, got {most_across}")
        self._capacity: Final = parts
        self._local: Final = local
        self._by: Final = by
        self._penalty: Final = penalty
        self._most_across: Final = most_across

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        zones = self._zones(turn)
        own = self._own(turn, zones)
        best = self._best(zones, own)
        found = best.shares.draw(want, turn.rng)
        if len(found) < want:
            for zone in sorted(zones.by_name.values(), key=lambda each: self._score(each, own)):
                if zone is not best and len(found) < want:
                    found.extend(zone.shares.draw(want - len(found), turn.rng))
        return found

    def arrange(self, pool: Pool) -> None:
        if pool.zones is None or pool.zones.parts != self._capacity:
            pool.zones = Zones(self._capacity)
        pool.zones.arrange(pool.candidates, pool.listed)

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        if turn.pool.zones is not None:
            origin = self._origin(turn)
            if turn.candidates is not turn.pool.candidates and all(
                each.zone != origin for each in turn.candidates.endpoints
            ):
                origin = ""  # it might have stayed, but this request had no choice
            turn.pool.zones.admitted(endpoint.zone, origin)

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """How full the endpoint's zone looks to the request; 1 is as full as all are on average, less is
        better."""
        zones = self._zones(turn)
        own = self._own(turn, zones)
        return [
            (endpoint, self._score(zones.by_name[endpoint.zone], own))
            for endpoint in turn.candidates.endpoints
        ]

    def _origin(self, turn: Turn) -> str:
        for field in self._by:
            value = field.first(turn.request)
            if value:
                return value
        return self._local

    def _own(self, turn: Turn, zones: Zones) -> Zone | None:
        origin = self._origin(turn)
        return zones.by_name.get(origin) if origin else None

    def _best(self, zones: Zones, own: Zone | None) -> Zone:
        if own is not None and not own.may_cross(self._most_across):
            return own
        best: Zone | None = own  # of equals its own
        least = 0.0 if own is None else own.fullness()
        for zone in zones.by_name.values():
            score = self._score(zone, own)
            if best is None or score < least:
                best = zone
                least = score
        assert best is not None
        return best

    def _score(self, zone: Zone, own: Zone | None) -> float:
        return zone.fullness() if own is None or zone is own else zone.fullness() * self._penalty

    def _zones(self, turn: Turn) -> Zones:
        """Those of the pool; where a condition of the request left candidates out, of those that are left."""
        zones = turn.pool.zones
        if zones is None:
            zones = Zones(self._capacity)
        elif turn.candidates is turn.pool.candidates:
            return zones
        return zones.among(turn.candidates, turn.pool.listed)
