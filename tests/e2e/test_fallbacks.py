"""What happens when an attempt fails: Envoy follows the decision's list, and the sidecar hears who served."""

from collections.abc import Iterator

import pytest

from sidecar import names
from tests.e2e.gateway import Gateway, running_gateway
from tests.running.endpoint import endpoint
from tests.waiting import until

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

GATEWAY = """\
listen: {grpc: $grpc, admin: $admin}
envoy: {listen: $envoy, admin: null, message_timeout: 1s}
clusters:
  shop: {endpoints: [{address: $a, id: a}, {address: $b, id: b}, {address: $c, id: c}]}
  refusing: {endpoints: [{address: "127.0.0.1:1", id: nobody}, {address: $d, id: d}]}
  alone: {endpoints: [{address: $e, id: e}]}
  far: {endpoints: [{address: $f, id: f}]}
  farther: {endpoints: [{address: $g, id: g}]}
  fourth: {endpoints: [{address: $j, id: j}]}
  by-name: {endpoints: [{address: BY_NAME_h, id: h}, {address: BY_NAME_i, id: i}]}
routes:
  - name: list
    match: {path: {prefix: /list}}
    to: a
    failover: [{to: c}, b]
    retry: {not_paths: ["/list/once/**"]}
  - name: listed-methods
    match: {path: {prefix: /write}}
    to: a
    failover: [b]
    retry: {attempts: 2, methods: [POST]}
  - {name: refused, match: {path: {prefix: /refused}}, to: nobody, failover: [d]}
  - name: across
    match: {path: {prefix: /across}}
    to: alone
    failover: [far, {pool: [farther], strategy: random}]
    retry: {backoff: none}
  - name: four
    match: {path: {prefix: /four}}
    pool: [alone, far, farther, fourth]
    strategy: random
    retry: {backoff: none}
  - {name: alone, match: {path: {prefix: /alone}}, to: alone, retry: {attempts: 3}}
  - {name: once, match: {path: {prefix: /never}}, to: alone}
  - name: slow
    match: {path: {exact: /hold}}
    to: a
    failover: [b]
    retry: {on: [timeout], per_try_timeout: 200ms}
  - name: by-name
    match: {path: {prefix: /by-name}}
    to: {cluster: by-name, endpoint: i}
    failover: [far]
"""


