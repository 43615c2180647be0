"""Envoy's cache of responses, behind the sidecar."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from sidecar.names import INTERNAL_PREFIX
from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.running.asking import ASK_WITHIN_S
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

TRANSPORTS: Final = ("grpc",)
"""What is cached is Envoy's own doing."""

_FILE: Final = (
    LISTEN
    + """\
clusters:
  shop:
    endpoints: [{address: $a, id: a}, {address: $b, id: b}]
  other: {endpoints: [{address: $other, id: other}]}
  fragile:
    endpoints: [{address: $fragile, id: fragile}]
    breaker: {failures: 2, open: 1h, max_open: 1h}
  weak:
    endpoints: [{address: $weak, id: weak}]
    breaker: {failures: 2, open: 1h, max_open: 1h}
gates:
  - require: {header: x-key, status: 403}
routes:
  - name: cached
    match: {path: {prefix: /cached}}
    to: shop
    cache: {ttl: 300s, vary: [accept-language]}
    retry: {attempts: 2, on: [503]}
    rewrite: {strip_prefix: /cached}
    headers: {response: {set: {x-by: cached}}}
  - name: short
    match: {path: {prefix: /short}}
    to: other
    cache: {ttl: 1s}
    rewrite: {strip_prefix: /short}
  - {name: cookies, match: {path: {prefix: /cookies}}, to: other, cache: {cookies: true}}
  - {name: fragile, match: {path: {prefix: /fragile}}, to: fragile, cache: {}}
  - {name: each, match: {path: {prefix: /each}}, to: other, cache: {vary: [X-User-Id]}}
  - name: both
    match: {path: {prefix: /both}}
    to: weak
    cache: {ttl: 300s}
    last_good: {refresh: 0s, vary: []}
  - {name: plain, to: other}
"""
)
KEY: Final = {"x-key": "1"}


