"""A core Request from what came over the wire."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from envoy.config.core.v3.base_pb2 import Metadata

from sidecar.core.request import Attached, Headers, Request, headers_of
from sidecar.wire.body import Said
from sidecar.wire.reader import request_headers
from sidecar.wire.shape import shape_of

usual_request: Final[Callable[[bytes], Request | None]] = partial(
    request_headers, attach=Said, shape=shape_of(Metadata.DESCRIPTOR)
)
"""The request of a message of the usual shape, read without the library; None for any other bytes."""


def headers_of_map(header_map: Any) -> Headers:
    """From Envoy's HeaderMap, which has the pseudo-headers among the others.

    Envoy fills `raw_value`; other clients may fill `value`. Bytes of any kind are allowed.
    """
    pairs = header_map.headers
    first: dict[str, bytes] = {pair.key: pair.raw_value for pair in pairs}
    if len(first) == len(pairs) and b"" not in first.values():
        return Headers(first)
    return headers_of((pair.key, pair.raw_value or pair.value.encode()) for pair in pairs)


def request_of(
    method: str,
    authority: str,
    target: str,
    headers: Iterable[tuple[str, bytes]],
    attach: Callable[[Headers], Attached] | None = None,
    *,
    ends: bool = False,
) -> Request:
    """From a caller's own facts; what is empty becomes GET and `/`, as Envoy would have it."""
    read = headers_of(headers)
    attached = None if attach is None else attach(read)
    return Request(method or "GET", authority, target or "/", read, attached, ends=ends)
