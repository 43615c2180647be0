"""The three moments at which memory may change; reading it creates nothing."""

from mypy_extensions import mypyc_attr

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.state.tickets import Ticket


@mypyc_attr(allow_interpreted_subclasses=True)
class Learner:
    """Remembers something about requests. `now` is in seconds, from one monotonic clock."""

    def admitted(self, ticket: Ticket, now: float) -> None:
        """A request was given to `ticket.endpoint`."""

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        """It ended; called exactly once for each admitted ticket."""

    def took_over(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        """After `settled`: this fallback was asked last, and so the request ended. How long it took there
        alone, nobody has told."""

    def keep_endpoints(self, keys: set[str]) -> None:
        """A new plan names these endpoints and no others: what is remembered of others may go."""

    def plan_changed(self, now: float) -> None:
        """After `keep_endpoints`: what the plan says of its endpoints counts from now on."""
