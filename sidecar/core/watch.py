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
        self.least: Final = least
        self.alpha: Final = alpha
        self.window_s: Final = window_s
        self.slow_s: Final = slow_s


@final
class OutlierRule:
    """When an endpoint is ejected: by the share of failures, or by the 99th percentile of its latency, among
    at least `requests` in the last `window_s`; 0 switches either off. At most `most_ejected` of the endpoints
    of its cluster are ejected at once. The n-th time in a row it is out for n times `base_s`, at most
    `most_s`."""

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


USUAL_SCORE: Final = ScoreRule()


@final
class Watch:
    """None is: not judged so. The score is always kept; by the usual rule it keeps nobody away."""

    def __init__(
        self,
        score: ScoreRule = USUAL_SCORE,
        outliers: OutlierRule | None = None,
        breaker: BreakerRule | None = None,
    ) -> None:
        self.score: Final = score
        self.outliers: Final = outliers
        self.breaker: Final = breaker


UNWATCHED: Final = Watch()
