"""What is remembered of each pool: who may be picked in it, and where its rotations stand."""

from collections import OrderedDict
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.state.arms import Arms
from sidecar.core.state.atlas import Atlas
from sidecar.core.state.base import Changes, Learner
from sidecar.core.state.bindings import salt_of
from sidecar.core.state.ladder import Ladder
from sidecar.core.state.load import Load
from sidecar.core.state.model import Model
from sidecar.core.state.ring import Ring
from sidecar.core.state.standing import Roster
from sidecar.core.state.tally import Tally
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.wheel import Wheel
from sidecar.core.state.zones import Zones

_MOST_KEPT: Final = 200_000
"""References to endpoints in all parts together, about 50 MB."""
_PART: Final = 50
"""What a part takes besides, in such references."""
_POINTS: Final = 6
"""Points of a ring that take as much as one of them."""


@final
class Pool:
    """`salt` tells keys of its own from those of other pools. `listed` are all that the plan has in it, also
    those that may not be picked now. `turns` counts those that were taken, where each has its turn. `wheel`
    is there for a strategy by weight, `ladder` for one by load, `arms` for one by reward, `model` for one by
    likely success, `ring` for one by key, `tally` for one that bounds loads, `zones` for one by zone, `atlas`
    for one by distance.

    `parts` are for requests that may have only some of its candidates, by what they ask for: pools with
    rotations of their own, each `made_of` the candidates that were there. Of a part `size` is what it counts
    for among all of them, and `places` are those of the wish that it ends in, where that has an order."""

    def __init__(
        self,
        name: str,
        candidates: Candidates,
        load: Load | None = None,
        *,
        base: str = "",
        rewarded: Changes | None = None,
        judged: Changes | None = None,
    ) -> None:
        self.name: Final = name
        self._kept_as: Final = "" if base else name
        self._rewarded: Final = rewarded
        self._judged: Final = judged
        self.base: Final = base or name
        self.salt: Final = salt_of(self.base)
        self.candidates = candidates
        self.roster: Roster | None = None
        self.parts: Final[dict[str, Pool]] = {}
        self.made_of: Candidates | None = None
        self.places: list[int] | None = None
        self.size: int = 0
        self.listed: tuple[Endpoint, ...] = tuple(candidates.endpoints)
        self.turns: int = 0
        self.wheel: Wheel | None = None
        self.ladder: Ladder | None = None
        self.arms: Arms | None = None
        self.model: Model | None = None
        self.ring: Ring | None = None
        self.tally: Tally | None = None
        self.zones: Zones | None = None
        self.atlas: Atlas | None = None
        self.by = ""
        self._load: Final = Load() if load is None else load

    def stale(self) -> bool:
        """Whether others may be picked now than those that it was arranged for."""
        return self.roster is not None and self.roster.candidates is not self.candidates

    def renew(self) -> None:
        """From now on those may be picked who may. The strategy has to arrange it after this."""
        if self.roster is not None:
            self.candidates = self.roster.candidates
        self.leave_order()

    def take(self, candidates: Candidates, made_of: Candidates) -> None:
        """For a part: from now on it has these. The strategy has to arrange it after this."""
        self.candidates = candidates
        self.listed = tuple(candidates.endpoints)
        self.made_of = made_of
        self.places = None
        self.leave_order()

    def leave_to(self, by: str) -> None:
        """From now on another strategy picks: what only the former one goes by is neither kept nor told."""
        self.by = by
        self.wheel = None
        self.arms = None
        self.model = None
        self.ring = None
        self.tally = None
        self.zones = None
        self.atlas = None
        for part in self.parts.values():
            part.leave_to(by)

    def rotate_by_weight(self) -> None:
        """Keep the wheel's position; where endpoints or weights are others, everybody's who stays."""
        wheel = self.wheel
        listed = () if self.roster is None else self.roster.listed
        if wheel is not None and wheel.change(self.candidates, listed):
            return
        if wheel is not None and wheel.fits(self.candidates):
            wheel.renew(self.candidates, listed)
        else:
            self.wheel = Wheel(self.candidates, wheel, listed)

    def order_by_load(self) -> None:
        """Keep the candidates in the order of their load, until they are others."""
        self.leave_order()
        self.ladder = self._load.join(self.candidates)

    def leave_order(self) -> None:
        if self.ladder is not None:
            self._load.leave(self.ladder)
            self.ladder = None

    def learn_rewards(self, cost: float = 0.0) -> None:
        """Learn from now on how rewarding each candidate is; what is known stays. The dearest endpoint's
        rewards are less by `cost`, 0 to 1."""
        if self.arms is None:
            self.arms = Arms(self.candidates, self._kept_as, self._rewarded)
        self.arms.add(self.candidates, cost)

    def learn_success(self, target_s: float) -> None:
        """Learn from now on how likely each candidate is to answer within this time; what is known of that
        stays."""
        if self.model is None or self.model.target_s != target_s:
            self.model = Model(self.candidates, target_s, self._kept_as, self._judged)
        else:
            self.model.add(self.candidates)


