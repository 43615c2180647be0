"""The endpoint with the fewest requests in flight for its weight.

These are the requests that this sidecar sent, known at once and exactly, so the least of all can be taken:
there is no stale number that would send everybody to the same place. Several sidecars still differ, because
equals are drawn at random.
"""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy, Turn


@final
class LeastConnections(Strategy):
    """Requests in flight divided by weight, as in nginx's `least_conn`. Equals are drawn by weight.

    The pool keeps its endpoints in that order, so the least of a thousand costs what the least of three does.
    """

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        ladder = turn.pool.ladder
        if ladder is None or ladder.candidates is not turn.candidates:
            ladder = turn.state.load.ladder(turn.candidates)
        return ladder.lowest(want, turn.rng)

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """Requests in flight divided by weight; the least is the best."""
        load = turn.state.load
        return [(each, load.of(each.key) / each.weight) for each in turn.candidates.endpoints]

    def arrange(self, pool: Pool) -> None:
        pool.order_by_load()
