"""Any endpoint, each as likely as its weight says."""

from typing import final

from sidecar.core.endpoint import Endpoint
from sidecar.core.strategies.base import Strategy, Turn


@final
class WeightedRandom(Strategy):
    """Those that follow the first are drawn by weight among those that are left."""

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        return turn.draw(want)
