"""Reads the one message that every request brings, the request's headers, straight from its bytes.

The protobuf library makes an object for each header, which costs more than the decision. This reader takes
the usual shape only: the request's headers, no metadata, no body mode, each header a name and a raw value.
For anything else it returns None, and the library reads the message; so it never judges what is unusual.

Wire format: https://protobuf.dev/programming-guides/encoding/. Tags are (field number << 3) | wire type.
"""

from typing import Final

from mypy_extensions import i64

from sidecar.core.request import Headers, Request
from sidecar.wire.fields import Unusual, varint

_REQUEST_HEADERS: Final = 0x12  # ProcessingRequest.request_headers
_METADATA_CONTEXT: Final = 0x42  # ProcessingRequest.metadata_context
_PROTOCOL_CONFIG: Final = 0x5A  # ProcessingRequest.protocol_config
_HEADERS: Final = 0x0A  # HttpHeaders.headers, HeaderMap.headers, HeaderValue.key
_END_OF_STREAM: Final = 0x18  # HttpHeaders.end_of_stream
_RAW_VALUE: Final = 0x1A  # HeaderValue.raw_value

_MOST_NAMES: Final = 4096
_names: Final[dict[bytes, str]] = {}
"""Header names as text; the same few come with every request."""


def request_headers(data: bytes) -> Request | None:
    """The request of a message that is a ProcessingRequest of the usual shape; None for any other bytes."""
    try:
        return _request(data)
    except (Unusual, IndexError):
        return None


def request_of_headers(headers: Headers) -> Request:
    """From headers with the pseudo-headers among them; what is missing becomes GET and `/`."""
    return Request(
        headers.first(":method") or "GET",
        headers.first(":authority") or "",
        headers.first(":path") or "/",
        headers,
    )


def _request(data: bytes) -> Request | None:
    end: i64 = len(data)
    at: i64 = 0
    found: Headers | None = None
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
        elif size != 0 or tag not in {_METADATA_CONTEXT, _PROTOCOL_CONFIG}:
            return None
        at += size
    return None if found is None else request_of_headers(found)


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
