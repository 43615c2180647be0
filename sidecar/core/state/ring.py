"""Rings of hashed points, on which each key belongs to the endpoint that comes next.

Karger and others, "Consistent hashing and random trees", 1997: when an endpoint comes or goes, keys move to
it or from it, and none between the others. Many points for each endpoint make the parts alike: of `v` points
the part deviates by 1/sqrt(v) of itself, which is 8 % for 150.

All endpoints have as many points, so that heavy ones cost no more; a point of a heavy one reaches farther.
There is a ring for each power of two that weights reach, and what comes next is the point whose distance over
its ring's power is the least. On a ring of many points that distance is nearly exponential, with the sum of
their rates as its own, and of such the first to come are in proportion to their rates (which is why weighted
rendezvous hashing works, too). A weight between two powers has points on both rings: the nearer it is to the
upper, the more of its points, from the first on, are there. So the points of an endpoint follow from its own
key and weight, and when a weight grows, keys move to its endpoint alone.

All that a key's place depends on is the same in every process and version: sidecars agree without a word
between them. Points are made with BLAKE2b. A key takes CRC-32 and two rounds of shift and multiplication that
spread it (after Wellons, "Hash function prospector", 2018; the second factor is cut to 30 bits, so that
products fit a machine word): a third of BLAKE2b's time. CRC-32 alone puts names that count up into some parts
of the ring and leaves others empty.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, final
from zlib import crc32

from mypy_extensions import i64

from sidecar.core.endpoint import Candidates, Endpoint

MOST_POINTS: Final = 1 << 20
"""Of a pool, about 65 MB. Where it has endpoints for more, all have half as many, as often as it takes."""
_SLOT_BITS: Final = 20
_SLOT_MASK: Final = (1 << _SLOT_BITS) - 1
_PLACE_BYTES: Final = 5
_PLACE_BITS: Final = 8 * _PLACE_BYTES
_SPOT_SHIFT: Final = _PLACE_BITS - 32
_AROUND: Final = 1 << _PLACE_BITS
_IN_A_DIGEST: Final = 64 // _PLACE_BYTES
_ENDLESS: Final = float("inf")


def spot_of(key: str) -> int:
    """Where the key lies on the ring: 32 bits, the same in every process and version."""
    try:
        raw = key.encode("utf-8")  # several times as fast as with a word on what is no text
    except UnicodeEncodeError:
        raw = key.encode("utf-8", "surrogatepass")
    bits: i64 = crc32(raw)
    bits ^= bits >> 16
    bits = (bits * 0x21F0AAAD) & 0xFFFFFFFF
    bits ^= bits >> 15
    bits = (bits * 0x335A2D97) & 0xFFFFFFFF
    return bits ^ (bits >> 15)


@final
class Circle:
    """One of the rings, for points whose reach is two to the `power`.

    Each of `places` is a place and, in its last bits, the slot of its endpoint: one number to compare. They
    are in order. The ring is cut in about as many parts as there are places; `starts[i]` is the first place
    of part `i` or after it. So a look-up compares a place or two where bisection would jump through memory.
    """

    def __init__(self, power: int, places: list[int]) -> None:
        self.power: Final = power
        self.per_reach: Final[float] = 0.5**power
        self.places: Final = places
        # What was sorted before is one long run, into which sorting merges the rest.
        places.sort()
        bits = max(len(places).bit_length() - 1, 0)
        self.shift: Final[int] = 32 - bits
        self.starts: Final[list[int]] = []
        at = 0
        for part in range(1 << bits):
            bound = (part << self.shift) << _SPOT_SHIFT + _SLOT_BITS
            while at < len(places) and places[at] < bound:
                at += 1
            self.starts.append(at)

    def find(self, spot: int) -> int:
        """The first place that is not before the spot; their number when there is none."""
        places = self.places
        at = self.starts[spot >> self.shift]
        bound = spot << _SPOT_SHIFT + _SLOT_BITS
        while at < len(places) and places[at] < bound:
            at += 1
        return at


@final
class Points:
    """The points of some endpoints, and of those of them that left lately. Circles are in the order of their
    powers."""

    def __init__(self, virtual_nodes: int) -> None:
        self.virtual_nodes: Final = virtual_nodes
        self.circles: list[Circle] = []
        self.slots: Final[dict[str, int]] = {}
        self.weights: Final[list[int]] = []
        self.weight = 0

    def holds(self, candidates: Candidates, virtual_nodes: int) -> bool:
        """Whether all of them have their points here, and are at least half of those that have, by number and
        by weight: so few points of others are stepped over."""
        if self.virtual_nodes != virtual_nodes or 2 * len(candidates.endpoints) < len(self.slots):
            return False
        if 2 * candidates.total_weight < self.weight:
            return False
        return all(self._knows(endpoint) for endpoint in candidates.endpoints)

    def renewed(self, candidates: Candidates, virtual_nodes: int) -> "Points":
        """The points of these; those that are here already are not made anew."""
        made = Points(virtual_nodes)
        same = virtual_nodes == self.virtual_nodes
        kept = [-1] * len(self.weights)
        fresh: list[Endpoint] = []
        for endpoint in candidates.endpoints:
            slot = made._seat(endpoint)
            if same and self._knows(endpoint):
                kept[self.slots[endpoint.key]] = slot
            else:
                fresh.append(endpoint)
        places: dict[int, list[int]] = {}
        for circle in self.circles:
            places[circle.power] = [
                (place ^ (place & _SLOT_MASK)) | kept[place & _SLOT_MASK]
                for place in circle.places
                if kept[place & _SLOT_MASK] >= 0
            ]
        for endpoint in fresh:
            slot = made.slots[endpoint.key]
            own = [place << _SLOT_BITS | slot for place in _places(endpoint.key, virtual_nodes)]
            power, farther = reach_of(endpoint.weight, virtual_nodes)
            places.setdefault(power + 1, []).extend(own[:farther])
            places.setdefault(power, []).extend(own[farther:])
        made.circles = [Circle(power, places[power]) for power in sorted(places) if places[power]]
        return made

    def _seat(self, endpoint: Endpoint) -> int:
        slot = len(self.weights)
        self.slots[endpoint.key] = slot
        self.weights.append(endpoint.weight)
        self.weight += endpoint.weight
        return slot

    def _knows(self, endpoint: Endpoint) -> bool:
        slot = self.slots.get(endpoint.key)
        return slot is not None and self.weights[slot] == endpoint.weight


@final
class Ring:
    """The rings of some candidates, with `virtual_nodes` points for each.

    Points of the ring `before` stay. Those of endpoints that left are stepped over, until half of all have
    left: so one that falls ill and recovers costs no new points.
    """

    def __init__(self, candidates: Candidates, virtual_nodes: int, before: "Ring | None" = None) -> None:
        points = Points(virtual_nodes) if before is None else before.points
        if not points.holds(candidates, virtual_nodes):
            points = points.renewed(candidates, virtual_nodes)
        self.candidates: Final = candidates
        self.points: Final[Points] = points
        self._living: Final[list[Endpoint | None]] = [None] * len(points.weights)
        living: dict[int, int] = {}
        for endpoint in candidates.endpoints:
            self._living[points.slots[endpoint.key]] = endpoint
            power, farther = reach_of(endpoint.weight, virtual_nodes)
            living[power + 1] = living.get(power + 1, 0) + farther
            living[power] = living.get(power, 0) + virtual_nodes - farther
        # Most living points first: what is found there bounds the search where most have left.
        circles = [circle for circle in points.circles if living.get(circle.power, 0) > 0]
        circles.sort(key=lambda circle: -living[circle.power])
        self._circles: Final[list[Circle]] = circles

    def next(self, spot: int) -> Endpoint:
        """The endpoint that a key at `spot` belongs to."""
        found: Endpoint | None = None
        if len(self._circles) == 1:
            circle = self._circles[0]
            places = circle.places
            at = circle.find(spot)
            while found is None:
                if at == len(places):
                    at = 0
                found = self._living[places[at] & _SLOT_MASK]
                at += 1
            return found
        least = _ENDLESS
        for circle in self._circles:
            places = circle.places
            at = circle.find(spot)
            here = spot << _SPOT_SHIFT
            while True:
                if at == len(places):
                    at = 0
                    here -= _AROUND
                place = places[at]
                far = ((place >> _SLOT_BITS) - here) * circle.per_reach
                if far >= least:
                    break
                endpoint = self._living[place & _SLOT_MASK]
                if endpoint is not None:
                    least = far
                    found = endpoint
                    break
                at += 1
        assert found is not None
        return found

    def walk(self, spot: int) -> "Walk":
        """From `spot` on, each endpoint once."""
        return Walk(self._circles, self._living, spot)


@final
class Walk:
    """Goes around all rings once, and names each living endpoint when its first point comes."""

    def __init__(self, circles: list[Circle], living: list[Endpoint | None], spot: int) -> None:
        self._circles: Final = circles
        self._living: Final = living
        self._here: Final = spot << _SPOT_SHIFT
        self._steps: Final[list[int]] = []
        self._ends: Final[list[int]] = []
        self._far: Final[list[float]] = []
        self._seen: Final[set[int]] = set()
        for number, circle in enumerate(circles):
            at = circle.find(spot)
            self._steps.append(at)
            self._ends.append(at + len(circle.places))
            self._far.append(self._distance(number))

    def next(self) -> Endpoint | None:
        """None when all were named."""
        while len(self._seen) < len(self._living):
            nearest = -1
            least = _ENDLESS
            for number, far in enumerate(self._far):
                if far < least:
                    least = far
                    nearest = number
            if nearest < 0:
                return None
            slot = self._slot(nearest)
            if slot not in self._seen:
                self._seen.add(slot)
                endpoint = self._living[slot]
                if endpoint is not None:
                    return endpoint
        return None

    def _slot(self, number: int) -> int:
        """That of the place where the walk stands on this ring, which it leaves for the next."""
        places = self._circles[number].places
        slot = places[self._steps[number] % len(places)] & _SLOT_MASK
        self._steps[number] += 1
        self._far[number] = self._distance(number)
        return slot

    def _distance(self, number: int) -> float:
        """To the place where the walk stands on this ring, over the reach of its points."""
        step = self._steps[number]
        if step == self._ends[number]:
            return _ENDLESS
        circle = self._circles[number]
        count = len(circle.places)
        around = 0 if step < count else _AROUND
        return ((circle.places[step % count] >> _SLOT_BITS) + around - self._here) * circle.per_reach


def ring_of(candidates: Candidates, virtual_nodes: int, before: Ring | None) -> Ring:
    """The ring of these candidates: pools of the same ones share it."""
    name = f"ring {virtual_nodes}"
    ring = candidates.prepared.get(name)
    if isinstance(ring, Ring):
        return ring
    made = Ring(candidates, virtual_nodes, before)
    candidates.prepared[name] = made
    return made


def nodes_of(listed: Iterable[Endpoint], virtual_nodes: int) -> int:
    """How many points each may have of all that a plan lists. Those that may not be picked now count too:
    else half of all keys would move when one falls ill and others have room for more points."""
    count = len([endpoint for endpoint in listed if endpoint.weight > 0])
    nodes = virtual_nodes
    while nodes > 1 and nodes * count > MOST_POINTS:
        nodes //= 2
    return nodes


def reach_of(weight: int, virtual_nodes: int) -> tuple[int, int]:
    """The power of two of a weight's points, and how many of them are on the ring of the next power."""
    power = weight.bit_length() - 1
    farther = ((weight * virtual_nodes + ((1 << power) >> 1)) >> power) - virtual_nodes
    return power, farther


def _places(key: str, count: int) -> list[int]:
    """The first `count` places of an endpoint, 40 bits each: with more come others, and these stay."""
    places: list[int] = []
    block = 0
    while len(places) < count:
        digest = blake2b(f"{block}\x00{key}".encode("utf-8", "surrogateescape")).digest()
        places.extend(
            [
                int.from_bytes(digest[at * _PLACE_BYTES : (at + 1) * _PLACE_BYTES], "big")
                for at in range(min(_IN_A_DIGEST, count - len(places)))
            ]
        )
        block += 1
    return places
