"""What is said of mistakes in probes and scrapes."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import ROUTES, loaded

MISTAKES = [
    pytest.param(
        "health: {probe: {}}", "health.probe: needs http or grpc; write {http: /health}, for example"
    ),
    pytest.param(
        "health: {probe: {http: /, grpc: ''}}",
        "health.probe: http and grpc are two questions; keep one of them",
    ),
    pytest.param(
        "health: {probe: {grpc: '', statuses: [200]}}",
        "health.probe.statuses: are those of http, and grpc has none; leave it out",
    ),
    pytest.param(
        "health: {probe: {http: health}}",
        'health.probe.http: "health" is not a path; begin it with /, and write nothing but printable ASCII '
        "without spaces",
    ),
    pytest.param(
        "health: {probe: {http: /, host: 'a b'}}",
        'health.probe.host: "a b" is not a host; write one such as shop.internal or shop.internal:8080',
    ),
    pytest.param(
        'health: {probe: {grpc: "a\\nb"}}',
        'health.probe.grpc: "a\\u000ab" holds a control character; remove it',
    ),
    pytest.param(
        "health: {probe: {http: /, statuses: [20]}}", "health.probe.statuses[0]: must be at least 100, got 20"
    ),
    pytest.param("health: {probe: {http: /, port: 0}}", "health.probe.port: must be at least 1, got 0"),
    pytest.param("health: {probe: {http: /, healthy: 0}}", "health.probe.healthy: must be at least 1, got 0"),
    pytest.param(
        "health: {probe: {http: /, interval: 0s}}", "health.probe.interval: must be longer than 0, got 0s"
    ),
    pytest.param(
        "health: {probe: {htp: /}}",
        "health.probe.htp: unknown key; did you mean http?",
    ),
    pytest.param(
        "scrape: {}",
        "scrape: needs one of utilisation, quota_used, cache_hit_rate; else there is nothing to "
        "read from the "
        "page",
    ),
    pytest.param(
        "scrape: {interval: 40s, utilisation: [{metric: m}]}",
        "scrape.interval: with the timeout, the next report may come after 46 s, and one counts for "
        "30 s; ask "
        "more often",
    ),
    pytest.param(
        "scrape: {utilisation: [{metric: a b}]}",
        'scrape.utilisation[0].metric: "a b" is not the name of a metric; write one such as '
        "vllm:num_requests_waiting",
    ),
    pytest.param("scrape: {utilisation: [{full: 3}]}", "scrape.utilisation[0].metric: is missing"),
    pytest.param(
        "scrape: {utilisation: [{metric: m, full: 0}]}",
        "scrape.utilisation[0].full: must be above 0, got 0",
    ),
    pytest.param(
        "scrape: {utilisation: [{metric: m, samples: mean}]}",
        'scrape.utilisation[0].samples: unknown value "mean"; write max or sum',
    ),
]


def said(cluster: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        loaded(f"clusters: {{shop: {{{cluster}}}}}\n{ROUTES}")
    return str(error.value).splitlines()


@pytest.mark.parametrize(("rest", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_remedy(rest: str, message: str) -> None:
    assert said(f"endpoints: [{{address: '10.0.0.1:80'}}], {rest}") == [
        f"gateway.yaml:1: clusters.shop.{message}"
    ]


def test_a_cluster_without_endpoints_has_nobody_to_ask() -> None:
    told = "the cluster lists no endpoints to ask; list them, or leave it out"
    assert said("health: {probe: {http: /}}, scrape: {utilisation: [{metric: m}]}") == [
        f"gateway.yaml:1: clusters.shop.health.probe: {told}",
        f"gateway.yaml:1: clusters.shop.scrape: {told}",
    ]
