"""The order of routes, and what a route does to path and headers."""

import os
import subprocess
import sys
from random import Random
from typing import Final

import pytest

from sidecar.core.plan import Plan, Rewrite, Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import All, AnyOf, Not
from sidecar.core.rules.path import PathIs, PathPattern, PathRegex, PathStarts, PathUnder
from tests.builders import (
    ALWAYS,
    a_plan,
    a_request,
    a_route,
    a_split_route,
    a_variant,
    an_engine,
    decided,
    header_is,
)

A: Final = header_is("a", "1")
B: Final = header_is("b", "1")


def _found(path: str) -> bool:
    return True


def order(*routes: Route) -> list[str]:
    return [route.name for route in a_plan(*routes).routes]


STEPS: Final[list[tuple[str, Matcher, Matcher]]] = [
    ("exact before pattern", PathIs("/a"), PathPattern("/aaaaaa/*")),
    ("pattern before regex", PathPattern("/*"), PathRegex("^/aaaaaa", _found)),
    ("regex before prefix", PathRegex("^/a", _found), PathUnder("/aaaaaa")),
    ("prefix before none", PathUnder("/"), All((A, B))),
    ("a pattern that ends in any number is a prefix", PathRegex("a", _found), PathPattern("/aaaaaa/**")),
    ("longer exact before shorter", PathIs("/aa"), PathIs("/a")),
    ("longer pattern before shorter", PathPattern("/aa/*"), PathPattern("/a/*")),
    ("longer prefix before shorter", PathUnder("/aa"), PathUnder("/a")),
    ("longer plain prefix before shorter", PathStarts("/aa"), PathUnder("/a")),
    ("the path counts before the number of conditions", PathUnder("/aa"), All((PathUnder("/a"), A, B))),
    ("more conditions before fewer", All((PathUnder("/a"), A)), PathUnder("/a")),
    ("two conditions before one", All((A, B)), A),
    ("one condition before none", A, ALWAYS),
    ("a host is a condition", All((HostIs(("shop.test",)), A)), A),
    ("nested conditions count", All((All((A, B)), Not(B))), All((A, B))),
    ("of alternatives the least specific counts", PathUnder("/a"), AnyOf((PathIs("/a"), A))),
    ("a negated path is no path", PathUnder("/"), Not(PathIs("/aaaaaa"))),
]


@pytest.mark.parametrize(("first", "then"), [step[1:] for step in STEPS], ids=[step[0] for step in STEPS])
def test_the_more_specific_comes_first_whatever_the_order_in_the_file(first: Matcher, then: Matcher) -> None:
    """M16"""
    assert order(a_route("first", first), a_route("then", then)) == ["first", "then"]
    assert order(a_route("then", then), a_route("first", first)) == ["first", "then"]


def test_an_explicit_priority_comes_before_specificity() -> None:
    """M16"""
    routes = [
        a_route("exact", PathIs("/a")),
        a_route("low", PathIs("/a"), priority=-1),
        a_route("high", priority=1),
        a_route("highest", priority=100),
    ]

    assert order(*routes) == ["highest", "high", "exact", "low"]
    assert decided(an_engine(*routes), a_request("/a")).route.name == "highest"


def test_equals_stay_in_the_order_of_the_file() -> None:
    """M16"""
    routes = [a_route(name, PathUnder(f"/{name}")) for name in "zyxabc"]

    assert order(*routes) == list("zyxabc")
    assert order(*reversed(routes)) == list("cbaxyz")


ORDER_IN_A_NEW_PROCESS: Final = """
from tests.builders import a_plan, a_request, a_route, header_is
from sidecar.core.rules.logic import All
from sidecar.core.rules.path import PathUnder

def matcher(n):
    return All((PathUnder("/a" * (n % 3)), header_is(f"h{n % 5}", "1"), header_is(f"g{n % 7}", "1")))

plan = a_plan(*[a_route(f"r{n}", matcher(n)) for n in range(60)])
headers = [(f"{kind}{n}", "1") for kind in "gh" for n in range(7)]
print([route.name for route in plan.routes])
rank = plan.index.find(a_request("/a", *headers))
while rank >= 0:
    print(rank)
    rank = plan.index.find(a_request("/a", *headers), rank)
"""


def test_the_order_is_the_same_on_every_start() -> None:
    """M16"""
    told = set()
    for seed in "0123":
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        done = subprocess.run(
            [sys.executable, "-c", ORDER_IN_A_NEW_PROCESS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(done.stdout)

    assert len(told) == 1
    assert told.pop().count("\n") > 20


def test_the_order_does_not_depend_on_what_else_is_there() -> None:
    """M16: each two routes keep their order when others are added between them."""
    rng = Random(3)
    some = [a_route(name, first) for name, first, _ in STEPS] + [
        a_route(f"{name}!", then) for name, _, then in STEPS
    ]
    whole = order(*some)

    for _ in range(50):
        part = [route for route in some if rng.random() < 0.5] or some
        names = {route.name for route in part}
        assert order(*part) == [name for name in whole if name in names]


def test_a_route_that_is_switched_off_keeps_its_place_and_never_matches() -> None:
    """M17"""
    plan = a_plan(a_route("on", PathUnder("/")), a_route("off", PathIs("/a"), enabled=False))

    assert [route.name for route in plan.routes] == ["off", "on"]
    assert plan.routes[plan.index.find(a_request("/a"))].name == "on"


@pytest.mark.parametrize(
    ("prefix", "target", "sent"),
    [
        ("/v1", "/v1/x?q=1", "/x?q=1"),
        ("/v1/", "/v1/x", "/x"),
        ("/v1", "/v1", "/"),
        ("/v1", "/v1?q=1", "/?q=1"),
        ("/v1", "/v1/", "/"),
        ("/v1", "/v1x", None),
        ("/v1", "/v1x?/v1/", None),
        ("/v1", "/a/v1/x", None),
        ("/v1/a", "/v1/a/v1/a", "/v1/a"),
        ("/", "/x", None),
        ("", "/x?y", None),
    ],
)
def test_a_prefix_is_stripped_at_a_segment_border_and_the_query_stays(
    prefix: str, target: str, sent: str | None
) -> None:
    """A4"""
    assert Rewrite(strip_prefix=prefix).target(a_request(target)) == sent


def test_the_path_is_replaced_after_its_prefix_is_stripped_and_the_query_stays() -> None:
    """A4"""
    rewrite = Rewrite(
        strip_prefix="/v1", replace=lambda path: path.replace("cats", "dogs"), host="pets.internal"
    )

    assert rewrite.host == "pets.internal"
    assert rewrite.target(a_request("/v1/cats?of=cats")) == "/dogs?of=cats"
    assert rewrite.target(a_request("/cats")) == "/dogs"
    assert rewrite.target(a_request("/birds?of=cats")) is None


def test_the_same_variants_are_found_for_all_routes() -> None:
    plan = a_plan(a_route("one"), a_split_route("two", {"x": 1, "y": 2}))

    assert sorted(variant.pool for variant in plan.variants()) == ["one", "two/x", "two/y"]


def test_several_variants_need_a_split() -> None:
    with pytest.raises(ValueError, match="several and a split"):
        Route("bad", ALWAYS, (a_variant("x"), a_variant("y")))
    with pytest.raises(ValueError, match="variants or a direct answer"):
        Route("bad", ALWAYS, (a_variant("x"),), direct=Refusal(Reason.MAINTENANCE))


@pytest.mark.parametrize("lease_s", [0.0, -1.0])
def test_a_lease_lasts_longer_than_nothing(lease_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Plan(1, [], lease_s)
