"""Routes by path: a trie of segments, for exact paths as for prefixes and patterns.

A segment of which only the beginning is known (a prefix that may end within it, `v*`) is found by that
text: one look-up for each length of such texts at that place, however many they are.
"""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.bucket import Bucket, Entry
from sidecar.core.rules.path import PathIs, PathMatcher, PathPattern, PathStarts, PathUnder

_FEW: Final = 4
_DEEPEST: Final = 100
"""Segments; the rest of a longer path is not looked up but asked for. The trie is walked by recursion."""

Way = tuple[int, tuple[Matcher, ...]]
"""A rank, and conditions that make its route match together."""


@final
class _Node:
    """A place in the trie. `here` holds routes whose path ends at it, `below` those whose prefix does.

    `heads` holds routes that ask the next segment to begin with a text, by that text.
    """

    def __init__(self, segment: str) -> None:
        # Of few children each leads to the next, and what a node does not have is None: so a look-up reads
        # little memory beside the node.
        self.segment: Final = segment
        self.sibling: _Node | None = None
        self.first: _Node | None = None
        self.children: dict[str, _Node] | None = None
        self.star: _Node | None = None
        self.here: Bucket | None = None
        self.below: Bucket | None = None
        self.heads: dict[str, Bucket] | None = None
        self.head_lengths: list[int] | None = None
        self.added: _Added | None = _Added()

    def any_child(self) -> "_Node":
        if self.star is None:
            self.star = _Node("*")
        return self.star

    def child(self, segment: str) -> "_Node":
        if self.children is None:
            self.children = {}
        if segment not in self.children:
            self.children[segment] = _Node(segment)
        return self.children[segment]

    def add_here(self, entry: Entry) -> None:
        assert self.added is not None
        self.added.here.append(entry)

    def add_below(self, head: str, entry: Entry) -> None:
        """The entry asks the next segment to begin with `head`, or nothing of it when that is empty."""
        assert self.added is not None
        if head:
            self.added.heads.setdefault(head, []).append(entry)
        else:
            self.added.below.append(entry)

    def seal(self) -> None:
        added = self.added
        assert added is not None
        self.added = None
        if added.here:
            self.here = Bucket(added.here)
        if added.below:
            self.below = Bucket(added.below)
        if added.heads:
            self.heads = {head: Bucket(entries) for head, entries in added.heads.items()}
            self.head_lengths = sorted({len(head) for head in self.heads})
        if self.children is not None:
            for node in self.children.values():
                node.seal()
            if len(self.children) <= _FEW:
                for node in self.children.values():
                    node.sibling = self.first
                    self.first = node
                self.children = None
        if self.star is not None:
            self.star.seal()

    def at(self, segment: str) -> "_Node | None":
        """The child for this segment, once all are sealed."""
        if self.children is not None:
            return self.children.get(segment)
        child = self.first
        while child is not None and child.segment != segment:
            child = child.sibling
        return child

    def effort(self) -> int:
        """The most on any way from here: of this place and what lies below."""
        effort = 0
        if self.children is not None:
            effort = max([node.effort() for node in self.children.values()])
        child = self.first
        while child is not None:
            effort = max(effort, child.effort())
            child = child.sibling
        if self.star is not None:
            effort += self.star.effort()
        for bucket in (self.here, self.below):
            if bucket is not None:
                effort += bucket.effort
        if self.heads is not None:
            effort += max([bucket.effort for bucket in self.heads.values()])
        return effort


@final
class _Added:
    """The entries of a node, until it is sealed."""

    def __init__(self) -> None:
        self.here: list[Entry] = []
        self.below: list[Entry] = []
        self.heads: dict[str, list[Entry]] = {}


