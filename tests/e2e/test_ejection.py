"""Who fails gets nothing for a while; a region that fails is left for the next, until it is good again."""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.waiting import until

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

EJECTED_S = 3.0
RETURN_S = 2.0
GATEWAY = (
    LISTEN
    + f"""
clusters:
  shop:
    endpoints: [{{address: $a, id: a}}, {{address: $b, id: b}}]
    health: {{outliers: {{failure_rate: 50%, requests: 5, ejected_for: {EJECTED_S}s}}}}
    slow_start: 0s
  regional:
    endpoints: [{{address: $us, id: us, region: us-east-1}}, {{address: $eu, id: eu, region: eu-west-1}}]
regions:
  primary: us-east-1
  order: [us-east-1, eu-west-1]
  leave: {{health: "< 95%", error_rate: "> 5%", requests: 5}}
  return_after: {RETURN_S}s
routes:
  - {{name: regional, match: {{path: {{prefix: /regional}}}}, to: regional}}
  - {{name: shop, to: shop}}
"""
)


@pytest.fixture(scope="module")
def gateway(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(GATEWAY, tmp_path_factory.mktemp("ejection"), transport) as running:
        yield running


def test_an_endpoint_that_answers_500_is_ejected_and_comes_back(gateway: Gateway) -> None:
    """H3: by outcomes from Envoy's access log; what is left of its requests goes to the other."""
    b = gateway.endpoints["b"]
    until(lambda: set(gateway.names("/", 4)) == {"a", "b"}, "both")

    b.failing = True
    until(lambda: gateway.names("/", 6) == ["a"] * 6, "the ejection")
    left_at = time.monotonic()
    asked = b.asked
    b.failing = False
    while time.monotonic() < left_at + EJECTED_S / 3:
        assert gateway.names("/", 1) == ["a"]
    assert b.asked == asked

    until(lambda: gateway.names("/", 1) == ["b"], "its return")
    assert sorted(gateway.names("/", 10)) == ["a"] * 5 + ["b"] * 5


def test_traffic_leaves_a_region_that_fails_and_returns_when_it_stayed_good(gateway: Gateway) -> None:
    """F5"""
    us = gateway.endpoints["us"]
    assert gateway.names("/regional", 5) == ["us"] * 5

    us.failing = True
    until(lambda: gateway.names("/regional", 3) == ["eu"] * 3, "the next region")
    left_at = time.monotonic()
    asked = us.asked
    us.failing = False
    until(lambda: gateway.ask("/regional").name == "us", "the return of the first")

    assert time.monotonic() - left_at > RETURN_S - 1.0
    assert us.asked == asked + 1, "it was not asked in between"
    assert gateway.names("/regional", 5) == ["us"] * 5
