"""The endpoint that will answer soonest, by the median or the tail of what it took lately."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn

_UNKNOWN: Final = -1.0
_FAILING_S: Final = 1e12
_DROPPED: Final = float("inf")


@final
class LeastLatency(Strategy):
    """The least of quantile / success x (in flight / weight + 1).

    `success` is the share of outcomes that were no failures: so it is the time to a success where failures
    are tried again, and an endpoint that fails at once does not look fast. The requests in flight there,
    this one among them, are the cost that Finagle's balancer has too ("peak EWMA"): a quantile tells of a
    crowd when the answers come, and without them each sidecar would flood the fastest endpoint until then,
    and the next fastest after it. So where many requests are in flight, an endpoint twice as slow gets a
    quarter.

    An endpoint counts when it has `min_samples` outcomes. Until then it has the part of the requests that its
    weight gives it, while fewer than `min_samples` of them are in flight there: it is neither starved nor
    flooded. With a target, endpoints whose quantile / success is above `target_s` seconds are dropped
    while one is known that is not: of the fallbacks they are the last.

    At most `draw` candidates, drawn by weight, are compared: scores change all the time, and to look at all
    of a thousand would cost more than it is worth. Of equals the one drawn first is taken.
    """

    def __init__(
        self, *, quantile: str = "p50", min_samples: int = 10, target_s: float = 0.0, draw: int = 8
    ) -> None:
        if quantile not in {"p50", "p95"}:
            raise ValueError(f"quantile must be p50 or p95, got {quantile}")
        if not 1 <= min_samples <= 200:
            raise ValueError(f"min_samples must be 1 to 200, got {min_samples}")
        if not 0.0 <= target_s < _DROPPED:
            raise ValueError(f"target_s must be at least 0, got {target_s}")
        if draw < 2:
            raise ValueError(f"draw must be at least 2, got {draw}")
        self._tail: Final = quantile == "p95"
        self._min_samples: Final = min_samples
        self._target_s: Final = target_s
        self._draw: Final = draw

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        drawn = turn.draw(max(self._draw, want))
        if len(drawn) == 1:
            return drawn
        scores = self._scores(turn, drawn)
        best = min([score for score in scores if score >= 0.0], default=_UNKNOWN)
        if best < 0.0:
            drawn.sort(key=lambda endpoint: _load(turn, endpoint))
            return drawn[:want]
        first = 0  # as chance has it
        if not self._shall_try(turn, drawn[0], scores[0]):
            first = scores.index(best)
        if want == 1:
            return [drawn[first]]
        others = [at for at in range(len(drawn)) if at != first]
        others.sort(key=lambda at: _place(scores[at]))
        dropped = sum([1 for at in others if scores[at] == _DROPPED])
        if dropped > 1:
            late = [(self._time_s(turn, drawn[at]), at) for at in others[-dropped:]]
            late.sort()
            others[-dropped:] = [at for _, at in late]
        return [drawn[first], *[drawn[at] for at in others[: want - 1]]]

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """Seconds times requests, the least is the best; negative where there are too few samples, 1e12 where
        there are only failures, endless where the target drops it."""
        endpoints = turn.candidates.endpoints
        return list(zip(endpoints, self._scores(turn, endpoints), strict=True))

    def _shall_try(self, turn: Turn, endpoint: Endpoint, score: float) -> bool:
        if score < 0.0:
            return turn.state.load.of(endpoint.key) < self._min_samples
        track = turn.state.latency.of(endpoint.key)
        return track is not None and track.due(turn.now) and turn.tries(endpoint)

    def _scores(self, turn: Turn, endpoints: list[Endpoint]) -> list[float]:
        times = [self._time_s(turn, endpoint) for endpoint in endpoints]
        dropped_s = _DROPPED
        if self._target_s > 0.0 and any(0.0 <= time <= self._target_s for time in times):
            dropped_s = self._target_s
        scores: list[float] = []
        for at, time in enumerate(times):
            if time < 0.0:
                scores.append(_UNKNOWN)
            elif time > dropped_s:
                scores.append(_DROPPED)
            else:
                scores.append(time * (_load(turn, endpoints[at]) + 1.0))
        return scores

    def _time_s(self, turn: Turn, endpoint: Endpoint) -> float:
        track = turn.state.latency.of(endpoint.key)
        if track is None or not track.known(self._min_samples):
            return _UNKNOWN
        if track.failing():
            return _FAILING_S
        time = track.p95_s() if self._tail else track.p50_s()
        return time if time < 0.0 else min(time / track.success_share(), _FAILING_S)


def _place(score: float) -> tuple[int, float]:
    """Among fallbacks: the known ones by score, then the unknown ones, then those that a target dropped."""
    return (2 if score == _DROPPED else 1 if score < 0.0 else 0, score)


def _load(turn: Turn, endpoint: Endpoint) -> float:
    return turn.state.load.of(endpoint.key) / turn.weight(endpoint)
