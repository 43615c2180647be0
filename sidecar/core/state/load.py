"""How many requests each endpoint is working on, as far as we sent them."""

from typing import final

from sidecar.core.outcome import Outcome
from sidecar.core.state.base import Learner
from sidecar.core.state.tickets import Ticket


@final
class Load(Learner):
    """Requests in flight by endpoint key; an idle endpoint takes no memory."""

    def __init__(self) -> None:
        self._in_flight: dict[str, int] = {}

    def of(self, endpoint_key: str) -> int:
        return self._in_flight.get(endpoint_key, 0)

    def total(self) -> int:
        return sum(self._in_flight.values())

    def admitted(self, ticket: Ticket, now: float) -> None:
        key = ticket.endpoint.key
        self._in_flight[key] = self._in_flight.get(key, 0) + 1

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        key = ticket.endpoint.key
        left = self._in_flight[key] - 1
        if left:
            self._in_flight[key] = left
        else:
            del self._in_flight[key]
