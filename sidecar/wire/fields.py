"""The primitives of protobuf's wire format, for readers that leave what is unusual to the library.

A reader may pass over what it does not need, but the library refuses a message for any part of it. So what is
passed over is checked as well, against a shape: a table that says for every message type and tag what follows
(`shape.py` makes it). Much that is valid but seldom seen counts as unusual: no reader then has to judge it.

Wire format: https://protobuf.dev/programming-guides/encoding/. Tags are (field number << 3) | wire type.
An index beyond the message raises IndexError, an index beyond a part shows at the end of that part.
"""

from typing import Final

from mypy_extensions import i64

ROW: Final = 512
"""Tags in one row of a shape, which has a row for each message type: field numbers up to 63."""

# What follows a tag. From MESSAGE on, a message of the type whose row is the difference.
UNUSUAL: Final = 0
VARINT: Final = 1
FIXED_32: Final = 2
FIXED_64: Final = 3
BYTES: Final = 4
TEXT: Final = 5
MESSAGE: Final = 6

DEEPEST: Final = 32
"""Messages within messages that are passed over; the library's own limit is 100."""

_SHORT: Final = 64
"""Up to here, looking at each byte takes less than a copy of them."""


class Unusual(Exception):
    """The library must read this message."""


def row_within(shape: bytes, row: i64, tag: i64) -> i64:
    """The row of the messages that follow this tag."""
    kind: i64 = shape[row * ROW + tag]
    if kind < MESSAGE:
        raise ValueError(f"no message follows the tag {tag} in row {row}")
    return kind - MESSAGE


def varint(data: bytes, at: i64) -> tuple[i64, i64]:
    """(number, where it ends), of at most 5 bytes: no length has more, and no sum of lengths overflows."""
    number: i64 = 0
    shift: i64 = 0
    while shift < 35:
        byte: i64 = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise Unusual


def span(data: bytes, at: i64, end: i64) -> tuple[i64, i64]:
    """(begin, end) of the bytes whose length stands here; `end` is that of the message around them."""
    size: i64
    size, at = varint(data, at)
    if size > end - at:
        raise Unusual
    return at, at + size


def passed(shape: bytes, row: i64, tag: i64, data: bytes, at: i64, end: i64, depth: i64) -> i64:
    """Where the field ends whose tag was just read, in a message of this row; it is found to be valid."""
    if tag >= ROW:
        raise Unusual
    kind: i64 = shape[row * ROW + tag]
    if kind >= BYTES:
        at, stop = span(data, at, end)
        if kind >= MESSAGE:
            check(shape, kind - MESSAGE, data, at, stop, depth)
        elif kind == TEXT:
            _check_text(data, at, stop)
        return stop
    if kind == VARINT:
        longest = at + 9  # ten bytes are a negative number, or too long
        while at < longest:
            at += 1
            if data[at - 1] < 0x80:
                return at
    elif kind == FIXED_64:
        return at + 8
    elif kind == FIXED_32:
        return at + 4
    raise Unusual


def check(shape: bytes, row: i64, data: bytes, at: i64, end: i64, depth: i64 = DEEPEST) -> None:
    """Unusual, IndexError or UnicodeDecodeError where the library might refuse such a message."""
    if depth == 0:
        raise Unusual
    while at < end:
        tag: i64 = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = varint(data, at - 1)
        at = passed(shape, row, tag, data, at, end, depth - 1)
    if at != end:
        raise Unusual


def _check_text(data: bytes, at: i64, end: i64) -> None:
    """UnicodeDecodeError where these bytes are no UTF-8."""
    if end - at > _SHORT:
        if not data[at:end].isascii():
            data[at:end].decode()
        return
    for place in range(at, end):
        if data[place] >= 0x80:
            data[at:end].decode()
            return
