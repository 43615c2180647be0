"""Counts and times, kept as plain numbers while requests flow and made into metrics when somebody scrapes.

A labelled counter of prometheus-client takes a lock and about a microsecond; a dictionary takes a tenth.
Label values are bounded: routes, clusters and reasons come from the configuration, methods from a fixed set.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.refusal import Reason
from sidecar.core.state.tickets import Ticket
from sidecar.runtime.endpoint_measures import EndpointMeasures

_DURATIONS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DECISIONS_S: Final = (1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 1e-1)

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


class Histogram:
    """Counts per bucket; the bounds are upper ones, included."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds: Final = bounds
        self._counts: Final = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound as text, how many at or below it), as Prometheus wants them."""
        rows = []
        total = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows

    def sum(self) -> float:
        return self._sum


class Measures:
    """What happened since the start."""

    def __init__(self) -> None:
        self.requests: Final[dict[tuple[str, str, int, str], int]] = {}
        self.durations: Final[dict[tuple[str, str], Histogram]] = {}
        self.refusals: Final[dict[Reason, int]] = dict.fromkeys(Reason, 0)
        self.reloads: Final[dict[str, int]] = {"applied": 0, "refused": 0, "unchanged": 0}
        self.decisions: Final = Histogram(_DECISIONS_S)
        self.bugs = 0
        self.store_up = True
        self.store_saves: Final[dict[str, int]] = {"saved": 0, "failed": 0}
        self.foreign_log_entries = 0
        self.load_reports: Final[dict[str, int]] = {"taken": 0, "ignored": 0, "foreign": 0}
        self.probes: Final[dict[str, int]] = {"good": 0, "degraded": 0, "bad": 0}
        self.scrapes: Final[dict[str, int]] = {"read": 0, "empty": 0, "failed": 0}

    def refused(self, reason: Reason) -> None:
        self.refusals[reason] += 1

    def replied(self, route: str, method: str, status: int) -> None:
        """A request was answered without an endpoint, as its route says."""
        key = (route, method if method in _METHODS else "OTHER", status, "")
        self.requests[key] = self.requests.get(key, 0) + 1

    def ended(self, ticket: Ticket, outcome: Outcome, seconds: float) -> None:
        upstream = ticket.endpoint.cluster
        method = ticket.method if ticket.method in _METHODS else "OTHER"
        key = (ticket.route, method, outcome.status, upstream)
        self.requests[key] = self.requests.get(key, 0) + 1
        times = self.durations.get((ticket.route, upstream))
        if times is None:
            times = self.durations[ticket.route, upstream] = Histogram(_DURATIONS_S)
        times.observe(seconds)

    def forget_routes(self, kept: set[str]) -> None:
        """Drop the counts of routes that are no more, so that years of reloads do not add up."""
        for key in [key for key in self.requests if key[0] not in kept]:
            del self.requests[key]
        for pair in [pair for pair in self.durations if pair[0] not in kept]:
            del self.durations[pair]


class _Scrape(Collector):
    """Read in a thread of its own while requests are counted: each dictionary is copied in one step."""

    def __init__(self, measures: Measures, engine: Engine, version: dict[str, str]) -> None:
        self._measures: Final = measures
        self._engine: Final = engine
        self._version: Final = version

    def collect(self) -> Iterator[Metric]:
        measures = self._measures
        requests = CounterMetricFamily(
            "gateway_route_requests",
            "Requests that ended, by the route that decided them; status 0 is no answer",
            labels=("route", "method", "status_code", "upstream"),
        )
        for (route, method, status, upstream), count in list(measures.requests.items()):
            requests.add_metric((route, method, str(status), upstream), count)
        yield requests
        durations = HistogramMetricFamily(
            "gateway_route_duration_seconds",
            "Time from request to end of answer",
            labels=("route", "upstream"),
        )
        for labels, histogram in list(measures.durations.items()):
            durations.add_metric(labels, histogram.buckets(), histogram.sum())
        yield durations
        decisions = HistogramMetricFamily(
            "sidecar_decision_seconds", "Decoding, deciding and encoding one request"
        )
        decisions.add_metric((), measures.decisions.buckets(), measures.decisions.sum())
        yield decisions
        refusals = CounterMetricFamily("sidecar_refusals", "Requests refused", labels=("reason",))
        for reason, count in measures.refusals.items():
            refusals.add_metric((reason.value,), count)
        yield refusals
        yield CounterMetricFamily(
            "sidecar_decision_failures",
            "Bugs met while deciding, which is answered as on_error says, or while learning",
            measures.bugs,
        )
        yield CounterMetricFamily(
            "sidecar_foreign_log_entries",
            "Access log entries without a ticket of ours",
            measures.foreign_log_entries,
        )
        loads = CounterMetricFamily(
            "sidecar_load_reports",
            "Load reports of endpoints; ignored: none, or a number that cannot be; foreign: of nobody known",
            labels=("result",),
        )
        for result, count in measures.load_reports.items():
            loads.add_metric((result,), count)
        yield loads
        probes = CounterMetricFamily(
            "sidecar_probes", "Answers of endpoints to probes; bad: or none in time", labels=("result",)
        )
        for result, count in measures.probes.items():
            probes.add_metric((result,), count)
        yield probes
        scrapes = CounterMetricFamily(
            "sidecar_scrapes",
            "Pages of metrics asked of endpoints; empty: with nothing that is looked for; failed: no page",
            labels=("result",),
        )
        for result, count in measures.scrapes.items():
            scrapes.add_metric((result,), count)
        yield scrapes
        reloads = CounterMetricFamily(
            "sidecar_config_reloads", "Reloads of the configuration", labels=("result",)
        )
        for result, count in measures.reloads.items():
            reloads.add_metric((result,), count)
        yield reloads
        yield GaugeMetricFamily(
            "sidecar_store_up",
            "Whether what is learnt could be saved when that was tried last; 1 where nothing is to be saved",
            float(measures.store_up),
        )
        saves = CounterMetricFamily(
            "sidecar_store_saves", "Attempts to save what had changed", labels=("result",)
        )
        for result, count in measures.store_saves.items():
            saves.add_metric((result,), count)
        yield saves
        yield GaugeMetricFamily(
            "sidecar_config_generation",
            "Generation of the configuration in force",
            self._engine.plan.generation,
        )
        cache = self._engine.cache
        if cache is not None:
            lookups = CounterMetricFamily(
                "sidecar_route_cache_lookups",
                "Routes looked up; passed: found quickly, or by what is not remembered",
                labels=("result",),
            )
            lookups.add_metric(("hit",), cache.hits)
            lookups.add_metric(("miss",), cache.misses)
            lookups.add_metric(("passed",), cache.passed)
            yield lookups
            yield GaugeMetricFamily("sidecar_route_cache_entries", "Routes that are remembered", cache.size)
        tickets = self._engine.state.tickets
        yield GaugeMetricFamily("sidecar_tickets_open", "Decisions whose outcome is awaited", len(tickets))
        ends = CounterMetricFamily("sidecar_tickets", "Tickets by how they ended", labels=("end",))
        ends.add_metric(("reported",), tickets.reported)
        ends.add_metric(("lost",), tickets.lost)
        ends.add_metric(("unknown",), tickets.unknown)
        yield ends
        yield InfoMetricFamily("sidecar_build", "What is running", self._version)


def registry_of(measures: Measures, engine: Engine, version: dict[str, str]) -> CollectorRegistry:
    """What `/metrics` shows: the sidecar's own, and the process's where the platform tells them."""
    from prometheus_client import GCCollector, PlatformCollector, ProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Scrape(measures, engine, version))
    registry.register(EndpointMeasures(engine))
    return registry
