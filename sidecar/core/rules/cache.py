"""Which route was found for which facts, so that the same question is not worked out twice.

A look-up by host, path and exact values is as quick as the cache itself. What takes long is what has to be
tried one by one: regular expressions, and many conditions at one place that are not for exact values. So the
cache is asked only where that may come to `_REPAYS`.

An answer is kept under all that it can depend on: the authority, the path, and every value of each field that
some route at such a place reads. So it cannot differ from a new one. Where an answer depends on anything
else, such as the clock, nothing is kept.
"""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Field
from sidecar.core.rules.index import RuleIndex

_LONGEST: Final = 1024
"""Characters of the path and the values of one entry together: a client must not fill the memory."""
_REPAYS: Final = 20
"""Comparisons with a text. A hit takes as long as five; a miss takes as long as twenty to forty more."""
_A_VALUE: Final = 8
"""Each further value counts as so many, because empty ones take memory too."""


@final
class _Place:
    """An authority and path: the fields that decide there (None: nothing may be kept), and the rank where
    there are none. Itself the first part of the keys under which ranks for their values are kept."""

    def __init__(self, fields: tuple[Field, ...] | None, rank: int, until: float) -> None:
        self.fields: Final = fields
        self.rank: Final = rank
        self.until: Final = until


@final
class RouteCache:
    """At most `entries` places and ranks together, none older than `ttl_s` seconds. A new index drops all.

    They lie in two halves. What is asked for moves to the young one. When that is full, the old one is
    forgotten and the young one takes its place: no entry has to be looked for.

    `hits` and `misses` count look-ups; `passed` counts those that are not worth it, may not be kept, or are
    too long. With `always`, each is worth it.
    """

    def __init__(self, entries: int = 10_000, ttl_s: float = 3600.0, *, always: bool = False) -> None:
        if entries < 1:
            raise ValueError(f"entries must be at least 1, got {entries}")
        if not ttl_s > 0:
            raise ValueError(f"ttl_s must be above 0, got {ttl_s}")
        self.limits: Final = (entries, ttl_s)
        self.always: Final = always
        self._least: Final = 0 if always else _REPAYS
        self._half: Final = entries // 2
        self._ttl_s: Final = ttl_s
        self._index: RuleIndex | None = None
        self._young_places: dict[tuple[str, str], _Place] = {}
        self._young_ranks: dict[tuple[object, ...], int] = {}
        self._old_places: dict[tuple[str, str], _Place] = {}
        self._old_ranks: dict[tuple[object, ...], int] = {}
        self.hits = 0
        self.misses = 0
        self.passed = 0

    @property
    def size(self) -> int:
        return len(self._young_places) + len(self._young_ranks) + len(self._old_places) + len(self._old_ranks)

    def clear(self) -> None:
        """Forget every answer; the counts stay."""
        self._index = None
        self._young_places = {}
        self._young_ranks = {}
        self._old_places = {}
        self._old_ranks = {}

    def find(self, index: RuleIndex, request: Request, now: float) -> int:
        """What `index.find(request)` answers."""
        if index is not self._index:
            self.clear()
            self._index = index
        path = request.path
        if (
            not index.takes(request, self._least)
            or len(path) + len(request.authority) > _LONGEST
            or (request.attached is not None and not request.attached.at_hand())
        ):
            self.passed += 1
            return index.find(request)
        spot = (request.authority, path)
        place = self._young_places.get(spot)
        if place is None:
            place = self._old_places.pop(spot, None)
            if place is not None and place.until > now:
                self._young_places[spot] = place
                self._keep_half()
        if place is None or place.until <= now:
            return self._learn(index, request, spot, now)
        fields = place.fields
        if fields is None:
            self.passed += 1
            return index.find(request)
        if not fields:
            self.hits += 1
            return place.rank
        key = _key(place, fields, request)
        if key is None:
            self.passed += 1
            return index.find(request)
        rank = self._young_ranks.get(key)
        if rank is not None:
            self.hits += 1
            return rank
        rank = self._old_ranks.pop(key, None)
        if rank is None:
            self.misses += 1
            rank = index.find(request)
        else:
            self.hits += 1
        self._young_ranks[key] = rank
        self._keep_half()
        return rank

    def _learn(self, index: RuleIndex, request: Request, spot: tuple[str, str], now: float) -> int:
        rank = index.find(request)
        fields = index.reads(request)
        place = _Place(fields, rank, now + self._ttl_s)
        self._young_places[spot] = place
        self._keep_half()
        key = None if not fields else _key(place, fields, request)
        if key is not None:
            self._young_ranks[key] = rank
            self._keep_half()
        if fields is None or (fields and key is None):
            self.passed += 1
        else:
            self.misses += 1
        return rank

    def _keep_half(self) -> None:
        if len(self._young_places) + len(self._young_ranks) >= self._half:
            self._old_places = self._young_places
            self._old_ranks = self._young_ranks
            self._young_places = {}
            self._young_ranks = {}


def _key(place: _Place, fields: tuple[Field, ...], request: Request) -> tuple[object, ...] | None:
    """One value stands for itself, any other number of them as a tuple. None when it would be too long."""
    left = _LONGEST - len(request.path)
    if len(fields) == 1:
        values = fields[0].read(request)
        if len(values) == 1:
            return (place, values[0]) if len(values[0]) <= left else None
    parts: list[object] = [place]
    for field in fields:
        values = field.read(request)
        if len(values) == 1:
            value = values[0]
            left -= len(value)
            parts.append(value)
        else:
            left -= _A_VALUE * len(values)
            if left < 0:
                return None
            for value in values:
                left -= len(value)
            parts.append(tuple(values))
        if left < 0:
            return None
    return tuple(parts)
