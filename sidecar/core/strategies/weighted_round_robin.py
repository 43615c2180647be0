"""Each endpoint in turn, as often as its weight says, spread out smoothly: 5, 1, 1 gives a a b a c a a."""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.pools import Pool
from sidecar.core.state.wheel import Wheel
from sidecar.core.strategies.base import Strategy, Turn


@final
class WeightedRoundRobin(Strategy):
    """Exact shares after each full cycle (the sum of weights), in the order of nginx's smooth algorithm."""

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        wheel = turn.pool.wheel
        if wheel is None or not wheel.turns_over(turn.candidates):
            wheel = Wheel(turn.candidates)
        return wheel.next(want)

    def arrange(self, pool: Pool) -> None:
        pool.rotate_by_weight()
