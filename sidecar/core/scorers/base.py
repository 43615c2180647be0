"""What every scorer is given and what it promises.

A scorer is given all endpoints that are compared at once: milliseconds and dollars have no scale of their
own, so that only beside the others it can be said how good they are.
"""

from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.request import Request
from sidecar.core.state.memory import State


@final
class Asked:
    """For whom endpoints are compared, and what is known. `salt` tells the pool's keys from others."""

    def __init__(self, request: Request, candidates: Candidates, salt: int, state: State, now: float) -> None:
        self.request: Final = request
        self.candidates: Final = candidates
        self.salt: Final = salt
        self.state: Final = state
        self.now: Final = now


@mypyc_attr(allow_interpreted_subclasses=True)
class Scorer:
    """Says what speaks for each endpoint, 0 to 1. It has options but no memory."""

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        """Of each endpoint, 1 is best; never NaN, and `unknown()` where nothing is known of any. Writes
        nothing. `weights` are what the endpoints count for now, each above 0."""
        raise NotImplementedError

    def unknown(self) -> float:
        """The score of an endpoint that nobody knows anything of, among others like it."""
        raise NotImplementedError

    def favours(self, asked: Asked) -> Endpoint | None:
        """A candidate that must be among those that are compared, where there are too many for all to be."""
        return None

    def admitted(self, asked: Asked, endpoint: Endpoint) -> None:
        """The request was given to it: tell the state what only this scorer knows of that."""
