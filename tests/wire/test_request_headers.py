"""What of Envoy's header map the rules get to see."""

from sidecar.core.request import Request
from sidecar.wire.reader import request_of_headers
from sidecar.wire.request import headers_of_map, request_of
from tests.builders import a_route, header_is
from tests.wire.messages import Pair, Stream, header_map, request_headers, set_headers


def seen(*pairs: Pair) -> Request:
    return request_of_headers(headers_of_map(header_map(*pairs)))


def test_reads_the_pseudo_headers() -> None:
    request = seen((":method", "POST"), (":authority", "Shop.Test:8443"), (":path", "/a/b?c=d"))

    assert (request.method, request.authority, request.target) == ("POST", "Shop.Test:8443", "/a/b?c=d")
    assert (request.host, request.path, request.query) == ("shop.test", "/a/b", "c=d")


def test_reads_either_value() -> None:
    """checklist 1: Envoy fills raw_value, other clients may fill value."""
    pairs = header_map((":path", "/raw"), ("x-raw", "one"))
    pairs.headers.add(key="x-text", value="two")
    request = request_of_headers(headers_of_map(pairs))

    assert request.target == "/raw"
    assert (request.headers.first("x-raw"), request.headers.first("x-text")) == ("one", "two")


def test_reads_pseudo_headers_from_either_value() -> None:
    """checklist 1"""
    pairs = header_map()
    for name, value in ((":method", "PUT"), (":authority", "a.test"), (":path", "/text")):
        pairs.headers.add(key=name, value=value)
    request = request_of_headers(headers_of_map(pairs))

    assert (request.method, request.authority, request.target) == ("PUT", "a.test", "/text")


def test_an_empty_header_is_there() -> None:
    """M5"""
    assert seen(("x-empty", "")).headers.first("x-empty") == ""


def test_keeps_every_value_of_a_repeated_header() -> None:
    """checklist 5"""
    request = seen((":path", "/"), ("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("x-a", ""))

    assert request.headers.values("x-a") == ["1", "3", ""]
    assert request.headers.first("x-a") == "1"
    assert request.headers.values("x-b") == ["2"]


def test_a_route_matches_on_any_value_of_a_repeated_header() -> None:
    """M5, checklist 5"""
    stream = Stream(a_route("second", header_is("x-model", "large")), a_route("default"))
    answer = stream.ask(request_headers("/", ("x-model", "small"), ("x-model", "large")))

    assert set_headers(answer)["x-sidecar-route"] == "second"


def test_bytes_that_are_not_utf_8_do_not_raise() -> None:
    """checklist 5"""
    for repeated in (False, True):
        pairs: list[Pair] = [(":path", b"/\xff?\xfe"), (":authority", b"\x80.test"), (":method", b"G\xffT")]
        pairs += [("cookie", b"sid=\xff"), ("x-a", b"\xc3\x28")] + [("x-a", b"\xff")] * repeated
        request = seen(*pairs)
        assert request.path.encode("utf-8", "surrogateescape") == b"/\xff"
        assert request.headers.values("x-a")[0].encode("utf-8", "surrogateescape") == b"\xc3\x28"
        assert request.cookie_values("sid")
        assert request.host
        assert request.query


def test_what_is_missing_has_a_plain_default() -> None:
    for request in (seen(), seen(("x-a", "1"), ("x-a", "2")), request_of("", "", "", [])):
        assert (request.method, request.authority, request.target) == ("GET", "", "/")


def test_a_caller_of_route_service_may_write_names_in_any_case() -> None:
    """M5"""
    request = request_of("GET", "a.test", "/", [("X-User-Id", b"u1"), ("x-user-ID", b"u2")])

    assert request.headers.values("x-user-id") == ["u1", "u2"]


def test_an_internal_header_of_the_client_chooses_nothing() -> None:
    """X4"""
    forged = [("x-sidecar-cluster", "bank"), ("x-gateway-destination-endpoint", "6.6.6.6:1")]
    answer = Stream().ask(request_headers("/", *forged))

    assert set_headers(answer)["x-sidecar-cluster"] == "shop"
    assert answer.dynamic_metadata["envoy.lb"]["x-gateway-destination-endpoint"] == "10.0.0.1:80"
