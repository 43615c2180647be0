"""Each endpoint in turn."""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn


@final
class RoundRobin(Strategy):
    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        endpoints = turn.candidates.endpoints
        count = len(endpoints)
        # Where this request left some out, counting the turns of all would favour some of the rest.
        own = turn.candidates is turn.pool.candidates
        start = turn.pool.turns % count if own else int(turn.rng.random() * count)
        if want == 1:
            return [endpoints[start]]
        return [endpoints[(start + step) % count] for step in range(min(want, count))]

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        """A turn is taken by who was given it: not by a session, which has an endpoint of its own, nor where
        this request left some out."""
        if not turn.stays and turn.candidates is turn.pool.candidates:
            turn.pool.turns += 1
