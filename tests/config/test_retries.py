"""`retry` and `failover` of a route, from the file to the plan."""

from itertools import permutations

import pytest

from sidecar.config.retries import MOST_ORDERS, Orders
from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure
from sidecar.core.plan import Route
from sidecar.core.retries import EXPONENTIAL, FIBONACCI, LINEAR, NONE, USUAL, Retries
from sidecar.core.rules.path import PathPattern
from tests.builders import a_request, an_engine, decided
from tests.config.files import TWO_CLUSTERS, a_route, loaded

THREE = TWO_CLUSTERS + "  third: {}\n"
MODELS = """\
models: {gpt: gpt-4}
clusters:
  own: {endpoints: [{address: '10.0.0.1:80', id: own}], models: [gpt-4]}
  big: {endpoints: [{address: '10.0.0.2:80', id: big}], models: [gpt, claude]}
  small: {endpoints: [{address: '10.0.0.3:80', id: small}], models: [claude]}
"""


def only(text: str) -> Route:
    (route,) = loaded(text).plan.routes
    return route


def retries_of(rest: str, clusters: str = TWO_CLUSTERS) -> Retries:
    found = only(a_route(rest, clusters)).retries
    assert found is not None
    return found


def named(engine: Engine, model: str = "") -> str:
    answer: Decision = decided(engine, a_request("/", ("x-ai-model", model)))
    return " ".join(endpoint.id for endpoint in (answer.endpoint, *answer.fallbacks))


def test_nothing_is_tried_again_unless_it_is_said() -> None:
    """F4"""
    route = only(a_route("to: shop"))

    assert (route.retries, route.want) == (None, 1)


@pytest.mark.parametrize("rest", ["retry: {}", "failover: [other]"])
def test_what_is_not_said_is_safe(rest: str) -> None:
    """F2 F4: three attempts, of requests that change nothing, where the endpoint can't have done anything."""
    route = only(a_route(f"to: shop, {rest}", TWO_CLUSTERS))
    retries = route.retries

    assert retries is not None
    assert (retries.attempts, route.want) == (3, 3)
    assert (retries.statuses, retries.failures) == ((502, 503, 504), (Failure.CONNECTION,))
    assert retries.methods == {"GET", "HEAD", "OPTIONS"}
    assert (retries.per_try_s, retries.backoff, retries.not_paths) == (-1.0, USUAL, ())


def test_everything_can_be_said() -> None:
    """F4"""
    retries = retries_of(
        "to: shop, retry: {attempts: 5, on: [429, 500, timeout, reset, connect, 429], methods: [get, POST], "
        "per_try_timeout: 2s, not_paths: [/pay/**]}"
    )

    assert (retries.attempts, retries.statuses, retries.per_try_s) == (5, (429, 500), 2.0)
    assert retries.failures == (Failure.TIMEOUT, Failure.RESET, Failure.CONNECTION)
    assert retries.methods == {"GET", "POST"}
    (path,) = retries.not_paths
    assert isinstance(path, PathPattern)
    assert path.text() == 'path matches "/pay/**"'


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [
        ("none", (NONE, 0.0, 1.0, 0.0, False)),
        ("exponential", (EXPONENTIAL, 0.1, 2.0, 5.0, True)),
        ("linear", (LINEAR, 0.5, 1.0, 5.0, True)),
        ("fibonacci", (FIBONACCI, 0.1, 1.0, 5.0, True)),
        ("{linear}", (LINEAR, 0.5, 1.0, 5.0, True)),
        (
            "{exponential: {base: 1s, factor: 3, max: 9s, jitter: false}}",
            (EXPONENTIAL, 1.0, 3.0, 9.0, False),
        ),
        ("{linear: {base: 10s}}", (LINEAR, 10.0, 1.0, 10.0, True)),
        ("{fibonacci: {base: 1s, max: 2s, jitter: false}}", (FIBONACCI, 1.0, 1.0, 2.0, False)),
    ],
)
def test_the_waits_are_of_one_kind(backoff: str, waits: tuple[str, float, float, float, bool]) -> None:
    """F3"""
    found = retries_of(f"to: shop, retry: {{backoff: {backoff}}}").backoff

    assert (found.kind, found.base_s, found.factor, found.max_s, found.jitter) == waits


def test_a_chain_goes_from_link_to_link() -> None:
    """F2: a cluster's name, an endpoint, a pool with a strategy of its own."""
    links = "[shop, {to: third}, {pool: [shop, third], strategy: random}]"
    route = only(a_route(f"to: other, failover: {links}, retry: {{attempts: 4}}", THREE))

    assert [variant.pool for variant in route.variants[0].links] == [f"r/failover/{at}" for at in range(3)]
    assert [variant.strategy_name for variant in route.variants[0].links] == [
        "weighted_round_robin",
        "weighted_round_robin",
        "random",
    ]
    assert named(an_engine(route)) == "v1 v1 third"


