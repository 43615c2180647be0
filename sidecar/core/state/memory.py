"""All that is remembered, in one place: the tickets, one learner for each thing that is learnt of requests,
and the judges of endpoints.
"""

from typing import Final, final

from sidecar.core.state.answers import LastGood
from sidecar.core.state.base import Judge, Keeper, Learner
from sidecar.core.state.bindings import Bindings
from sidecar.core.state.breakers import Breakers
from sidecar.core.state.latency import Latency
from sidecar.core.state.load import Load
from sidecar.core.state.outliers import Outliers
from sidecar.core.state.pools import Pools
from sidecar.core.state.posteriors import Rewards, Successes
from sidecar.core.state.probes import Probes
from sidecar.core.state.quotas import Quotas
from sidecar.core.state.region_failover import RegionFailover
from sidecar.core.state.regions import Regions
from sidecar.core.state.reports import Reports
from sidecar.core.state.scores import Scores
from sidecar.core.state.spend import Spend
from sidecar.core.state.standing import Standing
from sidecar.core.state.tickets import Tickets


@final
class State:
    """Mutable, keyed by name, older than any plan. Strategies read it; only the engine changes it."""

    def __init__(
        self,
        epoch: int = 0,
        most_tickets: int = 200_000,
        most_sessions: int = 1_000_000,
        most_prefixes: int = 200_000,
    ) -> None:
        self.tickets: Final = Tickets(epoch, most_tickets)
        self.standing: Final = Standing()
        self.breakers: Final = Breakers(self.standing)
        self.probes: Final = Probes(self.standing)
        self.scores: Final = Scores(self.standing)
        self.outliers: Final = Outliers(self.standing)
        self.region_failover: Final = RegionFailover(self.standing)
        self.load: Final = Load()
        self.pools: Final = Pools(self.load)
        self.latency: Final = Latency()
        self.reports: Final = Reports(standing=self.standing)
        self.quotas: Final = Quotas(self.standing)
        self.regions: Final = Regions()
        self.spend: Final = Spend()
        self.sessions: Final = Bindings(most_sessions)
        self.prefixes: Final = Bindings(most_prefixes)
        self.last_good: Final = LastGood()
        self.learners: Final[list[Learner]] = [
            self.pools,
            self.load,
            self.latency,
            self.reports,
            self.quotas,
            self.regions,
            self.spend,
        ]
        self.judges: Final[list[Judge]] = [
            self.breakers,
            self.outliers,
            self.scores,
            self.region_failover,
        ]
        self.keepers: Final[dict[str, Keeper]] = {
            "breaker": self.breakers,
            "probe": self.probes,
            "outlier": self.outliers,
            "score": self.scores,
            "latency": self.latency,
            "reward": Rewards(self.pools),
            "success": Successes(self.pools),
            "spend": self.spend,
            "region": self.regions,
        }
        """What is kept over a restart, by the name that it has in a store."""
