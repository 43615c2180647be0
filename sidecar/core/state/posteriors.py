"""What the pools have learnt of their endpoints, as it is kept over a restart: by pool and endpoint.

Only of the pools themselves: their parts, one for each thing that requests ask for, come and go.
"""

from typing import Final, final

from sidecar.core.endpoint import Candidates
from sidecar.core.state.arms import Arm
from sidecar.core.state.base import Keeper
from sidecar.core.state.model import Model
from sidecar.core.state.pools import Pools


@final
class Rewards(Keeper):
    """The posteriors of rewards."""

    def __init__(self, pools: Pools) -> None:
        self._pools: Final = pools

    def changed(self) -> set[str]:
        return self._pools.rewarded.take()

    def row(self, key: str, now: float) -> list[float] | None:
        name, _, endpoint = key.rpartition(" ")
        pool = self._pools.find(name)
        return None if pool is None or pool.arms is None else pool.arms.row(endpoint, now)

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        arm = Arm()
        arm.restore(row, away_s, now)
        name, _, endpoint = key.rpartition(" ")
        pool = self._pools.find(name)
        if pool is not None and pool.arms is not None:
            pool.arms.restore(endpoint, arm, now)


@final
class Successes(Keeper):
    """The models of likely success."""

    def __init__(self, pools: Pools) -> None:
        self._pools: Final = pools
        self._nobody: Final = Model(Candidates([]), 0.0)
        """Judges the rows of pools that the plan does not name."""

    def changed(self) -> set[str]:
        return self._pools.judged.take()

    def row(self, key: str, now: float) -> list[float] | None:
        name, _, endpoint = key.rpartition(" ")
        pool = self._pools.find(name)
        return None if pool is None or pool.model is None else pool.model.row(endpoint, now)

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        name, _, endpoint = key.rpartition(" ")
        pool = self._pools.find(name)
        model = self._nobody if pool is None or pool.model is None else pool.model
        model.restore(endpoint, row, away_s, now)
