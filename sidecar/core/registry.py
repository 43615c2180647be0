"""Every plug-in on one screen: the name in a configuration, and the class that it makes."""

from typing import Final

from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.random import Random
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.strategies.weighted_random import WeightedRandom
from sidecar.core.strategies.weighted_round_robin import WeightedRoundRobin

STRATEGIES: Final[dict[str, type[Strategy]]] = {
    "random": Random,
    "round_robin": RoundRobin,
    "weighted_random": WeightedRandom,
    "weighted_round_robin": WeightedRoundRobin,
}
