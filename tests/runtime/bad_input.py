"""What a peer may send that no gRPC client of good will does, each case as data."""

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from grpc_health.v1 import health_pb2

from sidecar.names import HEADERS_ONLY, PHASES_METADATA
from sidecar.v1 import route_pb2
from tests.runtime.caller import ACCESS_LOG, EXT_PROC, ROUTE
from tests.runtime.raw import Fields, framed
from tests.wire.entries import an_entry, batch
from tests.wire.messages import request_headers

MIB: Final = 1 << 20
MOST_BYTES: Final = 4 * MIB
"""gRPC's limit for one message."""
NOT_PROTOBUF: Final = b"\xff"
INTERNAL: Final = 13


@dataclass(frozen=True)
class Method:
    """One method, called in one way, and a message that it answers."""

    name: str
    path: str
    message: bytes
    fields: Mapping[str, str] = field(default_factory=dict)


_REQUEST: Final[bytes] = request_headers("/shop").SerializeToString()

UNARY: Final = Method("unary", f"/{ROUTE}/Route", route_pb2.RouteRequest(path="/shop").SerializeToString())
PROCESS: Final = Method("process", f"/{EXT_PROC}/Process", _REQUEST)
ANNOUNCED: Final = Method("announced", PROCESS.path, _REQUEST, {PHASES_METADATA: HEADERS_ONLY})
LOG: Final = Method("log", f"/{ACCESS_LOG}/StreamAccessLogs", batch(an_entry(0)))
WATCH: Final = Method(
    "watch",
    "/grpc.health.v1.Health/Watch",
    health_pb2.HealthCheckRequest(service="nobody").SerializeToString(),
)
STREAMS: Final = (PROCESS, ANNOUNCED, LOG)
EVERY: Final = (UNARY, *STREAMS)
HEAD: Final = (UNARY, PROCESS)
"""Enough where the head of the call decides: gRPC lets whoever sends a bad one wait, up to a second."""

Pieces = Callable[[bytes], Sequence[bytes]]


def whole(message: bytes) -> Sequence[bytes]:
    return [framed(message)]


@dataclass(frozen=True)
class Case:
    """One stream: its head, changed by `fields`, then the DATA frames that `pieces` makes of a good message.

    Both shells answer it alike, unless `hosted` is what the shell within Envoy says for the reason `because`.
    """

    name: str
    pieces: Pieces = whole
    fields: Fields = field(default_factory=dict)
    half_close: bool = True
    methods: Sequence[Method] = EVERY
    hosted: int | None = None
    because: str = ""


def padded(message: bytes, size: int) -> bytes:
    """The message with so many bytes, by a field that no version has."""
    head = _varint(1000 << 3 | 2)  # length-delimited
    room = size - len(message) - len(head) - 4  # a length of 2 MiB and more has 4 bytes
    filled = message + head + _varint(room) + bytes(room)
    assert len(filled) == size
    return filled


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def _zipped(*, after: bytes = b"", cut: int = 0) -> Pieces:
    return lambda message: [framed(gzip.compress(message)[: -cut or None] + after, 1)]


def _zipped_to(size: int) -> Pieces:
    """So large once it is inflated."""
    return lambda message: [framed(gzip.compress(padded(message, size), 1), 1)]


def _deflated(message: bytes) -> Sequence[bytes]:
    return [framed(zlib.compress(message), 1)]


