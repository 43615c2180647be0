"""What the rules may read of a request."""

import pytest

from sidecar.core.request import headers_of
from tests.builders import a_request


def test_keeps_every_value_of_a_repeated_header_in_order() -> None:
    headers = headers_of([("X-Tag", b"a"), ("x-other", b"o"), ("x-TAG", b"b"), ("x-tag", b"c")])

    assert headers.values("x-tag") == ["a", "b", "c"]
    assert headers.first("x-tag") == "a"
    assert headers.values("x-other") == ["o"]
    assert sorted(headers.names()) == ["x-other", "x-tag"]


def test_an_absent_header_has_no_value() -> None:
    headers = headers_of([])

    assert headers.first("x-tag") is None
    assert headers.values("x-tag") == []
    assert not headers.any_of("x-tag", ("",))


def test_a_header_is_any_of_its_repeated_values() -> None:
    headers = headers_of([("x-tag", b"a"), ("x-tag", b"b")])

    assert headers.any_of("x-tag", ("z", "a"))
    assert headers.any_of("x-tag", ("z", "b"))
    assert not headers.any_of("x-tag", ("z",))


def test_bytes_that_are_not_utf_8_come_back_as_they_were() -> None:
    value = headers_of([("x-tag", b"\xff\xfe")]).values("x-tag")[0]

    assert value.encode("utf-8", "surrogateescape") == b"\xff\xfe"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b?x=1", "/a/b", "x=1"),
        ("/a", "/a", ""),
        ("/a?", "/a", ""),
        ("/a?x?y", "/a", "x?y"),
        ("?x=1", "", "x=1"),
        ("", "", ""),
        ("*", "*", ""),
    ],
)
def test_the_path_ends_at_the_first_question_mark(target: str, path: str, query: str) -> None:
    request = a_request(target)

    assert (request.path, request.query) == (path, query)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("Shop.TEST", "shop.test"),
        ("shop.test:8443", "shop.test"),
        ("shop.test.", "shop.test"),
        ("shop.test.:80", "shop.test"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("[::1]", "::1"),
        ("[::1", "[::1"),
        ("10.0.0.1:80", "10.0.0.1"),
        ("", ""),
        ("a" * 5000, ""),
    ],
)
def test_the_host_has_no_port_no_case_and_no_root_dot(authority: str, host: str) -> None:
    assert a_request(host=authority).host == host


def test_query_values_are_decoded_and_may_repeat() -> None:
    request = a_request("/?q=caf%C3%A9+noir&q=2&flag&empty=&=nameless&a%20b=c&x=1=2&&bad=%ff%zz")

    assert request.query_values("q") == ["café noir", "2"]
    assert request.query_values("flag") == [""]
    assert request.query_values("empty") == [""]
    assert request.query_values("") == ["nameless"]
    assert request.query_values("a b") == ["c"]
    assert request.query_values("x") == ["1=2"]
    assert request.query_values("bad") == ["�%zz"]
    assert request.query_values("absent") == []


def test_cookies_come_from_every_cookie_header_without_their_quotes() -> None:
    request = a_request("/", ("cookie", 'a=1; b="two"; c=x=y;nonsense; a=3'), ("Cookie", ' d = 4 ; e="'))

    assert request.cookie_values("a") == ["1", "3"]
    assert request.cookie_values("b") == ["two"]
    assert request.cookie_values("c") == ["x=y"]
    assert request.cookie_values("d") == ["4"]
    assert request.cookie_values("e") == ['"']
    assert request.cookie_values("nonsense") == []
