"""Which route a request takes, as a client of Envoy sees it."""

import pytest

from tests.e2e.gateway import Gateway
from tests.running.asking import ask_raw

pytestmark = pytest.mark.e2e


def test_an_exact_path_comes_before_any_prefix(gateway: Gateway) -> None:
    """M1"""
    assert gateway.ask("/exact").name == "hit"
    assert gateway.ask("/exact?with=query").name == "hit"
    assert gateway.ask("/exact/more").name == "miss"


def test_the_longest_prefix_wins_and_ends_at_a_segment_border(gateway: Gateway) -> None:
    """M2"""
    assert gateway.ask("/long/longer").name == "hit"
    assert gateway.ask("/long/longer/still").name == "hit"
    assert gateway.ask("/long/longerstill").name == "miss"
    assert gateway.ask("/longerstill").status == 404


def test_a_prefix_may_be_told_to_end_anywhere(gateway: Gateway) -> None:
    """M2"""
    assert gateway.ask("/looseness").name == "hit"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/pattern/speech/a", "hit"),
        ("/pattern/speech/a/b", "miss"),
        ("/pattern/speech", "miss"),
        ("/pattern/eu/items/7", "hit"),
        ("/pattern/eu/items/7/parts/8", "hit"),
        ("/pattern/items/7", "miss"),
        ("/pattern/eu/west/items/7", "miss"),
    ],
)
def test_one_star_is_one_segment_and_two_are_any_number(gateway: Gateway, path: str, name: str) -> None:
    """M3"""
    assert gateway.ask(path).name == name


@pytest.mark.parametrize(
    ("how", "held", "not_held"),
    [
        ("exact", "one", "One"),
        ("prefix", "one-two", "two-one"),
        ("suffix", "two-one", "one-two"),
        ("contains", "two-one-two", "two"),
        ("regex", "ore", "oore"),
    ],
)
def test_a_header_is_compared_with_a_text(gateway: Gateway, how: str, held: str, not_held: str) -> None:
    """M5: names ignore case, values do not."""
    path = f"/header/{how}"

    assert gateway.ask(path, {"X-TEST": held}).name == "hit"
    assert gateway.ask(path, {"x-test": not_held}).name == "miss"
    assert gateway.ask(path).name == "miss"


def test_a_header_is_there_or_not(gateway: Gateway) -> None:
    """M5: an empty one is there."""
    assert gateway.ask("/header/present", {"x-test": ""}).name == "hit"
    assert gateway.ask("/header/present").name == "miss"
    assert gateway.ask("/header/absent").name == "hit"
    assert gateway.ask("/header/absent", {"x-test": ""}).name == "miss"


@pytest.mark.parametrize("values", [("one", "two"), ("two", "one"), ("two", "one", "three")])
def test_a_repeated_header_matches_on_any_of_its_values(gateway: Gateway, values: tuple[str, ...]) -> None:
    """M5"""
    repeated = "".join(f"x-test: {value}\r\n" for value in values)

    reply = ask_raw(gateway.envoy.port, f"GET /header/exact HTTP/1.1\r\nhost: a\r\n{repeated}\r\n".encode())

    assert reply.name == "hit"
    assert reply.arrived("x-test") == list(values)


def test_bytes_that_are_not_utf_8_match_as_they_are_and_arrive_unchanged(gateway: Gateway) -> None:
    """M5"""
    head = b"GET /header/%s HTTP/1.1\r\nhost: a\r\nx-test: \xff\xfe one \xc3\x28\r\n\r\n"

    assert ask_raw(gateway.envoy.port, head % b"exact").name == "miss"
    reply = ask_raw(gateway.envoy.port, head % b"contains")

    assert reply.name == "hit"
    assert reply.arrived("x-test") == [b"\xff\xfe one \xc3\x28".decode("latin-1")]


@pytest.mark.parametrize(
    ("method", "name"), [("POST", "hit"), ("DELETE", "hit"), ("GET", "miss"), ("PATCH", "miss")]
)
def test_a_route_is_for_some_methods(gateway: Gateway, method: str, name: str) -> None:
    """M6"""
    reply = gateway.ask("/simple/method", method=method)

    assert (reply.name, reply.seen["method"]) == (name, method)


@pytest.mark.parametrize(
    ("path", "host", "name"),
    [
        ("/simple/host", "shop.test", "hit"),
        ("/simple/host", "SHOP.test:8080", "hit"),
        ("/simple/host", "www.shop.test", "miss"),
        ("/simple/host", "notshop.test", "miss"),
        ("/simple/suffix", "www.shop.test", "hit"),
        ("/simple/suffix", "a.b.shop.test", "hit"),
        ("/simple/suffix", "shop.test", "miss"),
        ("/simple/suffix", "notshop.test", "miss"),
    ],
)
def test_a_route_is_for_a_host_or_for_all_below_it(gateway: Gateway, path: str, host: str, name: str) -> None:
    """M6"""
    reply = gateway.ask(path, {"host": host})

    assert (reply.name, reply.seen["host"]) == (name, host)


@pytest.mark.parametrize(
    ("query", "name"), [("q=a+b", "hit"), ("x=1&q=a%20b", "hit"), ("q=x&q=a%20b", "hit"), ("q=a", "miss")]
)
def test_a_route_is_for_a_query_parameter(gateway: Gateway, query: str, name: str) -> None:
    """M6"""
    reply = gateway.ask(f"/simple/query?{query}")

    assert (reply.name, reply.seen["path"]) == (name, f"/simple/query?{query}")


@pytest.mark.parametrize(
    ("cookies", "name"), [(["a=1; debug=on"], "hit"), (["a=1", "debug=on"], "hit"), (["debug=off"], "miss")]
)
def test_a_route_is_for_a_cookie(gateway: Gateway, cookies: list[str], name: str) -> None:
    """M6"""
    assert gateway.ask("/simple/cookie", [("cookie", cookie) for cookie in cookies]).name == name


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ("", "hit"),
        ("c", "miss"),
        ("ac", "miss"),
        ("abc", "hit"),
        ("abcd", "miss"),
        ("d", "miss"),
    ],
)
def test_conditions_nest(gateway: Gateway, there: str, name: str) -> None:
    """M15: (a and b) or not c, and never d."""
    assert gateway.ask("/logic", {f"x-{letter}": "1" for letter in there}).name == name


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        pytest.param("/rank/deep/path", {"x-first": "1"}, "hit", id="priority before all"),
        pytest.param("/rank/deep/path", {"x-more": "1"}, "a", id="exact before prefix"),
        pytest.param("/rank/deep", {"x-more": "1"}, "miss", id="more conditions before fewer"),
        pytest.param("/rank/deep?same", {"cookie": "same=1"}, "b", id="longer before shorter"),
        pytest.param("/rank?same", {"cookie": "same=1"}, "a", id="the first in the file"),
        pytest.param("/rank", {}, "c", id="what is left"),
    ],
)
def test_of_the_routes_that_match_one_comes_first(
    gateway: Gateway, path: str, headers: dict[str, str], name: str
) -> None:
    """M16"""
    assert gateway.ask(path, headers).name == name


def test_what_nothing_matches_is_told_so(gateway: Gateway) -> None:
    """M18"""
    reply = gateway.ask("/nothing/here")

    assert reply.status == 404
    assert reply.all("content-type") == ["application/json"]
    assert reply.seen == {"reason": "no_route", "message": "no route matches this request"}
