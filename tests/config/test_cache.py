"""What routes say of answers that are given again."""

from typing import Final

import pytest

from sidecar.core.state.answers import Keeping
from tests.builders import a_request
from tests.config.files import loaded

_FILE = "clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}\nroutes:\n  - {name: r, to: shop%s}\n"


def keeping(written: str) -> Keeping | None:
    (route,) = loaded(_FILE % written).plan.routes
    return route.keeping


@pytest.mark.parametrize("written", ["", ", cache: {}"])
def test_nothing_is_kept_that_nobody_asked_for(written: str) -> None:
    """H6"""
    assert keeping(written) is None


def test_a_last_good_answer_has_bounds_in_any_case() -> None:
    """H6"""
    told = keeping(", last_good: {}")

    assert told is not None
    assert (told.max_age_s, told.max_size, told.entries) == (3600.0, 64 << 10, 1000)
    assert (told.most_bytes, told.refresh_s) == (16 << 20, 10.0)
    assert told.vary == ("accept", "accept-encoding", "accept-language")


def test_bounds_are_those_of_the_file() -> None:
    """H6"""
    told = keeping(
        ", last_good: {max_age: 1m, max_size: 1KB, entries: 2, memory: 3KB, refresh: 0s, vary: [X-Shop]}"
    )

    assert told is not None
    assert (told.max_age_s, told.max_size, told.entries) == (60.0, 1024, 2)
    assert (told.most_bytes, told.refresh_s, told.vary) == (3072, 0.0, ("x-shop",))


def test_what_gates_require_tells_answers_apart() -> None:
    """H6: an answer to one key is not for another; credentials have rules of their own."""
    gates = "gates: [{require: {header: X-Api-Key}}, {require: {header: authorization, paths: [/a/**]}}]\n"
    (route,) = loaded(gates + _FILE % ", last_good: {vary: [x-shop]}").plan.routes

    assert route.keeping is not None
    assert route.keeping.vary == ("x-shop", "x-api-key")


@pytest.mark.parametrize(
    ("context", "header"),
    [
        ("", "x-api-key"),
        ("", "x-user-id"),
        ("", "X-Session-Id"),
        ("context: {user: [{query: u}, {header: X-Who}]}\n", "x-who"),
        ("context: {tenant: [{header: x-shop}]}\n", "x-shop"),
        ("context: {session: [{header: x-s}]}\n", "x-s"),
        ("context: {organization: [{header: x-o}]}\n", "x-o"),
        ("context: {tier: [{header: x-t}]}\n", "x-t"),
        ("context: {segment: [{header: x-g}]}\n", "x-g"),
    ],
)
def test_headers_that_say_who_asks_are_credentials(context: str, header: str) -> None:
    """H6: the common ones, and those of which the file says so."""
    (route,) = loaded(context + _FILE % ", last_good: {vary: []}").plan.routes
    (varied,) = loaded(context + _FILE % f", last_good: {{vary: [{header}]}}").plan.routes
    request = a_request("/a", (header, "me"), ends=True)

    assert route.keeping is not None
    assert varied.keeping is not None
    assert route.keeping.question(request) == ""
    assert varied.keeping.question(request)
    assert route.keeping.question(a_request("/a", ("x-other", "me"), ends=True))


@pytest.mark.parametrize(
    ("source", "vary", "verified"),
    [
        ("claim: sub", "", (("envoy.filters.http.jwt_authn", "claims"),)),
        ("claim: sub", "authorization", ()),
        ("metadata: {namespace: own, path: a.b}", "authorization", (("own", "a.b"),)),
    ],
)
def test_so_is_what_filters_of_envoy_say_of_it(
    source: str, vary: str, verified: tuple[tuple[str, str], ...]
) -> None:
    """H6: claims come in the token, of which each may have answers of its own."""
    text = f"context: {{user: [{{{source}}}]}}\n" + _FILE % f", last_good: {{vary: [{vary}]}}"
    (route,) = loaded(text).plan.routes

    assert route.keeping is not None
    assert route.keeping.verified == verified


_TWO: Final = """\
clusters:
  one: {endpoints: [{address: '10.0.0.1:80', weight: 2}]}
  two: {endpoints: [{address: '10.0.0.2:80'}]}
routes:
  - {name: r, to: one, match: {path: {prefix: /a}}, last_good: {}}
  - {name: rest, to: two}
"""


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("to: one", "to: two", False),
        ("to: one", "pool: [one, two]", False),
        ("to: one", "to: one, failover: [two]", False),
        ("prefix: /a", "prefix: /b", False),
        ("last_good: {}", "last_good: {}, rewrite: {host: b.test}", False),
        ("last_good: {}", "last_good: {}, headers: {request: {set: {x-tenant: b}}}", False),
        ("last_good: {}", "last_good: {}, timeout: 1s", True),
        ("last_good: {}", "last_good: {max_age: 2h}", True),
        ("weight: 2", "weight: 3", True),
        ("10.0.0.1:80", "10.0.0.7:80", True),
    ],
)
def test_answers_are_forgotten_when_the_route_leads_elsewhere(before: str, after: str, same: bool) -> None:
    """H6: endpoints of a cluster may come and go."""
    old, new = (
        next(route.keeping for route in loaded(text).plan.routes if route.name == "r")
        for text in (_TWO, _TWO.replace(before, after))
    )

    assert old is not None
    assert new is not None
    assert old.same(new) is same


def test_a_route_that_writes_cookies_is_told_that_it_keeps_nothing() -> None:
    """H6"""
    sticky = ", sticky: {by: session, cookie: s}, last_good: {vary: [%s]}"
    told = "last_good: keeps next to nothing"

    assert told in "".join(loaded(_FILE % (sticky % "")).notes)
    assert told not in "".join(loaded(_FILE % (sticky % "cookie")).notes)
    assert told not in "".join(loaded(_FILE % ", sticky: {by: session}, last_good: {}").notes)
