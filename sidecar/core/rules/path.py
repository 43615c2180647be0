"""Conditions on the path, and how specific each is.

Kinds, from the most specific: exact, pattern (`*` is one segment or a part of one), regular expression,
prefix (`/**` at the end of a pattern is a prefix as well). A prefix ends at a segment border unless told
otherwise: `/api` holds for `/api` and `/api/x`, not for `/apix`.
"""

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.request import Request
from sidecar.core.rules.base import REGEX_EFFORT, Field, Matcher, quoted

EXACT: Final = 4
PATTERN: Final = 3
REGEX: Final = 2
PREFIX: Final = 1
ANYWHERE: Final = 0


@mypyc_attr(allow_interpreted_subclasses=True)
class PathMatcher(Matcher):
    """`kind` is one of the constants above; `literal` counts the characters that it asks for literally, for a
    regular expression those of its text."""

    kind: int
    literal: int

    def reads(self) -> tuple[Field, ...] | None:
        return ()

    def seen(self, request: Request) -> str:
        return quoted(request.path)


@final
class PathIs(PathMatcher):
    def __init__(self, path: str) -> None:
        self.path: Final = path
        self.kind = EXACT
        self.literal = len(path)

    def matches(self, request: Request) -> bool:
        return request.path == self.path

    def text(self) -> str:
        return f"path is {quoted(self.path)}"


@final
class PathUnder(PathMatcher):
    """The prefix at a segment border; a slash at its end says nothing more. `/` is every path."""

    def __init__(self, prefix: str) -> None:
        if "*" in prefix:
            raise ValueError("a prefix takes no wildcards; write the path without {prefix: …}")
        self.segments: Final = [segment for segment in prefix.split("/") if segment]
        self._prefix: Final = "/" + "/".join(self.segments)
        self.kind = PREFIX
        self.literal = len(self._prefix)

    def matches(self, request: Request) -> bool:
        path = request.path
        if not path.startswith(self._prefix):
            return False
        rest = len(self._prefix)
        return not self.segments or len(path) == rest or path[rest] == "/"

    def text(self) -> str:
        return f"path is under {quoted(self._prefix)}"


@final
class PathStarts(PathMatcher):
    """The prefix as plain text, wherever it ends: `/api` holds for `/apix`."""

    def __init__(self, prefix: str) -> None:
        if "*" in prefix:
            raise ValueError("a prefix takes no wildcards; write the path without {prefix: …}")
        self.prefix: Final = prefix
        self.kind = PREFIX
        self.literal = len(prefix)

    def matches(self, request: Request) -> bool:
        return request.path.startswith(self.prefix)

    def text(self) -> str:
        return f"path starts with {quoted(self.prefix)}"


@final
class PathPattern(PathMatcher):
    """Segments with wildcards: `*` is one non-empty segment, `a*z` a part of one, `**` any number of them."""

    def __init__(self, pattern: str) -> None:
        if not pattern.startswith("/"):
            raise ValueError(f"a path must begin with /, got {quoted(pattern)}")
        self._pattern: Final = pattern
        self.segments: Final = pattern.split("/")[1:]
        # Only prefixes and nothing finer end in `**`, so that the index may treat them alike.
        self.kind = PREFIX if self.segments[-1] == "**" else PATTERN
        self.literal = sum(1 for c in pattern if c != "*")

    def matches(self, request: Request) -> bool:
        path = request.path
        return path.startswith("/") and _segments_match(self.segments, path.split("/")[1:])

    def text(self) -> str:
        return f"path matches {quoted(self._pattern)}"


@final
class PathRegex(PathMatcher):
    """The pattern is found in the path. `search` must take linear time: it is handed in compiled."""

    def __init__(self, pattern: str, search: Callable[[str], object]) -> None:
        self._pattern: Final = pattern
        self._search: Final = search
        self.kind = REGEX
        self.literal = len(pattern)

    def matches(self, request: Request) -> bool:
        return bool(self._search(request.path))

    def effort(self) -> int:
        return REGEX_EFFORT

    def text(self) -> str:
        return f"path matches regex {self._pattern}"


def climbs(path: str) -> bool:
    """Whether a segment is `.` or `..` with parameters behind it, whatever of that is escaped, up to twice.

    In a normal path that is a name like others, but a server that takes parameters off, or escapes once more
    than it should, goes up by it: no condition on paths would mean anything.
    """
    if ";" not in path and "%" not in path:
        return False
    plain = path.lower().replace("%25", "%").replace("%2e", ".").replace("%3b", ";")
    plain = plain.replace("%2f", "/").replace("%5c", "/")
    return "/..;" in plain or "/.;" in plain


def _segments_match(pattern: list[str], path: list[str]) -> bool:
    """Greedy match: on a mismatch only the latest `**` takes one segment more, so n times m at worst."""
    at = 0
    step = 0
    retry_step = -1
    retry_at = 0
    while at < len(path):
        if step < len(pattern) and pattern[step] == "**":
            retry_step = step
            retry_at = at
            step += 1
        elif step < len(pattern) and segment_matches(pattern[step], path[at]):
            step += 1
            at += 1
        elif retry_step >= 0:
            retry_at += 1
            at = retry_at
            step = retry_step + 1
        else:
            return False
    while step < len(pattern) and pattern[step] == "**":
        step += 1
    return step == len(pattern)


def segment_matches(pattern: str, segment: str) -> bool:
    """One segment against one with `*` for any text; a lone `*` wants at least one character."""
    if "*" not in pattern:
        return pattern == segment
    if pattern == "*":
        return bool(segment)
    parts = pattern.split("*")
    first = parts[0]
    last = parts[-1]
    if len(segment) < len(first) + len(last) or not segment.startswith(first) or not segment.endswith(last):
        return False
    at = len(first)
    end = len(segment) - len(last)
    for part in parts[1:-1]:
        found = segment.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
