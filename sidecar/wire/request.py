"""A core Request from what came over the wire."""

from collections.abc import Iterable
from typing import Any

from sidecar.core.request import Headers, Request, headers_of

_NONE = b""


def request_of_header_map(header_map: Any) -> Request:
    """From Envoy's HeaderMap, which has the pseudo-headers among the others.

    Envoy fills `raw_value`; other clients may fill `value`. Bytes of any kind are allowed.
    """
    pairs = header_map.headers
    first: dict[str, bytes] = {pair.key: pair.raw_value for pair in pairs}
    if len(first) == len(pairs) and _NONE not in first.values():
        headers = Headers(first)
        path = first.get(":path", b"/")
        method = first.get(":method", b"GET")
        authority = first.get(":authority", _NONE)
    else:
        headers = headers_of((pair.key, pair.raw_value or pair.value.encode()) for pair in pairs)
        path = (headers.first(":path") or "/").encode("utf-8", "surrogateescape")
        method = (headers.first(":method") or "GET").encode("utf-8", "surrogateescape")
        authority = (headers.first(":authority") or "").encode("utf-8", "surrogateescape")
    return Request(
        method.decode("utf-8", "surrogateescape"),
        authority.decode("utf-8", "surrogateescape"),
        path.decode("utf-8", "surrogateescape"),
        headers,
    )


def request_of(method: str, authority: str, target: str, headers: Iterable[tuple[str, bytes]]) -> Request:
    """From a caller's own facts; what is empty becomes GET and `/`, as Envoy would have it."""
    return Request(method or "GET", authority, target or "/", headers_of(headers))
