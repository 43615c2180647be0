"""What the parts of a file become in the plan."""

import pytest

from sidecar.core.plan import HeaderChanges, Plan, Route
from sidecar.core.request import Request, headers_of
from sidecar.core.strategies.weighted_round_robin import WeightedRoundRobin
from tests.config.files import TWO_CLUSTERS, a_file, a_match, a_route, loaded


def the_plan(text: str) -> Plan:
    return loaded(text).plan


def the_route(text: str) -> Route:
    return the_plan(text).routes[0]


def the_match(match: str) -> str:
    return the_route(a_match(match)).matcher.text()


def a_request(target: str = "/", **headers: str) -> Request:
    raw = headers_of((name.replace("_", "-"), value.encode()) for name, value in headers.items())
    return Request("GET", "shop.test", target, raw)


def ids(route: Route) -> list[str]:
    return [endpoint.key for endpoint in route.variants[0].endpoints]


@pytest.mark.parametrize(
    ("match", "condition"),
    [
        ("{}", "always"),
        ("{path: /a/b}", '(path is "/a/b")'),
        ("{path: /a/*/b}", '(path matches "/a/*/b")'),
        ("{path: {exact: /a*}}", '(path is "/a*")'),
        ("{path: {prefix: /a/}}", '(path is under "/a")'),
        ("{path: {prefix: /a, whole_segments: false}}", '(path starts with "/a")'),
        ("{path: {regex: '^/v[0-9]+$'}}", "(path matches regex ^/v[0-9]+$)"),
        ("{methods: [get, POST, GET]}", '(method is "GET" or "POST")'),
        ("{hosts: [Shop.test, '*.shop.test', '[::1]']}", '(host is "shop.test" or "*.shop.test" or "::1")'),
        ("{headers: [{name: X-A, exact: a}]}", '(header x-a is "a")'),
        ("{headers: [{name: x-a, prefix: a}]}", '(header x-a starts with "a")'),
        ("{query: [{name: A, suffix: a}]}", '(query A ends with "a")'),
        ("{query: [{name: a, contains: b}]}", '(query a contains "b")'),
        ("{cookies: [{name: a, regex: b}]}", "(cookie a matches b)"),
        ("{cookies: [{name: a, present: true}]}", "(cookie a is present)"),
        ("{headers: [{name: x-a, absent: true}]}", "(not header x-a is present)"),
        ("{headers: [{name: x-a, exact: ''}]}", '(header x-a is "")'),
        ("{any: [{path: /a}, {path: /b}]}", '((path is "/a" or path is "/b"))'),
        ("{any: [{path: /a}]}", '(path is "/a")'),
        ("{all: [{path: /a}, {all: [{methods: [GET]}]}]}", '(path is "/a" and method is "GET")'),
        ("{not: {path: /a, methods: [GET]}}", '(not (path is "/a" and method is "GET"))'),
    ],
)
def test_a_match_becomes_conditions(match: str, condition: str) -> None:
    assert the_match(match) == condition


def test_conditions_stand_in_one_order_whatever_the_order_in_the_file() -> None:
    match = (
        "{not: {path: /n}, all: [{path: /l}], any: [{path: /y}], cookies: [{name: c, present: true}], "
        "query: [{name: q, present: true}], headers: [{name: h, present: true}], methods: [GET], "
        "hosts: [a.test], path: /p}"
    )

    assert the_match(match) == (
        '(path is "/p" and host is "a.test" and method is "GET" and header h is present '
        'and query q is present and cookie c is present and path is "/y" and path is "/l" '
        'and not path is "/n")'
    )


def test_match_may_nest_up_to_its_bound() -> None:
    nested = "{not: " * 31 + "{path: /a}" + "}" * 31

    assert the_route(a_match(nested)).matcher.matches(a_request("/b"))


def test_a_regex_meets_bytes_that_are_no_text_without_raising() -> None:
    route = the_route(a_match("{path: {regex: '^/a'}}"))

    assert route.matcher.matches(a_request("/a\udcff"))
    assert not route.matcher.matches(a_request("/\udcff"))


