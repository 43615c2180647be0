"""Routes by path: a dictionary for exact paths, a trie of segments for prefixes and patterns.

A segment of which only the beginning is known (a prefix that may end within it, `v*`) is found by that
text: one look-up for each length of such texts at that place, however many they are.
"""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.bucket import Bucket, Entry
from sidecar.core.rules.path import PathIs, PathMatcher, PathPattern, PathStarts, PathUnder


@final
class _Node:
    """A place in the trie. `here` holds routes whose pattern ends at it, `below` those whose prefix does.

    `heads` holds routes that ask the next segment to begin with a text, by that text.
    """

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.star: _Node | None = None
        self.here_entries: list[Entry] = []
        self.below_entries: list[Entry] = []
        self.head_entries: dict[str, list[Entry]] = {}
        self.here: Bucket | None = None
        self.below: Bucket | None = None
        self.heads: dict[str, Bucket] = {}
        self.head_lengths: list[int] = []

    def child(self, segment: str) -> "_Node":
        if segment == "*":
            if self.star is None:
                self.star = _Node()
            return self.star
        if segment not in self.children:
            self.children[segment] = _Node()
        return self.children[segment]

    def add_below(self, head: str, entry: Entry) -> None:
        """The entry asks the next segment to begin with `head`, or nothing of it when that is empty."""
        if head:
            self.head_entries.setdefault(head, []).append(entry)
        else:
            self.below_entries.append(entry)

    def seal(self) -> None:
        self.here = Bucket(self.here_entries) if self.here_entries else None
        self.below = Bucket(self.below_entries) if self.below_entries else None
        self.heads = {head: Bucket(entries) for head, entries in self.head_entries.items()}
        self.head_lengths = sorted({len(head) for head in self.heads})
        for node in self.children.values():
            node.seal()
        if self.star is not None:
            self.star.seal()


@final
class Paths:
    """The routes of one host. Add entries, then `seal`, then find."""

    def __init__(self) -> None:
        self._exact_entries: dict[str, list[Entry]] = {}
        self._anywhere_entries: list[Entry] = []
        self._root: Final = _Node()
        self._exact: dict[str, Bucket] = {}
        self._anywhere: Bucket | None = None

    def add(self, rank: int, conditions: tuple[Matcher, ...]) -> None:
        """The first path condition says where the entry lies; what its place assures is not asked again."""
        for at, condition in enumerate(conditions):
            if isinstance(condition, PathMatcher):
                rest = conditions[:at] + conditions[at + 1 :]
                if isinstance(condition, PathIs):
                    self._exact_entries.setdefault(condition.path, []).append(Entry(rank, rest))
                    return
                if isinstance(condition, PathUnder):
                    self._descend(condition.segments).below_entries.append(Entry(rank, rest))
                    return
                if isinstance(condition, PathPattern):
                    self._add_pattern(rank, condition, conditions, rest)
                    return
                if isinstance(condition, PathStarts) and condition.prefix.startswith("/"):
                    parts = condition.prefix.split("/")[1:]
                    # The last segment may go on. When it is empty, the slash before it is not assured.
                    self._descend(parts[:-1]).add_below(parts[-1], Entry(rank, conditions))
                    return
        self._anywhere_entries.append(Entry(rank, conditions))

    def seal(self) -> None:
        self._exact = {path: Bucket(entries) for path, entries in self._exact_entries.items()}
        self._anywhere = Bucket(self._anywhere_entries) if self._anywhere_entries else None
        self._root.seal()

    def find(self, request: Request, after: int, before: int) -> int:
        """The lowest rank above `after` and below `before` that matches, else `before`."""
        exact = self._exact.get(request.path)
        if exact is not None:
            before = exact.find(request, after, before)
        if request.path.startswith("/"):
            before = self._walk(self._root, request, 1, after, before)
        if self._anywhere is not None:
            before = self._anywhere.find(request, after, before)
        return before

    def _walk(self, node: _Node, request: Request, at: int, after: int, before: int) -> int:
        """From `node`, with the segment that starts at `at` next; past the end when the path is used up."""
        path = request.path
        while True:
            if node.below is not None:
                before = node.below.find(request, after, before)
            for length in node.head_lengths:
                if at + length > len(path):
                    break
                starting = node.heads.get(path[at : at + length])
                if starting is not None:
                    before = starting.find(request, after, before)
            if at > len(path):
                if node.here is not None:
                    before = node.here.find(request, after, before)
                return before
            if not node.children and node.star is None:
                return before
            slash = path.find("/", at)
            end = slash if slash >= 0 else len(path)
            child = node.children.get(path[at:end])
            if node.star is not None and end > at:
                if child is None:
                    child = node.star
                else:
                    before = self._walk(node.star, request, end + 1, after, before)
            if child is None:
                return before
            node = child
            at = end + 1

    def _descend(self, segments: list[str]) -> _Node:
        node = self._root
        for segment in segments:
            node = node.child(segment)
        return node

    def _add_pattern(
        self, rank: int, pattern: PathPattern, conditions: tuple[Matcher, ...], rest: tuple[Matcher, ...]
    ) -> None:
        """Whole segments and `*` go into the trie; from the first other wildcard on, the pattern is asked."""
        node = self._root
        last = len(pattern.segments) - 1
        for at, segment in enumerate(pattern.segments):
            if segment == "**":
                node.below_entries.append(Entry(rank, rest if at == last else conditions))
                return
            if "*" in segment and segment != "*":
                node.add_below(segment[: segment.index("*")], Entry(rank, conditions))
                return
            node = node.child(segment)
        node.here_entries.append(Entry(rank, rest))
