"""The index finds what trying every route in its order finds."""

import re
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.core.plan import Plan, Route
from sidecar.core.request import Request, headers_of
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.fields import CookieField, HeaderField, MethodField, QueryField
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import All, AnyOf, Not
from sidecar.core.rules.path import PathIs, PathPattern, PathRegex, PathStarts, PathUnder
from sidecar.core.rules.where import Contains, EndsWith, OneOf, Present, Regex, StartsWith
from tests.builders import a_plan, a_request, a_route

# Everything is drawn from few words, so that requests often match.
WORDS: Final = ["a", "b", "ab", "aab"]
SEGMENTS: Final = st.lists(st.sampled_from([*WORDS, *WORDS, ""]), max_size=4)
WILDCARDS: Final = st.lists(
    st.sampled_from([*WORDS, "*", "*", "**", "a*", "*b", "a*b", "a**b", ""]), min_size=1, max_size=4
)
HOSTS: Final = ["a.test", "b.a.test", "a.b.a.test", "test", "::1"]
VALUES: Final = st.sampled_from(WORDS)
FIELDS: Final[list[Field]] = [
    HeaderField("h"),
    HeaderField("H"),
    HeaderField("i"),
    QueryField("q"),
    CookieField("c"),
    MethodField(),
]


def joined(segments: list[str]) -> str:
    return "/" + "/".join(segments)


paths = st.one_of(
    st.builds(PathIs, SEGMENTS.map(joined)),
    st.builds(PathUnder, SEGMENTS.map(joined)),
    st.builds(PathStarts, SEGMENTS.map(joined) | st.sampled_from(["", "a"])),
    st.builds(PathPattern, WILDCARDS.map(joined)),
    st.sampled_from(["^/a", "b$", "a/b"]).map(lambda text: PathRegex(text, re.compile(text).search)),
)
hosts = st.lists(st.sampled_from([*HOSTS, *[f"*.{host}" for host in HOSTS]]), min_size=1, max_size=3).map(
    lambda names: HostIs(tuple(names))
)
fields = st.sampled_from(FIELDS)
exact = st.builds(OneOf, fields, st.lists(VALUES | st.just("GET"), min_size=1, max_size=3).map(tuple))
where = st.one_of(
    st.builds(StartsWith, fields, VALUES),
    st.builds(EndsWith, fields, VALUES),
    st.builds(Contains, fields, VALUES),
    st.builds(Regex, fields, st.just("^a"), st.just(re.compile("^a").search)),
    st.builds(Present, fields),
)
conditions: st.SearchStrategy[Matcher] = st.one_of(paths, hosts, exact, where)


def _logic(parts: st.SearchStrategy[Matcher]) -> st.SearchStrategy[Matcher]:
    several = st.lists(parts, max_size=4).map(tuple)
    return st.one_of(st.builds(All, several), st.builds(AnyOf, several), st.builds(Not, parts))


nested: st.SearchStrategy[Matcher] = st.recursive(conditions, _logic, max_leaves=8)
crowded: st.SearchStrategy[Matcher] = st.builds(
    lambda path, pins: All((path, *pins)), paths, st.lists(exact, min_size=1, max_size=3)
)
"""Many of these share a place and are told apart by their values."""

drawn_routes = st.lists(
    st.tuples(nested | crowded, st.integers(-1, 1), st.sampled_from([True, True, True, False])), max_size=14
)

drawn_requests = st.builds(
    lambda path, query, method, host, headers: Request(
        method, host, path + query, headers_of([(name, value.encode()) for name, value in headers])
    ),
    SEGMENTS.map(joined) | st.sampled_from(["", "*", "a/b"]),
    st.sampled_from(["", "?", "?q=a", "?q=b&q=ab", "?q"]),
    st.sampled_from(["GET", "a"]),
    st.sampled_from([*HOSTS, "A.test:80", "[::1]:80", "x.a.test.", ""]),
    st.lists(
        st.tuples(st.sampled_from(["h", "I", "i"]), VALUES)
        | st.tuples(st.just("cookie"), VALUES.map(lambda value: f"c={value}; d=1")),
        max_size=4,
    ),
)


