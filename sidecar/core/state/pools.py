"""What is remembered of each pool: who may be picked in it, and where its rotations stand."""

from typing import Final, final

from sidecar.core.endpoint import Candidates
from sidecar.core.state.base import Learner
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.wheel import Wheel


@final
class Pool:
    """`turns` counts the requests that it has admitted. `wheel` is there for a strategy by weight."""

    def __init__(self, name: str, candidates: Candidates) -> None:
        self.name: Final = name
        self.candidates = candidates
        self.turns: int = 0
        self.wheel: Wheel | None = None

    def rotate_by_weight(self) -> None:
        """Keep the wheel's position where endpoints and weights are as before, else begin anew."""
        if self.wheel is not None and self.wheel.fits(self.candidates):
            self.wheel.renew(self.candidates)
        else:
            self.wheel = Wheel(self.candidates)


@final
class Pools(Learner):
    """Every pool that the plan names."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}

    def of(self, name: str) -> Pool:
        return self._pools[name]

    def arrange(self, name: str, candidates: Candidates) -> Pool:
        """From now on these may be picked in the pool."""
        pool = self._pools.get(name)
        if pool is None:
            pool = Pool(name, candidates)
            self._pools[name] = pool
        pool.candidates = candidates
        return pool

    def keep_only(self, names: set[str]) -> None:
        """Forget pools that no plan names any more."""
        self._pools = {name: pool for name, pool in self._pools.items() if name in names}

    def admitted(self, ticket: Ticket, now: float) -> None:
        pool = self._pools.get(ticket.pool)
        if pool is not None:
            pool.turns += 1
            if pool.wheel is not None:
                pool.wheel.pick(ticket.endpoint)
