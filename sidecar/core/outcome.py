"""How a request ended, as told by an access log, a response phase, a caller, or nobody."""

from enum import Enum
from typing import Final, final


class Failure(Enum):
    """Why there was no complete answer. An answer with a 5xx status is complete: NONE."""

    NONE = "none"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    RESET = "reset"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """Envoy answered by itself and asked no endpoint."""
    LOST = "lost"
    """Nobody reported before the ticket's lease ran out."""


@final
class Outcome:
    """`status` is the HTTP status, 0 when there was none; `duration_s` is negative when unknown.

    `served` is the address that really answered, empty when unknown; `attempts` counts from 1. `tokens` are
    those that it took, question and answer together; negative when unknown.
    """

    def __init__(
        self,
        status: int,
        duration_s: float = -1.0,
        failure: Failure = Failure.NONE,
        served: str = "",
        attempts: int = 1,
        tokens: int = -1,
    ) -> None:
        self.status: Final = status
        self.duration_s: Final = duration_s
        self.failure: Final = failure
        self.served: Final = served
        self.attempts: Final = attempts
        self.tokens: Final = tokens


LOST: Final = Outcome(0, failure=Failure.LOST)
