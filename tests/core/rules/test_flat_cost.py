"""The cost of a look-up, counted in conditions asked and fields read rather than in seconds."""

from collections.abc import Callable
from functools import partial

import pytest

from sidecar.core.request import Request
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.fields import QueryField
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import All, AnyOf, Not
from sidecar.core.rules.path import PathIs, PathPattern, PathStarts, PathUnder
from sidecar.core.rules.where import OneOf
from tests.builders import COMPILED, a_plan, a_request, a_route, header_is, lines_run

SIZES = (10, 10_000)


class Tally:
    def __init__(self) -> None:
        self.count = 0


class Counted(Matcher):
    """Always holds, and counts how often it is asked."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def matches(self, request: Request) -> bool:
        self._tally.count += 1
        return True

    def text(self) -> str:
        return "counted"

    def seen(self, request: Request) -> str:
        return ""


class CountedHeader(Field):
    """A header that counts how often it is read."""

    def __init__(self, tally: Tally, header: str) -> None:
        self._tally = tally
        self._header = header

    def read(self, request: Request) -> list[str]:
        self._tally.count += 1
        return request.headers.values(self._header)

    def name(self) -> str:
        return f"counted {self._header}"


Shape = Callable[[int, Tally], Matcher]
"""Makes the condition of route `n`."""


def distinct_exact_paths(n: int, tally: Tally) -> Matcher:
    return PathIs(f"/items/{n}")


def distinct_prefixes(n: int, tally: Tally) -> Matcher:
    return PathUnder(f"/items/{n}")


def distinct_plain_prefixes(n: int, tally: Tally) -> Matcher:
    return PathStarts(f"/items/{n:05}")


def alternatives_of_prefixes(n: int, tally: Tally) -> Matcher:
    return AnyOf((PathUnder(f"/items/{n}"), PathUnder(f"/things/{n}")))


def one_prefix_with_different_header_values(n: int, tally: Tally) -> Matcher:
    return All((PathUnder("/items"), OneOf(CountedHeader(tally, "x-number"), (str(n),))))


def one_prefix_with_pairs_of_header_values(n: int, tally: Tally) -> Matcher:
    tens = OneOf(CountedHeader(tally, "x-tens"), (str(n // 10),))
    return All((PathUnder("/items"), tens, OneOf(CountedHeader(tally, "x-number"), (str(n),))))


def header_values_and_no_path(n: int, tally: Tally) -> Matcher:
    return AnyOf((OneOf(CountedHeader(tally, "x-number"), (str(n), f"no {n}")), header_is("x-n", str(n))))


def the_same_twenty_paths_on_each_host(n: int, tally: Tally) -> Matcher:
    return All((HostIs((f"h{n // 20}.test", f"*.h{n // 20}.test")), PathUnder(f"/items/{n % 20}")))


def patterns_with_a_star_before(n: int, tally: Tally) -> Matcher:
    return PathPattern(f"/*/{n}")


def patterns_with_a_star_after(n: int, tally: Tally) -> Matcher:
    return PathPattern(f"/items/{n}/*")


def patterns_with_any_number_of_segments(n: int, tally: Tally) -> Matcher:
    return PathPattern(f"/items/{n}/**")


def patterns_with_a_partial_star(n: int, tally: Tally) -> Matcher:
    return PathPattern(f"/items/{n:05}*")


SHAPES = [
    distinct_exact_paths,
    distinct_prefixes,
    distinct_plain_prefixes,
    alternatives_of_prefixes,
    one_prefix_with_different_header_values,
    one_prefix_with_pairs_of_header_values,
    header_values_and_no_path,
    the_same_twenty_paths_on_each_host,
    patterns_with_a_star_before,
    patterns_with_a_star_after,
    patterns_with_any_number_of_segments,
    patterns_with_a_partial_star,
]


def requests_for(n: int) -> list[Request]:
    """One for route `n` in each shape."""
    headers = [("x-number", str(n)), ("x-tens", str(n // 10))]
    host = f"h{n // 20}.test"
    return [a_request(f"/items/{part}", *headers, host=host) for part in (n, n % 20, f"{n:05}", f"{n}/x")]


NOTHING = [
    a_request("/nothing/here"),
    a_request("/items/none", ("x-number", "none"), ("x-tens", "none"), host="h0.test"),
    a_request("/items", host="a.b.c.d.test"),
    a_request("*"),
    a_request("/" + "a/" * 200),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.__name__))
def test_a_look_up_asks_as_little_of_10_000_routes_as_of_10(shape: Shape) -> None:
    """M20"""
    hits: list[list[int]] = []
    misses: list[list[int]] = []
    for size in SIZES:
        tally = Tally()
        # What is counted comes first in each route: a scan of all routes would ask all of them.
        plan = a_plan(*[a_route(f"r{n}", All((Counted(tally), shape(n, tally)))) for n in range(size)])
        work: list[int] = []
        for n in (0, 7, size - 1):
            found = 0
            for request in requests_for(n):
                before = tally.count
                rank = plan.index.find(request)
                found += rank >= 0 and plan.routes[rank].name == f"r{n}"
                work.append(tally.count - before)
            assert found > 0
        hits.append(work)
        work = []
        for request in NOTHING:
            before = tally.count
            assert plan.index.find(request) == -1
            work.append(tally.count - before)
        misses.append(work)

    assert max(hits[1]) <= max(hits[0])
    assert misses[0] == misses[1]
    assert max(map(max, hits)) <= 10
    assert max(map(max, misses)) <= 4


@pytest.mark.skipif(COMPILED, reason="counts lines of Python")
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.__name__))
def test_a_look_up_runs_as_few_lines_for_10_000_routes_as_for_10(shape: Shape) -> None:
    """M20"""
    costs: list[list[int]] = []
    for size in SIZES:
        plan = a_plan(*[a_route(f"r{n}", shape(n, Tally())) for n in range(size)])
        asked = [*requests_for(7), *NOTHING]
        for request in asked:
            plan.index.find(request)  # reads host, query and cookies, which a request keeps
        costs.append([lines_run(partial(plan.index.find, request)) for request in asked])

    assert costs[0] == costs[1]
    assert max(costs[1]) < 200


@pytest.mark.parametrize("repeats", [1, 300])
def test_repeating_a_value_does_not_multiply_the_work(repeats: int) -> None:
    """M20: a client may repeat a parameter as often as the path is long."""
    tally = Tally()
    pins = [OneOf(QueryField(name), ("1",)) for name in "abd"]
    never = Not(Counted(tally))
    routes = [a_route(f"r{n}", All((PathUnder("/s"), *pins, never))) for n in range(6)]
    asked = "&".join(f"{name}=1" for name in "abd" for _ in range(repeats))

    a_plan(*routes).index.find(a_request(f"/s?{asked}"))

    assert 0 < tally.count <= len(routes)
