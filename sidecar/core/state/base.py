"""The three moments at which memory may change; reading it creates nothing."""

from mypy_extensions import mypyc_attr

from sidecar.core.outcome import Outcome
from sidecar.core.state.tickets import Ticket


@mypyc_attr(allow_interpreted_subclasses=True)
class Learner:
    """Remembers something about requests. `now` is in seconds, from one monotonic clock."""

    def admitted(self, ticket: Ticket, now: float) -> None:
        """A request was given to `ticket.endpoint`."""

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        """It ended; called exactly once for each admitted ticket."""