def test_a_cluster_stands_for_its_endpoints() -> None:
    route = the_route(a_route("to: shop", TWO_CLUSTERS))

    assert ids(route) == ["shop/v1", "shop/v2"]
    assert [endpoint.address for endpoint in route.variants[0].endpoints] == ["10.0.0.1:80", "10.0.0.2:80"]
    assert [endpoint.weight for endpoint in route.variants[0].endpoints] == [1, 0]
    assert (route.variants[0].name, route.variants[0].pool) == ("shop", "r/shop")
    assert (route.split, route.variants[0].share) == (None, 1.0)


def test_a_cluster_without_endpoints_is_one_endpoint_without_an_address() -> None:
    endpoint = the_route(a_route("to: shop")).variants[0].endpoints[0]

    assert (endpoint.id, endpoint.cluster, endpoint.address) == ("shop", "shop", "")


def test_an_endpoint_without_an_id_is_named_by_its_address() -> None:
    clusters = "clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}\n"

    assert ids(the_route(a_route("to: shop", clusters))) == ["shop/10.0.0.1:80"]
    assert ids(the_route(a_route("to: {cluster: shop, endpoint: '10.0.0.1:80'}", clusters))) == [
        "shop/10.0.0.1:80"
    ]


@pytest.mark.parametrize(
    ("target", "name", "chosen"),
    [
        ("{cluster: shop, version: one}", "shop@one", ["shop/v1"]),
        ("{cluster: shop, tags: [gpu]}", "shop", ["shop/v1"]),
        ("{cluster: shop, endpoint: v1}", "shop:v1", ["shop/v1"]),
        ("{cluster: shop, version: one, endpoint: v1}", "shop@one:v1", ["shop/v1"]),
    ],
)
def test_a_target_selects_endpoints(target: str, name: str, chosen: list[str]) -> None:
    route = the_route(a_route(f"to: {target}", TWO_CLUSTERS))

    assert route.variants[0].name == name
    assert ids(route) == chosen


def test_to_takes_the_id_of_the_only_endpoint_that_has_it() -> None:
    clusters = "clusters: {shop: {endpoints: [{address: '10.0.0.1:80', id: v9}]}}\n"

    assert the_route(a_route("to: v9", clusters)).variants[0].name == "shop:v9"


def test_a_cluster_goes_before_an_endpoint_of_the_same_name() -> None:
    clusters = "clusters: {a: {endpoints: [{address: '10.0.0.1:80', id: b}]}, b: {}}\n"

    assert ids(the_route(a_route("to: b", clusters))) == ["b/b"]


def test_a_pool_has_every_endpoint_once() -> None:
    route = the_route(a_route("pool: [shop, {cluster: shop, version: one}, other]", TWO_CLUSTERS))

    assert ids(route) == ["shop/v1", "shop/v2", "other/v1"]


def test_a_split_has_a_variant_for_each_arm_with_a_weight() -> None:
    route = the_route(
        a_route(
            "split: [{to: shop, weight: 90}, {to: other, weight: 10, name: new}, "
            "{to: {cluster: shop, version: one}, weight: 0}], strategy: random",
            TWO_CLUSTERS,
        )
    )

    assert [(variant.name, variant.pool, variant.share) for variant in route.variants] == [
        ("shop", "r/shop", 0.9),
        ("new", "r/new", 0.1),
    ]
    assert route.split is not None
    assert [route.split.share(0), route.split.share(1)] == [0.9, 0.1]
    assert route.variants[0].strategy is not route.variants[1].strategy


def test_a_split_with_one_weight_is_no_split() -> None:
    route = the_route(
        a_route(
            "split: [{to: shop, weight: 1}, {to: other, weight: 0}], sticky: {by: user}",
            TWO_CLUSTERS,
        )
    )

    assert [variant.name for variant in route.variants] == ["shop"]
    assert route.split is None
    assert route.sticky == ()


