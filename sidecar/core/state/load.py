"""How many requests each endpoint is working on, as far as we sent them."""

from typing import Final, final

from sidecar.core.endpoint import Candidates
from sidecar.core.outcome import Outcome
from sidecar.core.state.base import Learner
from sidecar.core.state.ladder import Ladder
from sidecar.core.state.tickets import Ticket

_NONE: Final[dict[Ladder, None]] = {}


@final
class Load(Learner):
    """Requests in flight by endpoint key; an idle endpoint takes no memory."""

    def __init__(self) -> None:
        self._in_flight: dict[str, int] = {}
        self._ladders: dict[Candidates, Ladder] = {}
        self._standing: dict[str, dict[Ladder, None]] = {}
        """By endpoint key, the ladders that the endpoint stands on; a dictionary as an ordered set."""

    def of(self, endpoint_key: str) -> int:
        return self._in_flight.get(endpoint_key, 0)

    def total(self) -> int:
        return sum(self._in_flight.values())

    def ladders(self) -> int:
        """How many are kept up to date."""
        return len(self._ladders)

    def ladder(self, candidates: Candidates) -> Ladder:
        """These candidates in the order of their load, as it is now."""
        return Ladder(candidates, self._in_flight)

    def join(self, candidates: Candidates) -> Ladder:
        """The ladder of these candidates, kept up to date until as many leave as have joined.

        Pools of the same candidates share it, so that a request costs no more among many routes.
        """
        ladder = self._ladders.get(candidates)
        if ladder is None:
            ladder = self.ladder(candidates)
            self._ladders[candidates] = ladder
            for endpoint in candidates.endpoints:
                self._standing.setdefault(endpoint.key, {})[ladder] = None
        ladder.users += 1
        return ladder

    def leave(self, ladder: Ladder) -> None:
        ladder.users -= 1
        if ladder.users:
            return
        del self._ladders[ladder.candidates]
        for endpoint in ladder.candidates.endpoints:
            standing = self._standing.get(endpoint.key)
            if standing is not None:
                standing.pop(ladder, None)
                if not standing:
                    del self._standing[endpoint.key]

    def admitted(self, ticket: Ticket, now: float) -> None:
        key = ticket.endpoint.key
        self._in_flight[key] = self._in_flight.get(key, 0) + 1
        if self._standing:
            for ladder in self._standing.get(key, _NONE):
                ladder.up(key)

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        key = ticket.endpoint.key
        left = self._in_flight[key] - 1
        if left:
            self._in_flight[key] = left
        else:
            del self._in_flight[key]
        if self._standing:
            for ladder in self._standing.get(key, _NONE):
                ladder.down(key)
