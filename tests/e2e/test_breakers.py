"""Breakers through a real Envoy: who fails is left alone, tried, and has its requests again."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.gateway import Gateway, running_gateway
from tests.waiting import until

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

OPEN_S = 1.0
TRIALS = 2
GATEWAY = """\
listen: {grpc: $grpc, admin: $admin}
envoy: {listen: $envoy, admin: null, message_timeout: 1s}
clusters:
  shop:
    endpoints: [{address: $a, id: a}, {address: $b, id: b}]
    breaker: {failures: 3, open: 1s, max_open: 1s, half_open: 2, close_after: 2}
  db:
    endpoints: [{address: $c, id: c}]
    breaker: {failures: 3, open: 1s, max_open: 1s, otherwise: {to: replica, methods: [GET]}}
  replica: {endpoints: [{address: $d, id: d}]}
  page:
    endpoints: [{address: $e, id: e}]
    breaker:
      {failures: 3, open: 1s, max_open: 1s, otherwise: {respond: {status: 200, body: back soon}}}
  alone: {endpoints: [{address: $f, id: f}], breaker: {failures: 3, open: 600s, max_open: 600s}}
  panicking:
    endpoints: [{address: $g, id: g}]
    breaker: {failures: 3, open: 600s, max_open: 600s}
    health: {panic: 50%}
routes:
  - {name: reads, match: {path: {prefix: /db/reads}}, to: db, retry: {attempts: 2, backoff: none}}
  - {name: db, match: {path: {prefix: /db}}, to: db}
  - {name: page, match: {path: {prefix: /page}}, to: page}
  - {name: alone, match: {path: {prefix: /alone}}, to: alone}
  - {name: panicking, match: {path: {prefix: /panicking}}, to: panicking}
  - {name: shop, to: shop}
"""


@pytest.fixture(scope="module")
def running(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(GATEWAY, tmp_path_factory.mktemp("breakers"), transport) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    for one in running.endpoints.values():
        one.usual()
    return running


def test_who_fails_gets_no_more_than_trials_and_all_its_requests_after_it_recovered(gateway: Gateway) -> None:
    """H5: open after three failures, half-open each second, closed again when two trials were served."""
    a = gateway.endpoints["a"]
    until(lambda: set(gateway.names("/", 4)) == {"a", "b"}, "both to be asked")
    a.failing = True
    until(lambda: gateway.names("/", 10) == ["b"] * 10, "the breaker to open")

    began, before, sent = time.monotonic(), a.asked, 0
    while a.asked < before + 2 * TRIALS:
        assert gateway.ask("/").name in {"a", "b"}
        sent += 1
        assert time.monotonic() - began < 30.0
    generations = (time.monotonic() - began) / OPEN_S + 1
    assert a.asked - before <= TRIALS * generations
    assert a.asked - before < sent / 4, "of a rotation, it would have been half of them"

    a.failing = False
    until(lambda: gateway.names("/", 10).count("a") == 5, "its full share")


def test_a_replica_takes_reads_while_the_database_is_out(gateway: Gateway) -> None:
    """H6: writes are refused, and the client is told why, but not where."""
    c = gateway.endpoints["c"]
    assert gateway.ask("/db").name == "c"
    c.failing = True
    until(lambda: gateway.ask("/db").name == "d", "the replica to stand in")

    def refused() -> bool:
        reply = gateway.ask("/db", method="POST", body=b"x")
        return reply.status == 503 and b"no_healthy_endpoint" in reply.body

    until(refused, "a write to be refused")
    c.failing = False
    until(lambda: gateway.ask("/db").name == "c", "the database to have its reads again")
    assert gateway.ask("/db", method="POST", body=b"x").name == "c"


def test_a_replica_is_where_reads_are_sent_again(gateway: Gateway) -> None:
    """H6 F1: from the first failure on, before the breaker opens, and no read fails."""
    until(lambda: gateway.ask("/db/reads").name == "c", "the database to have its reads")
    gateway.endpoints["c"].failing = True

    replies = [gateway.ask("/db/reads") for _ in range(30)]

    assert {(reply.status, reply.name) for reply in replies} == {(200, "d")}
    assert gateway.endpoints["c"].asked < 30, "the attempts that failed have opened it"


def test_a_fixed_answer_while_the_endpoint_is_out(gateway: Gateway) -> None:
    """H6"""
    e = gateway.endpoints["e"]
    assert gateway.ask("/page").name == "e"
    e.failing = True

    until(lambda: gateway.ask("/page").body == b"back soon", "the fixed answer")
    assert gateway.ask("/page").status == 200
    e.failing = False

    until(lambda: b'"name": "e"' in gateway.ask("/page").body, "the endpoint to be asked again")


def test_a_refusal_says_that_nobody_is_healthy_and_names_nobody(gateway: Gateway) -> None:
    """H7"""
    f = gateway.endpoints["f"]
    f.failing = True
    until(lambda: b"no_healthy_endpoint" in gateway.ask("/alone").body, "nobody to be left")
    asked = f.asked

    reply = gateway.ask("/alone")

    assert reply.status == 503
    assert json.loads(reply.body)["message"] == "no endpoint of this route is healthy"
    assert f.address.encode() not in reply.body
    assert f.asked == asked


def test_in_a_panic_requests_go_on(gateway: Gateway) -> None:
    """H7: the file says that it is better than a refusal."""
    gateway.endpoints["g"].failing = True

    replies = [gateway.ask("/panicking") for _ in range(40)]

    assert {reply.name for reply in replies} == {"g"}
