"""How a pool's requests were spread over zones lately, and how they should be."""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.state.shares import Shares

_LATELY: Final = 1000.0
"""Requests that the counts go back, on average: old ones fade, so that the spread follows a change."""
_FADES: Final = 1.0 - 1.0 / _LATELY
_ENDLESS: Final = float("inf")


@final
class Zone:
    """One zone with endpoints that may be picked. `capacity` is its part of all that can be done, 0 to 1.

    `given` counts requests, lately, that it got; `homed` those that came from it, and `crossed` those of them
    that went elsewhere. `before` is what it was until now.
    """

    def __init__(
        self,
        name: str,
        endpoints: list[Endpoint],
        capacity: float,
        given: float,
        before: "Zone | None" = None,
    ) -> None:
        self.name: Final = name
        self.shares: Final = Shares(endpoints, [float(endpoint.weight) for endpoint in endpoints])
        self.capacity: Final = capacity
        self.given: float = given
        self.homed: float = 0.0 if before is None else before.homed
        self.crossed: float = 0.0 if before is None else before.crossed

    def fullness(self) -> float:
        """Requests lately, one more included, over what they would be if all zones were equally full."""
        return (self.given + 1.0) / (self.capacity * _LATELY) if self.capacity > 0.0 else _ENDLESS

    def may_cross(self, most_across: float) -> bool:
        """Whether one more of its requests may leave it, where at most this part may, lately and always."""
        return self.crossed * _FADES + 1.0 <= most_across * (self.homed * _FADES + 1.0)

    def came(self, stayed: bool) -> None:
        """A request came from here."""
        self.homed = self.homed * _FADES + 1.0
        self.crossed = self.crossed * _FADES + (0.0 if stayed else 1.0)


@final
class Zones:
    """`parts` are the zones' parts of the capacity while all their endpoints may be picked; without, it is
    the sum of weights. A zone that lost endpoints counts for the weight that it has left."""

    def __init__(self, parts: Mapping[str, float]) -> None:
        self.parts: Final = dict(parts)
        self.by_name: dict[str, Zone] = {}

    def arrange(self, candidates: Candidates, listed: tuple[Endpoint, ...]) -> None:
        """From now on these may be picked of those listed. How many requests each zone had stays known."""
        by_zone: dict[str, list[Endpoint]] = {}
        for endpoint in candidates.endpoints:
            by_zone.setdefault(endpoint.zone, []).append(endpoint)
        whole: dict[str, int] = {}
        for endpoint in listed:
            whole[endpoint.zone] = whole.get(endpoint.zone, 0) + endpoint.weight
        capacities: dict[str, float] = {}
        for name, endpoints in by_zone.items():
            weight = sum([endpoint.weight for endpoint in endpoints])
            most = max(whole.get(name, 0), weight)
            part = self.parts.get(name, 0.0) if self.parts else float(most)
            capacities[name] = part * weight / most
        total = sum(capacities.values())
        if total <= 0.0:
            capacities = dict.fromkeys(capacities, 1.0)
            total = float(max(len(capacities), 1))
        before = self.by_name
        staying = [name for name in by_zone if name in before]
        room = sum([capacities[name] for name in staying])
        # One that is new is as full as the others are on average: else it would get all requests at first.
        full = sum([before[name].given for name in staying]) / room if room > 0.0 else _LATELY / total
        self.by_name = {}
        for name, endpoints in by_zone.items():
            given = before[name].given if name in before else capacities[name] * full
            self.by_name[name] = Zone(name, endpoints, capacities[name] / total, given, before.get(name))

    def among(self, candidates: Candidates, listed: tuple[Endpoint, ...]) -> "Zones":
        """The same of fewer candidates, for one request that may not have all."""
        fewer = Zones(self.parts)
        fewer.by_name = self.by_name
        fewer.arrange(candidates, listed)
        return fewer

    def admitted(self, to: str, origin: str) -> None:
        for zone in self.by_name.values():
            zone.given *= _FADES
        zone_given = self.by_name.get(to)
        if zone_given is not None:
            zone_given.given += 1.0
        # One that had to leave, because nobody was there, is none that was sent away.
        own = self.by_name.get(origin) if origin else None
        if own is not None:
            own.came(to == origin)
