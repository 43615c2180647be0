"""Routes by what is in a body and by its size, whoever reads it: Envoy, the sidecar, or a caller itself."""

import gzip
import hashlib
import http.client
import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from sidecar.v1 import route_pb2
from tests.e2e.gateway import Gateway, running_gateway
from tests.running.asking import ASK_WITHIN_S, Pairs, Reply, ask_raw
from tests.running.endpoint import ECHO
from tests.running.http2 import Http2Reply, ask_http2
from tests.waiting import until

pytestmark = pytest.mark.e2e

JSON: Final = (("content-type", "application/json"),)
_LIMIT: Final = 1 << 20
_TIMEOUT_S: Final = 5.0
_QUIET_S: Final = 0.6
"""Three times as long as Envoy waits for one answer of the sidecar."""


@pytest.fixture(scope="module")
def asked(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    text = Path(__file__).with_name("bodies.yaml").read_text()
    with running_gateway(text, tmp_path_factory.mktemp("bodies"), transport) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def channel(asked: Gateway) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(asked.grpc) as channel:
        yield channel


def _route(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    (route,) = reply.arrived("x-route")
    return route


def _posted(gateway: Gateway, path: str, body: bytes, headers: Pairs = JSON) -> str:
    reply = gateway.ask(path, headers, "POST", body)
    route = _route(reply)
    assert reply.seen["body_sha256"] == hashlib.sha256(body).hexdigest()
    return route


def _by_route_service(channel: grpc.Channel, message: route_pb2.RouteRequest) -> Any:
    call = channel.unary_unary(
        "/sidecar.v1.RouteService/Route",
        request_serializer=route_pb2.RouteRequest.SerializeToString,
        response_deserializer=route_pb2.RouteResponse.FromString,
    )
    return call(message, timeout=_TIMEOUT_S)


def _message(path: str, body: bytes, headers: Pairs = JSON) -> route_pb2.RouteRequest:
    message = route_pb2.RouteRequest(method="POST", authority="a.test", path=path, body=body)
    for name, value in headers:
        message.headers.add(name=name, value=value.encode() if isinstance(value, str) else value)
    return message


def _three_ways(gateway: Gateway, channel: grpc.Channel, body: bytes, headers: Pairs = JSON) -> set[str]:
    headers = list(headers)
    told = _by_route_service(channel, _message("/json", body, headers)).decision.route
    return {
        told,
        _posted(gateway, "/json", body, headers),
        _posted(gateway, "/whole", body, headers),
    }


@pytest.mark.parametrize(
    ("body", "route"),
    [
        (b'{"n": 1}', "number"),
        (b'{"n": 1.0}', "number"),
        (b'{"n": 10e-1}', "number"),
        (b'{"n": 2.5}', "number"),
        (b'{"n": "1"}', "word"),
        (b'{"n": true}', "truth"),
        (b'{"n": "true"}', "other"),
        (b'{"n": 2}', "other"),
        (b'{"n": [1]}', "other"),
        (b'{"n": {"n": 1}}', "other"),
        (b'{"m": 1}', "other"),
        (b'{"data": {"priority": "high"}}', "high"),
        (b'{"data": {"priority": "low"}}', "other"),
        (b'{"data.priority": "high"}', "other"),
        (b'{"data": [{"priority": "high"}]}', "other"),
        (b'{"model": "small-1"}', "model"),
        (b'{"model": "fast"}', "model"),
        (b'{"model": null}', "other"),
        (b'{"data": null}', "other"),
    ],
)
def test_a_field_of_a_body_decides_with_its_type(
    asked: Gateway, channel: grpc.Channel, body: bytes, route: str
) -> None:
    """M7 M9 V2: read by Envoy, by the sidecar, and handed over by a caller."""
    assert _three_ways(asked, channel, body) == {route}


_SOUND: Final = b'{"n": 1}'
_BAD: Final = {
    "invalid": (b'{"n": 1', "other"),
    "more behind it": (_SOUND + b" x", "other"),
    "a comma too many": (b'{"n": 1,}', "other"),
    "a comment": (b'{"n": 1 /* one */}', "other"),
    "the last of two keys is another": (b'{"n": 1, "n": 2}', "other"),
    "the last of two keys is it": (b'{"n": 2, "n": 1}', "number"),
    "10,000 lists in one another": (b'{"n": 1, "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "other"),
    "10,000 mappings in one another": (b'{"x":' * 10_000 + b"1" + b"}" * 10_000, "other"),
    "as deep as it may be": (b'{"n": 1, "x": ' + b"[" * 999 + b"]" * 999 + b"}", "number"),
    "one deeper": (b'{"n": 1, "x": ' + b"[" * 1000 + b"]" * 1000 + b"}", "other"),
    "many lists beside one another": (b'{"n": 1, "x": [' + b"[]," * 5000 + b"1]}", "number"),
    "a number that is no double": (b'{"n": 1, "x": 1e400}', "other"),
    "400 digits": (b'{"n": 1, "x": ' + b"9" * 400 + b"}", "other"),
    "5,000 digits": (b'{"n": 1, "x": ' + b"9" * 5000 + b"}", "other"),
    "63 bits": (b'{"n": 1, "x": 9223372036854775807}', "number"),
    "64 bits": (b'{"n": 1, "x": [9223372036854775808]}', "other"),
    "65 bits": (b'{"n": 1, "x": 18446744073709551616}', "number"),
    "64 bits below 0": (b'{"n": 1, "x": -9223372036854775809}', "number"),
    "no number": (b'{"n": NaN}', "other"),
    "a leading zero": (b'{"n": 01}', "other"),
    "no UTF-8": (b'{"n": 1, "x": "\xff"}', "other"),
    "half a surrogate pair": (b'{"n": 1, "x": "\\ud800"}', "other"),
    "a whole pair": (b'{"n": 1, "x": "\\ud83d\\ude00"}', "number"),
    "NUL": (b'{"n": 1, "x": "\\u0000"}', "number"),
    "a control character": (b'{"n": 1, "x": "\x01"}', "other"),
    "a byte order mark": (b"\xef\xbb\xbf" + _SOUND, "number"),
    "UTF-16": (_SOUND.decode().encode("utf-16"), "other"),
    "empty": (b"", "other"),
    "a space": (b" ", "other"),
    "a list": (b"[1]", "other"),
    "only null": (b"null", "other"),
    "a text as long as Envoy tells": (b'{"data": {"priority": "' + b"h" * 8192 + b'"}}', "other"),
    "a text that is longer": (b'{"n": 1, "x": "' + b"h" * 100_000 + b'"}', "number"),
}


@pytest.mark.parametrize(("body", "route"), _BAD.values(), ids=_BAD)
def test_an_odd_body_does_no_harm(asked: Gateway, channel: grpc.Channel, body: bytes, route: str) -> None:
    """M7: what is not JSON for Envoy matches nothing, whoever reads it, and passes as it is."""
    assert _three_ways(asked, channel, body) == {route}


_HEADS: Final = {
    "a charset": ([("content-type", "application/json; charset=utf-8")], "number"),
    "capitals": ([("content-type", "Application/JSON")], "number"),
    "text": ([("content-type", "text/json")], "number"),
    "a suffix": ([("content-type", "application/vnd.api+json;v=1")], "number"),
    "another type": ([("content-type", "text/plain")], "other"),
    "a longer word": ([("content-type", "application/jsonx")], "other"),
    "only a suffix": ([("content-type", "+json")], "other"),
    "no type": ([], "other"),
    "two types": ([("content-type", "application/json"), ("content-type", "text/plain")], "other"),
    "not compressed": ([*JSON, ("content-encoding", "identity")], "number"),
    "said to be compressed": ([*JSON, ("content-encoding", "gzip")], "other"),
}


@pytest.mark.parametrize(("headers", "route"), _HEADS.values(), ids=_HEADS)
def test_only_json_that_is_not_compressed_is_looked_into(
    asked: Gateway, channel: grpc.Channel, headers: Sequence[tuple[str, str]], route: str
) -> None:
    """M7"""
    assert _three_ways(asked, channel, _SOUND, headers) == {route}


def test_a_compressed_body_passes_unread(asked: Gateway, channel: grpc.Channel) -> None:
    """M7"""
    headers = [*JSON, ("content-encoding", "gzip")]

    assert _three_ways(asked, channel, gzip.compress(_SOUND), headers) == {"other"}


@pytest.mark.parametrize(
    ("body", "route"),
    [
        (b'{"items": [{"name": "first"}, {"name": "second"}]}', "item"),
        (b'{"items": [{"name": "second"}]}', "other"),
        (b'{"items": {"1": {"name": "second"}}}', "item"),
        (b'{"items": {"0": {"name": "second"}}}', "other"),
        (b'{"n": null}', "nothing"),
        (b'{"n": []}', "other"),
        (b'{"ids": ["u7", "u8"]}', "user"),
        (b'{"ids": ["u8", "u7"]}', "other"),
    ],
)
def test_the_sidecar_reads_what_envoy_cannot_tell(
    asked: Gateway, channel: grpc.Channel, body: bytes, route: str
) -> None:
    """M7 M10: places in lists, and null."""
    assert _posted(asked, "/whole/x", body) == route
    assert _by_route_service(channel, _message("/whole/x", body)).decision.route == route


def test_a_condition_that_must_not_hold_holds_for_a_body_that_is_no_json(asked: Gateway) -> None:
    """M7 M15"""
    routes = [_posted(asked, "/negated", body) for body in (b'{"secret": true}', b'{"secret": 1}', b"?")]

    assert routes == ["other", "allowed", "allowed"]


def test_callers_may_hand_over_fields_instead_of_the_body(channel: grpc.Channel) -> None:
    """M7 V2: they count before the body."""
    message = _message("/json", b'{"n": 1}')
    message.body_fields["n"].string_value = "1"

    assert _by_route_service(channel, message).decision.route == "word"

    message = route_pb2.RouteRequest(path="/whole")
    message.body_fields["items.1.name"].string_value = "second"

    assert _by_route_service(channel, message).decision.route == "item"


@pytest.mark.parametrize("path", ["/json", "/whole"])
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_over_the_limit_is_refused(asked: Gateway, path: str, chunked: bool) -> None:
    """M7"""
    body = b'{"n": 1, "x": "' + b"x" * (_LIMIT + 100_000) + b'"}'
    pieces = iter([body[at : at + 50_000] for at in range(0, len(body), 50_000)])

    reply = asked.ask(path, JSON, "POST", pieces if chunked else body)

    assert reply.status == 413


def test_a_caller_with_a_body_over_the_limit_is_refused_where_a_rule_reads_it(channel: grpc.Channel) -> None:
    """M7 V2"""
    body = b'{"x": "' + b"x" * _LIMIT + b'"}'

    refused = _by_route_service(channel, _message("/json", body)).refusal
    passed = _by_route_service(channel, _message("/elsewhere", body)).decision

    assert (refused.status, refused.reason) == (413, route_pb2.REFUSAL_REASON_TOO_LARGE)
    assert passed.route == "other"


@pytest.mark.parametrize("path", ["/json", "/whole"])
def test_just_below_the_limit_it_is_read(asked: Gateway, path: str) -> None:
    """M7"""
    body = b'{"x": "' + b"x" * (_LIMIT - 100) + b'", "n": 1}'

    assert _posted(asked, path, body) == "number"


@pytest.mark.parametrize("path", ["/json", "/whole"])
def test_a_large_body_that_is_not_looked_into_passes(asked: Gateway, path: str) -> None:
    """M7"""
    assert _posted(asked, path, b"x" * 5_000_000, [("content-type", "text/plain")]) == "other"


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize(
    ("size", "route"),
    [
        (0, "other"),
        (1023, "other"),
        (1024, "middle"),
        (307_200, "middle"),
        (307_201, "large"),
        (10**7, "large"),
    ],
)
def test_the_size_decides_whether_it_is_told_or_counted(
    asked: Gateway, chunked: bool, size: int, route: str
) -> None:
    """M8"""
    body = b"0123456789" * (size // 10) + b"0123456789"[: size % 10]
    pieces = iter([body[at : at + 100_000] for at in range(0, size, 100_000)])

    reply = asked.ask("/sized", [], "POST", pieces if chunked else body)

    assert _route(reply) == route
    assert reply.seen["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_a_request_without_a_body_has_the_size_0(asked: Gateway) -> None:
    """M8"""
    assert _route(asked.ask("/sized")) == "other"


def test_a_size_that_passes_the_limit_is_not_counted_to_its_end(asked: Gateway) -> None:
    """M8: it is at least as large as the limit, which is not yet more than 10 MB."""
    pieces = iter([b"x" * 100_000] * 120)

    assert _route(asked.ask("/huge", [], "POST", pieces)) == "other"
    assert _route(asked.ask("/huge", [], "POST", b"x" * 12_000_000)) == "huge"


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/upload/small", 100_000, 200),
        ("/upload/small", 200_000, 413),
        ("/upload", 1_500_000, 200),
        ("/upload", 3_000_000, 413),
        ("/upload", 20_000_000, 413),
    ],
)
def test_an_upload_is_counted_while_it_passes(asked: Gateway, path: str, size: int, status: int) -> None:
    """M8 Q4: below the limit of what is held, and above it."""
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"

    reply = _while_sending(asked, head.encode(), size)

    assert reply.status == status


def _while_sending(gateway: Gateway, head: bytes, size: int) -> Reply:
    """The answer, which may come before everything is sent, and ends the sending."""
    piece = b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000)
    with socket.create_connection(("127.0.0.1", gateway.envoy.port), timeout=ASK_WITHIN_S) as client:
        try:
            client.sendall(head)
            for _ in range(size // 50_000):
                client.sendall(piece)
            client.sendall(b"0\r\n\r\n")
        except ConnectionError:
            pass  # answered already
        response = http.client.HTTPResponse(client)
        response.begin()
        return Reply(response.status, response.getheaders(), response.read())


@pytest.mark.parametrize("path", ["/json", "/whole", "/sized"])
def test_a_websocket_never_waits_for_a_body(asked: Gateway, path: str) -> None:
    """M7 M8"""
    head = (
        f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "content-type: application/json\r\n\r\n"
    )

    with socket.create_connection(("127.0.0.1", asked.envoy.port), timeout=ASK_WITHIN_S) as client:
        client.sendall(head.encode())
        with client.makefile("rb") as received:
            status = received.readline()
            while received.readline().strip():
                pass
            client.sendall(b"hello\n")
            echoed = received.readline()

    assert b" 101 " in status
    assert echoed == ECHO + b"hello\n"


@pytest.mark.parametrize("path", ["/json", "/whole"])
def test_a_body_may_take_longer_than_an_answer_of_the_sidecar(asked: Gateway, path: str) -> None:
    """M7: and it may wait to be asked for with `expect: 100-continue`."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 8\r\n"
        "expect: 100-continue\r\n\r\n"
    )

    with socket.create_connection(("127.0.0.1", asked.envoy.port), timeout=ASK_WITHIN_S) as client:
        client.sendall(head.encode())
        assert re.match(rb"HTTP/1.1 100 Continue\r\n\r\n$", client.recv(100))
        client.sendall(b'{"n"')
        client.settimeout(_QUIET_S)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(ASK_WITHIN_S)
        client.sendall(b": 1}")
        response = http.client.HTTPResponse(client)
        response.begin()
        reply = Reply(response.status, response.getheaders(), response.read())

    assert _route(reply) == "number"


@pytest.mark.parametrize("path", ["/json", "/whole"])
def test_a_client_that_leaves_in_the_middle_holds_nothing(asked: Gateway, path: str) -> None:
    """M7: the next one is served."""
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", asked.envoy.port), timeout=ASK_WITHIN_S) as client:
        client.sendall(head.encode() + b'{"n": 1')

    assert _posted(asked, path, _SOUND) == "number"


@pytest.mark.parametrize(
    ("path", "route"),
    [("/json", "number"), ("/whole", "number"), ("/sized", "other"), ("/elsewhere", "other")],
)
def test_trailers_come_through(asked: Gateway, path: str, route: str) -> None:
    """M7 M8: over HTTP/2, where clients may send them."""
    reply = _http2(asked, path, [_SOUND], trailers=[("x-sum", "1")])

    assert _route(reply) == route
    assert reply.seen["body_bytes"] == len(_SOUND)


@pytest.mark.parametrize("path", ["/json", "/whole", "/sized"])
def test_trailers_may_come_without_a_body(asked: Gateway, path: str) -> None:
    """M7 M8"""
    reply = _http2(asked, path, [], trailers=[("x-sum", "1")])

    assert _route(reply) == "other"


def test_a_large_body_passes_whole_over_http2(asked: Gateway) -> None:
    """M8: it comes in many small parts."""
    body = b"0123456789abcdef" * 200_000
    reply = _http2(asked, "/sized", [body], trailers=[("x-sum", "1")])

    assert _route(reply) == "large"
    assert reply.seen["body_sha256"] == hashlib.sha256(body).hexdigest()


def _http2(gateway: Gateway, path: str, parts: Sequence[bytes], trailers: Pairs = ()) -> Http2Reply:
    return ask_http2(gateway.envoy.port, path, JSON, parts, trailers)


def test_a_body_that_is_shorter_than_its_length_says_is_not_decided(asked: Gateway) -> None:
    """M7: Envoy waits for the rest; the client leaves, and no endpoint is asked."""
    one = asked.endpoints["one"]
    before = one.asked

    for path in ("/json", "/whole"):
        head = (
            f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", asked.envoy.port), timeout=_QUIET_S) as client:
            client.sendall(head.encode() + _SOUND)
            with pytest.raises(TimeoutError):
                client.recv(1)

    assert one.asked == before


def test_what_stands_behind_the_length_is_no_part_of_the_body(asked: Gateway) -> None:
    """M7"""
    for path in ("/json", "/whole"):
        head = (
            f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n"
        )
        assert _route(ask_raw(asked.envoy.port, head.encode() + _SOUND + b"garbage")) == "number"


@pytest.mark.parametrize(("path", "method"), [("/json", "PUT"), ("/whole", "PATCH"), ("/sized", "DELETE")])
def test_the_outcome_of_a_request_with_a_body_comes_back(asked: Gateway, path: str, method: str) -> None:
    """M7 M8 H1: its ticket travels as always. No other request here has the method."""

    def told() -> float:
        counts = asked.sidecar.samples("gateway_route_requests_total", "method", "status_code")
        return counts.get((method, "200"), 0.0)

    assert asked.ask(path, JSON, method, _SOUND).status == 200

    until(lambda: told() == 1, "its outcome")


def test_a_sidecar_that_dies_while_it_waits_leaves_no_request_behind(asked: Gateway) -> None:
    """M7: Envoy answers, and the next sidecar serves."""
    head = "POST /whole HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", asked.envoy.port), timeout=ASK_WITHIN_S) as client:
        client.sendall(head.encode() + b'{"n": 1')
        client.settimeout(_QUIET_S)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(ASK_WITHIN_S)
        asked.sidecar.kill()
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 503
    asked.sidecar.start()

    until(lambda: asked.ask("/whole", JSON, "POST", _SOUND).status == 200, "the next sidecar's answer")


_MANY: Final = 60
_EXACT: Final = "".join(
    f"  - {{name: r{at}, match: {{path: /many/{at}, body: {{n: {at}}}}}, to: one, "
    f"headers: {{request: {{set: {{x-route: r{at}}}}}}}}}\n"
    for at in range(_MANY)
)
_MANY_ROUTES: Final = f"""\
listen: {{grpc: $grpc, admin: $admin}}
envoy: {{listen: $envoy, admin: null, message_timeout: 1s}}
clusters: {{one: {{endpoints: [{{address: $one}}]}}}}
routes:
{_EXACT}
  - name: under
    match: {{path: /many/**, body: {{kind: any}}}}
    priority: -1
    to: one
    headers: {{request: {{set: {{x-route: under}}}}, response: {{set: {{x-seen: "yes"}}}}}}
  - name: regex
    match: {{path: {{regex: "/7$$"}}, body: {{seven: true}}}}
    to: one
    headers: {{request: {{set: {{x-route: regex}}}}}}
  - {{name: other, to: one, priority: -2, headers: {{request: {{set: {{x-route: other}}}}}}}}
"""


@pytest.fixture(scope="module")
def many(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(_MANY_ROUTES, tmp_path_factory.mktemp("many"), transport) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("path", "body", "route"),
    [
        ("/many/41", b'{"n": 41}', "r41"),
        ("/many/41", b'{"n": 42}', "other"),
        ("/many/4", b'{"n": 4}', "r4"),
        ("/many/4", b'{"n": 41}', "other"),
        ("/many/41", b'{"kind": "any"}', "under"),
        ("/many/more", b'{"kind": "any"}', "under"),
        ("/many/7", b'{"n": 1, "seven": true}', "regex"),
        ("/else/7", b'{"seven": true}', "regex"),
        ("/else/8", b'{"seven": true}', "other"),
        ("/elsewhere", b'{"n": 1, "kind": "any"}', "other"),
    ],
)
def test_many_routes_on_bodies_are_found_by_their_path(
    many: Gateway, path: str, body: bytes, route: str
) -> None:
    """M7 M20: Envoy reads what any of them may ask for at a path."""
    assert _posted(many, path, body) == route
    assert _posted(many, path + "?q=1", body) == route
