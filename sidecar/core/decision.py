"""The two possible answers: where a request goes, or why it goes nowhere."""

from enum import Enum
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.plan import Route, Variant
from sidecar.core.state.tickets import Ticket


class Reason(Enum):
    """Why a request is refused; what each means on the wire stands in `REFUSED`."""

    NO_ROUTE = "no_route"
    NO_ENDPOINT = "no_endpoint"
    INTERNAL = "internal"


REFUSED: Final[dict[Reason, tuple[int, str]]] = {
    Reason.NO_ROUTE: (404, "no route matches this request"),
    Reason.NO_ENDPOINT: (503, "no endpoint of this route may be picked"),
    Reason.INTERNAL: (500, "the routing decision failed"),
}
"""The HTTP status and the sentence of each reason."""


@final
class Decision:
    """The request goes to `endpoint`, and on a retry to the `fallbacks` in their order.

    `target` is the path and query to send on, None when it stays as it is. `considered` counts the
    candidates. `ticket` is what its outcome is reported with; None when nothing was admitted (explain,
    and the way out after a failure of the sidecar itself).
    """

    def __init__(
        self,
        route: Route,
        variant: Variant,
        endpoint: Endpoint,
        fallbacks: list[Endpoint],
        target: str | None,
        considered: int,
        generation: int,
    ) -> None:
        self.route: Final = route
        self.variant: Final = variant
        self.endpoint: Final = endpoint
        self.fallbacks: Final = fallbacks
        self.target: Final = target
        self.considered: Final = considered
        self.generation: Final = generation
        self.ticket: Ticket | None = None


@final
class Refusal:
    """The request goes nowhere; `route` names the route that had matched, if one had."""

    def __init__(self, reason: Reason, route: str = "") -> None:
        self.reason: Final = reason
        self.route: Final = route
        self.status: Final = REFUSED[reason][0]
        self.message: Final = REFUSED[reason][1]
