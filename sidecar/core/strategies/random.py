"""Any endpoint, each as likely as the others."""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn


@final
class Random(Strategy):
    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        endpoints = turn.candidates.endpoints
        count = len(endpoints)
        if want == 1:
            return [endpoints[int(turn.rng.random() * count)]]
        return turn.rng.sample(endpoints, min(want, count))