@pytest.fixture(scope="module")
def caching(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(_FILE, tmp_path_factory.mktemp("cache"), transport) as gateway:
        yield gateway


@pytest.fixture
def gateway(caching: Gateway) -> Gateway:
    for one in caching.endpoints.values():
        one.usual()
    return caching


def asked(gateway: Gateway) -> int:
    return sum(one.asked for one in gateway.endpoints.values())


def test_the_second_time_no_endpoint_is_asked(gateway: Gateway) -> None:
    """F7: and nothing of the way that the cache goes arrives anywhere."""
    first = gateway.ask("/cached/a", KEY)
    second = gateway.ask("/cached/a", KEY)

    assert (first.status, second.status) == (200, 200)
    assert asked(gateway) == 1
    assert second.body == first.body
    assert second.all("age")
    assert first.seen["path"] == "/a"
    assert first.all("x-by") == second.all("x-by") == ["cached"]
    assert not [name for name in first.seen["headers"] if name.startswith(INTERNAL_PREFIX)]
    for reply in (first, second):
        assert not [name for name, _ in reply.headers if name.startswith(INTERNAL_PREFIX)]
        assert reply.all("vary") == []
        assert reply.all("cache-control") == ["s-maxage=300"]


def test_gates_are_asked_before_the_cache(gateway: Gateway) -> None:
    """F7"""
    assert gateway.ask("/cached/gated", KEY).status == 200

    assert gateway.ask("/cached/gated").status == 403


def test_each_value_of_a_header_that_it_varies_by_has_its_own(gateway: Gateway) -> None:
    """F7"""
    for language in ("en", "de", "en", "de"):
        reply = gateway.ask("/cached/vary", {**KEY, "accept-language": language})
        assert reply.arrived("accept-language") == [language]

    assert asked(gateway) == 2


def test_each_key_that_a_gate_requires_has_its_own(gateway: Gateway) -> None:
    """F7: what was answered to one key is not for another, although the route says nothing of it."""
    for key in ("1", "2", "1", "2"):
        reply = gateway.ask("/cached/keys", {"x-key": key})
        assert reply.arrived("x-key") == [key]

    assert asked(gateway) == 2


def test_a_request_that_envoy_takes_is_not_too_large_for_the_cache(gateway: Gateway) -> None:
    """F7: by the number of headers, by their size, or by its path, which goes inwards twice."""
    many = {f"x-many-{at}": "1" for at in range(80)}
    large = {"x-large": "x" * 50_000}

    assert gateway.ask("/cached/many", {**KEY, **many}).status == 200
    assert gateway.ask("/cached/large", {**KEY, **large}).status == 200
    assert gateway.ask(f"/cached/{'p' * 7_000}", {**KEY, **large}).status == 200
    for _ in range(2):
        assert gateway.ask(f"/cached/{'p' * 50_000}", KEY).status == 200

    assert asked(gateway) == 5


def test_an_answer_that_varies_by_something_else_is_not_cached(gateway: Gateway) -> None:
    """F7: and the client reads the endpoint's own word on it."""
    for one in gateway.endpoints.values():
        one.headers = {"vary": "x-secret"}

    replies = [gateway.ask("/cached/other", KEY) for _ in range(2)]

    assert asked(gateway) == 2
    assert [reply.all("vary") for reply in replies] == [["x-secret"]] * 2


def test_one_route_does_not_give_what_another_got(gateway: Gateway) -> None:
    """F7: both are rewritten to one path."""
    first = gateway.ask("/cached/same", KEY)
    other = gateway.ask("/short/same", KEY)

    assert (first.seen["path"], other.seen["path"]) == ("/same", "/same")
    assert other.name == "other"


@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({"authorization": "me"}, "GET"),
        ({"proxy-authorization": "me"}, "GET"),
        ({"x-api-key": "me"}, "GET"),
        ({"x-user-id": "me"}, "GET"),
        ({"x-tenant-id": ""}, "GET"),
        ({"x-ai-model": "m"}, "GET"),
        ({"cookie": "a=b"}, "GET"),
        ({"range": "bytes=0-5"}, "GET"),
        ({}, "POST"),
        ({}, "HEAD"),
    ],
)
def test_what_is_not_for_everybody_passes_the_cache_by(
    gateway: Gateway, headers: dict[str, str], method: str
) -> None:
    """F7"""
    for _ in range(2):
        reply = gateway.ask("/cached/passing", {**KEY, **headers}, method)
        assert reply.status == 200
        assert reply.all("x-by") == ["cached"]
        assert method == "HEAD" or not [
            name for name in reply.seen["headers"] if name.startswith(INTERNAL_PREFIX)
        ]

    assert asked(gateway) == 2


def test_who_says_who_asks_has_answers_of_its_own_where_the_route_varies_by_it(gateway: Gateway) -> None:
    """F7"""
    for user in ("me", "you", "me", "you"):
        assert gateway.ask("/each/a", {**KEY, "x-user-id": user}).arrived("x-user-id") == [user]

    assert asked(gateway) == 2


def test_cookies_are_no_hindrance_where_the_route_says_so(gateway: Gateway) -> None:
    """F7"""
    for at in range(2):
        gateway.ask("/cookies/a", {**KEY, "cookie": f"a={at}"})

    assert asked(gateway) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"set-cookie": "a=b"},
        {"set-cookie": "a=b", "cache-control": "max-age=60"},
        {"cache-control": "no-store"},
        {"content-encoding": "x-own"},
    ],
    ids=["a cookie", "a cookie all the same", "no-store", "a coding that it does not vary by"],
)
def test_an_answer_for_one_client_is_not_cached(gateway: Gateway, headers: dict[str, str]) -> None:
    """F7"""
    for one in gateway.endpoints.values():
        one.headers = headers

    path = f"/cached/own?{''.join(headers)}&{''.join(headers.values())}"  # Envoy remembers which was not kept
    for _ in range(2):
        assert gateway.ask(path, KEY).status == 200

    assert asked(gateway) == 2


def test_an_answer_is_asked_for_anew_when_its_time_is_over(gateway: Gateway) -> None:
    """F7: after 1 s, or what the endpoint says."""
    gateway.ask("/short/a", KEY)

    def again() -> bool:
        gateway.ask("/short/a", KEY)
        return gateway.endpoints["other"].asked == 2

    until(again, "the time to be over")


