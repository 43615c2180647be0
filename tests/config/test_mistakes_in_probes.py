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
        "health: {probe: {http: /, interval: 99ms, timeout: 50ms}}",
        "health.probe.interval: must be at least 100ms; each question takes a connection",
    ),
    pytest.param(
        "health: {probe: {grpc: '', timeout: 0.9ms}}",
        "health.probe.timeout: must be at least 1ms; nobody answers sooner",
    ),
    pytest.param(
        "scrape: {interval: 1ms, timeout: 1ms, utilisation: [{metric: m}]}",
        "scrape.interval: must be at least 100ms; each question takes a connection",
    ),
    pytest.param(
        "scrape: {timeout: 0.0001ms, utilisation: [{metric: m}]}",
        "scrape.timeout: must be at least 1ms; nobody answers sooner",
    ),
    *(
        pytest.param(
            f"health: {{probe: {{http: /, host: '{host}'}}}}",
            f'health.probe.host: "{host}" is not a host; write one such as shop.internal or '
            "shop.internal:8080",
        )
        for host in ("a:99999", "a:0", "[::::::::]", "[::::::::]:80", "[::1]:65536", "[1.2.3.4]")
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


@pytest.mark.parametrize("host", ["a", "a:1", "shop.internal:65535", "[::1]", "[2001:db8::1]:80", "10.0.0.1"])
def test_a_host_that_there_can_be_is_taken(host: str) -> None:
    asked = f"health: {{probe: {{http: /, host: '{host}'}}}}"
    assert loaded(f"clusters: {{shop: {{endpoints: [{{address: 'a:1'}}], {asked}}}}}\n{ROUTES}").notes == []


def test_a_question_that_may_take_longer_than_its_interval_is_noted() -> None:
    """H4, H8"""
    asked = (
        "health: {probe: {http: /, interval: 2s}}, "
        "scrape: {interval: 100ms, timeout: 1s, utilisation: [{metric: m}]}"
    )
    file = f"clusters: {{shop: {{endpoints: [{{address: '10.0.0.1:80'}}], {asked}}}}}\n{ROUTES}"
    assert loaded(file).notes == [
        f"gateway.yaml:1: clusters.shop.{place}.timeout: is more than the interval of {interval} s, so one "
        f"that hangs is asked only every {timeout} s; write at most as much"
        for place, interval, timeout in (("health.probe", "2", "5"), ("scrape", "0.1", "1"))
    ]
    assert loaded(file.replace("2s", "5s").replace("100ms", "1s")).notes == []


def test_a_cluster_without_endpoints_has_nobody_to_ask() -> None:
    told = "the cluster lists no endpoints to ask; list them, or leave it out"
    assert said("health: {probe: {http: /}}, scrape: {utilisation: [{metric: m}]}") == [
        f"gateway.yaml:1: clusters.shop.health.probe: {told}",
        f"gateway.yaml:1: clusters.shop.scrape: {told}",
    ]
