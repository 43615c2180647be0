"""Reads what requests bring, their headers and parts of their bodies, straight from the bytes.

The protobuf library makes an object for each header, which costs more than the decision. This reader takes
the usual shape only: the request's headers, perhaps metadata, no body mode, each header a name and a raw
value. For anything else it returns None, and the library reads the message; so it never judges what is
unusual.

Wire format: https://protobuf.dev/programming-guides/encoding/. Tags are (field number << 3) | wire type.
"""

from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from sidecar.core.request import Attached, Headers, Request
from sidecar.wire.fields import Unusual, check, varint

_REQUEST_HEADERS: Final = 0x12  # ProcessingRequest.request_headers
_METADATA_CONTEXT: Final = 0x42  # ProcessingRequest.metadata_context
_PROTOCOL_CONFIG: Final = 0x5A  # ProcessingRequest.protocol_config
_HEADERS: Final = 0x0A  # HttpHeaders.headers, HeaderMap.headers, HeaderValue.key
_END_OF_STREAM: Final = 0x18  # HttpHeaders.end_of_stream
_REQUEST_BODY: Final = 0x22  # ProcessingRequest.request_body
_BODY: Final = 0x0A  # HttpBody.body
_BODY_END: Final = 0x10  # HttpBody.end_of_stream
_NO_METADATA: Final = b"\x42\x00"  # an empty metadata_context
_RAW_VALUE: Final = 0x1A  # HeaderValue.raw_value

_MOST_NAMES: Final = 4096
_names: Final[dict[bytes, str]] = {}
"""Header names as text; the same few come with every request."""


Attach = Callable[[Headers, bytes], Attached]
"""What is made of the headers and the encoded metadata of a request that has some."""


def request_headers(data: bytes, attach: Attach | None = None, shape: bytes = b"") -> Request | None:
    """The request of a message that is a ProcessingRequest of the usual shape; None for any other bytes.

    `shape` is that of `envoy.config.core.v3.Metadata`. Without it, metadata is not usual.
    """
    try:
        return _request(data, attach, shape)
    except (Unusual, IndexError, UnicodeDecodeError):
        return None


def request_body(data: bytes) -> tuple[int, int, bool] | None:
    """Of a message of the usual shape that is a part of the request's body: where the part begins and ends,
    and whether it is the last. None for any other bytes."""
    try:
        return _body(data)
    except (Unusual, IndexError):
        return None


def request_of_headers(headers: Headers, attached: Attached | None = None, *, ends: bool = False) -> Request:
    """From headers with the pseudo-headers among them; what is missing becomes GET and `/`."""
    return Request(
        headers.first(":method") or "GET",
        headers.first(":authority") or "",
        headers.first(":path") or "/",
        headers,
        attached,
        ends=ends,
    )


def _request(data: bytes, attach: Attach | None, shape: bytes) -> Request | None:
    end: i64 = len(data)
    at: i64 = 0
    found: Headers | None = None
    ends = False
    metadata = b""
    while at < end:
        tag = data[at]
        if at + 1 >= end:
            return None
        size: i64 = data[at + 1]
        at += 2
        if size >= 0x80:
            size, at = varint(data, at - 1)
        if at + size > end:
            return None
        if tag == _REQUEST_HEADERS and found is None:
            found = _http_headers(data, at, at + size)
            if found is None:
                return None
            ends = _ends(data, at, at + size)
        elif tag == _METADATA_CONTEXT and size and not metadata and attach is not None:
            check(shape, 0, data, at, at + size)
            metadata = data[at : at + size]
        elif size != 0 or tag not in {_METADATA_CONTEXT, _PROTOCOL_CONFIG}:
            return None
        at += size
    if found is None:
        return None
    attached = attach(found, metadata) if metadata and attach is not None else None
    return request_of_headers(found, attached, ends=ends)


def _body(data: bytes) -> tuple[int, int, bool] | None:
    end: i64 = len(data)
    if data[0] != _REQUEST_BODY:
        return None
    size: i64
    size, at = varint(data, 1)
    stop = at + size
    if stop > end or (stop < end and data[stop:] != _NO_METADATA):
        return None
    begin: i64 = at
    last: i64 = at
    if at < stop and data[at] == _BODY:
        size, begin = varint(data, at + 1)
        last = begin + size
        at = last
    ends = False
    if at + 2 == stop and data[at] == _BODY_END and data[at + 1] <= 1:
        ends = data[at + 1] == 1
        at = stop
    return (begin, last, ends) if at == stop else None


def _ends(data: bytes, at: i64, end: i64) -> bool:
    """Of HttpHeaders that were read: whether they say so."""
    size: i64
    size, at = varint(data, at + 1)
    return at + size < end and data[end - 1] == 1


def _http_headers(data: bytes, at: i64, end: i64) -> Headers | None:
    """HttpHeaders: one HeaderMap, then perhaps end_of_stream."""
    if at + 2 > end or data[at] != _HEADERS:
        return None
    size: i64 = data[at + 1]
    at += 2
    if size >= 0x80:
        size, at = varint(data, at - 1)
    stop = at + size
    if stop != end and not (stop + 2 == end and data[stop] == _END_OF_STREAM and data[stop + 1] <= 1):
        return None
    first: dict[str, bytes] = {}
    repeated: dict[str, list[bytes]] = {}
    while at < stop:
        # One HeaderValue: its tag and size, then exactly a key and a raw value.
        if at + 2 > stop or data[at] != _HEADERS:
            return None
        size = data[at + 1]
        at += 2
        if size >= 0x80:
            size, at = varint(data, at - 1)
        pair_end = at + size
        if size < 2 or pair_end > stop or data[at] != _HEADERS:
            return None
        size = data[at + 1]
        at += 2
        if size == 0 or size >= 0x80 or at + size + 2 > pair_end:
            return None
        raw_name = data[at : at + size]
        at += size
        name = _names.get(raw_name)
        if name is None:
            if not raw_name.isascii() or raw_name != raw_name.lower():
                return None
            name = raw_name.decode("ascii")
            if len(_names) < _MOST_NAMES:
                _names[raw_name] = name
        if data[at] != _RAW_VALUE:
            return None
        size = data[at + 1]
        at += 2
        if size >= 0x80:
            size, at = varint(data, at - 1)
        if size == 0 or at + size != pair_end:
            return None
        value = data[at:pair_end]
        at = pair_end
        if name not in first:
            first[name] = value
        elif name in repeated:
            repeated[name].append(value)
        else:
            repeated[name] = [first[name], value]
    return Headers(first, repeated or None)
