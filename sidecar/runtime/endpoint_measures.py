"""Metrics of who is out, why, and when it may be back; read off what is known when somebody scrapes.

Only who is not healthy has series of its own, and of these a thousand at most: a scrape must not cost more
than it tells, and with more of them out than that, the counts say it.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.explanation import back_in, marks_of
from sidecar.core.plan import Plan
from sidecar.core.state.breakers import HALF_OPEN
from sidecar.core.state.standing import DEGRADED, HEALTHY, RESTING, STANDBY, Roster

MOST_LISTED: Final = 1000
LEVELS: Final = ("healthy", "standby", "degraded", "resting", "out", "spent", "gone")


class _Known:
    """What the plan has: its endpoints by key, but those that are never picked; how many breakers each of its
    clusters has; and the lists that may panic, each with its clusters."""

    def __init__(self, plan: Plan, engine: Engine) -> None:
        self.plan: Final = plan
        self.endpoints: Final[dict[str, Endpoint]] = {}
        self.rosters: Final[list[tuple[Roster, frozenset[str]]]] = []
        listed: set[int] = set()
        for variant in plan.variants():
            if id(variant.endpoints) not in listed:  # most are shared by many routes
                listed.add(id(variant.endpoints))
                self.endpoints.update({each.key: each for each in variant.endpoints if each.weight > 0})
            roster = engine.state.pools.of(variant.pool).roster
            if roster is not None and roster.panic > 0.0 and id(roster) not in listed:
                listed.add(id(roster))
                self.rosters.append((roster, frozenset(each.cluster for each in roster.listed)))
        self.breakers: Final[dict[str, int]] = {}
        for each in self.endpoints.values():
            if each.offer.watch.breaker is not None:
                self.breakers[each.cluster] = self.breakers.get(each.cluster, 0) + 1


class EndpointMeasures(Collector):
    """Read in a thread of its own while requests are decided: what changes meanwhile is copied at once."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine: Final = engine
        self._clock: Final = clock
        self._last: _Known | None = None

    def collect(self) -> Iterator[Metric]:
        now = self._clock()
        known = self._known()
        state = self._engine.state
        levels = state.standing.levels()
        yield _counts(known, levels)
        yield _health(known, levels)
        yield from self._listed(known, levels, now)
        yield from self._breakers(known, now)
        yield CounterMetricFamily(
            "sidecar_ejections", "How often an outlier was ejected", state.outliers.ejected
        )
        yield self._scores(known, levels, now)
        regions = GaugeMetricFamily(
            "sidecar_region_active", "1 for the region that has the traffic", labels=("region",)
        )
        if state.region_failover.active:
            regions.add_metric((state.region_failover.active,), 1.0)
        yield regions
        yield CounterMetricFamily(
            "sidecar_region_changes",
            "How often another region had the traffic than before",
            state.region_failover.changes,
        )
        panics = GaugeMetricFamily(
            "sidecar_panic",
            "Whether endpoints of the cluster are in a panic: too few are healthy, so health does not count",
            labels=("cluster",),
        )
        panicking: dict[str, bool] = {}
        for roster, clusters in known.rosters:
            for cluster in clusters:
                panicking[cluster] = panicking.get(cluster, False) or roster.panicking
        for cluster, panic in panicking.items():
            panics.add_metric((cluster,), float(panic))
        yield panics

    def _known(self) -> _Known:
        plan = self._engine.plan
        known = self._last
        if known is None or known.plan is not plan:
            try:
                known = _Known(plan, self._engine)
            except KeyError:  # another plan came meanwhile, and took the pools of this one
                known = _Known(self._engine.plan, self._engine)
            self._last = known
        return known

    def _listed(self, known: _Known, levels: dict[str, int], now: float) -> Iterator[Metric]:
        out = GaugeMetricFamily(
            "sidecar_endpoint_out",
            "1 for each cause for which an endpoint is not picked",
            labels=("cluster", "endpoint", "cause"),
        )
        degraded = GaugeMetricFamily(
            "sidecar_endpoint_degraded",
            "1 for each cause for which an endpoint is passed over while a better one is left",
            labels=("cluster", "endpoint", "cause"),
        )
        back = GaugeMetricFamily(
            "sidecar_endpoint_back_seconds",
            "Until an endpoint that is out or degraded may be back; absent where nobody can tell",
            labels=("cluster", "endpoint"),
        )
        standing = self._engine.state.standing
        listed = unlisted = 0
        for key, level in levels.items():
            endpoint = known.endpoints.get(key)
            if level < DEGRADED or endpoint is None:
                continue
            listed += 1
            if listed > MOST_LISTED:
                unlisted += 1
                continue
            marks = marks_of(standing.marks(key), now)
            for cause in {mark.cause for mark in marks if mark.level >= RESTING}:
                out.add_metric((endpoint.cluster, endpoint.id, cause), 1.0)
            for cause in {mark.cause for mark in marks if mark.level == DEGRADED}:
                degraded.add_metric((endpoint.cluster, endpoint.id, cause), 1.0)
            back_s = back_in(marks)
            if back_s is not None:
                back.add_metric((endpoint.cluster, endpoint.id), round(back_s, 3))
        yield out
        yield degraded
        yield back
        yield GaugeMetricFamily(
            "sidecar_endpoints_unlisted",
            "Endpoints that are out or degraded and have no series of their own, because too many are",
            unlisted,
        )

    def _scores(self, known: _Known, levels: dict[str, int], now: float) -> Metric:
        family = GaugeMetricFamily(
            "sidecar_endpoint_health_score",
            "From 0 to 1, the best; of over a thousand endpoints, only of those that are out or degraded",
            labels=("cluster", "endpoint"),
        )
        scores = self._engine.state.scores
        if len(known.endpoints) <= MOST_LISTED:
            listed = list(known.endpoints.values())
        else:
            poor = [known.endpoints.get(key) for key, level in levels.items() if level >= DEGRADED]
            listed = [endpoint for endpoint in poor if endpoint is not None][:MOST_LISTED]
        for endpoint in listed:
            family.add_metric((endpoint.cluster, endpoint.id), round(scores.of(endpoint.key, now), 3))
        return family

    def _breakers(self, known: _Known, now: float) -> Iterator[Metric]:
        breakers = self._engine.state.breakers
        states = GaugeMetricFamily(
            "sidecar_breaker_state",
            "1 for each breaker that is open or half-open",
            labels=("cluster", "endpoint", "state"),
        )
        counts = {
            (cluster, state): count if state == "closed" else 0
            for cluster, count in known.breakers.items()
            for state in ("closed", "open", "half-open")
        }
        for at, key in enumerate(list(breakers.not_closed)):
            endpoint = known.endpoints.get(key)
            if endpoint is None or endpoint.cluster not in known.breakers:
                continue
            cluster = endpoint.cluster
            state = "half-open" if breakers.state(key, now) == HALF_OPEN else "open"
            counts[cluster, state] += 1
            counts[cluster, "closed"] -= 1
            if at < MOST_LISTED:
                states.add_metric((cluster, endpoint.id, state), 1.0)
        by_cluster = GaugeMetricFamily(
            "gateway_circuit_breaker_state",
            "Endpoints of the cluster whose breaker is in this state",
            labels=("service", "state"),
        )
        for (cluster, state), count in counts.items():
            by_cluster.add_metric((cluster, state), count)
        yield by_cluster
        yield states
        yield CounterMetricFamily("sidecar_breaker_opened", "How often a breaker opened", breakers.opened)


