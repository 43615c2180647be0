"""Where a request goes. The other possible answers are a Refusal and a Reply."""

from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.endpoint import Endpoint
from sidecar.core.happening import Drawn
from sidecar.core.plan import Route, Variant
from sidecar.core.refusal import Refusal
from sidecar.core.reply import Reply
from sidecar.core.retries import Retries
from sidecar.core.state.tickets import Ticket
from sidecar.core.strategies.base import Turn


@final
@mypyc_attr(free_list_len=1)
class Decision:
    """The request goes to `endpoint`, and on a retry to the `fallbacks` in their order.

    `target` is the path and query to send on, None when it stays as it is. `considered` counts the
    candidates. `steps` are the routes on the way that set something and let the search go on. `turn` is
    what the strategy chose for, None when none was asked. `retries` is None where this request may be sent
    once only. `cookie` is a `set-cookie` for the client, empty for most. `ticket` is what its outcome is
    reported with; None when nothing was admitted (explain, and the way out after a failure of the sidecar
    itself).
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
        drawn: Drawn | None = None,
        steps: tuple[Route, ...] = (),
    ) -> None:
        self.route: Final = route
        self.variant: Final = variant
        self.endpoint: Final = endpoint
        self.fallbacks: Final = fallbacks
        self.target: Final = target
        self.considered: Final = considered
        self.generation: Final = generation
        self.drawn: Final = drawn
        self.steps: Final = steps
        self.turn: Turn | None = None
        self.retries: Retries | None = None
        self.cookie = ""
        self.ticket: Ticket | None = None


Answer = Decision | Refusal | Reply
