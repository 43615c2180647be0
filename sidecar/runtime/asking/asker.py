"""Asks the endpoints of the plan in force, and tells the router what they answer."""

import asyncio
from functools import partial
from random import Random
from typing import Final

from sidecar.core.endpoint import Endpoint
from sidecar.core.plan import Plan
from sidecar.core.watch import ProbeRule, Reading, ScrapeRule, Watch
from sidecar.runtime.asking.get import Web
from sidecar.runtime.asking.probes import Found, found
from sidecar.runtime.asking.rounds import Job, Rounds
from sidecar.runtime.asking.scrapes import scraped
from sidecar.runtime.measures import Measures
from sidecar.runtime.router import Router

MOST_PROBES: Final = 128
"""At once. Each that hangs keeps its place until its timeout: with the usual 5 s and 15 s, the rounds become
longer when more than 384 endpoints hang."""
MOST_SCRAPES: Final = 32


class Asker:
    """Probes and scrapes have rounds of their own, so that slow pages make no probe late."""

    def __init__(self, router: Router, measures: Measures, rng: Random) -> None:
        self._router: Final = router
        self._measures: Final = measures
        self._web: Final = Web()
        self._settings: dict[tuple[object, object], tuple[object, object]] = {}
        """Of the clusters of the plan, each by itself."""
        self.probes: Final = Rounds(rng, MOST_PROBES, router.failed)
        self.scrapes: Final = Rounds(rng, MOST_SCRAPES, router.failed)

    def follow(self, plan: Plan) -> None:
        """Ask what this plan says; what is under way for the former and not wanted any more is given up."""
        probes: dict[str, Job] = {}
        scrapes: dict[str, Job] = {}
        listed = {endpoint.key: endpoint for each in plan.variants() for endpoint in each.endpoints}
        before, self._settings = self._settings, {}
        by_watch: dict[Watch, tuple[object, object]] = {}
        for endpoint in listed.values():
            watch = endpoint.offer.watch
            probe, scrape = watch.probe, watch.scrape
            if probe is None and scrape is None:
                continue
            if watch not in by_watch:  # one of a cluster, and to compare the same object with itself is quick
                told = (
                    None if probe is None else _settings(probe),
                    None if scrape is None else _page(scrape),
                )
                by_watch[watch] = self._settings[told] = before.get(told, told)
            asked, read = by_watch[watch]
            if probe is not None:
                job = partial(self._probe, endpoint, probe)
                probes[endpoint.key] = Job((endpoint.address, asked), probe.interval_s, job)
            if scrape is not None:
                job = partial(self._scrape, endpoint, scrape)
                scrapes[endpoint.key] = Job((endpoint.address, read), scrape.interval_s, job)
        self.probes.follow(probes)
        self.scrapes.follow(scrapes)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await asyncio.gather(self.probes.run(), self.scrapes.run())
        finally:
            self._web.close()

    async def _probe(self, endpoint: Endpoint, rule: ProbeRule) -> None:
        result = await found(self._web, endpoint, rule)
        self._measures.probes[_kind(result)] += 1
        # What follows from it is told with all else that becomes of endpoints.
        self._router.checked(endpoint, result.good, result.why, degraded=result.degraded)

    async def _scrape(self, endpoint: Endpoint, rule: ScrapeRule) -> None:
        report = await scraped(self._web, endpoint, rule)
        if report is None:
            self._measures.scrapes["failed"] += 1
            return
        self._measures.scrapes["read" if report.says_something() else "empty"] += 1
        self._router.told(endpoint, report)


def _kind(result: Found) -> str:
    if not result.good:
        return "bad"
    return "degraded" if result.degraded else "good"


def _settings(rule: ProbeRule) -> tuple[object, ...]:
    """All that a question depends on; the thresholds are the core's."""
    return rule.http, rule.grpc, rule.host, rule.port, rule.statuses, rule.interval_s, rule.timeout_s


def _page(rule: ScrapeRule) -> tuple[object, ...]:
    readings = tuple(
        tuple(map(_reading, readings))
        for readings in (rule.utilisation, rule.quota_used, rule.cache_hit_rate)
    )
    return rule.path, rule.host, rule.port, rule.interval_s, rule.timeout_s, readings


def _reading(reading: Reading) -> tuple[object, ...]:
    return reading.metric, reading.full, reading.labels, reading.summed
