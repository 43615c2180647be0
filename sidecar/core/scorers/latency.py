"""How quick an endpoint was lately, beside the quickest."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.scorers.base import Asked, Scorer

_LEAST: Final = 10
_IN_BETWEEN: Final = 0.5
_TRIED: Final = -1.0
_KNOWN_BY_NOTHING: Final = -2.0
_FAILING: Final = -3.0
"""In place of a time: it has 1, a half, or 0."""


@final
class Latency(Scorer):
    """The least median / the endpoint's, of the durations of its last some hundred answers.

    So one that takes twice as long as the quickest has a half, whatever the unit. One of which fewer than ten
    outcomes are known, or that was silent for 30 s, has 1 for as long as the requests in flight there are
    fewer than that, or none: it is tried, and not flooded; after that it has a half, or what it had. Where
    nothing is known but failures it has 0; where durations are never told, a half.
    """

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        times: list[float] = []
        least = -1.0
        for endpoint in endpoints:
            time = _time_s(asked, endpoint.key)
            times.append(time)
            if time >= 0.0 and (least < 0.0 or time < least):
                least = time
        scores: list[float] = []
        for time in times:
            if time > 0.0:
                scores.append(least / time)
            elif time == _KNOWN_BY_NOTHING:
                scores.append(_IN_BETWEEN)
            else:
                scores.append(0.0 if time == _FAILING else 1.0)
        return scores

    def unknown(self) -> float:
        return 1.0


def _time_s(asked: Asked, endpoint_key: str) -> float:
    track = asked.state.latency.of(endpoint_key)
    if track is None or not track.known(_LEAST):
        return _TRIED if asked.state.load.of(endpoint_key) < _LEAST else _KNOWN_BY_NOTHING
    if track.due(asked.now) and asked.state.load.of(endpoint_key) == 0:
        return _TRIED
    time = track.p50_s()
    if time >= 0.0:
        return time
    return _FAILING if track.failing() else _KNOWN_BY_NOTHING
