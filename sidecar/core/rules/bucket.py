"""Routes that share their place in the index, split further by exact values when they are many."""

from collections.abc import Sequence
from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Field, Matcher, read_by, union

_FEW: Final = 4
"""So many routes are tried one by one; more are split where they ask for exact values."""


@final
class Entry:
    """One way to match one route: it does when all `conditions` hold, which the place leaves open.

    `rank` is the route's place in the order of all routes; 0 is tried first.
    """

    def __init__(self, rank: int, conditions: tuple[Matcher, ...]) -> None:
        self.rank: Final = rank
        self.conditions: Final = conditions
        # Most entries have one condition: found without a tuple in between, which a large index would not
        # have in the processor's cache.
        self._first: Final = conditions[0] if conditions else None
        self._others: Final = conditions[1:] if len(conditions) > 1 else None
        self.next: Entry | None = None

    def holds(self, request: Request) -> bool:
        if self._first is not None and not self._first.matches(request):
            return False
        if self._others is not None:
            for condition in self._others:
                if not condition.matches(request):
                    return False
        return True


@final
class _Group:
    """Routes that ask one field for exact values, found by those values."""

    def __init__(self, field: Field, by_value: "dict[str, Bucket]") -> None:
        self.field: Final = field
        self.by_value: Final = by_value
        self.effort: Final[int] = 1 + max([bucket.effort for bucket in by_value.values()])


@final
class Bucket:
    """Finds the first route, by rank, among those at one place.

    `reads` is all that any of them looks at. `effort` is about what it takes to find that none matches.
    """

    def __init__(self, entries: list[Entry]) -> None:
        ordered = sorted(entries, key=lambda entry: entry.rank)
        self.reads: Final = union([read_by(entry.conditions) for entry in ordered])
        self._first_rank: Final = ordered[0].rank
        groups: list[_Group] = []
        while len(ordered) > _FEW:
            field = _most_pinned(ordered)
            if field is None:
                break
            group, ordered = _split(ordered, field)
            groups.append(group)
        self._groups: Final = groups or None
        self._first: Final = _chained(ordered)
        self.effort: Final[int] = sum([group.effort for group in groups]) + _effort(ordered)

    def find(self, request: Request, after: int, before: int) -> int:
        """The lowest rank above `after` and below `before` that matches, else `before`."""
        if self._first_rank >= before:
            return before
        entry = self._first
        while entry is not None and entry.rank < before:
            if entry.rank > after and entry.holds(request):
                before = entry.rank
                break
            entry = entry.next
        if self._groups is not None:
            for group in self._groups:
                values = group.field.read(request)
                if (
                    len(values) > 1
                ):  # each once: buckets nest, so a client could multiply the work by repeating
                    values = list(dict.fromkeys(values))
                for value in values:
                    bucket = group.by_value.get(value)
                    if bucket is not None:
                        before = bucket.find(request, after, before)
        return before


def _effort(entries: Sequence[Entry]) -> int:
    """Of trying one by one until a route has no condition left. As a rule only the first of each is asked."""
    effort = 0
    for entry in entries:
        if not entry.conditions:
            break
        effort += entry.conditions[0].effort()
    return effort


def _chained(entries: Sequence[Entry]) -> Entry | None:
    """Copies of the entries, each leading to the next: one entry may lie in several buckets."""
    first: Entry | None = None
    for entry in reversed(entries):
        copy = Entry(entry.rank, entry.conditions)
        copy.next = first
        first = copy
    return first


def _most_pinned(entries: Sequence[Entry]) -> Field | None:
    """The field that most of them ask for exact values, and at least two do."""
    fields: dict[str, Field] = {}
    counts: dict[str, int] = {}
    for entry in entries:
        names: set[str] = set()
        for condition in entry.conditions:
            pin = condition.pin()
            if pin is not None:
                fields[pin.field.name()] = pin.field
                names.add(pin.field.name())
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    best = max(counts, key=lambda name: (counts[name], name), default=None)
    return fields[best] if best is not None and counts[best] > 1 else None


def _split(entries: Sequence[Entry], field: Field) -> tuple[_Group, list[Entry]]:
    by_value: dict[str, list[Entry]] = {}
    rest: list[Entry] = []
    for entry in entries:
        for place, condition in enumerate(entry.conditions):
            pin = condition.pin()
            if pin is not None and pin.field.name() == field.name():
                left = Entry(entry.rank, entry.conditions[:place] + entry.conditions[place + 1 :])
                for value in pin.values:
                    by_value.setdefault(value, []).append(left)
                break
        else:
            rest.append(entry)
    return _Group(field, {value: Bucket(held) for value, held in by_value.items()}), rest
