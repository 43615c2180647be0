"""docs/bad-input.md: each of its rows is sent as it says, and answered as it says.

The page is the expectation, this file says what its first column means.
"""

import http.client
import io
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import grpc
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from sidecar.config.errors import ConfigError
from sidecar.config.load import loads
from sidecar.core.engine import Engine
from sidecar.core.request import Request, headers_of
from sidecar.core.state.memory import State
from sidecar.v1 import route_pb2
from tests.docs.pages import ROOT, codes, rows
from tests.e2e.gateway import Gateway, running_gateway
from tests.waiting import until

pytestmark = pytest.mark.e2e

PAGE: Final = ROOT / "docs/bad-input.md"
_ANSWERS_WITHIN_S: Final = 10.0


def section(*titles: str) -> list[list[str]]:
    """The rows below these headings."""
    parts = re.split(r"^## (.*)\n", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    by_title = dict(zip(parts[1::2], parts[2::2], strict=True))
    return [cells for title in titles for cells in rows(by_title[title])]


def get(path: bytes = b"/", *lines: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    """A request of HTTP/1.1 with these header lines."""
    head = [method + b" " + path + b" HTTP/1.1", b"host: shop.test", *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return get(b"/size", *lines, method=b"POST", body=body)


def cookie(*values: bytes) -> bytes:
    return get(b"/cookie", *(b"cookie: " + value for value in values))


def many(count: int) -> list[bytes]:
    return [b"x-%d: 1" % number for number in range(count)]


REST: Final = b"3456789\r\n\r\n"
BOMB: Final = b"a" * 50_000 + b"!"

SENT: Final[dict[str, bytes]] = {
    "an empty path": b"GET  HTTP/1.1\r\nhost: shop.test\r\n\r\n",
    "a path without its slash": get(b"admin"),
    "`http://other.test/x`, the absolute form": get(b"http://other.test/x"),
    "`http://`, without a host": get(b"http://"),
    "`*` with OPTIONS": get(b"*", method=b"OPTIONS"),
    "`*` with GET": get(b"*"),
    "`/é` as bytes": get("/é".encode()),
    "`/%ff`, no UTF-8": get(b"/%ff"),
    "`/%zz`, no escape": get(b"/%zz"),
    "a space in the path": get(b"/a b"),
    "a control character in the path": get(b"/a\x01b"),
    "a path of 50 KB": get(b"/" + b"a" * 50 * 1024),
    "a path of 70 KB": get(b"/" + b"a" * 70 * 1024),
    "10,000 parameters": get(b"/?" + b"a=b&" * 10_000),
    "a header of 100 KB": get(b"/", b"x-a: " + b"a" * 100 * 1024),
    "a header of 50 KB": get(b"/", b"x-a: " + b"a" * 50 * 1024),
    "50 KB of `a` and a `!` for the regex `^(a+)+$`": get(b"/header", b"x-bomb: " + BOMB),
    "2,000 headers": get(b"/", *many(2000)),
    "95 headers": get(b"/", *many(95)),
    "80 headers": get(b"/", *many(80)),
    "a NUL in a header": get(b"/", b"x-a: a\x00b"),
    "another control character in a header": get(b"/", b"x-a: a\x01b"),
    "invalid UTF-8 in a header": get(b"/header", b"x-bytes: \xff\xc3\x28"),
    "UTF-8 in a header": get(b"/header", "x-bytes: é".encode()),
    "a header without a value": get(b"/header", b"x-a:"),
    "a header without a name": get(b"/", b": 1"),
    "a space in a header's name": get(b"/", b"x a: 1"),
    "a header twice, `1` and then `2`": get(b"/header", b"x-a: 1", b"x-a: 2"),
    "`1, 2` in one header": get(b"/header", b"x-a: 1, 2"),
    "`accept` twice, `1` and then `2`": get(b"/header", b"accept: 1", b"accept: 2"),
    "a header's name in capitals": get(b"/header", b"X-A: 2"),
    "a header continued on the next line": get(b"/header", b"x-a: 1\r\n 2"),
    "a bare carriage return in a header": get(b"/header", b"x-b: 1\rx-a: 2"),
    "`shop.test:abc` as the host": b"GET / HTTP/1.1\r\nhost: shop.test:abc\r\n\r\n",
    "two different hosts": get(b"/", b"host: other.test"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nhost:\r\n\r\n",
    "a space in the host": b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\nhost: shop.test\r\n\r\n",
    "a method that nobody knows": get(method=b"BREW"),
    "a method in small letters": get(method=b"get"),
    "CONNECT": b"CONNECT shop.test:80 HTTP/1.1\r\nhost: shop.test\r\n\r\n",
    "TLS on the plain port": b"\x16\x03\x01\x00\x05hello\r\n\r\n",
    "two cookie headers, `c=x` and `c=v`": cookie(b"c=x", b"c=v"),
    "a length of 5,000 and 10 bytes, then the end": post(b"content-length: 5000", body=b"0123456789"),
    "a length of 3 and 10 bytes": post(b"content-length: 3", body=b"012" + REST),
    "a length of 5,000 and 5,000 bytes": post(b"content-length: 5000", body=b"0" * 5000),
    "two different lengths": post(b"content-length: 3", b"content-length: 4", body=b"0123"),
    "the same length twice": post(b"content-length: 3", b"content-length: 3", body=b"012"),
    "`3, 3` as the length": post(b"content-length: 3, 3", body=b"012"),
    "`-1` as the length": post(b"content-length: -1"),
    "`+3` as the length": post(b"content-length: +3", body=b"012"),
    "`abc` as the length": post(b"content-length: abc"),
    "a length of 20 digits": post(b"content-length: 99999999999999999999"),
    "a length, and chunked as well": post(
        b"content-length: 3", b"transfer-encoding: chunked", body=b"3\r\n012\r\n0\r\n\r\n"
    ),
    "`gzip` as the transfer encoding": post(b"transfer-encoding: gzip"),
    "chunked twice": post(b"transfer-encoding: chunked", b"transfer-encoding: chunked", body=b"0\r\n\r\n"),
    "`xchunked` as the transfer encoding": post(b"transfer-encoding: xchunked", body=b"0\r\n\r\n"),
    "a chunk whose size is no number": post(b"transfer-encoding: chunked", body=b"zz\r\n012\r\n"),
    "a chunk whose size is too large": post(b"transfer-encoding: chunked", body=b"FFFFFFFFFFFFFFFFF\r\n"),
    "GET with a body": get(b"/size", b"content-length: 3", body=b"012"),
}
"""By the first cell of the row; a path alone is asked for, a cookie alone is sent."""

TO_ENVOY: Final = section("Paths", "Request line, host and headers", "Cookies", "Lengths that lie")


@dataclass
class Got:
    """Everything that came back over one connection."""

    statuses: list[int]
    location: str
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


def bytes_of(sent: str) -> bytes:
    if sent in SENT:
        return SENT[sent]
    (text,) = codes(sent)
    assert sent == f"`{text}`", f"say in SENT what is meant by {sent}"
    if text.startswith(("/", "http:")):
        return get(text.encode())
    return cookie(text.encode())


class _Shared(io.BufferedReader):
    """Two responses are read from it, and the first must not close it."""

    def close(self) -> None:
        pass


def answers(port: int, data: bytes, leaves: Callable[[], object] | None = None) -> Got:
    """With `leaves`, the client closes its side once that holds."""
    got = Got([], "", b"")
    with socket.create_connection(("127.0.0.1", port), timeout=_ANSWERS_WITHIN_S) as connection:
        connection.sendall(data)
        if leaves is not None:
            until(leaves, "the moment to leave")
            connection.shutdown(socket.SHUT_WR)
        reader = _Shared(socket.SocketIO(connection, "rb"))
        for _ in range(2 if data.endswith(REST) else 1):
            response = http.client.HTTPResponse(connection)
            response.fp = reader
            try:
                response.begin()
            except http.client.RemoteDisconnected:
                break
            body = response.read()
            if not got.statuses:
                got.location, got.body = response.getheader("location") or "", body
            got.statuses.append(response.status)
    return got


@pytest.fixture(scope="module")
def asked(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    text = Path(__file__).with_name("bad_input.yaml").read_text()
    with running_gateway(text, tmp_path_factory.mktemp("bad-input"), transport) as gateway:
        yield gateway


def decisions(gateway: Gateway) -> float:
    return gateway.sidecar.sample("sidecar_decision_seconds_count")


@pytest.mark.parametrize(("sent", "answer", "decided"), TO_ENVOY, ids=[row[0] for row in TO_ENVOY])
def test_envoy_and_the_sidecar_do_what_the_page_says(
    asked: Gateway, sent: str, answer: str, decided: str
) -> None:
    """X4 M4"""
    before = decisions(asked)

    leaves = (lambda: decisions(asked) > before) if "then the end" in sent else None
    got = answers(asked.envoy.port, bytes_of(sent), leaves)

    assert got.statuses == [int(status) for status in re.findall(r"\b[1-5][0-9][0-9]\b", answer)]
    assert got.location == (codes(answer)[0] if " to `" in answer else "")
    assert decisions(asked) - before == (0 if decided.startswith("not asked") else 1)
    named = re.match(r"(route|refuses:) `([^`]+)`", decided)
    if named is None:
        assert decided.startswith(("not asked", "decides"))
    elif named[1] == "route":
        assert got.seen["headers"]["x-route"] == named[2]
    else:
        assert json.loads(got.body)["reason"] == named[2]
    for what in ("path", "host"):
        if told := re.search(rf", {what} `([^`]+)`", decided):
            assert got.seen[what] == told[1]
    if told := re.search(r"with (\d+) bytes", decided):
        assert got.seen["body_bytes"] == int(told[1])


def test_a_gateway_that_got_all_this_goes_on(asked: Gateway) -> None:
    """Q4: and nothing of it was a bug."""
    assert asked.ask("/cookie", {"cookie": "c=v"}).seen["headers"]["x-route"] == "cookie"
    assert asked.sidecar.sample("sidecar_decision_failures_total") == 0


def test_a_header_that_matches_no_text_arrives_byte_by_byte(asked: Gateway) -> None:
    """M5: invalid UTF-8."""
    got = answers(asked.envoy.port, SENT["invalid UTF-8 in a header"])

    assert got.seen["headers"]["x-bytes"].encode("latin-1") == b"\xff\xc3\x28"


# HTTP/2


Pairs = list[tuple[str, str]]


def pairs(*more: tuple[str, str], path: str = "/header") -> Pairs:
    return [(":method", "GET"), (":scheme", "http"), (":authority", "shop.test"), (":path", path), *more]


def without(name: str) -> Pairs:
    return [pair for pair in pairs() if pair[0] != name]


OVER_HTTP2: Final[dict[str, tuple[Pairs, bytes]]] = {
    "`:path` empty": (pairs(path=""), b""),
    "`:path` missing": (without(":path"), b""),
    "`:path` twice": (pairs((":path", "/admin")), b""),
    "`:path` of `http://other.test/x`": (pairs(path="http://other.test/x"), b""),
    "`:path` of `/é` as bytes": (pairs(path="/é"), b""),
    "`:authority` missing": (without(":authority"), b""),
    "`host` that is another than `:authority`": (pairs(("host", "other.test")), b""),
    "a pseudo-header that is none": (pairs((":x", "1")), b""),
    "a method in small letters": ([(":method", "get"), *without(":method")], b""),
    "a method that nobody knows": ([(":method", "FOO"), *without(":method")], b""),
    "a header's name in capitals": (pairs(("X-A", "2")), b""),
    "a NUL in a header": (pairs(("x-b", "a\x00b")), b""),
    "`connection` or `transfer-encoding`": (pairs(("connection", "close")), b""),
    "2,000 headers": (pairs(*((f"x-{number}", "1") for number in range(2000))), b""),
    "a header of 100 KB": (pairs(("x-b", "a" * 100 * 1024)), b""),
    "a cookie in pieces, `c=x` and `c=v`": (pairs(("cookie", "c=x"), ("cookie", "c=v"), path="/cookie"), b""),
    "a length of 10 and 3 bytes": (pairs(("content-length", "10")), b"012"),
    "a length of 3 and 10 bytes": (pairs(("content-length", "3")), b"0123456789"),
}
HTTP2_ROWS: Final = section("HTTP/2")


def over_http2(port: int, headers: Pairs, body: bytes) -> tuple[str, bytes]:
    """How it ended, in the words of the page, and the answer's body."""
    relaxed = H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    peer = H2Connection(relaxed)
    peer.initiate_connection()
    peer.send_headers(1, headers, end_stream=not body)
    if body:
        peer.send_data(1, body, end_stream=True)
    status, got = "", b""
    with socket.create_connection(("127.0.0.1", port), timeout=_ANSWERS_WITHIN_S) as connection:
        connection.sendall(peer.data_to_send())
        while data := connection.recv(65_536):
            for event in peer.receive_data(data):
                if isinstance(event, ResponseReceived):
                    status = dict(event.headers)[b":status"].decode()
                elif isinstance(event, DataReceived):
                    got += event.data
                elif isinstance(event, StreamReset):
                    return "resets the stream", b""
                elif isinstance(event, StreamEnded):
                    return status, got
            connection.sendall(peer.data_to_send())
    return "closes the connection", b""


@pytest.mark.parametrize(("sent", "answer", "decided"), HTTP2_ROWS, ids=[row[0] for row in HTTP2_ROWS])
def test_over_http2_too(asked: Gateway, sent: str, answer: str, decided: str) -> None:
    """X4 M4"""
    before = decisions(asked)

    ended, body = over_http2(asked.envoy.port, *OVER_HTTP2[sent])

    assert ended == answer
    assert decisions(asked) - before == (0 if decided == "not asked" else 1)
    if ended == "200":
        seen = json.loads(body)
        assert seen["headers"]["x-route"] == codes(decided)[0]
        for what in ("path", "host"):
            if told := re.search(rf", {what} `([^`]+)`", decided):
                assert seen[what] == told[1]


# RouteService


def message(path: str = "/", *headers: tuple[str, bytes]) -> bytes:
    request = route_pb2.RouteRequest(authority="shop.test", path=path)
    for name, value in headers:
        request.headers.add(name=name, value=value)
    return request.SerializeToString()


CALLED: Final[dict[str, bytes]] = {
    "an empty path": message(""),
    "a header without a name": message("/", ("", b"1")),
    "the header `:path`": message("/", (":path", b"/admin")),
    "any bytes in a header": message("/header", ("x-a", bytes(range(256)))),
    "2,000 headers": message("/", *((f"x-{number}", b"1") for number in range(2000))),
    "a header of 100 KB": message("/", ("x-a", b"a" * 100 * 1024)),
    "50 KB of `a` and a `!` for the regex `^(a+)+$`": message("/header", ("x-bomb", BOMB)),
    "bytes that are no RouteRequest": b"\xff\xff",
}
CALLS: Final = section("RouteService")


@pytest.fixture(scope="module")
def channel(asked: Gateway) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(asked.grpc) as channel:
        yield channel


@pytest.mark.parametrize(("sent", "answer"), CALLS, ids=[row[0] for row in CALLS])
def test_route_service_answers_what_the_page_says(channel: grpc.Channel, sent: str, answer: str) -> None:
    """V1 X4"""
    encoded = CALLED.get(sent) or message(codes(sent)[0])
    call = channel.unary_unary("/sidecar.v1.RouteService/Route")
    expected = codes(answer)[0]

    if answer.startswith("INVALID_ARGUMENT"):
        with pytest.raises(grpc.RpcError) as refused:
            call(encoded, timeout=_ANSWERS_WITHIN_S)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details().startswith(expected)
        return
    got = route_pb2.RouteResponse.FromString(call(encoded, timeout=_ANSWERS_WITHIN_S))
    if answer.startswith("route"):
        assert got.decision.route == expected
    else:
        assert answer.startswith("refuses:")
        assert route_pb2.RefusalReason.Name(got.refusal.reason).lower().endswith(expected)


# The file


WRITTEN: Final = section("In the file")
_REST: Final = "clusters: {shop: {}}\nroutes: [{name: rest, to: shop}]\n"


@pytest.mark.parametrize(("written", "answer"), WRITTEN, ids=[row[0] for row in WRITTEN])
def test_a_bad_value_is_refused_in_the_words_of_the_page(written: str, answer: str) -> None:
    """V4"""
    with pytest.raises(ConfigError) as refused:
        loads(f"{codes(written)[0]}\n{_REST}", "gateway.yaml", 1)

    assert codes(answer)[0] in str(refused.value)


def test_a_regex_takes_linear_time() -> None:
    """M5: what would take longer than the universe in other engines, in less than 5 ms."""
    text = Path(__file__).with_name("bad_input.yaml").read_text()
    for at, name in enumerate(("grpc", "admin", "envoy", "one")):
        text = text.replace(f"${name}", f"127.0.0.1:{50000 + at}")
    engine = Engine(loads(text.replace("$$", "$"), "gateway.yaml", 1).plan, State(), Random(1))
    request = Request("GET", "shop.test", "/header", headers_of([("x-bomb", BOMB)]))
    times = []
    for _ in range(5):
        begun = time.process_time()
        engine.decide(request, 0.0)
        times.append(time.process_time() - begun)

    assert min(times) < 0.005
