"""Each endpoint in turn, as often as its weight says, spread out smoothly: 5, 1, 1 gives a a b a c a a."""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy, Turn


@final
class WeightedRoundRobin(Strategy):
    """Exact shares after each full cycle (the sum of weights), in the order of nginx's smooth algorithm.

    Where a condition of this request alone left candidates out, the rest is drawn by weight: a rotation made
    for it would always begin with the same endpoint.
    """

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        wheel = turn.pool.wheel
        if wheel is None or not wheel.turns_over(turn.candidates):
            return turn.draw(want)
        return wheel.next(want)

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        """Only who was picked by the rotation pays for it: neither a request of a session, which has an
        endpoint of its own, nor one that left others out costs anybody a turn."""
        wheel = turn.pool.wheel
        if wheel is not None and not turn.stays and wheel.turns_over(turn.candidates):
            wheel.pick(endpoint)

    def arrange(self, pool: Pool) -> None:
        pool.rotate_by_weight()