def test_all_arms_of_a_split_have_the_chain() -> None:
    """F2"""
    arms = "split: [{to: shop, weight: 1}, {to: other, weight: 1}], failover: [third]"

    for variant in only(a_route(arms, THREE)).variants:
        assert [link.pool for link in variant.links] == ["r/failover/0"]


@pytest.mark.parametrize(
    ("model", "list_"),
    [("gpt-4", "own big"), ("gpt", "own big"), ("claude", "big small"), ("", "own")],
)
def test_anything_that_serves_the_model(model: str, list_: str) -> None:
    """F2 M9: an alias stands for its model, in requests and in clusters."""
    plan = loaded(a_route("to: own, failover: [any_for_model]", MODELS)).plan

    assert named(an_engine(*plan.routes), model) == list_


MODELS_AND_IDS = """\
clusters:
  first: {endpoints: [{address: '10.0.0.1:80', id: own}]}
  big: {endpoints: [{address: '10.0.0.2:80'}], models: [gpt-4]}
"""
MANY = "clusters: {" + ", ".join(f"{name}: {{}}" for name in "abcdefg") + "}\n"


def orders_of(rest: str, clusters: str = MANY) -> list[str]:
    """As the plan has them; Envoy's clusters are made from the same."""
    found = loaded(a_route(rest, clusters))
    (written,), (route,) = found.config.routes, found.plan.routes
    orders = Orders(found.config.clusters).of(written)
    assert frozenset(orders) == (frozenset() if route.retries is None else route.retries.orders)
    return ["+".join(order) for order in orders]


def test_every_order_of_clusters_is_counted() -> None:
    """F1"""
    assert orders_of("to: a, failover: [b], retry: {attempts: 2}") == ["a+b", "b+a"]
    assert orders_of("pool: [a, b], retry: {attempts: 2}") == ["a+b", "b+a"]
    assert len(orders_of("to: a, failover: [b]")) == 2**3 - 2
    assert len(orders_of("to: a, failover: [b, c]")) == 3**3 - 3
    assert orders_of("to: own, failover: [{to: {cluster: big}}], retry: {attempts: 2}", MODELS_AND_IDS) == [
        "first+big",
        "big+first",
    ]
    assert orders_of("to: own, failover: [any_for_model], retry: {attempts: 2}", MODELS_AND_IDS) == [
        "first+big",
        "big+first",
    ]


@pytest.mark.parametrize(
    "rest",
    [
        "to: a",
        "to: a, retry: {}",
        "to: a, failover: [a]",
        "pool: [a, b]",
        "to: a, failover: [b], retry: {attempts: 1}",
    ],
)
def test_there_is_no_order_where_a_request_stays_in_one_cluster(rest: str) -> None:
    """F1"""
    assert orders_of(rest) == []


def test_of_too_many_orders_those_along_the_links_come_first() -> None:
    """F1: the links one after the other, then back to the first; then without those that have nobody."""
    chain = "failover: [b, {pool: [c, d]}, e]"

    found = orders_of(f"to: a, {chain}, retry: {{attempts: 5}}")

    assert found[:5] == ["a+b+c+e+a", "a+b+d+e+a", "b+c+e+b+c", "b+d+e+b+d", "c+e+d+c+e"]
    assert {"c+e+c+e+c", "a+c+e+a+c", "a+b+e+a+b", "a+b+c+a+b", "a+e+a+e+a"} <= set(found)
    assert orders_of(f"to: a, {chain}")[:2] == ["a+b+c", "a+b+d"]
    assert (
        len(orders_of("pool: [a, b, c, d, e, f, g], failover: [{pool: [a, b, c, d, e, f, g]}]"))
        == MOST_ORDERS
    )


def test_where_a_pool_begins_a_chain_its_others_follow_the_links() -> None:
    """F1"""
    found = orders_of("pool: [a, b, c], failover: [d]")

    assert found[:6] == ["a+d+b", "b+d+c", "c+d+a", "a+d+a", "b+d+b", "c+d+c"]
    assert {"a+b+c", "b+c+a", "c+a+b"} <= set(found)


@pytest.mark.parametrize("count", [4, 5])
def test_a_pool_has_an_order_for_any_clusters_that_a_decision_may_name(count: int) -> None:
    """F1: those of a round are there as they are, whoever is first."""
    names = "abcde"[:count]
    found = orders_of(f"pool: [{', '.join(names)}], retry: {{}}")

    assert found[:count] == ["+".join((names + names)[at : at + 3]) for at in range(count)]
    sets = {(order[0], frozenset(order.split("+"))) for order in found}
    assert sets == {(each[0], frozenset(each)) for each in permutations(names, 3)}
    assert len(found) <= MOST_ORDERS


def test_a_large_pool_has_orders_for_whoever_is_first() -> None:
    """F1: its neighbours behind it, and others by turns."""
    found = orders_of("pool: [a, b, c, d, e, f, g], retry: {}")

    assert found[:8] == ["a+b+c", "b+c+d", "c+d+e", "d+e+f", "e+f+g", "f+g+a", "g+a+b", "a+b+a"]
    assert {order[0] for order in found[7:14]} == set("abcdefg")
    assert len(found) == MOST_ORDERS
