"""The size of a request's body: as its head says it, else as it was counted."""

from typing import Final, final

from sidecar.core.request import UNKNOWN_SIZE, Request
from sidecar.core.rules.base import Field, Matcher

UNKNOWN: Final = UNKNOWN_SIZE
_MOST_DIGITS: Final = 18  # more would not fit into 64 bits
_LARGEST: Final = 10**18 - 1
"""What more digits count as: a limit must not be passed by a length beyond all measure."""
_INSIDE: Final = ["inside"]
_OUTSIDE: Final = ["outside"]


def size_of(request: Request, enough: int = 0, *, end: bool = True) -> int:
    """In bytes: from content-length, or 0 where the head is all, or counted (see `Attached.body_size`).
    UNKNOWN where nothing tells, because a body may follow whatever the method."""
    written = request.headers.first("content-length")
    if written is not None:
        digits = written.strip()
        if not (digits.isascii() and digits.isdigit()):
            return UNKNOWN
        return int(digits) if len(digits) <= _MOST_DIGITS else _LARGEST
    if request.ends:
        return 0
    return UNKNOWN if request.attached is None else request.attached.body_size(enough, end=end)


@final
class _Within(Field):
    """Whether the size is within two bounds: all that an answer can depend on, and few values."""

    def __init__(self, least: int, most: int) -> None:
        self.least: Final = least
        self.most: Final = most

    def read(self, request: Request) -> list[str]:
        return _INSIDE if self.holds(request) else _OUTSIDE

    def holds(self, request: Request) -> bool:
        if self.most < 0:
            return size_of(request, self.least, end=False) >= self.least
        size = size_of(request, self.most + 1)
        return size != UNKNOWN and self.least <= size <= self.most

    def name(self) -> str:
        return f"body size {self.least} to {self.most}"


@final
class SizeWithin(Matcher):
    """At least `least` bytes and, unless it is negative, at most `most`. What is not known never fits."""

    def __init__(self, least: int, most: int = -1) -> None:
        if least < 0 or 0 <= most < least:
            raise ValueError(f"no size is between {least} and {most}")
        self._within: Final = _Within(least, most)

    def matches(self, request: Request) -> bool:
        return self._within.holds(request)

    def text(self) -> str:
        least, most = self._within.least, self._within.most
        if most < 0:
            return f"body has at least {least} bytes"
        if least == 0:
            return f"body has at most {most} bytes"
        return f"body has {least} to {most} bytes"

    def reads(self) -> tuple[Field, ...] | None:
        return (self._within,)

    def seen(self, request: Request) -> str:
        size = size_of(request, self._within.least)
        return "not known" if size == UNKNOWN else f"{size} bytes"