def test_failures_are_not_cached_and_retried_elsewhere(gateway: Gateway) -> None:
    """F7: the endpoint is the one that the sidecar names, and so is the next."""
    gateway.endpoints["a"].failing = True

    replies = [gateway.ask(f"/cached/retried/{at}", KEY) for at in range(4)]

    assert [reply.status for reply in replies] == [200] * 4
    assert {reply.name for reply in replies} == {"b"}
    assert gateway.endpoints["a"].asked >= 1


def test_many_who_ask_at_once_are_one_request(gateway: Gateway) -> None:
    """F7"""
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(gateway.ask, "/cached/hold", KEY) for _ in range(8)]
        until(lambda: sum(one.held for one in gateway.endpoints.values()) == 1, "the first to be held")
        until(lambda: gateway.sidecar.sample("sidecar_tickets_open") == 8, "all to be decided")
        for one in gateway.endpoints.values():
            one.released.set()

        assert {each.result().status for each in asking} == {200}
    assert asked(gateway) == 1


def test_a_large_answer_is_whole_also_when_the_first_client_went_away(gateway: Gateway) -> None:
    """F7"""
    client = http.client.HTTPConnection("127.0.0.1", gateway.envoy.port, timeout=ASK_WITHIN_S)
    client.request("GET", "/cached/download/100?chunked", headers=KEY)
    response = client.getresponse()
    response.read(100)
    response.close()
    client.close()

    for _ in range(2):
        assert len(gateway.ask("/cached/download/100?chunked", KEY).body) == 100 * 65536
    assert asked(gateway) <= 2


def test_every_ticket_ends(gateway: Gateway) -> None:
    """F7: of hits, and of what the cache fetched."""
    for _ in range(20):
        assert gateway.ask("/cached/hits", KEY).status == 200

    until(lambda: gateway.sidecar.sample("sidecar_tickets_open") == 0, "all tickets to end")
    assert asked(gateway) == 1


def test_a_hit_says_nothing_of_the_endpoint(gateway: Gateway) -> None:
    """F7: two failures in a row open the breaker, whatever the cache answers between them."""
    fragile = gateway.endpoints["fragile"]
    assert gateway.ask("/fragile/kept", KEY).status == 200
    fragile.failing = True

    def tickets() -> float:
        return gateway.sidecar.sample("sidecar_tickets_open")

    assert gateway.ask("/fragile/first", KEY).status == 503
    until(lambda: tickets() == 0, "the failure to be known")
    assert gateway.ask("/fragile/kept", KEY).status == 200
    until(lambda: tickets() == 0, "the hit to be known")
    assert gateway.ask("/fragile/second", KEY).status == 503
    until(lambda: tickets() == 0, "the failure to be known")

    assert gateway.ask("/fragile/third", KEY).seen["reason"] == "no_healthy_endpoint"
    assert fragile.asked == 3


def test_a_fresh_answer_is_given_while_nobody_is_left_where_the_last_good_one_is_kept_too(
    gateway: Gateway,
) -> None:
    """F7 H6: the decision comes first, and by itself it refuses."""
    kept = gateway.ask("/both/a", KEY)
    gateway.endpoints["weak"].failing = True

    def refused() -> bool:
        return gateway.ask("/both/x", KEY, "POST", b"").seen.get("reason") == "no_healthy_endpoint"

    until(refused, "the breaker to open")

    again = gateway.ask("/both/a", KEY)
    assert (again.status, again.body) == (200, kept.body)
    assert gateway.ask("/both/a", {"x-key": "2"}).status == 503
    assert gateway.ask("/both/a", {**KEY, "x-user-id": "me"}).status == 503


def test_whom_a_filter_of_envoy_knows_passes_the_cache_by(transport: str, tmp_path: Path) -> None:
    """F7: of metadata that stands for a user; here the sidecar's own, which every request has behind it."""
    user = "context: {user: [{metadata: {namespace: %s, path: ticket}}]}\n"
    for namespace, expected in (("sidecar", 2), ("else", 1)):
        folder = tmp_path / namespace
        folder.mkdir()
        with running_gateway(_FILE + user % namespace, folder, transport) as gateway:
            for _ in range(2):
                assert gateway.ask("/cached/known", KEY).status == 200
            assert asked(gateway) == expected