def _health(known: _Known, levels: dict[str, int]) -> Metric:
    """By cluster, region and zone."""
    counts: dict[tuple[str, str, str], list[int]] = {}
    for endpoint in known.endpoints.values():
        count = counts.setdefault((endpoint.cluster, endpoint.region, endpoint.zone), [0, 0])
        count[0] += levels.get(endpoint.key, HEALTHY) <= STANDBY
        count[1] += 1
    family = GaugeMetricFamily(
        "gateway_upstream_health",
        "The share of endpoints that nothing speaks against, 0 to 1",
        labels=("upstream", "datacenter", "zone"),
    )
    for place, (sound, everybody) in counts.items():
        family.add_metric(place, sound / everybody)
    return family


def _counts(known: _Known, levels: dict[str, int]) -> Metric:
    counts: dict[tuple[str, int], int] = {}
    for endpoint in known.endpoints.values():
        place = (endpoint.cluster, levels.get(endpoint.key, HEALTHY))
        counts[place] = counts.get(place, 0) + 1
    family = GaugeMetricFamily(
        "sidecar_endpoints",
        "Endpoints by how they stand; those of weight 0 are not counted",
        labels=("cluster", "level"),
    )
    for cluster in {cluster for cluster, _ in counts}:
        counts.setdefault((cluster, HEALTHY), 0)
    for (cluster, level), count in counts.items():
        family.add_metric((cluster, LEVELS[level]), count)
    return family
