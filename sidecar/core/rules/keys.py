"""Headers that must be there, and keys that are known by their sum alone."""

from hashlib import sha256
from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher

_LONGEST: Final = 4096
"""Bytes of a key; longer values are none, and not worth their sum."""


@final
class Filled(Matcher):
    """The header is there and not empty."""

    def __init__(self, header: str) -> None:
        self._header: Final = header.lower()

    def matches(self, request: Request) -> bool:
        for value in request.headers.raw(self._header):
            if value:
                return True
        return False

    def text(self) -> str:
        return f"header {self._header} is given"

    def seen(self, request: Request) -> str:
        return "given" if self.matches(request) else "absent"


@final
class KeyKnown(Matcher):
    """The header is there once, and its value has one of these SHA-256 sums, in small hexadecimal letters.

    Given twice it is not known: whoever is asked next might look at the other one. Nothing shows the value.
    """

    def __init__(self, header: str, sums: tuple[str, ...]) -> None:
        self._header: Final = header.lower()
        self._sums: Final = frozenset(sums)

    def matches(self, request: Request) -> bool:
        values = request.headers.raw(self._header)
        return len(values) == 1 and _sum(values[0]) in self._sums

    def text(self) -> str:
        many = len(self._sums)
        return f"header {self._header} has {'the known key' if many == 1 else f'one of {many} known keys'}"

    def seen(self, request: Request) -> str:
        values = request.headers.raw(self._header)
        if len(values) != 1:
            return "given more than once" if values else "absent"
        if not values[0]:
            return "empty"
        found = _sum(values[0])
        return f"a key whose SHA-256 begins with {found[:8]}" if found else "too long for a key"


def _sum(value: bytes) -> str:
    """Empty for what is no key."""
    return sha256(value).hexdigest() if 0 < len(value) <= _LONGEST else ""
