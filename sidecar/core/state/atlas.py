"""Which places with endpoints are near to where a request comes from.

For a region with a name all distances are worked out beforehand. For a point on the map the earth is cut in
cells of ten degrees. Seen from the middle of a cell, the place that is nearest to any point of it is no
farther than the nearest to the middle and twice the way to the cell's farthest corner: so a cell knows the
few places that come into question, and a request measures these alone.
"""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.geography import Location, distance_km
from sidecar.core.state.shares import Shares

_CELL: Final = 10
_ROWS: Final = 180 // _CELL
_COLUMNS: Final = 360 // _CELL
_ENDLESS: Final = float("inf")

Spot = tuple[str, Location | None]
"""Endpoints of one region at one location are at one spot."""


@final
class _Cell:
    """`order` are spots as seen from its middle; some of the first `close` are the nearest of any point."""

    def __init__(self, order: list[int], close: int) -> None:
        self.order: Final = order
        self.close: Final = close


@final
class Chart:
    """Distances between spots, named places and cells. Who is at a spot does not matter to it."""

    def __init__(self, spots: list[Spot], places: Mapping[str, Location]) -> None:
        self.spots: Final = spots
        self.places: Final = places
        self.number: Final = {spot: at for at, spot in enumerate(spots)}
        self._by_name: Final[dict[str, list[int]]] = {}
        self._by_order: Final[dict[tuple[str, ...], list[int]]] = {}
        names: dict[str, Location | None] = dict(places)
        for region, location in spots:
            if region and names.get(region) is None:
                names[region] = location
        for name, location in names.items():
            self._by_name[name] = self._seen_from(name, location)
        self._cells: Final[list[_Cell]] = []
        if any(location is not None for _, location in spots):
            for at in range(_ROWS * _COLUMNS):
                self._cells.append(self._cell(at // _COLUMNS, at % _COLUMNS))

    def holds(self, spots: list[Spot], places: Mapping[str, Location]) -> bool:
        return self.places == places and all(spot in self.number for spot in spots)

    def of_name(self, name: str) -> list[int] | None:
        """The spots of the region with this name, then the others, the nearest first."""
        return self._by_name.get(name)

    def keep_order(self, regions: tuple[str, ...]) -> None:
        """From now on `of_order` knows this one."""
        if regions not in self._by_order:
            places = {region: at for at, region in reversed(list(enumerate(regions)))}
            keyed = [(places.get(region, len(regions)), at) for at, (region, _) in enumerate(self.spots)]
            keyed.sort()
            self._by_order[regions] = [at for _, at in keyed]

    def of_order(self, regions: tuple[str, ...]) -> list[int] | None:
        """The spots of the first of these regions, then those of the next; at last all others as they are
        listed."""
        return self._by_order.get(regions)

    def of_point(self, point: Location) -> list[int] | None:
        """Spots, the nearest first. Those after the nearest are in the order of the middle of the cell, but
        for the few that are measured. None when nobody knows where the spots are."""
        if not self._cells:
            return None
        row = min(int((point[0] + 90.0) / _CELL), _ROWS - 1)
        column = int((point[1] + 180.0) / _CELL) % _COLUMNS
        cell = self._cells[row * _COLUMNS + column]
        if cell.close == 1:
            return cell.order
        close = [(self._distance(point, spot), spot) for spot in cell.order[: cell.close]]
        close.sort()
        return [spot for _, spot in close] + cell.order[cell.close :]

    def _seen_from(self, name: str, point: Location | None) -> list[int]:
        keyed = [
            (0 if spot[0] == name else 1, _ENDLESS if point is None else self._distance(point, at), at)
            for at, spot in enumerate(self.spots)
        ]
        keyed.sort()
        return [at for _, _, at in keyed]

    def _cell(self, row: int, column: int) -> _Cell:
        south, west = row * _CELL - 90.0, column * _CELL - 180.0
        middle = (south + _CELL / 2, west + _CELL / 2)
        reach = max(distance_km(middle, (south, west)), distance_km(middle, (south + _CELL, west)))
        keyed = [(self._distance(middle, at), at) for at in range(len(self.spots))]
        keyed.sort()
        # A kilometre more for what rounding takes away.
        bound = keyed[0][0] + 2.0 * reach + 1.0
        return _Cell([at for _, at in keyed], sum([1 for distance, _ in keyed if distance <= bound]))

    def _distance(self, point: Location, spot: int) -> float:
        location = self.spots[spot][1]
        return _ENDLESS if location is None else distance_km(point, location)


@final
class Atlas:
    """Who of the candidates is where. `regions[i]` and `shares[i]` are those of spot `i`; None, when nobody
    there may be picked."""

    def __init__(
        self, candidates: Candidates, places: Mapping[str, Location], before: "Atlas | None" = None
    ) -> None:
        self.candidates: Final = candidates
        by_spot: dict[Spot, list[Endpoint]] = {}
        for endpoint in candidates.endpoints:
            location = places.get(endpoint.region) if endpoint.location is None else endpoint.location
            by_spot.setdefault((endpoint.region, location), []).append(endpoint)
        spots = list(by_spot)
        # Distances take longer than anything else here, and stay when somebody falls ill.
        kept = None if before is None else before.chart
        self.chart: Final[Chart] = (
            Chart(spots, places) if kept is None or not kept.holds(spots, places) else kept
        )
        self.regions: Final[list[str]] = [region for region, _ in self.chart.spots]
        self.shares: Final[list[Shares | None]] = [None] * len(self.chart.spots)
        for spot, endpoints in by_spot.items():
            weights = [float(endpoint.weight) for endpoint in endpoints]
            self.shares[self.chart.number[spot]] = Shares(endpoints, weights)


def atlas_of(candidates: Candidates, places: Mapping[str, Location], before: Atlas | None) -> Atlas:
    """The atlas of these candidates: pools of the same ones share it."""
    atlas = candidates.prepared.get("atlas")
    if isinstance(atlas, Atlas) and atlas.chart.places == places:
        return atlas
    made = Atlas(candidates, places, before)
    candidates.prepared["atlas"] = made
    return made
