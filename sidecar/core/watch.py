"""By what the endpoints of a cluster are judged: what the file says of health, ejection and breakers.

One object of each for all endpoints of a cluster. Durations are in seconds, shares are 0 to 1.
"""

from typing import Final, final


@final
class ScoreRule:
    """Of the health score. `least` is the score under which an endpoint is passed over while another is left;
    0 is never. `alpha` is the weight of the latest outcome in the moving averages. `window_s` is how long a
    score counts before it begins to fade; `slow_s` is the latency that is worth nothing."""

    def __init__(
        self, least: float = 0.0, alpha: float = 0.3, window_s: float = 60.0, slow_s: float = 0.5
    ) -> None:
        if not 0.0 <= least < 1.0:
            raise ValueError(f"least must be 0 to less than 1, got {least}")
        self.least: Final = least
        self.alpha: Final = alpha
        self.window_s: Final = window_s
        self.slow_s: Final = slow_s


@final
class OutlierRule:
    """When an endpoint is ejected: by the share of failures, or by the 99th percentile of its latency where
    those of its cluster are not as slow, among at least `requests` in the last `window_s`; 0 switches either
    off. At most `most_ejected` of the endpoints of its cluster are ejected at once. The n-th time in a row it
    is out for n times `base_s`, at most `most_s`."""

    def __init__(
        self,
        failure_rate: float = 0.5,
        p99_s: float = 1.0,
        most_ejected: float = 0.5,
        window_s: float = 10.0,
        requests: int = 10,
        base_s: float = 30.0,
        most_s: float = 300.0,
    ) -> None:
        self.failure_rate: Final = failure_rate
        self.p99_s: Final = p99_s
        self.most_ejected: Final = most_ejected
        self.window_s: Final = window_s
        self.requests: Final = requests
        self.base_s: Final = base_s
        self.most_s: Final = most_s


@final
class BreakerRule:
    """When the breaker of an endpoint opens: after so many `failures` in a row, or when less than
    `success_rate` of at least `requests` in the last `window_s` were served; 0 switches either off.

    It stays open for `open_s`, twice as long each time that a trial failed, at most `most_open_s`. Then it
    is half-open: at most `half_open` requests are let through, and it closes when `close_after` of them were
    served.
    """

    def __init__(
        self,
        failures: int = 5,
        success_rate: float = 0.0,
        requests: int = 20,
        window_s: float = 10.0,
        open_s: float = 30.0,
        most_open_s: float = 60.0,
        half_open: int = 3,
        close_after: int = 2,
    ) -> None:
        if not 1 <= close_after <= half_open:
            raise ValueError(f"close_after must be 1 to half_open, got {close_after} of {half_open}")
        self.failures: Final = failures
        self.success_rate: Final = success_rate
        self.requests: Final = requests
        self.window_s: Final = window_s
        self.open_s: Final = open_s
        self.most_open_s: Final = max(most_open_s, open_s)
        self.half_open: Final = half_open
        self.close_after: Final = close_after

    def numbers(self) -> tuple[float, ...]:
        """Rules with the same numbers are the same."""
        return (
            self.failures,
            self.success_rate,
            self.requests,
            self.window_s,
            self.open_s,
            self.most_open_s,
            self.half_open,
            self.close_after,
        )


@final
class ProbeRule:
    """What each endpoint is asked by itself, every `interval_s`, and how many answers in a row decide.

    `http` is the path of a GET, whose status is to be one of `statuses`; empty, `grpc` is the service that
    grpc.health.v1 is asked about. `host` is what the question is addressed to; `port` 0 is the endpoint's
    own.
    """

    def __init__(
        self,
        http: str = "",
        grpc: str = "",
        host: str = "",
        port: int = 0,
        statuses: frozenset[int] = frozenset(range(200, 300)),
        interval_s: float = 15.0,
        timeout_s: float = 5.0,
        healthy: int = 2,
        unhealthy: int = 3,
    ) -> None:
        self.http: Final = http
        self.grpc: Final = grpc
        self.host: Final = host
        self.port: Final = port
        self.statuses: Final = statuses
        self.interval_s: Final = interval_s
        self.timeout_s: Final = timeout_s
        self.healthy: Final = healthy
        self.unhealthy: Final = unhealthy


@final
class Reading:
    """A number on an endpoint's metrics page: of the samples of `metric` that have these `labels`, the
    largest, or the sum where they are `summed`. It is a share, 0 to 1, or so much of `full`, where that is
    above 0."""

    def __init__(
        self,
        metric: str,
        full: float = 0.0,
        labels: tuple[tuple[str, str], ...] = (),
        *,
        summed: bool = False,
    ) -> None:
        self.metric: Final = metric
        self.full: Final = full
        self.labels: Final = labels
        self.summed: Final = summed


@final
class ScrapeRule:
    """What each endpoint's metrics page, at `path`, says of it; of several readings the largest counts.
    `host` and `port` as of a probe."""

    def __init__(
        self,
        path: str = "/metrics",
        host: str = "",
        port: int = 0,
        interval_s: float = 5.0,
        timeout_s: float = 2.0,
        utilisation: tuple[Reading, ...] = (),
        quota_used: tuple[Reading, ...] = (),
        cache_hit_rate: tuple[Reading, ...] = (),
    ) -> None:
        self.path: Final = path
        self.host: Final = host
        self.port: Final = port
        self.interval_s: Final = interval_s
        self.timeout_s: Final = timeout_s
        self.utilisation: Final = utilisation
        self.quota_used: Final = quota_used
        self.cache_hit_rate: Final = cache_hit_rate


@final
class RegionRule:
    """Which region is the active one: the first of `order` that is good.

    It is left when less than `least_healthy` of its endpoints may be picked, when half of its answers or more
    took longer than `slow_s`, or when more than `error_rate` of at least `requests` in the last `window_s`
    failed; 0 is never for the former two, 1 for the last. It is active again when it was good for
    `return_after_s`.
    """

    def __init__(
        self,
        order: tuple[str, ...],
        least_healthy: float = 0.95,
        slow_s: float = 1.0,
        error_rate: float = 0.05,
        return_after_s: float = 60.0,
        window_s: float = 10.0,
        requests: int = 20,
    ) -> None:
        if return_after_s <= 0.0:
            raise ValueError(f"return_after_s must be above 0, got {return_after_s}")
        self.order: Final = order
        self.least_healthy: Final = least_healthy
        self.slow_s: Final = slow_s
        self.error_rate: Final = error_rate
        self.return_after_s: Final = return_after_s
        self.window_s: Final = window_s
        self.requests: Final = requests


USUAL_SCORE: Final = ScoreRule()
USUAL_FAILURES: Final = frozenset(range(500, 600)) - {501, 505}
"""Statuses that speak against who answers with them. A 501, a 505 and a 429 speak of who asked: anybody can
ask for what an endpoint does not know, or too often."""


@final
class Watch:
    """None is: not judged so, or not asked. The score is always kept; by the usual rule it keeps nobody
    away. `failures` are the statuses that all judges take for failures."""

    def __init__(
        self,
        score: ScoreRule = USUAL_SCORE,
        outliers: OutlierRule | None = None,
        breaker: BreakerRule | None = None,
        probe: ProbeRule | None = None,
        scrape: ScrapeRule | None = None,
        failures: frozenset[int] = USUAL_FAILURES,
    ) -> None:
        self.score: Final = score
        self.outliers: Final = outliers
        self.breaker: Final = breaker
        self.probe: Final = probe
        self.scrape: Final = scrape
        self.failures: Final = failures


UNWATCHED: Final = Watch()
