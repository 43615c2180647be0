"""What the file says of probes and scrapes, as the endpoints are then asked."""

from sidecar.core.watch import Watch
from tests.config.files import ROUTES, loaded

ENDPOINTS = "endpoints: [{address: '10.0.0.1:80'}]"


def watch(rest: str) -> Watch:
    plan = loaded(f"clusters: {{shop: {{{ENDPOINTS}, {rest}}}}}\n{ROUTES}").plan
    return plan.variants()[0].endpoints[0].offer.watch


def test_a_probe_has_the_usual_numbers_where_nothing_is_said() -> None:
    """H4"""
    probe = watch("health: {probe: {http: /health}}").probe

    assert probe is not None
    assert (probe.http, probe.interval_s, probe.timeout_s) == ("/health", 15.0, 5.0)
    assert (probe.healthy, probe.unhealthy) == (2, 3)
    assert probe.statuses == frozenset(range(200, 300))
    assert (probe.host, probe.port) == ("", 0)


def test_a_probe_is_as_it_is_written() -> None:
    probe = watch(
        "health: {probe: {http: /up, statuses: [200, 404], host: 'shop.internal:81', port: 9000, "
        "interval: 1s, "
        "timeout: 2s, healthy: 3, unhealthy: 4}}"
    ).probe

    assert probe is not None
    assert (probe.statuses, probe.host, probe.port) == (frozenset({200, 404}), "shop.internal:81", 9000)
    assert (probe.interval_s, probe.timeout_s, probe.healthy, probe.unhealthy) == (1.0, 2.0, 3, 4)


def test_the_service_of_a_grpc_probe_may_be_empty_for_all() -> None:
    probe = watch("health: {probe: {grpc: ''}}").probe
    other = watch("health: {probe: {grpc: shop.v1.Shop}}").probe

    assert probe is not None
    assert other is not None
    assert (probe.http, probe.grpc, other.grpc) == ("", "", "shop.v1.Shop")


def test_a_scrape_reads_what_is_written() -> None:
    """H8"""
    scrape = watch(
        "scrape: {port: 9090, utilisation: [{metric: 'vllm:kv_cache_usage_perc'}, {metric: waiting, "
        "full: 10, "
        "samples: sum, labels: {model: llama, engine: '0'}}], quota_used: [{metric: q}], "
        "cache_hit_rate: [{metric: c}]}"
    ).scrape

    assert scrape is not None
    assert (scrape.path, scrape.port, scrape.interval_s, scrape.timeout_s) == ("/metrics", 9090, 5.0, 2.0)
    cache, waiting = scrape.utilisation
    assert (cache.metric, cache.full, cache.labels, cache.summed) == (
        "vllm:kv_cache_usage_perc",
        0.0,
        (),
        False,
    )
    assert (waiting.full, waiting.summed) == (10.0, True)
    assert waiting.labels == (("engine", "0"), ("model", "llama"))
    assert [each.metric for each in (*scrape.quota_used, *scrape.cache_hit_rate)] == ["q", "c"]


def test_nobody_is_asked_who_is_not_said_to_be() -> None:
    asked = watch("slow_start: 0s")

    assert asked.probe is None
    assert asked.scrape is None


def test_who_goes_by_load_of_scraped_endpoints_needs_no_other_reports() -> None:
    file = (
        f"envoy: {{load_reports: false}}\nclusters: {{shop: {{{ENDPOINTS}, limits: {{load: 80%}}MORE}}}}\n"
        "routes: [{name: r, to: shop, strategy: least_loaded}]\n"
    )

    assert loaded(file.replace("MORE", "")).notes != []
    assert loaded(file.replace("MORE", ", scrape: {utilisation: [{metric: m}]}")).notes == []
