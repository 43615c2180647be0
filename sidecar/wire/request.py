"""A core Request from what came over the wire."""

from collections.abc import Iterable
from typing import Any

from sidecar.core.request import Headers, Request, headers_of
from sidecar.wire.reader import request_of_headers


def request_of_header_map(header_map: Any) -> Request:
    """From Envoy's HeaderMap, which has the pseudo-headers among the others.

    Envoy fills `raw_value`; other clients may fill `value`. Bytes of any kind are allowed.
    """
    pairs = header_map.headers
    first: dict[str, bytes] = {pair.key: pair.raw_value for pair in pairs}
    if len(first) == len(pairs) and b"" not in first.values():
        headers = Headers(first)
    else:
        headers = headers_of((pair.key, pair.raw_value or pair.value.encode()) for pair in pairs)
    return request_of_headers(headers)


def request_of(method: str, authority: str, target: str, headers: Iterable[tuple[str, bytes]]) -> Request:
    """From a caller's own facts; what is empty becomes GET and `/`, as Envoy would have it."""
    return Request(method or "GET", authority, target or "/", headers_of(headers))
