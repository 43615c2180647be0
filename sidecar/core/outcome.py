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
    those that it took, question and answer together; negative when unknown. `first_byte_s` is how long the
    endpoint took to begin its answer, which for a long stream is what tells how quick it is; negative when
    unknown.
    """

    def __init__(
        self,
        status: int,
        duration_s: float = -1.0,
        failure: Failure = Failure.NONE,
        served: str = "",
        attempts: int = 1,
        tokens: int = -1,
        first_byte_s: float = -1.0,
    ) -> None:
        self.status: Final = status
        self.duration_s: Final = duration_s
        self.failure: Final = failure
        self.served: Final = served
        self.attempts: Final = attempts
        self.tokens: Final = tokens
        self.first_byte_s: Final = first_byte_s

    def latency_s(self) -> float:
        """Until the answer began, where that is known, else until it was over; negative when unknown."""
        return self.duration_s if self.first_byte_s < 0.0 else self.first_byte_s

    def begun_after(self, first_byte_s: float) -> "Outcome":
        """The same, with the time at which the answer began."""
        return Outcome(
            self.status,
            self.duration_s,
            self.failure,
            self.served,
            self.attempts,
            self.tokens,
            first_byte_s,
        )


LOST: Final = Outcome(0, failure=Failure.LOST)
LEFT: Final = Outcome(0, failure=Failure.CANCELLED)
"""The client went away, and that is all that is known."""