def _deflated_raw(message: bytes) -> Sequence[bytes]:
    """Without zlib's head and checksum."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return [framed(packer.compress(message) + packer.flush(), 1)]


def _flagged(flag: int) -> Pieces:
    return lambda message: [framed(message, flag)]


def _announcing(length: int) -> Pieces:
    """A prefix that says so many bytes, and three of them."""
    return lambda _: [framed(b"abc", 0, length)]


def _nothing(_: bytes) -> Sequence[bytes]:
    return []


NEVER_ENDS: Final = "gRPC never ends a unary call without a message"
ANYTHING: Final = "gRPC takes it for an empty message, or never ends the call"
UNREAD: Final = "Envoy lets it pass, and nothing reads it"
FORBIDDEN: Final = "HTTP/2 forbids it: Envoy resets the stream before it is a call"

_CUT_SHORT: Final[Sequence[tuple[str, Pieces]]] = (
    ("nothing at all", _nothing),
    ("one empty DATA frame", lambda _: [b""]),
    ("three bytes of a prefix", lambda message: [framed(message)[:3]]),
    ("a prefix and nothing", lambda message: [framed(message)[:5]]),
    ("a part of a message", lambda message: [framed(message)[:-1]]),
)
FRAMES: Final = (
    *(Case(name, pieces, methods=STREAMS) for name, pieces in _CUT_SHORT),
    *(
        Case(f"{name}, unary", pieces, methods=(UNARY,), hosted=INTERNAL, because=NEVER_ENDS)
        for name, pieces in _CUT_SHORT
    ),
    Case("a message and a part of the next", lambda message: [framed(message), framed(message)[:-1]]),
    Case("a message and a part of a prefix", lambda message: [framed(message), b"\0\0"]),
    Case("an empty message", lambda _: [framed(b"")]),
    Case("two messages", lambda message: [framed(message), framed(message)]),
    Case("two messages in one DATA frame", lambda message: [framed(message) * 2]),
    Case("a message in frames of one byte", lambda message: [bytes((each,)) for each in framed(message)]),
    Case("a message, no half-close", half_close=False, methods=(UNARY, ANNOUNCED)),
    Case("no protobuf", lambda _: [framed(NOT_PROTOBUF)]),
    Case("no protobuf, no half-close", lambda _: [framed(NOT_PROTOBUF)], half_close=False),
    Case("a message, then no protobuf", lambda message: [framed(message), framed(NOT_PROTOBUF)]),
)
SIZES: Final = (
    Case("4 MiB", lambda message: [framed(padded(message, MOST_BYTES))]),
    Case("4 MiB and a byte", lambda message: [framed(padded(message, MOST_BYTES + 1))], methods=HEAD),
    Case("5 MiB", lambda message: [framed(padded(message, 5 * MIB))], methods=HEAD),
    Case("5 MiB announced", _announcing(5 * MIB)),
    Case("1 GiB announced", _announcing(1024 * MIB), methods=HEAD),
    Case("4 GiB announced", _announcing((1 << 32) - 1), methods=HEAD),
    Case("5 MiB announced, no half-close", _announcing(5 * MIB), half_close=False),
    Case("a message, then 5 MiB announced", lambda message: [framed(message), *_announcing(5 * MIB)(b"")]),
    Case(
        "a message and 5 MiB announced in one DATA frame",
        lambda message: [framed(message) + framed(b"abc", 0, 5 * MIB)],
    ),
)

_GZIP: Final = {"grpc-encoding": "gzip"}
_DEFLATE: Final = {"grpc-encoding": "deflate"}
ENCODINGS: Final = (
    Case("flag without encoding", _zipped()),
    Case("flag without encoding, no half-close", _flagged(1), half_close=False),
    Case("flag without encoding, empty message", lambda _: [framed(b"", 1)]),
    Case(
        "a message and one with a flag without encoding in one DATA frame",
        lambda message: [framed(message) + framed(message, 1)],
    ),
    Case("gzip", _zipped(), _GZIP),
    Case("gzip, no flag", whole, _GZIP),
    Case("gzip, two members", _zipped(after=gzip.compress(b"")), _GZIP),
    Case("gzip, rubbish after it", _zipped(after=b"rubbish"), _GZIP),
    Case("gzip, cut short", _zipped(cut=9), _GZIP),
    Case("gzip, but rubbish", lambda _: [framed(b"rubbish", 1)], _GZIP),
    Case("gzip, but rubbish, no half-close", lambda _: [framed(b"rubbish", 1)], _GZIP, half_close=False),
    Case("gzip, but deflate", _deflated, _GZIP),
    Case("gzip, but empty", lambda _: [framed(b"", 1)], _GZIP),
    Case("gzip of 4 MiB", _zipped_to(MOST_BYTES), _GZIP, methods=HEAD),
    Case("gzip of 4 MiB and a byte", _zipped_to(MOST_BYTES + 1), _GZIP, methods=HEAD),
    Case("gzip of 5 MiB", _zipped_to(5 * MIB), _GZIP),
    Case("gzip of 100 MiB", _zipped_to(100 * MIB), _GZIP, methods=HEAD),
    Case("deflate", _deflated, _DEFLATE),
    Case("deflate, raw", _deflated_raw, _DEFLATE),
    Case("deflate, but gzip", _zipped(), _DEFLATE),
    Case("identity", whole, {"grpc-encoding": "identity"}),
    Case("identity and flag", _flagged(1), {"grpc-encoding": "identity"}),
    Case("br", whole, {"grpc-encoding": "br"}, methods=HEAD),
    Case("br and flag", _flagged(1), {"grpc-encoding": "br"}, methods=HEAD),
    Case("br, nothing sent", _nothing, {"grpc-encoding": "br"}, half_close=False),
    Case("an encoding without a name", whole, {"grpc-encoding": ""}, methods=HEAD),
    Case("GZIP in capitals", _zipped(), {"grpc-encoding": "GZIP"}, methods=HEAD),
    Case("gzip is accepted", whole, {"grpc-accept-encoding": "identity,gzip"}),
    Case("the flag is 2", _flagged(2), hosted=INTERNAL, because=ANYTHING),
    Case("the flag is 255", _flagged(255), hosted=INTERNAL, because=ANYTHING),
    Case("the flag is 2, no half-close", _flagged(2), half_close=False, hosted=INTERNAL, because=ANYTHING),
)


def _head(name: str, *values: str | None, hosted: int | None = None, because: str = "") -> Sequence[Case]:
    """One case for each value of this header; None is without it."""
    return [
        Case(
            f"{name} {'left out' if value is None else repr(value)}",
            fields={name: value},
            methods=(UNARY,) if name == ":path" else HEAD,
            hosted=hosted,
            because=because,
        )
        for value in values
    ]


HEADS: Final = (
    *_head("content-type", None, "", "text/plain", "application/json", "APPLICATION/GRPC"),
    *_head(
        "content-type", "application/grpc+json", "application/grpc+proto", "application/grpc;charset=utf-8"
    ),
    *_head("content-type", "application/grpc-web", "application/grpcfoo"),
    *_head("te", None, "", "gzip", "trailers, gzip", "Trailers"),
    *_head(":method", "GET", "PUT", "OPTIONS", "post"),
    Case("GET and nothing else", _nothing, {":method": "GET"}, methods=HEAD),
    *_head(":scheme", None, "https"),
    *_head(":scheme", "ftp", hosted=0, because=UNREAD),
    *_head(":authority", None),
    Case("host in place of :authority", fields={":authority": None, "host": "sidecar"}),
    *_head("x-some-bin", "!!!", hosted=0, because=UNREAD),
    *_head("x-some", "\xe9"),
    Case("metadata of 100 KB", fields={f"x-{at}": "x" * 10_000 for at in range(10)}, methods=HEAD),
    *_head("grpc-some", "x"),
    *_head("connection", "close", hosted=INTERNAL, because=FORBIDDEN),
    *_head("X-Some", "x"),
    *_head(":path", f"/{ROUTE}/Nothing", "/no.such.Service/Route", "/", "//", "/route", f"/{ROUTE}/route"),
    *_head(":path", f"/{ROUTE}/Route/", f"/{ROUTE}//Route", f"/x/../{ROUTE}/Route"),
    *_head(":path", f"/{ROUTE}/Route?x=y", f"/{ROUTE}/%52oute"),
    *_head(":path", f"/{ROUTE}/Route?", hosted=0, because="ASGI does not tell an empty query from none"),
    *_head(":path", None),
    *_head(":path", "", "*", f"{ROUTE}/Route", hosted=INTERNAL, because=FORBIDDEN),
)


def _waiting(timeout: str) -> Case:
    name = f"grpc-timeout {timeout}, and the caller waits"
    return Case(name, _nothing, {"grpc-timeout": timeout}, half_close=False)


TIMEOUTS: Final = (
    *_head("grpc-timeout", "0S", "0n"),
    *_head("grpc-timeout", "", "5", "S", "abcS", "-1S", "+1S", "1.5S", "1s"),
    *_head("grpc-timeout", "5000m", "3600S", "1H", "12345678S", "99999999H", "123456789S"),
    *_head("grpc-timeout", " 1S", "1 S", "1S ", "1" * 25 + "S"),
    *(_waiting(timeout) for timeout in ("100m", "1n", "0S")),
    Case(
        "grpc-timeout 100m, and the caller waits after a message",
        fields={"grpc-timeout": "100m"},
        half_close=False,
        methods=(PROCESS, LOG),
    ),
    Case("grpc-timeout 100m on a stream of answers", fields={"grpc-timeout": "100m"}, methods=(WATCH,)),
    Case("grpc-timeout 0S on a stream of answers", fields={"grpc-timeout": "0S"}, methods=(WATCH,)),
)
CASES: Final = (*FRAMES, *SIZES, *ENCODINGS, *HEADS, *TIMEOUTS)

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
NO_HTTP2: Final = (
    b"POST /sidecar.v1.RouteService/Route HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"\0\xff\1rubbish" * 20,
    bytes.fromhex("16030102000100 01fc0303") + bytes(500),  # the first bytes of TLS
    _PREFACE + b"\xff" * 50,  # a frame that is too long
    _PREFACE + b"\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff",  # headers that HPACK cannot read
)
"""What is not HTTP/2, from the first byte or soon after it."""
