"""Every plug-in on one screen: the name in a configuration, and the class that it makes."""

from typing import Final

from sidecar.core.scorers.base import Scorer
from sidecar.core.scorers.cache import Cache
from sidecar.core.scorers.cost import Cost
from sidecar.core.scorers.health import Health
from sidecar.core.scorers.latency import Latency
from sidecar.core.scorers.load import Load
from sidecar.core.scorers.quota import Quota
from sidecar.core.scorers.zone import Zone
from sidecar.core.strategies.adaptive import Adaptive
from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.best_score import BestScore
from sidecar.core.strategies.cache_aware import CacheAware
from sidecar.core.strategies.consistent_hash import ConsistentHash
from sidecar.core.strategies.cost_optimized import CostOptimized
from sidecar.core.strategies.geo_nearest import GeoNearest
from sidecar.core.strategies.learned import Learned
from sidecar.core.strategies.least_connections import LeastConnections
from sidecar.core.strategies.least_connections_response_time import LeastConnectionsResponseTime
from sidecar.core.strategies.least_latency import LeastLatency
from sidecar.core.strategies.least_loaded import LeastLoaded
from sidecar.core.strategies.quota_aware import QuotaAware
from sidecar.core.strategies.random import Random
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.strategies.weighted_random import WeightedRandom
from sidecar.core.strategies.weighted_round_robin import WeightedRoundRobin
from sidecar.core.strategies.zone_aware import ZoneAware

STRATEGIES: Final[dict[str, type[Strategy]]] = {
    "adaptive": Adaptive,
    "best_score": BestScore,
    "cache_aware": CacheAware,
    "consistent_hash": ConsistentHash,
    "cost_optimized": CostOptimized,
    "geo_nearest": GeoNearest,
    "learned": Learned,
    "least_connections": LeastConnections,
    "least_connections_response_time": LeastConnectionsResponseTime,
    "least_latency": LeastLatency,
    "least_loaded": LeastLoaded,
    "quota_aware": QuotaAware,
    "random": Random,
    "round_robin": RoundRobin,
    "weighted_random": WeightedRandom,
    "weighted_round_robin": WeightedRoundRobin,
    "zone_aware": ZoneAware,
}

SCORERS: Final[dict[str, type[Scorer]]] = {
    "cache": Cache,
    "cost": Cost,
    "health": Health,
    "latency": Latency,
    "load": Load,
    "quota": Quota,
    "zone": Zone,
}
"""By the names of their weights, which are options of `best_score`."""
