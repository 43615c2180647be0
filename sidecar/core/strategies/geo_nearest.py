"""The endpoint that is nearest to where the request comes from."""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.geography import PLACES, Location, location_of, on_earth
from sidecar.core.rules.base import Field
from sidecar.core.state.atlas import Atlas, atlas_of
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy, Turn

_TRIES: Final = 0.1


@final
class GeoNearest(Strategy):
    """The region that the request names, else the nearest by great-circle distance (`core.geography`).

    The first value of `by` says where a request comes from: the name of a region, be it an endpoint's, one of
    `places` (latitude and longitude in degrees) or a cloud's, or else a point, as `41.88,-87.63`. An endpoint
    is where its location says, else where its region is known to be. Endpoints at one spot share its requests
    by weight; of two spots at the same distance the one that is listed first counts.

    A region whose requests lately took longer than `threshold_s` seconds on average is passed over for the
    next one, while one is left that is not; when nothing was heard of it for half a minute, one request in
    ten goes there all the same, until it is known anew. One where nobody may be picked is not there at all.
    So are the fallbacks: those at the spot, then those at the next. A request that comes from nowhere known
    goes to the first of the regions in `order` that is usable, and where no order is given, to any endpoint
    by weight.
    """

    def __init__(
        self,
        *,
        by: tuple[Field, ...] = (),
        places: Mapping[str, Location] | None = None,
        order: tuple[str, ...] = (),
        threshold_s: float = 0.2,
    ) -> None:
        own = {} if places is None else dict(places)
        for name, location in own.items():
            if not on_earth(location):
                raise ValueError(f"places must be on earth, got {location} for {name}")
        if threshold_s <= 0:
            raise ValueError(f"threshold_s must be above 0, got {threshold_s}")
        self._by: Final = by
        self._places: Final[dict[str, Location]] = {**PLACES, **own}
        self._order: Final = order
        self._threshold_s: Final = threshold_s

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        atlas = self._atlas(turn)
        spots = self._spots(turn, atlas)
        if spots is None:
            return turn.draw(want)
        found: list[Endpoint] = []
        slow: list[int] = []
        for spot in spots:
            shares = atlas.shares[spot]
            if shares is not None:
                if self._slow(turn, atlas.regions[spot]):
                    slow.append(spot)
                else:
                    found.extend(shares.draw(want - len(found), turn.rng))
                    if len(found) == want:
                        return found
        for spot in slow:
            shares = atlas.shares[spot]
            if shares is not None and len(found) < want:
                found.extend(shares.draw(want - len(found), turn.rng))
        return found

    def arrange(self, pool: Pool) -> None:
        if pool.candidates.endpoints:
            pool.atlas = atlas_of(pool.candidates, self._places, pool.atlas)
            if self._order:
                pool.atlas.chart.keep_order(self._order)

    def _slow(self, turn: Turn, region: str) -> bool:
        regions = turn.state.regions
        if regions.duration_s(region) <= self._threshold_s:
            return False
        return not (regions.due(region, turn.now) and turn.rng.random() < _TRIES)

    def _spots(self, turn: Turn, atlas: Atlas) -> list[int] | None:
        """In the order in which they come into question; None when nothing speaks for any."""
        for field in self._by:
            value = field.first(turn.request)
            if value:
                spots = atlas.chart.of_name(value)
                if spots is None:
                    point = location_of(value)
                    spots = None if point is None else atlas.chart.of_point(point)
                if spots is not None:
                    return spots
        return atlas.chart.of_order(self._order) if self._order else None

    def _atlas(self, turn: Turn) -> Atlas:
        """That of the pool; where a condition of the request left candidates out, of those that are left."""
        atlas = turn.pool.atlas
        if atlas is not None and atlas.candidates is turn.candidates:
            return atlas
        made = Atlas(turn.candidates, self._places, atlas)
        if self._order:
            made.chart.keep_order(self._order)
        return made
