"""What a cluster says of health and breakers, to the rules by which the core judges its endpoints."""

from sidecar.config import schema
from sidecar.config.errors import Findings, Where
from sidecar.core.watch import UNWATCHED, BreakerRule, OutlierRule, ScoreRule, Watch


def watch_of(cluster: schema.Cluster) -> Watch:
    """Of a cluster that `check_health` found sound."""
    health, breaker = cluster.health, cluster.breaker
    if health.outliers is None and health.score is None and breaker is None:
        return UNWATCHED
    score = UNWATCHED.score
    if health.score is not None:
        score = ScoreRule(health.score.min, health.score.alpha, health.score.window, health.score.latency)
    return Watch(
        score,
        None if health.outliers is None else _outliers(health.outliers),
        None if breaker is None else _breaker(breaker),
    )


def check_health(cluster: schema.Cluster, where: Where, findings: Findings) -> None:
    """What needs two keys to judge."""
    breaker = cluster.breaker
    if breaker is None:
        return
    place = (*where, "breaker")
    if breaker.close_after > breaker.half_open:
        findings.add(
            (*place, "close_after"),
            f"{breaker.close_after} of {breaker.half_open} trials can never be served",
            "write at most half_open",
        )
    if not breaker.failures and not breaker.success_rate:
        findings.add(place, "nothing opens it", "give it failures or success_rate, or leave it out")


def _outliers(written: schema.Outliers) -> OutlierRule:
    return OutlierRule(
        written.failure_rate,
        written.p99,
        written.max_ejected,
        written.window,
        written.requests,
        written.ejected_for,
        written.max_ejected_for,
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
