"""Each endpoint in turn."""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn


@final
class RoundRobin(Strategy):
    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        endpoints = turn.candidates.endpoints
        count = len(endpoints)
        start = turn.pool.turns % count
        if want == 1:
            return [endpoints[start]]
        return [endpoints[(start + step) % count] for step in range(min(want, count))]
