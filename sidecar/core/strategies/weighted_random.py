"""Any endpoint, each as likely as its weight says."""

from bisect import bisect_right
from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn


@final
class WeightedRandom(Strategy):
    """One draw finds the first by bisection. Those that follow are drawn without replacement (Efraimidis
    and Spirakis, "Weighted random sampling with a reservoir", 2006: order by u^(1/w), largest first)."""

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        candidates = turn.candidates
        if want == 1:
            drawn = int(turn.rng.random() * candidates.total_weight)
            return [candidates.endpoints[bisect_right(candidates.upto, drawn)]]
        draw = turn.rng.random
        keyed = [(draw() ** (1.0 / endpoint.weight), endpoint) for endpoint in candidates.endpoints]
        keyed.sort(key=lambda pair: -pair[0])
        return [endpoint for _, endpoint in keyed[:want]]
