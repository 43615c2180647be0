"""Metrics by the names that dashboards ask for."""

from pathlib import Path

from prometheus_client import generate_latest

from sidecar import __version__
from sidecar.runtime.measures import Histogram
from tests.runtime.sidecars import SMALL, Sidecar, process, with_sidecar
from tests.wire.messages import request_headers

OURS = {
    "gateway_route_requests",
    "gateway_route_duration_seconds",
    "sidecar_decision_seconds",
    "sidecar_refusals",
    "sidecar_decision_failures",
    "sidecar_foreign_log_entries",
    "sidecar_load_reports",
    "sidecar_config_reloads",
    "sidecar_config_generation",
    "sidecar_route_cache_lookups",
    "sidecar_route_cache_entries",
    "sidecar_tickets_open",
    "sidecar_tickets",
    "sidecar_build",
    "sidecar_store_up",
    "sidecar_store_saves",
    "sidecar_scrapes",
    "sidecar_probes",
    "gateway_circuit_breaker_state",
    "gateway_upstream_health",
    "sidecar_breaker_opened",
    "sidecar_breaker_state",
    "sidecar_ejections",
    "sidecar_endpoint_back_seconds",
    "sidecar_endpoint_degraded",
    "sidecar_endpoint_health_score",
    "sidecar_endpoint_out",
    "sidecar_endpoints",
    "sidecar_endpoints_unlisted",
    "sidecar_panic",
    "sidecar_region_active",
    "sidecar_region_changes",
}


def test_every_metric_has_its_name() -> None:
    """O1, O2"""

    async def ask(sidecar: Sidecar) -> None:
        found = {metric.name for metric in sidecar.parts.registry.collect()}
        assert found >= OURS
        assert {name for name in found if name.startswith(("gateway_", "sidecar_"))} == OURS

    with_sidecar(ask)


def test_a_request_that_ended_is_counted_and_timed() -> None:
    """O1: exactly these labels."""

    async def ask(sidecar: Sidecar) -> None:
        ticket = (await sidecar.caller.route("/shop", method="DELETE")).decision.ticket
        await sidecar.caller.report(ticket, 204, duration_seconds=0.03)
        text = generate_latest(sidecar.parts.registry).decode()
        labels = 'method="DELETE",route="shop",status_code="204",upstream="shop"'
        assert f"gateway_route_requests_total{{{labels}}} 1.0\n" in text
        times = 'route="shop",upstream="shop"'
        assert f'gateway_route_duration_seconds_bucket{{le="0.025",{times}}} 0.0\n' in text
        assert f'gateway_route_duration_seconds_bucket{{le="0.05",{times}}} 1.0\n' in text
        assert f"gateway_route_duration_seconds_count{{{times}}} 1.0\n" in text
        assert f"gateway_route_duration_seconds_sum{{{times}}} 0.03\n" in text

    with_sidecar(ask)


def test_routes_that_are_remembered_are_counted() -> None:
    """M19: hits, misses and what is remembered; a route that is found at once is not."""

    async def ask(sidecar: Sidecar) -> None:
        for path in ("/shop/1", "/shop/1", "/shop/2", "/shop/1"):
            await sidecar.caller.route(path)
        text = generate_latest(sidecar.parts.registry).decode()
        for result, count in told.items():
            assert f'sidecar_route_cache_lookups_total{{result="{result}"}} {count}.0\n' in text
        assert f"sidecar_route_cache_entries {told['miss']}.0\n" in text

    told = {"hit": 2, "miss": 2, "passed": 0}
    with_sidecar(ask, f"{SMALL}route_cache: {{always: true}}\n")
    told = {"hit": 0, "miss": 0, "passed": 4}
    with_sidecar(ask)


def test_without_a_cache_there_are_no_counts_of_it() -> None:
    """M19"""

    async def ask(sidecar: Sidecar) -> None:
        await sidecar.caller.route("/shop/1")
        assert "route_cache" not in generate_latest(sidecar.parts.registry).decode()

    with_sidecar(ask, f"{SMALL}route_cache: {{entries: 0}}\n")


def test_a_duration_that_nobody_tells_is_measured_here() -> None:
    """O1"""

    async def ask(sidecar: Sidecar) -> None:
        await sidecar.caller.report((await sidecar.caller.route("/shop")).decision.ticket)
        spent = sidecar.sample("gateway_route_duration_seconds_sum", route="shop", upstream="shop")
        assert spent is not None
        assert 0 < spent < 5

    with_sidecar(ask)


def test_methods_are_a_bounded_set() -> None:
    """O2: a client chooses its method freely, and must not fill the memory."""

    async def ask(sidecar: Sidecar) -> None:
        for method in ("GET", "BREW", "get", "PROPFIND"):
            await sidecar.caller.report((await sidecar.caller.route("/shop", method=method)).decision.ticket)
        labels = {"route": "shop", "status_code": "200", "upstream": "shop"}
        assert sidecar.sample("gateway_route_requests_total", method="GET", **labels) == 1
        assert sidecar.sample("gateway_route_requests_total", method="OTHER", **labels) == 3

    with_sidecar(ask)


def test_decisions_and_refusals_are_counted() -> None:
    """O2"""

    async def ask(sidecar: Sidecar) -> None:
        await sidecar.caller.route("/shop")
        await sidecar.caller.route("/nowhere")
        await sidecar.caller.process().ask(request_headers("/nowhere"))
        assert sidecar.sample("sidecar_decision_seconds_count") == 3
        assert sidecar.sample("sidecar_refusals_total", reason="no_route") == 2
        assert sidecar.sample("sidecar_refusals_total", reason="no_endpoint") == 0
        assert sidecar.sample("sidecar_refusals_total", reason="internal") == 0
        assert sidecar.sample("sidecar_tickets_open") == 1

    with_sidecar(ask)


def test_a_request_that_is_still_going_on_is_not_counted_yet() -> None:
    """O1"""

    async def ask(sidecar: Sidecar) -> None:
        await sidecar.caller.route("/shop")
        assert "gateway_route_requests_total{" not in generate_latest(sidecar.parts.registry).decode()

    with_sidecar(ask)


def test_a_histogram_counts_its_bounds_in() -> None:
    """O2"""
    histogram = Histogram((0.1, 1.0))
    for value in (0.0, 0.1, 0.5, 1.0, 7.0):
        histogram.observe(value)

    assert histogram.buckets() == [("0.1", 2.0), ("1.0", 4.0), ("+Inf", 5.0)]
    assert abs(histogram.sum() - 8.6) < 1e-9


def test_a_scrape_tells_build_generation_reloads_and_the_process(tmp_path: Path) -> None:
    """O1, V4"""
    with process(tmp_path, SMALL) as one:
        assert one.sample("sidecar_config_generation") == 1
        for result in ("applied", "refused", "unchanged"):
            assert one.sample(f'sidecar_config_reloads_total{{result="{result}"}}') == 0
        text = one.get("/metrics")[1]
        assert f'version="{__version__}"' in text
        assert 'core="compiled"' in text or 'core="pure Python"' in text
        assert "process_resident_memory_bytes" in text
