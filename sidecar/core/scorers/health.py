"""How sound an endpoint is, by what became of its requests and by what else speaks against it."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.scorers.base import Asked, Scorer
from sidecar.core.state.standing import DEGRADED, STANDBY

_OF_DEGRADED: Final = 0.5


@final
class Health(Scorer):
    """The health score (`core.state.scores`), halved where it is degraded, and 0 where it is out and may be
    picked for want of others only. 1 where nothing is known."""

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        known, standing = asked.state.scores, asked.state.standing
        scores: list[float] = []
        for endpoint in endpoints:
            score = known.of(endpoint.key, asked.now)
            level = standing.level(endpoint.key)
            if level > STANDBY:
                score = score * _OF_DEGRADED if level == DEGRADED else 0.0
            scores.append(score)
        return scores

    def unknown(self) -> float:
        return 1.0
