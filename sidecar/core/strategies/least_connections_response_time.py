"""The endpoint that answers fast and has little to do: 0.7 of its response time and 0.3 of its connections.

Response time alone tells of a crowd too late, when the answers come; connections alone cannot tell a slow
endpoint from a fast one until they have piled up.
"""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn

_SAMPLES: Final = 10
_UNKNOWN: Final = -1.0
_FAILING: Final = float("inf")


@final
class LeastConnectionsResponseTime(Strategy):
    """The least of `response_time` x (r / longest r) + `connections` x (c / most c).

    r is the mean duration of an endpoint's answers divided by the share that succeeded, which is the time
    to a success where failures are tried again; c is its requests in flight divided by its weight; longest
    and most are those of the candidates. An endpoint that only fails has the worst score there is. One of
    which nothing is known is taken to be as fast as the fastest: so it is tried, and its connections keep
    it from more than its part while its first answers are awaited.

    Scores change with every request and outcome of any endpoint, so there is no order to keep. At most `draw`
    candidates, drawn by weight, are compared; in a larger pool the best endpoint does not get everything.
    """

    def __init__(self, *, response_time: float = 0.7, connections: float = 0.3, draw: int = 8) -> None:
        if not 0.0 <= response_time <= 1.0:
            raise ValueError(f"response_time must be 0 to 1, got {response_time}")
        if not 0.0 <= connections <= 1.0:
            raise ValueError(f"connections must be 0 to 1, got {connections}")
        if response_time + connections == 0.0:
            raise ValueError("response_time and connections are both 0")
        if draw < 2:
            raise ValueError(f"draw must be at least 2, got {draw}")
        self._response_time: Final = response_time
        self._connections: Final = connections
        self._draw: Final = draw

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        drawn = turn.draw(max(self._draw, want))
        if len(drawn) == 1:
            return drawn
        scores = self._scores(turn, drawn)
        track = turn.state.latency.of(drawn[0].key)
        if track is not None and track.due(turn.now) and turn.tries(drawn[0]):
            scores[0] = _UNKNOWN
        if want == 1:
            return [drawn[scores.index(min(scores))]]
        order = sorted(range(len(drawn)), key=scores.__getitem__)
        return [drawn[at] for at in order[:want]]

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """From 0 to the sum of the two parts, over all candidates; the least is the best."""
        endpoints = turn.candidates.endpoints
        return list(zip(endpoints, self._scores(turn, endpoints), strict=True))

    def _scores(self, turn: Turn, endpoints: list[Endpoint]) -> list[float]:
        latency, load = turn.state.latency, turn.state.load
        times: list[float] = []
        connections: list[float] = []
        shortest = longest = most = 0.0
        for endpoint in endpoints:
            track = latency.of(endpoint.key)
            time = _UNKNOWN
            if track is not None and track.known(_SAMPLES):
                time = _FAILING if track.failing() else track.mean_s() / track.success_share()
            times.append(time)
            if 0.0 <= time < _FAILING:
                shortest = time if longest == 0.0 else min(shortest, time)
                longest = max(longest, time)
            connection = load.of(endpoint.key) / turn.weight(endpoint)
            connections.append(connection)
            most = max(most, connection)
        per_s = self._response_time / longest if longest else 0.0
        per_connection = self._connections / most if most else 0.0
        scores: list[float] = []
        for at, time in enumerate(times):
            if time == _FAILING:
                scores.append(self._response_time + self._connections)
            else:
                scores.append(max(time, shortest) * per_s + connections[at] * per_connection)
        return scores
