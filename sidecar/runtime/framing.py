"""gRPC over HTTP/2 as far as ASGI leaves it to the application: messages in a body, status in trailers.

After https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. No I/O. Statuses are those that
gRPC's own server gives for the same mistake.
"""

import re
import zlib
from typing import Final
from urllib.parse import quote

from sidecar.runtime.methods import MOST_BYTES, Code, Failed

ENCODINGS: Final = b"identity, deflate, gzip"
"""How messages may be compressed, as the header `grpc-accept-encoding` says it."""

_PREFIX_BYTES: Final = 5
_WINDOW_BITS: Final = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_TIMEOUT: Final = re.compile(rb" *([0-9]{1,30}) *([HMSmun]) *")
_UNIT_S: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def framed(message: bytes) -> bytes:
    """The message behind its prefix: not compressed, and its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def only(data: bytes) -> bytes | None:
    """The message, when the bytes are exactly one that is not compressed; else None."""
    if len(data) < _PREFIX_BYTES or len(data) > MOST_BYTES or data[0]:
        return None
    length = int.from_bytes(data[1:_PREFIX_BYTES], "big")
    return data[_PREFIX_BYTES:] if length + _PREFIX_BYTES == len(data) else None


def seconds_of(timeout: bytes) -> float:
    """What the header `grpc-timeout` says. May raise Failed."""
    found = _TIMEOUT.fullmatch(timeout)
    if found is None:
        raise Failed(Code.INTERNAL, f"grpc-timeout {_shown(timeout)}; write it as 100m or 5S")
    return int(found.group(1)) * _UNIT_S[found.group(2)]


def told(message: str) -> bytes:
    """The text as `grpc-message` carries it: UTF-8, percent-encoded where it is not plain ASCII."""
    return quote(message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~").encode()


class Unframer:
    """Takes the bytes of a body as they come and gives back whole messages, one at a time.

    It keeps what came and was not taken, and decompresses what is taken. What is no whole message when the
    body ends is left out without a word.
    """

    def __init__(self, encoding: bytes = b"identity") -> None:
        """`encoding` is the header `grpc-encoding`. May raise Failed."""
        self._window_bits: Final = _WINDOW_BITS.get(encoding)
        if self._window_bits is None and encoding != b"identity":
            raise Failed(Code.INTERNAL, f"grpc-encoding {_shown(encoding)}; known: {ENCODINGS.decode()}")
        self._came: bytes | bytearray = b""
        self._taken = 0

    def add(self, data: bytes) -> None:
        """These bytes came."""
        if self._taken == len(self._came):  # nearly always
            self._came = data
        elif self._taken or isinstance(self._came, bytes):
            self._came = bytearray(self._came[self._taken :]) + data
        else:
            self._came += data  # in place: a large message comes in many pieces
        self._taken = 0

    def take(self) -> bytes | None:
        """The next message; None when it has not wholly come. May raise Failed."""
        begin = self._taken + _PREFIX_BYTES
        if begin > len(self._came):
            return None
        flag = self._came[self._taken]
        length = int.from_bytes(self._came[self._taken + 1 : begin], "big")
        if flag > 1:
            raise Failed(Code.INTERNAL, f"a message with the flags {flag}; known are 0 and 1")
        if length > MOST_BYTES:
            raise _too_large(length)
        if begin + length > len(self._came):
            return None
        self._taken = begin + length
        message = bytes(self._came[begin : self._taken])
        return self._inflated(message) if flag else message

    def _inflated(self, message: bytes) -> bytes:
        if self._window_bits is None:
            raise Failed(Code.INTERNAL, "a compressed message on a stream without grpc-encoding")
        if not message:
            return message
        inflate = zlib.decompressobj(self._window_bits)
        try:
            inflated = inflate.decompress(message, MOST_BYTES + 1)
        except zlib.error as error:
            raise Failed(Code.INTERNAL, f"a message that cannot be decompressed: {error}") from error
        if len(inflated) > MOST_BYTES:
            raise _too_large(len(inflated))
        if not inflate.eof or inflate.unused_data:
            raise Failed(Code.INTERNAL, "a compressed message that is too short or too long")
        return inflated


def _too_large(length: int) -> Failed:
    return Failed(Code.RESOURCE_EXHAUSTED, f"a message of {length} bytes; at most {MOST_BYTES} are taken")


def _shown(value: bytes) -> str:
    return repr(value[:50].decode("latin-1"))
