"""What a cluster says of health and breakers, to the rules by which the core judges its endpoints."""

from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where
from sidecar.core.state.reports import FRESH_S
from sidecar.core.watch import (
    UNWATCHED,
    BreakerRule,
    OutlierRule,
    ProbeRule,
    Reading,
    ScoreRule,
    ScrapeRule,
    Watch,
)

_MOST_SCORE: Final = 0.999
_JITTER: Final = 1.1
"""So much longer than its interval a round may take; see runtime/asking."""
_LEAST_INTERVAL_S: Final = 0.1
_LEAST_TIMEOUT_S: Final = 0.001
_SHOWN: Final = ("utilisation", "quota_used", "cache_hit_rate")


def watch_of(cluster: schema.Cluster) -> Watch:
    """Of a cluster that `check_health` found sound."""
    health, breaker = cluster.health, cluster.breaker
    asked = health.probe is not None or cluster.scrape is not None
    said = bool(health.failure_statuses)
    if health.outliers is None and health.score is None and breaker is None and not asked and not said:
        return UNWATCHED
    score = UNWATCHED.score
    if health.score is not None:
        written = health.score
        score = ScoreRule(min(written.min, _MOST_SCORE), written.alpha, written.window, written.latency)
    return Watch(
        score,
        None if health.outliers is None else _outliers(health.outliers),
        None if breaker is None else _breaker(breaker),
        None if health.probe is None else _probe(health.probe),
        None if cluster.scrape is None else _scrape(cluster.scrape),
        frozenset(health.failure_statuses) if said else UNWATCHED.failures,
    )


def check_health(cluster: schema.Cluster, where: Where, findings: Findings) -> None:
    """What needs two keys to judge."""
    _check_asked(cluster, where, findings)
    _check_judged(cluster.health, (*where, "health"), findings)
    health = cluster.health
    breaker = cluster.breaker
    if health.panic and health.probe is None and health.outliers is None and breaker is None:
        findings.note(
            (*where, "health", "panic"),
            "nothing here finds an endpoint unhealthy",
            "give the cluster a probe, outliers or a breaker",
        )
    if breaker is None:
        return
    place = (*where, "breaker")
    if "close_after" in breaker.model_fields_set and breaker.close_after > breaker.half_open:
        findings.add(
            (*place, "close_after"),
            f"{breaker.close_after} of {breaker.half_open} trials can never be served",
            "write at most half_open",
        )
    if not breaker.failures and not breaker.success_rate:
        findings.add(place, "nothing opens it", "give it failures or success_rate, or leave it out")
    if "max_open" in breaker.model_fields_set and breaker.max_open < breaker.open:
        findings.add((*place, "max_open"), "is less than open", "write at least as much")


def otherwise_of(cluster: schema.Cluster | None) -> schema.Otherwise | None:
    """Where else its requests go, or what else they get, while nobody is left; None for nothing else."""
    if cluster is None or cluster.breaker is None or isinstance(cluster.breaker.otherwise, str):
        return None
    return cluster.breaker.otherwise


def _check_asked(cluster: schema.Cluster, where: Where, findings: Findings) -> None:
    """Probes and scrapes."""
    probe, scrape = cluster.health.probe, cluster.scrape
    at_probe, at_scrape = (*where, "health", "probe"), (*where, "scrape")
    _check_times(probe, at_probe, findings)
    _check_times(scrape, at_scrape, findings)
    if not cluster.endpoints:
        for place, written in ((at_probe, probe), (at_scrape, scrape)):
            if written is not None:
                findings.add(place, "the cluster lists no endpoints to ask", "list them, or leave it out")
    if probe is not None:
        if probe.http is None and probe.grpc is None:
            findings.add(at_probe, "needs http or grpc", "write {http: /health}, for example")
        elif probe.http is not None and probe.grpc is not None:
            findings.add(at_probe, "http and grpc are two questions", "keep one of them")
        elif probe.grpc is not None and probe.statuses:
            findings.add((*at_probe, "statuses"), "are those of http, and grpc has none", "leave it out")
    if scrape is None:
        return
    if not any(getattr(scrape, key) for key in _SHOWN):
        findings.add(
            at_scrape, f"needs one of {', '.join(_SHOWN)}", "else there is nothing to read from the page"
        )
    latest_s = _JITTER * scrape.interval + scrape.timeout
    if latest_s > FRESH_S:
        findings.add(
            (*at_scrape, "interval"),
            f"with the timeout, the next report may come after {latest_s:g} s, "
            f"and one counts for {FRESH_S:g} s",
            "ask more often",
        )


def _check_times(asked: schema.Probe | schema.Scrape | None, where: Where, findings: Findings) -> None:
    if asked is None:
        return
    if asked.interval < _LEAST_INTERVAL_S:
        findings.add((*where, "interval"), "must be at least 100ms", "each question takes a connection")
    if asked.timeout < _LEAST_TIMEOUT_S:
        findings.add((*where, "timeout"), "must be at least 1ms", "nobody answers sooner")
    if asked.timeout > asked.interval:
        findings.note(
            (*where, "timeout"),
            f"is more than the interval of {asked.interval:g} s, so one that hangs is asked only every "
            f"{asked.timeout:g} s",
            "write at most as much",
        )


def _probe(written: schema.Probe) -> ProbeRule:
    return ProbeRule(
        written.http or "",
        written.grpc or "",
        written.host or "",
        written.port or 0,
        frozenset(written.statuses or range(200, 300)),
        written.interval,
        written.timeout,
        written.healthy,
        written.unhealthy,
    )


def _scrape(written: schema.Scrape) -> ScrapeRule:
    return ScrapeRule(
        written.path,
        written.host or "",
        written.port or 0,
        written.interval,
        written.timeout,
        _readings(written.utilisation),
        _readings(written.quota_used),
        _readings(written.cache_hit_rate),
    )


def _readings(written: list[schema.Reading]) -> tuple[Reading, ...]:
    return tuple(
        Reading(
            each.metric, each.full or 0.0, tuple(sorted(each.labels.items())), summed=each.samples == "sum"
        )
        for each in written
    )


def _check_judged(health: schema.Health, where: Where, findings: Findings) -> None:
    outliers, score = health.outliers, health.score
    if outliers is not None:
        place = (*where, "outliers")
        if not outliers.failure_rate and not outliers.p99:
            findings.add(place, "nothing ejects anybody", "give it failure_rate or p99, or leave it out")
        written = "max_ejected_for" in outliers.model_fields_set
        if written and outliers.max_ejected_for < outliers.ejected_for:
            findings.add(
                (*place, "max_ejected_for"),
                "is less than ejected_for",
                "write at least as much",
            )
    if score is not None and score.min >= 1.0:
        findings.add(
            (*where, "score", "min"),
            "no endpoint that takes any time reaches 100%",
            "write less, such as 70%",
        )


def _outliers(written: schema.Outliers) -> OutlierRule:
    return OutlierRule(
        written.failure_rate,
        written.p99,
        written.max_ejected,
        written.window,
        written.requests,
        written.ejected_for,
        max(written.max_ejected_for, written.ejected_for),
    )


def _breaker(written: schema.Breaker) -> BreakerRule:
    return BreakerRule(
        written.failures,
        written.success_rate,
        written.requests,
        written.window,
        written.open,
        written.max_open,
        written.half_open,
        min(written.close_after, written.half_open),
    )