@final
class Pools(Learner):
    """Every pool that the plan names, and of their parts those that were asked for last: requests choose what
    they ask for, so that their parts of all pools together are bounded."""

    def __init__(self, load: Load | None = None) -> None:
        self._pools: dict[str, Pool] = {}
        self._load: Final = Load() if load is None else load
        self._parts: Final[OrderedDict[str, Pool]] = OrderedDict()
        """By name, the one that was asked for last at the end."""
        self._kept = 0
        self._for_now: list[Pool] | None = None
        """While somebody only looks, the parts that are made for that."""
        self.rewarded: Final = Changes()
        """Pools and endpoints, with a space between, of which rewards have come."""
        self.judged: Final = Changes()
        """The same of those whose likely success is known better."""

    def find(self, name: str) -> Pool | None:
        return self._pools.get(name)

    def of(self, name: str) -> Pool:
        return self._pools[name]

    def arrange(
        self,
        name: str,
        candidates: Candidates,
        listed: tuple[Endpoint, ...] | None = None,
        roster: Roster | None = None,
        by: str = "",
    ) -> Pool:
        """From now on these may be picked in the pool, of those listed; these are all where none are given.
        With a roster, they are renewed from it. `by` names the strategy."""
        pool = self._pools.get(name)
        if pool is None:
            pool = Pool(name, candidates, self._load, rewarded=self.rewarded, judged=self.judged)
            self._pools[name] = pool
        pool.candidates = candidates
        pool.roster = roster
        pool.listed = tuple(candidates.endpoints) if listed is None else listed
        pool.leave_order()
        if pool.by != by:
            pool.leave_to(by)
        return pool

    def part(self, pool: Pool, key: str) -> Pool:
        """The part of the pool for requests that ask for `key`. After `take` it has to be `weighed`."""
        part = pool.parts.get(key)
        if part is None:
            part = Pool(f"{pool.name} for {key}", Candidates([]), self._load, base=pool.name)
            if self._for_now is not None:
                self._for_now.append(part)
            else:
                pool.parts[key] = part
                self._pools[part.name] = part
                self._parts[part.name] = part
        elif self._for_now is None:
            self._parts.move_to_end(part.name)
        part.model = pool.model  # it is by endpoint and by request: all parts add to one
        return part

    def weighed(self, part: Pool) -> None:
        """The part has other candidates: others are given up, until all together are small enough."""
        if part.name not in self._parts:
            return
        size = _PART + len(part.candidates.endpoints)
        if part.ring is not None and part.candidates is not part.made_of:
            points = part.ring.points
            size += len(points.slots) * points.virtual_nodes // _POINTS
        self._kept += size - part.size
        part.size = size
        while self._kept > _MOST_KEPT and len(self._parts) > 1:
            self._give_up(next(iter(self._parts.values())))

    def look_only(self) -> None:
        """Until `looked`, parts that are not there are made for the moment."""
        self._for_now = []

    def looked(self) -> None:
        made = self._for_now
        self._for_now = None
        if made is not None:
            for part in made:
                part.leave_order()

    def _give_up(self, part: Pool) -> None:
        part.leave_order()
        self._kept -= part.size
        del self._parts[part.name]
        del self._pools[part.name]
        base = self._pools.get(part.base)
        if base is not None:
            base.parts.pop(part.name[len(f"{base.name} for ") :], None)

    def keep_only(self, names: set[str]) -> None:
        """Forget pools that no plan names any more."""
        for pool in list(self._pools.values()):
            if pool.base not in names:
                if pool.name in self._parts:
                    self._give_up(pool)
                else:
                    pool.leave_order()
                    del self._pools[pool.name]

    def keep_endpoints(self, keys: set[str]) -> None:
        for pool in self._pools.values():
            if pool.wheel is not None:
                pool.wheel.keep_endpoints(keys)
            if pool.arms is not None:
                pool.arms.keep_endpoints(keys)
            if pool.model is not None:
                pool.model.keep_endpoints(keys)

    def admitted(self, ticket: Ticket, now: float) -> None:
        pool = self._pools.get(ticket.pool)
        if pool is not None:
            if pool.tally is not None:
                pool.tally.admitted(ticket.endpoint.key)
            if pool.model is not None:
                pool.model.admitted(ticket)

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        pool = self._pools.get(ticket.pool)
        if pool is not None:
            if pool.arms is not None:
                pool.arms.settled(ticket, outcome, now)
            if pool.model is not None:
                pool.model.settled(ticket, outcome, now)
            if pool.tally is not None:
                pool.tally.settled(ticket.endpoint.key)
