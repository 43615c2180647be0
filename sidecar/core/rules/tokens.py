"""How many tokens a request is likely to take, before anybody has counted them.

Budgets and limits go by it, and clients write what it is made from. So what is written oddly must not make a
request look small: what is there and is no number counts as the most.
"""

from typing import Final, final

from sidecar.core.request import UNKNOWN_SIZE, Request
from sidecar.core.rules.base import Field

_CHARACTERS: Final = 4
"""Of a token of English text, by OpenAI's rule of thumb."""
_MOST: Final = 10_000_000
_NOT_SAID: Final = -1
_NUMBER: Final = frozenset("0123456789+-.eE")
_LONGEST: Final = 1024
_ALL: Final = 1 << 60
"""Bytes: more than are counted of any body, so that nobody waits for them."""
_BODILESS: Final = ("GET", "HEAD", "OPTIONS", "TRACE")
"""A body means nothing to these (RFC 9110, 9.3), and callers of RouteService say nothing of none."""


@final
class Tokens:
    """`counted` are fields that may hold how many tokens the request has. Else `prompt` are those that may
    hold the prompt: four characters are a token. Without one the body's length counts: as the head says it,
    else as it was counted, if all of it has come. One that nobody knows is taken for `unknown_bytes`.
    `most` are fields that may hold how many tokens the answer may have, which is what an answer is taken to
    have; without one it is `usual`."""

    def __init__(
        self,
        prompt: tuple[Field, ...] = (),
        most: tuple[Field, ...] = (),
        usual: int = 500,
        *,
        counted: tuple[Field, ...] = (),
        unknown_bytes: int = 1024 * 1024,
    ) -> None:
        if usual < 0:
            raise ValueError(f"usual must not be negative, got {usual}")
        if unknown_bytes < 0:
            raise ValueError(f"unknown_bytes must not be negative, got {unknown_bytes}")
        self._prompt: Final = prompt
        self._most: Final = most
        self._usual: Final = usual
        self._counted: Final = counted
        self._unknown: Final = _of_length(unknown_bytes)

    def total(self, request: Request) -> int:
        """Of the request and its answer."""
        return self.input(request) + self.output(request)

    def input(self, request: Request) -> int:
        for field in self._counted:
            for value in field.read(request):
                number = _number(value)
                if number >= 0:
                    return number
        for field in self._prompt:
            for value in field.read(request):
                if value:
                    return _of_length(len(value))
        return self._of_body(request)

    def output(self, request: Request) -> int:
        for field in self._most:
            for value in field.read(request):
                number = _number(value)
                if number > 0:
                    return number
        return self._usual

    def _of_body(self, request: Request) -> int:
        written = request.headers.first("content-length")
        if written is not None:
            digits = written.strip()
            if len(digits) > _LONGEST or not (digits.isascii() and digits.isdigit()):
                return _MOST
            return _of_length(int(digits))
        if request.ends:
            return 0
        if request.attached is not None:
            size = request.attached.body_size(_ALL, end=False)
            if size != UNKNOWN_SIZE:
                return _of_length(size)
        return 0 if request.method in _BODILESS else self._unknown


def _of_length(characters: int) -> int:
    return min(-(-characters // _CHARACTERS), _MOST)


def _number(text: str) -> int:
    """The whole number that is no less, `4097` of `+4096.5` and of `4.0965e3`; the most of what is larger, is
    negative, or can't be read. Negative of no text."""
    text = text.strip()
    if not text:
        return _NOT_SAID
    if len(text) <= 7 and text.isascii() and text.isdigit():
        return int(text)
    if len(text) > _LONGEST or not _NUMBER.issuperset(text):
        return _MOST
    try:
        value = float(text)
    except ValueError:
        return _MOST
    if not 0.0 <= value < _MOST:
        return _MOST
    whole = int(value)
    return whole if whole == value else whole + 1
