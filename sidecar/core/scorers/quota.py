"""How much of its quota an endpoint has left."""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.scorers.base import Asked, Scorer


@final
class Quota(Scorer):
    """1 less the part that is used, and 0 where it is overdrawn: as the scorer for the memory of a model's
    context in Kubernetes' Gateway API inference extension, which has the free part of that.

    What is used an endpoint reports; where it does not, it is what it was given of its limits. One without
    either is taken for the average of the others; where nothing is known of any, all have 1.
    """

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        reports, quotas, now = asked.state.reports, asked.state.quotas, asked.now
        scores: list[float] = []
        known = 0
        total = 0.0
        for endpoint in endpoints:
            used = reports.quota_used(endpoint.key, now)
            if used < 0.0:
                used = quotas.used(endpoint.key, now)
            left = -1.0
            if used >= 0.0:
                left = max(1.0 - used, 0.0)
                known += 1
                total += left
            scores.append(left)
        if known < len(scores):
            average = total / known if known else 1.0
            for at, score in enumerate(scores):
                if score < 0.0:
                    scores[at] = average
        return scores

    def unknown(self) -> float:
        return 1.0