@pytest.fixture(scope="module")
def running(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with endpoint("h") as h, endpoint("i") as i:
        text = GATEWAY
        for one in (h, i):
            text = text.replace(f"BY_NAME_{one.name}", f"localhost:{one.port}")
        with running_gateway(text, tmp_path_factory.mktemp("fallbacks"), transport) as gateway:
            gateway.endpoints.update(h=h, i=i)
            yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    for one in running.endpoints.values():
        one.usual()
    return running


def failing(gateway: Gateway, these: str) -> None:
    for name in these:
        gateway.endpoints[name].failing = True


def asked(gateway: Gateway) -> dict[str, int]:
    """How often, of those that were asked at all."""
    return {name: one.asked for name, one in gateway.endpoints.items() if one.asked}


def test_the_list_is_followed_in_its_order_when_endpoints_answer_503(gateway: Gateway) -> None:
    """F1 F2 F4: one request, an attempt for each endpoint of the list."""
    failing(gateway, "ac")

    reply = gateway.ask("/list")

    assert (reply.status, reply.name) == (200, "b")
    assert asked(gateway) == {"a": 1, "b": 1, "c": 1}
    seen = reply.seen["headers"]
    assert not [name for name in seen if name.startswith(("x-envoy-retr", names.INTERNAL_PREFIX))]

    failing(gateway, "b")
    assert gateway.ask("/list").status == 503
    assert asked(gateway) == {"a": 2, "b": 2, "c": 2}, "three attempts and no more"


def test_the_second_of_the_list_is_asked_first_after_the_first(gateway: Gateway) -> None:
    """F1: b would do as well, and is not asked."""
    failing(gateway, "a")

    assert gateway.ask("/list").name == "c"
    assert asked(gateway) == {"a": 1, "c": 1}


def test_of_a_pool_of_four_clusters_two_may_be_down(gateway: Gateway) -> None:
    """F1: there are more orders than Envoy knows, and still each attempt goes to another cluster."""
    failing(gateway, "ef")

    replies = [gateway.ask("/four") for _ in range(40)]

    assert {reply.name for reply in replies} == {"g", "j"}
    assert {reply.status for reply in replies} == {200}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_that_changes_something_is_sent_once(gateway: Gateway, method: str) -> None:
    """F4"""
    failing(gateway, "a")

    assert gateway.ask("/list", method=method).status == 503
    assert asked(gateway) == {"a": 1}


def test_a_path_that_is_listed_is_sent_once(gateway: Gateway) -> None:
    """F4"""
    failing(gateway, "a")

    assert gateway.ask("/list/once/x").status == 503
    assert asked(gateway) == {"a": 1}


def test_a_method_that_is_allowed_is_sent_again_with_its_body(gateway: Gateway) -> None:
    """F4"""
    failing(gateway, "a")

    reply = gateway.ask("/write", method="POST", body=b"x" * 10_000)

    assert (reply.status, reply.name, reply.seen["body_bytes"]) == (200, "b", 10_000)
    assert gateway.ask("/write").status == 503, "a GET is not in this route's list"
    assert asked(gateway) == {"a": 2, "b": 1}


def test_a_refused_connection_leads_to_the_next(gateway: Gateway) -> None:
    """F1 F4"""
    assert gateway.ask("/refused").name == "d"
    assert asked(gateway) == {"d": 1}


def test_the_list_goes_on_in_other_clusters(gateway: Gateway) -> None:
    """F1 F2: a cluster, then another, then one of a pool."""
    failing(gateway, "e")
    assert gateway.ask("/across").name == "f"

    failing(gateway, "f")
    assert gateway.ask("/across").name == "g"
    assert asked(gateway) == {"e": 2, "f": 2, "g": 1}


def test_where_nobody_else_is_left_the_same_one_is_asked_again(gateway: Gateway) -> None:
    """F4"""
    failing(gateway, "e")

    assert gateway.ask("/alone").status == 503
    assert asked(gateway) == {"e": 3}


def test_nothing_is_sent_again_where_the_route_says_nothing(gateway: Gateway) -> None:
    """F4"""
    failing(gateway, "e")

    assert gateway.ask("/never").status == 503
    assert asked(gateway) == {"e": 1}


def test_an_attempt_that_takes_too_long_leads_to_the_next(gateway: Gateway) -> None:
    """F4"""
    gateway.endpoints["b"].released.set()

    assert gateway.ask("/hold").name == "b"
    assert asked(gateway) == {"a": 1, "b": 1}


def test_an_endpoint_with_a_host_name_is_asked_first_and_then_the_other_cluster(gateway: Gateway) -> None:
    """F1: by its name, which Envoy resolves."""
    assert gateway.ask("/by-name").name == "i"

    failing(gateway, "hi")
    assert gateway.ask("/by-name").name == "f"
    assert asked(gateway) == {"f": 1, "i": 2}


def test_one_outcome_comes_back_for_all_attempts(gateway: Gateway) -> None:
    """F1 H1"""
    failing(gateway, "a")
    before = gateway.sidecar.sample("sidecar_tickets_total", end="reported")

    assert gateway.ask("/list").name == "c"

    until(
        lambda: (
            gateway.sidecar.sample("sidecar_tickets_open") == 0
            and gateway.sidecar.sample("sidecar_tickets_total", end="reported") > before
        ),
        "the outcome",
    )
    assert gateway.sidecar.sample("sidecar_tickets_total", end="unknown") == 0