@final
class Paths:
    """The routes of one host. `effort` is about the most that it takes to try those on the way of a path."""

    def __init__(self, ways: list[Way], texts: dict[str, str]) -> None:
        """`texts` holds each key once, for all hosts: texts that are asked for often stay in the cache."""
        self._root: Final = _Node("")
        self._texts: Final = texts
        anywhere: list[Entry] = []
        for rank, conditions in ways:
            self._add(rank, conditions, anywhere)
        self._root.seal()
        self._anywhere: Final = Bucket(anywhere) if anywhere else None
        self.effort: Final = self._root.effort() + (0 if self._anywhere is None else self._anywhere.effort)

    def find(self, request: Request, after: int, before: int) -> int:
        """The lowest rank above `after` and below `before` that matches, else `before`."""
        if request.path.startswith("/"):
            before = _find(self._root, request, 1, after, before)
        if self._anywhere is not None:
            before = self._anywhere.find(request, after, before)
        return before

    def visited(self, request: Request) -> list[Bucket]:
        """Every bucket in which `find` may look for a request with this path."""
        buckets: list[Bucket] = []
        if request.path.startswith("/"):
            _visit(self._root, request.path, 1, buckets)
        if self._anywhere is not None:
            buckets.append(self._anywhere)
        return buckets

    def _add(self, rank: int, conditions: tuple[Matcher, ...], anywhere: list[Entry]) -> None:
        """The first path condition says where the entry lies; what its place assures is not asked again."""
        for at, condition in enumerate(conditions):
            if isinstance(condition, PathMatcher):
                rest = conditions[:at] + conditions[at + 1 :]
                if isinstance(condition, PathIs) and condition.path.startswith("/"):
                    segments = condition.path.split("/")[1:]
                    if len(segments) <= _DEEPEST:
                        self._descend(segments).add_here(Entry(rank, rest))
                        return
                if isinstance(condition, PathUnder) and len(condition.segments) <= _DEEPEST:
                    self._descend(condition.segments).add_below("", Entry(rank, rest))
                    return
                if isinstance(condition, PathPattern):
                    self._add_pattern(rank, condition, conditions, rest)
                    return
                if isinstance(condition, PathStarts) and condition.prefix.startswith("/"):
                    segments = condition.prefix.split("/")[1:]
                    if len(segments) <= _DEEPEST:
                        # The last segment may go on. When it is empty, the slash before it is not assured.
                        self._descend(segments[:-1]).add_below(segments[-1], Entry(rank, conditions))
                        return
        anywhere.append(Entry(rank, conditions))

    def _descend(self, segments: list[str]) -> _Node:
        node = self._root
        for segment in segments:
            node = node.child(self._once(segment))
        return node

    def _once(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def _add_pattern(
        self, rank: int, pattern: PathPattern, conditions: tuple[Matcher, ...], rest: tuple[Matcher, ...]
    ) -> None:
        """Whole segments and `*` go into the trie; from the first other wildcard on, the pattern is asked."""
        node = self._root
        last = len(pattern.segments) - 1
        for at, segment in enumerate(pattern.segments):
            if segment == "**":
                node.add_below("", Entry(rank, rest if at == last else conditions))
                return
            if "*" in segment and segment != "*":
                node.add_below(segment[: segment.index("*")], Entry(rank, conditions))
                return
            if at == _DEEPEST:
                node.add_below("", Entry(rank, conditions))
                return
            node = node.any_child() if segment == "*" else node.child(self._once(segment))
        node.add_here(Entry(rank, rest))


def _find(node: _Node, request: Request, at: int, after: int, before: int) -> int:
    """From `node`, with the segment that starts at `at` next; past the end when the path is used up.

    What lies deepest is tried first: it is the more specific, and saves trying what lies above.
    """
    path = request.path
    if at > len(path):
        if node.here is not None:
            before = node.here.find(request, after, before)
    elif node.first is not None or node.children is not None or node.star is not None:
        slash = path.find("/", at)
        end = slash if slash >= 0 else len(path)
        child = node.at(path[at:end])
        if child is not None:
            before = _find(child, request, end + 1, after, before)
        if node.star is not None and end > at:
            before = _find(node.star, request, end + 1, after, before)
    if node.heads is not None and node.head_lengths is not None:
        for length in node.head_lengths:
            if at + length > len(path):
                break
            starting = node.heads.get(path[at : at + length])
            if starting is not None:
                before = starting.find(request, after, before)
    if node.below is not None:
        before = node.below.find(request, after, before)
    return before


def _visit(node: _Node, path: str, at: int, buckets: list[Bucket]) -> None:
    """The way of `_find`, except that nothing is tried and so nothing can be left out."""
    if at > len(path):
        if node.here is not None:
            buckets.append(node.here)
    else:
        slash = path.find("/", at)
        end = slash if slash >= 0 else len(path)
        child = node.at(path[at:end])
        if child is not None:
            _visit(child, path, end + 1, buckets)
        if node.star is not None and end > at:
            _visit(node.star, path, end + 1, buckets)
    if node.heads is not None and node.head_lengths is not None:
        for length in node.head_lengths:
            starting = node.heads.get(path[at : at + length])
            if starting is not None:
                buckets.append(starting)
    if node.below is not None:
        buckets.append(node.below)