DEEP_PATHS: Final[list[Matcher]] = [
    All((matcher, OneOf(HeaderField("h"), ("a",))))
    for matcher in (
        PathIs("/a" * 150),
        PathUnder("/a" * 149),
        PathStarts("/a" * 149),
        PathPattern("/a" * 149 + "/*"),
    )
]
"""Deeper than the trie."""


def in_order(routes: list[tuple[Matcher, int, bool]]) -> Plan:
    made: list[Route] = [
        a_route(f"r{place}", matcher, priority=priority, enabled=enabled)
        for place, (matcher, priority, enabled) in enumerate(routes)
    ]
    return a_plan(*made)


def naively(plan: Plan, request: Request, after: int = -1) -> int:
    for rank, route in enumerate(plan.routes):
        if rank > after and route.enabled and route.matcher.matches(request):
            return rank
    return -1


@given(routes=drawn_routes, requests=st.lists(drawn_requests, min_size=1, max_size=5))
@example(routes=[(PathStarts("/a/"), 0, True)], requests=[a_request("/a")])
@example(routes=[(AnyOf((HostIs(("*.test",)), Not(PathIs("/")))), 0, True)], requests=[a_request("*")])
@example(routes=[(PathIs("/*/b"), 0, True)], requests=[a_request("/*/b"), a_request("/a/b")])
@example(
    routes=[(Not(OneOf(HeaderField("h"), ("a",))), 0, True), (OneOf(HeaderField("H"), ("a",)), 0, True)],
    requests=[a_request("/"), a_request("/", ("h", "a"))],
)
@example(
    routes=[
        (matcher, 0, True)
        for matcher in (
            Not(Present(HeaderField("h"))),
            OneOf(HeaderField("h"), ("a",)),
            StartsWith(HeaderField("h"), "a"),
            EndsWith(HeaderField("h"), "a"),
            Contains(HeaderField("h"), "a"),
            Regex(HeaderField("h"), "a", re.compile("^$").search),
            Present(HeaderField("h")),
        )
    ],
    requests=[a_request("/", ("h", value)) for value in ("a", "ab", "ba", "bab", "", "b")],
)
@example(
    routes=[(deep, 0, True) for deep in DEEP_PATHS],
    requests=[a_request("/a" * 150, ("h", "a")), a_request("/a" * 150)],
)
def test_the_index_finds_the_first_route_that_matches(
    routes: list[tuple[Matcher, int, bool]], requests: list[Request]
) -> None:
    """M15 M16 M17"""
    plan = in_order(routes)

    for request in requests:
        assert plan.index.find(request) == naively(plan, request)


@given(routes=drawn_routes, request=drawn_requests)
def test_a_look_up_that_goes_on_finds_every_route_that_matches_in_order(
    routes: list[tuple[Matcher, int, bool]], request: Request
) -> None:
    """M16"""
    plan = in_order(routes)

    for after in range(-1, len(plan.routes)):
        assert plan.index.find(request, after) == naively(plan, request, after)


@given(
    places=st.lists(st.tuples(crowded, st.just(0), st.just(True)), min_size=6, max_size=20),
    request=drawn_requests,
)
def test_many_routes_at_few_places_are_told_apart(
    places: list[tuple[Matcher, int, bool]], request: Request
) -> None:
    """M20"""
    plan = in_order(places)

    for after in (-1, 0, 5):
        assert plan.index.find(request, after) == naively(plan, request, after)


@given(
    target=st.text(max_size=30)
    | st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    authority=st.text(max_size=30),
    headers=st.lists(st.tuples(st.sampled_from(["h", "cookie"]), st.binary(max_size=20)), max_size=4),
    matcher=nested,
)
def test_no_request_makes_a_condition_raise(
    target: str, authority: str, headers: list[tuple[str, bytes]], matcher: Matcher
) -> None:
    """M5 M6"""
    request = Request("GET", authority, target, headers_of(headers))
    plan = a_plan(a_route("it", matcher))

    assert plan.index.find(request) == (0 if matcher.matches(request) else -1)
    assert matcher.seen(request).isprintable()
