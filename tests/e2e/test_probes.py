"""Who answers probes badly gets no traffic, though its answers to requests are good; and scraped pages
count."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.waiting import until

pytestmark = pytest.mark.e2e

GATEWAY = (
    LISTEN
    + """\
clusters:
  shop:
    endpoints: [{address: $a, id: a}, {address: $b, id: b}]
    health: {probe: {http: /health, interval: 100ms, timeout: 2s}}
    slow_start: 0s
  model:
    endpoints: [{address: $m, id: m}, {address: $n, id: n}]
    limits: {load: 80%}
    scrape:
      interval: 100ms
      utilisation: [{metric: "vllm:kv_cache_usage_perc"}, {metric: "vllm:num_requests_waiting", full: 10}]
  chat:
    endpoints: [{address: $c, id: c}]
    health: {probe: {grpc: "", interval: 100ms, timeout: 2s}}
routes:
  - {name: model, match: {path: {prefix: /model}}, to: model}
  - {name: least, match: {path: {prefix: /least}}, to: model, strategy: least_loaded}
  - {name: chat, match: {path: {prefix: /chat}}, to: chat}
  - {name: shop, to: shop}
"""
)
PAGE = """\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="llama"} WAITING
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="llama"} CACHE
"""


@pytest.fixture(scope="module")
def gateway(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(GATEWAY, tmp_path_factory.mktemp("probes"), transport) as running:
        yield running


def told(gateway: Gateway, event: str) -> list[dict[str, Any]]:
    """Lines of the log about b."""
    return [each for each in gateway.sidecar.events(event) if each["endpoint"] == "b"]


def page(waiting: object, cache: object) -> str:
    return PAGE.replace("WAITING", str(waiting)).replace("CACHE", str(cache))


def test_who_answers_probes_badly_gets_no_traffic_and_has_it_back_when_it_answers_well(
    gateway: Gateway,
) -> None:
    """H4 C4"""
    assert Counter(gateway.names("/", 20)) == {"a": 10, "b": 10}

    gateway.endpoints["b"].sick = True
    until(lambda: told(gateway, "endpoint_out"), "b to be found unhealthy")
    assert [each["why"] for each in told(gateway, "endpoint_out")] == [
        "probe: 3 bad answers in a row: status 503"
    ]
    assert Counter(gateway.names("/", 20)) == {"a": 20}

    gateway.endpoints["b"].sick = False
    until(lambda: told(gateway, "endpoint_back"), "b to be found healthy")
    assert Counter(gateway.names("/", 20)) == {"a": 10, "b": 10}
    assert len(told(gateway, "endpoint_out")) == 1, "nothing is told of single answers"


def test_a_question_of_grpc_is_asked_under_either_transport(gateway: Gateway) -> None:
    """H4: this endpoint speaks no gRPC, so it is found unhealthy."""
    until(lambda: gateway.ask("/chat").status == 503, "it to be out")


def test_what_the_metrics_page_of_an_endpoint_says_counts_for_the_next_requests(gateway: Gateway) -> None:
    """H8 S6 C5: it is the larger of cache and queue; above the limit of 80 % an endpoint gets nothing."""
    first, second = gateway.endpoints["m"], gateway.endpoints["n"]
    first.metrics, second.metrics = page(9.0, 0.1), page(1.0, 0.2)
    until(lambda: gateway.names("/least", 4) == ["n"] * 4, "m's queue to count")
    until(lambda: gateway.names("/model", 4) == ["n"] * 4, "m to be above its limit")

    first.metrics, second.metrics = page(0.0, 0.1), page(1.0, 0.7)
    until(lambda: gateway.names("/least", 4) == ["m"] * 4, "n's cache to count")
    until(lambda: set(gateway.names("/model", 4)) == {"m", "n"}, "both to be below their limit")


def test_numbers_that_cannot_be_are_counted_and_change_nothing(gateway: Gateway) -> None:
    """H8"""
    first, second = gateway.endpoints["m"], gateway.endpoints["n"]
    first.metrics, second.metrics = page(0.0, 0.9), page(0.0, 0.5)
    until(lambda: gateway.names("/model", 4) == ["n"] * 4, "m to be above its limit")
    before = gateway.sidecar.sample("sidecar_load_reports_total", result="ignored")

    first.metrics = page("NaN", -1)

    until(
        lambda: gateway.sidecar.sample("sidecar_load_reports_total", result="ignored") >= before + 4,
        "two rounds",
    )
    assert gateway.names("/model", 4) == ["n"] * 4
