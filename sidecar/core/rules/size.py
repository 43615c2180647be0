"""The size of a request's body, as its head says it."""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher

UNKNOWN: Final = -1
_MOST_DIGITS: Final = 18  # more would not fit into 64 bits, and no body is that large


def size_of(request: Request) -> int:
    """In bytes, from content-length; UNKNOWN without one, because a body may follow whatever the method."""
    written = request.headers.first("content-length")
    if written is None:
        return UNKNOWN
    digits = written.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else UNKNOWN


@final
class SizeWithin(Matcher):
    """At least `least` bytes and, unless it is negative, at most `most`. What is not known never fits."""

    def __init__(self, least: int, most: int = -1) -> None:
        if least < 0 or 0 <= most < least:
            raise ValueError(f"no size is between {least} and {most}")
        self._least: Final = least
        self._most: Final = most

    def matches(self, request: Request) -> bool:
        size = size_of(request)
        return size >= self._least and (self._most < 0 or size <= self._most) and size != UNKNOWN

    def text(self) -> str:
        if self._most < 0:
            return f"body has at least {self._least} bytes"
        if self._least == 0:
            return f"body has at most {self._most} bytes"
        return f"body has {self._least} to {self._most} bytes"

    def seen(self, request: Request) -> str:
        size = size_of(request)
        return "not known" if size == UNKNOWN else f"{size} bytes"