@pytest.mark.parametrize(
    ("by", "fields"),
    [
        ("session", ["cookie sid", "header x-session-id"]),
        ("user", ["query u", "header x-u"]),
        ("{header: X-Key}", ["header x-key"]),
        ("{cookie: Key}", ["cookie Key"]),
    ],
)
def test_sticky_reads_its_key_from_the_context_or_one_place(by: str, fields: list[str]) -> None:
    split = "split: [{to: shop, weight: 1}, {to: other, weight: 1}]"
    text = a_route(f"{split}, sticky: {{by: {by}}}", TWO_CLUSTERS)
    context = "context: {user: [{query: u}, {header: X-U}]}\n"

    assert [field.name() for field in the_route(text + context).sticky] == fields


def test_a_strategy_is_named_or_given_with_options() -> None:
    plain = the_route(a_route("to: shop"))
    named = the_route(a_route("to: shop, strategy: random"))
    given = the_route(a_route("to: shop, strategy: {random: {}}"))

    assert plain.variants[0].strategy_name == "weighted_round_robin"
    assert isinstance(plain.variants[0].strategy, WeightedRoundRobin)
    assert named.variants[0].strategy_name == given.variants[0].strategy_name == "random"


def test_headers_are_changed_under_lower_case_names() -> None:
    route = the_route(
        a_route(
            "to: shop, headers: {request: {set: {X-A: a}, remove: [X-B, x-b]}, response: {add: {X-C: c}}}"
        )
    )

    request: HeaderChanges = route.request_headers
    assert (request.set, request.add, request.remove) == ((("x-a", "a"),), (), ("x-b",))
    assert route.response_headers.add == (("x-c", "c"),)


@pytest.mark.parametrize(
    ("rewrite", "before", "after"),
    [
        ("{strip_prefix: /v1}", "/v1/a?b=c", "/a?b=c"),
        ("{strip_prefix: /v1}", "/v10/a", None),
        ("{path: {regex: '^/u/([0-9]+)', replace: '/user/\\1/p'}}", "/u/7/x?q", "/user/7/p/x?q"),
        ("{path: {regex: '(a)|(b)', replace: '\\2\\2'}}", "/ab", "/bb"),
        ("{path: {regex: 'a', replace: '[\\0]\\\\'}}", "/aa", "/[a]\\[a]\\"),
        ("{path: {regex: '^/a', replace: 'b'}}", "/a/c", "/b/c"),
        ("{path: {regex: 'x', replace: 'y'}}", "/\udcff/x", "/\udcff/y"),
        ("{path: {regex: '^', replace: '/new'}}", "/a", "/new/a"),
    ],
)
def test_rewrite_changes_the_path(rewrite: str, before: str, after: str | None) -> None:
    route = the_route(a_route(f"to: shop, rewrite: {rewrite}"))

    assert route.rewrite is not None
    assert route.rewrite.target(a_request(before)) == after


def test_rewrite_changes_the_host() -> None:
    route = the_route(a_route("to: shop, rewrite: {host: 'shop.internal:8080'}"))

    assert route.rewrite is not None
    assert route.rewrite.host == "shop.internal:8080"


def test_on_error_is_a_variant_of_its_cluster() -> None:
    on_error = the_plan("on_error: other\n" + a_route("to: shop", TWO_CLUSTERS)).on_error

    assert on_error is not None
    assert (on_error.name, on_error.pool, on_error.strategy_name) == (
        "other",
        "on_error/other",
        "round_robin",
    )
    assert [endpoint.key for endpoint in on_error.endpoints] == ["other/v1"]
    assert the_plan(a_route("to: shop")).on_error is None


def test_routes_keep_what_is_theirs() -> None:
    plan = the_plan(
        a_file(
            "{name: low, to: shop}",
            "{name: high, to: shop, priority: 5, enabled: false, labels: {a: b}}",
        )
        + "tickets: {lease: 90s}\n"
    )

    high, low = plan.routes
    assert (high.name, high.priority, high.enabled, high.labels) == ("high", 5, False, (("a", "b"),))
    assert (low.name, low.priority, low.enabled, low.labels) == ("low", 0, True, ())
    assert plan.lease_s == 90.0
