"""Regular expressions from the file, run by RE2: linear time, whatever the pattern and the request.

They work on bytes, because text from a request may hold bytes that are not UTF-8; RE2 does not find such
bytes, and no request can make it raise.
"""

from collections.abc import Callable
from typing import Any, Final, final

import re2

from sidecar.config.errors import Findings, Where, shown

_LONGEST: Final = 4096
MOST_REPLACED: Final = 100
"""In one path. One search is linear, but a pattern may look to the end of the path for each one."""


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS: Final = _options()


def searcher(pattern: str, where: Where, findings: Findings) -> Callable[[str], object] | None:
    """Finds the pattern in a text; None when it is not usable."""
    compiled = _compiled(pattern, where, findings)
    return None if compiled is None else _Search(compiled)


def capturer(pattern: str, where: Where, findings: Findings) -> Callable[[str], str] | None:
    """What the one group of the pattern found, empty when nothing; None when the pattern is not usable."""
    compiled = _compiled(pattern, where, findings)
    if compiled is None:
        return None
    if compiled.groups != 1:
        findings.add(
            where,
            f"the regex {shown(pattern)} has {compiled.groups or 'no'} groups",
            "put one pair of parentheses around the value, and write others as (?:…)",
        )
        return None
    return _Capture(compiled)


def replacer(pattern: str, replacement: str, where: Where, findings: Findings) -> Callable[[str], str] | None:
    """Replaces in a path whatever the pattern finds; None when pattern or replacement is not usable."""
    compiled = _compiled(pattern, (*where, "regex"), findings)
    place = (*where, "replace")
    if any(not "\x21" <= c <= "\x7e" or c in "?#" for c in replacement):
        findings.add(
            place,
            f"{shown(replacement)} holds a character that no path may hold",
            "percent-encode it; the query stays as it is",
        )
        return None
    parts = _parts(replacement)
    if parts is None:
        findings.add(
            place,
            f"{shown(replacement)} has a stray backslash",
            "write \\0 to \\9 for groups, \\\\ for a backslash",
        )
        return None
    if compiled is None:
        return None
    highest = max((part for part in parts if isinstance(part, int)), default=0)
    if highest > compiled.groups:
        findings.add(place, f"there is no group \\{highest}", f"the regex has {compiled.groups} groups")
        return None
    return _Replace(compiled, parts)


def _compiled(pattern: str, where: Where, findings: Findings) -> Any:
    if not pattern:
        findings.add(where, "must not be empty", "it would be found everywhere")
        return None
    if len(pattern) > _LONGEST:
        findings.add(where, f"the regex is longer than {_LONGEST} characters")
        return None
    try:
        return re2.compile(pattern.encode(), _OPTIONS)
    except re2.error as error:
        reason = error.args[0]
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        printable = "".join(c if c.isprintable() else " " for c in said[:200])
        findings.add(where, f"the regex {shown(pattern)} is not usable: {printable}", _remedy(printable))
        return None


def _remedy(reason: str) -> str:
    if reason.startswith(("invalid perl operator", "invalid escape sequence")):
        return "write it in RE2 syntax, which has no look-around and no back-references"
    return "write it in RE2 syntax"


def _parts(replacement: str) -> list[bytes | int] | None:
    """Literal text and the numbers of groups, in order; None when a backslash stands before anything else."""
    parts: list[bytes | int] = []
    at = 0
    while at < len(replacement):
        backslash = replacement.find("\\", at)
        if backslash < 0:
            parts.append(replacement[at:].encode())
            break
        if backslash > at:
            parts.append(replacement[at:backslash].encode())
        marked = replacement[backslash + 1 : backslash + 2]
        if marked == "\\":
            parts.append(b"\\")
        elif marked.isdigit():
            parts.append(int(marked))
        else:
            return None
        at = backslash + 2
    return parts


@final
class _Search:
    def __init__(self, compiled: Any) -> None:
        self._search: Final = compiled.search

    def __call__(self, text: str) -> object:
        return self._search(text.encode("utf-8", "surrogateescape"))


@final
class _Capture:
    def __init__(self, compiled: Any) -> None:
        self._search: Final = compiled.search

    def __call__(self, text: str) -> str:
        found = self._search(text.encode("utf-8", "surrogateescape"))
        value: bytes = (found[1] or b"") if found else b""
        return value.decode("utf-8", "surrogateescape")


@final
class _Replace:
    def __init__(self, compiled: Any, parts: list[bytes | int]) -> None:
        self._sub: Final = compiled.sub
        self._parts: Final = parts

    def __call__(self, path: str) -> str:
        replaced: bytes = self._sub(self._filled, path.encode("utf-8", "surrogateescape"), MOST_REPLACED)
        # A path that lost its first slash would be no path for Envoy.
        text = replaced.decode("utf-8", "surrogateescape")
        return text if text.startswith("/") else f"/{text}"

    def _filled(self, found: Any) -> bytes:
        return b"".join(part if isinstance(part, bytes) else found[part] or b"" for part in self._parts)
