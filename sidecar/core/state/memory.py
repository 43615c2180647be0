"""All that is remembered, in one place: the tickets, and one learner for each thing that is learnt."""

from typing import Final, final

from sidecar.core.state.base import Learner
from sidecar.core.state.load import Load
from sidecar.core.state.pools import Pools
from sidecar.core.state.tickets import Tickets


@final
class State:
    """Mutable, keyed by name, older than any plan. Strategies read it; only the engine changes it."""

    def __init__(self, epoch: int = 0, most_tickets: int = 200_000) -> None:
        self.tickets: Final = Tickets(epoch, most_tickets)
        self.pools: Final = Pools()
        self.load: Final = Load()
        self.learners: Final[list[Learner]] = [self.pools, self.load]
