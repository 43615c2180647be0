"""Which route is found among several that match."""

from typing import final

import pytest

from sidecar.core.plan import Route
from sidecar.core.request import Request
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.index import RuleIndex
from sidecar.core.rules.logic import All, AnyOf
from sidecar.core.rules.path import PREFIX, PathIs, PathMatcher, PathPattern, PathStarts, PathUnder
from sidecar.core.rules.where import OneOf, Present
from tests.builders import ALWAYS, a_plan, a_request, a_route, an_engine, decided, header_is


def found(target: str, *matchers: Matcher) -> str:
    """The place of the matcher whose route is found, among routes in this order of the file."""
    routes = [a_route(str(place), matcher) for place, matcher in enumerate(matchers)]
    return decided(an_engine(*routes), a_request(target)).route.name


def test_an_exact_path_comes_before_any_prefix() -> None:
    """M1"""
    prefixes = (PathUnder("/a/b"), PathPattern("/a/b/**"), PathStarts("/a/b"), PathPattern("/a/*"))

    assert found("/a/b", *prefixes, PathIs("/a/b")) == "4"
    assert found("/a/b/c", *prefixes, PathIs("/a/b")) == "1"


def test_the_longest_prefix_wins() -> None:
    """M2"""
    prefixes = (PathUnder("/"), PathUnder("/api"), PathUnder("/api/v1/ai"), PathUnder("/api/v1"))

    assert found("/api/v1/ai/chat", *prefixes) == "2"
    assert found("/api/v1/aim", *prefixes) == "3"
    assert found("/api/v2", *prefixes) == "1"
    assert found("/apix", *prefixes) == "0"


def test_a_shorter_prefix_answers_where_the_longer_asks_for_more() -> None:
    """M2"""
    prefixes = (PathUnder("/api"), All((PathUnder("/api/v1"), header_is("x-beta", "1"))))

    assert found("/api/v1/x", *prefixes) == "0"


def test_a_pattern_comes_before_a_prefix_and_after_an_exact_path() -> None:
    """M3"""
    matchers = (
        PathUnder("/api/v1/speech/stt"),
        PathPattern("/api/v1/speech/*"),
        PathIs("/api/v1/speech/tts"),
    )

    assert found("/api/v1/speech/stt", *matchers) == "1"
    assert found("/api/v1/speech/tts", *matchers) == "2"
    assert found("/api/v1/speech/stt/x", *matchers) == "0"


def test_both_ways_of_a_fork_between_a_star_and_a_name_are_tried() -> None:
    """M3"""
    matchers = (PathPattern("/a/*/c"), PathPattern("/a/b/d"), PathPattern("/*/b/e"))

    assert [found(target, *matchers) for target in ("/a/b/c", "/a/b/d", "/a/b/e")] == ["0", "1", "2"]


def test_hosts_of_all_kinds_are_searched_together() -> None:
    """M6"""
    routes = [
        a_route("any"),
        a_route("suffix", HostIs(("*.shop.test",))),
        a_route("deeper", HostIs(("*.eu.shop.test",)), priority=1),
        a_route("exact", HostIs(("a.eu.shop.test",)), priority=2),
    ]
    engine = an_engine(*routes)

    hosts = ("a.eu.shop.test", "b.eu.shop.test", "b.shop.test", "shop.test")
    assert [decided(engine, a_request(host=host)).route.name for host in hosts] == [
        "exact",
        "deeper",
        "suffix",
        "any",
    ]


def test_a_look_up_can_go_on_after_a_route() -> None:
    index = RuleIndex([PathUnder("/a"), PathIs("/b"), None, AnyOf((PathIs("/a"), PathUnder("/"))), ALWAYS])
    request = a_request("/a")

    assert [index.find(request, after) for after in range(-1, 5)] == [0, 3, 3, 3, 4, -1]


def test_an_index_of_nothing_finds_nothing() -> None:
    assert RuleIndex([]).find(a_request("/")) == -1


@pytest.mark.parametrize("target", ["", "*", "//", "?", "no-slash"])
def test_an_odd_path_is_left_to_routes_that_ask_for_no_path(target: str) -> None:
    """M18"""
    assert found(target, PathIs("/"), PathPattern("/*"), PathUnder("/a"), ALWAYS) == "3"


def test_many_routes_at_one_place_are_told_apart_by_their_values() -> None:
    """M5"""
    values = [a_route(f"v{n}", All((PathUnder("/ai"), header_is("x-model", f"m{n}")))) for n in range(50)]
    engine = an_engine(*values, a_route("rest", PathUnder("/ai")))

    for n in (0, 17, 49):
        request = a_request("/ai", ("x-model", "none"), ("X-Model", f"m{n}"), ("x-model", f"m{n}"))
        assert decided(engine, request).route.name == f"v{n}"
    assert decided(engine, a_request("/ai", ("x-model", "m50"))).route.name == "rest"


def test_the_order_holds_when_a_request_has_the_values_of_several_routes() -> None:
    """M5"""
    routes = [
        a_route(f"v{n}", AnyOf((header_is("x-model", f"m{n}"), header_is("x-m", "q")))) for n in range(50)
    ]
    engine = an_engine(*routes)

    assert decided(engine, a_request("/", ("x-model", "m40"), ("x-model", "m30"))).route.name == "v30"
    assert decided(engine, a_request("/", ("x-model", "m40"), ("x-m", "q"))).route.name == "v0"


class _Weekday(Field):
    """A field of somebody else's, in plain Python also where the core is compiled."""

    def read(self, request: Request) -> list[str]:
        return ["monday"]

    def name(self) -> str:
        return "weekday"


class _Even(PathMatcher):
    def __init__(self) -> None:
        self.kind = PREFIX
        self.literal = 1

    def matches(self, request: Request) -> bool:
        return len(request.path) % 2 == 0

    def text(self) -> str:
        return "path is even"


@final
class _Never(Matcher):
    def matches(self, request: Request) -> bool:
        return False

    def text(self) -> str:
        return "never"

    def seen(self, request: Request) -> str:
        return "nothing"


def test_fields_and_matchers_of_somebody_else_are_looked_up_like_ours() -> None:
    routes: list[Route] = [a_route(f"never{n}", _Never(), priority=1) for n in range(6)]
    routes += [a_route(f"day{n}", OneOf(_Weekday(), (f"day{n}",)), priority=1) for n in range(6)]
    routes += [a_route("even", _Even()), a_route("monday", OneOf(_Weekday(), ("monday",)))]
    engine = an_engine(*routes, a_route("present", Present(_Weekday())))

    assert decided(engine, a_request("/abc")).route.name == "even"
    assert decided(engine, a_request("/ab")).route.name == "monday"


def test_a_plan_looks_up_what_its_routes_say() -> None:
    plan = a_plan(a_route("a", PathUnder("/a")), a_route("b", PathUnder("/a/b")))

    assert plan.routes[plan.index.find(a_request("/a/b"))].name == "b"
