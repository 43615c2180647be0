"""What every strategy is given and what it promises."""

from random import Random
from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.request import Request
from sidecar.core.state.memory import State
from sidecar.core.state.pools import Pool


@final
class Turn:
    """One choice to be made: for `request`, in `pool`, among `candidates` (never empty)."""

    def __init__(
        self, request: Request, pool: Pool, candidates: Candidates, state: State, rng: Random, now: float
    ) -> None:
        self.request: Final = request
        self.pool: Final = pool
        self.candidates: Final = candidates
        self.state: Final = state
        self.rng: Final = rng
        self.now: Final = now


@mypyc_attr(allow_interpreted_subclasses=True)
class Strategy:
    """Orders candidates. It has options but no memory: what it needs to know stands in `turn.state`."""

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        """The best `want` candidates or fewer, best first, none twice; writes nothing."""
        raise NotImplementedError

    def arrange(self, pool: Pool) -> None:
        """The candidates of `pool` changed: prepare in it what would be slow to make for each request."""
