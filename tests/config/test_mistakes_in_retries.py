"""What is said of mistakes in retries and failovers."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import TWO_CLUSTERS, a_route, loaded

ROUTE = "gateway.yaml:3: routes[0]"
MISTAKES = [
    pytest.param(
        "to: shop, retry: {on: [200]}",
        f"{ROUTE}.retry.on[0]: 200 is nothing to try again for; write a status from 400 to 599, connect, "
        "timeout or reset",
        id="a success is tried again",
    ),
    pytest.param(
        "to: shop, retry: {on: [5xx]}",
        f'{ROUTE}.retry.on[0]: "5xx" is nothing to try again for; write a status from 400 to 599, connect, '
        "timeout or reset",
        id="a class of statuses",
    ),
    pytest.param(
        "to: shop, retry: {on: []}",
        f"{ROUTE}.retry.on: must not be empty; list what to try again for, or leave it out",
        id="for nothing",
    ),
    pytest.param(
        "to: shop, retry: {attempts: 0}",
        f"{ROUTE}.retry.attempts: must be at least 1, got 0",
        id="no attempt at all",
    ),
    pytest.param(
        "to: shop, retry: {attempts: 11}",
        f"{ROUTE}.retry.attempts: must be at most 10, got 11",
        id="too many attempts",
    ),
    pytest.param(
        "to: shop, retry: {methods: []}",
        f"{ROUTE}.retry.methods: must not be empty; list at least one method, or leave it out",
        id="no methods",
    ),
    pytest.param(
        "to: shop, retry: {methods: ['GET /']}",
        f'{ROUTE}.retry.methods[0]: "GET /" is not a method; write one such as GET or POST',
        id="no method",
    ),
    pytest.param(
        "to: shop, retry: {not_paths: [pay]}",
        f'{ROUTE}.retry.not_paths[0]: must start with /, got "pay"; paths are matched from their beginning',
        id="no path",
    ),
    pytest.param(
        "to: shop, retry: {backoff: quadratic}",
        f'{ROUTE}.retry.backoff: unknown value "quadratic"; write one of none, exponential, linear, '
        "fibonacci",
        id="an unknown kind of wait",
    ),
    pytest.param(
        "to: shop, retry: {backoff: {}}",
        f"{ROUTE}.retry.backoff: needs exactly one of exponential, linear, fibonacci, got none",
        id="no kind of wait",
    ),
    pytest.param(
        "to: shop, retry: {backoff: {linear, fibonacci}}",
        f"{ROUTE}.retry.backoff: needs exactly one of exponential, linear, fibonacci, got fibonacci and "
        "linear",
        id="two kinds of wait",
    ),
    pytest.param(
        "to: shop, retry: {backoff: {exponential: {factor: 0.5}}}",
        f"{ROUTE}.retry.backoff.exponential.factor: must be at least 1, got 0.5",
        id="waits that get shorter",
    ),
    pytest.param(
        "to: shop, retry: {backof: none}",
        f"{ROUTE}.retry.backof: unknown key; did you mean backoff?",
        id="an unknown key",
    ),
    pytest.param(
        "to: shop, failover: []",
        f"{ROUTE}.failover: must not be empty; list where to go next, or leave it out",
        id="a chain without links",
    ),
    pytest.param(
        "to: shop, failover: [{strategy: random}]",
        f"{ROUTE}.failover[0]: needs exactly one of to, pool, got none",
        id="a link to nowhere",
    ),
    pytest.param(
        "to: shop, failover: [{to: shop, pool: [shop]}]",
        f"{ROUTE}.failover[0]: needs exactly one of to, pool, got to and pool",
        id="a link to two places",
    ),
    pytest.param(
        "to: shop, failover: [shpo]",
        f'{ROUTE}.failover[0].to: there is no cluster or endpoint "shpo"; did you mean shop?',
        id="a link to an unknown cluster",
    ),
    pytest.param(
        "to: shop, failover: [{to: shop, strategy: rondom}]",
        f'{ROUTE}.failover[0].strategy: unknown strategy "rondom"; did you mean random?',
        id="an unknown strategy",
    ),
    pytest.param(
        "to: shop, failover: [any_for_model]",
        f"{ROUTE}.failover[0]: no cluster says which models it serves; give one models: [name]",
        id="a model that nobody serves",
    ),
    pytest.param(
        "respond: {}, failover: [shop]",
        f"{ROUTE}.failover: says how requests reach an endpoint, and respond sends none; leave it out",
        id="an answer with a failover",
    ),
    pytest.param(
        "redirect: {path: /}, retry: {}",
        f"{ROUTE}.retry: says how requests reach an endpoint, and redirect sends none; leave it out",
        id="a redirect that is tried again",
    ),
]


@pytest.mark.parametrize(("rest", "said"), MISTAKES)
def test_a_mistake_is_told_in_plain_words(rest: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(a_route(rest))

    assert str(caught.value) == said


def test_a_link_to_endpoints_of_weight_0_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="every endpoint here has weight 0") as caught:
        loaded(a_route("to: other, failover: [v2]", TWO_CLUSTERS))

    assert "routes[0].failover[0].to: " in str(caught.value)


def test_a_model_that_no_request_says_is_a_mistake() -> None:
    clusters = "context: {model: []}\nclusters: {shop: {models: [gpt]}}\n"

    with pytest.raises(ConfigError) as caught:
        loaded(a_route("to: shop, failover: [any_for_model]", clusters))

    assert str(caught.value) == (
        "gateway.yaml:4: routes[0].failover[0]: context.model has no source; give it one"
    )


NOTES = [
    pytest.param(
        "retry: {methods: [POST]}",
        "retry.methods: a POST may be sent twice, and do twice what it does; leave it out unless endpoints "
        "know a repeated request",
        id="a method that is not safe",
    ),
    pytest.param(
        "retry: {on: [timeout]}",
        "retry.on: timeout: an attempt has no end of its own, so none fails by it; give per_try_timeout",
        id="a timeout that never comes",
    ),
    pytest.param(
        "timeout: 2s, retry: {per_try_timeout: 2s}",
        "retry.per_try_timeout: is no shorter than the route's timeout, so nothing is tried again",
        id="the first attempt takes all the time",
    ),
    pytest.param(
        "failover: [one, two], retry: {attempts: 2}",
        "failover: 2 attempts reach 1 of 2 links; raise retry.attempts, or leave out the others",
        id="a link that is never reached",
    ),
]


def test_a_pool_of_more_clusters_than_envoy_gets_orders_for_is_noted() -> None:
    """F1"""

    def notes(names: str, rest: str) -> list[str]:
        clusters = "clusters: {" + ", ".join(f"{name}: {{}}" for name in names) + "}\n"
        return loaded(a_route(f"pool: [{', '.join(names)}], {rest}", clusters)).notes

    said = (
        "there are more than 32 orders of clusters, and Envoy is given so many; where none fits, a request "
        "is tried again in its first cluster only; name fewer clusters"
    )
    assert notes("abcdef", "retry: {}") == [f"gateway.yaml:3: routes[0].retry: {said}"]
    assert notes("abcde", "retry: {}") == notes("abcd", "retry: {}") == []


@pytest.mark.parametrize(("rest", "said"), NOTES)
def test_what_does_less_than_it_seems_is_noted(rest: str, said: str) -> None:
    clusters = "clusters: {shop: {}, one: {}, two: {}}\n"
    notes = [
        note for note in loaded(a_route(f"to: shop, {rest}", clusters)).notes if "no route uses" not in note
    ]

    assert notes == [f"gateway.yaml:3: routes[0].{said}"]


def test_a_timeout_that_can_come_is_not_noted() -> None:
    for rest in ("retry: {on: [timeout], per_try_timeout: 1s}", "idle_timeout: 1s, retry: {on: [timeout]}"):
        assert loaded(a_route(f"to: shop, {rest}")).notes == []
