"""Where to go when the first choice fails: a chain of pools, each with a strategy of its own."""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.request import NOT_LOOKED_AT
from sidecar.core.rules.base import Field
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy, Turn, candidates_now, narrowed

_NONE: Final = -1
_NO_POOLS: Final[Mapping[str, str]] = {}


@final
class Link:
    """The next pool of a chain, by its name in the state, and who picks in it.

    With `by`, the pool is the one that `pools` has for the request's value of this field: so "anything that
    serves the model" is a link by model. A value that is not there has no pool.

    One that is `last` stands in for the others: it is a fallback only after all of them. It takes requests of
    the `methods`, where these are given.
    """

    def __init__(
        self,
        strategy: Strategy,
        pool: str = "",
        *,
        by: Field | None = None,
        pools: Mapping[str, str] = _NO_POOLS,
        last: bool = False,
        methods: frozenset[str] | None = None,
    ) -> None:
        if bool(pool) == (by is not None):
            raise ValueError("a link has a pool, or a field by which it is found")
        self.strategy: Final = strategy
        self.last: Final = last
        self._methods: Final = methods
        self._pool: Final = pool
        self._by: Final = by
        self._pools: Final = dict(pools)

    def picking(self, strategy: Strategy) -> "Link":
        """The same pool with another strategy, that arranges it in the same way."""
        return Link(
            strategy, self._pool, by=self._by, pools=self._pools, last=self.last, methods=self._methods
        )

    def turn(self, turn: Turn) -> Turn | None:
        """The same request's turn in this link's pool; None when there is nobody to pick."""
        if self._methods is not None and turn.request.method not in self._methods:
            return None
        name = self._pool
        if self._by is not None:
            for value in self._by.read(turn.request):
                name = self._pools.get(value, "")
                break
        if not name:
            return None
        pool = turn.state.pools.of(name)
        candidates = candidates_now(pool, self.strategy)
        if turn.sieves is not None:
            pool, candidates = narrowed(pool, self.strategy, turn.state, turn.sieves)
        if not candidates.endpoints:
            return None
        return Turn(turn.request, pool, candidates, turn.state, turn.rng, turn.now, turn.sieves)


@final
class Failover(Strategy):
    """The pool's own endpoint as `first` ranks them, then one of each link, in the order of the links.

    What made an endpoint fail often fails its neighbours too, so the next attempt goes to the next link.
    Where more are wanted than there are links, the others of the pool follow, then the others of the links,
    and then links that are last. While nobody in the pool may be picked, the first link that has somebody
    takes its place.
    """

    def __init__(self, first: Strategy, links: tuple[Link, ...]) -> None:
        self._first: Final = first
        self._links: Final = links

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        own = self._first.rank(turn, want) if turn.candidates.endpoints else []
        ranking = own[:1]
        turns: list[tuple[Link, Turn]] = []
        taking = self._taking(turn)
        for link in self._links:
            if len(ranking) >= want:
                return ranking
            if link.last:
                break
            there = taking[1] if taking is not None and taking[0] is link else link.turn(turn)
            if there is not None:
                turns.append((link, there))
                # One more than are named already has at least one that is not, if there is any.
                _add(ranking, link.strategy.rank(there, len(ranking) + 1), len(ranking) + 1)
        _add(ranking, own, want)
        for link, there in turns:
            if len(ranking) >= want:
                break
            _add(ranking, link.strategy.rank(there, want), want)
        for link in self._links:
            if len(ranking) >= want:
                break
            if link.last:
                there = taking[1] if taking is not None and taking[0] is link else link.turn(turn)
                if there is not None:
                    _add(ranking, link.strategy.rank(there, want), want)
        return ranking

    def source(self, turn: Turn) -> Pool:
        there = self._taking(turn)
        return turn.pool if there is None else there[1].pool

    def arrange(self, pool: Pool) -> None:
        """Links have pools of the plan, which are arranged like any other."""
        self._first.arrange(pool)

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        there = self._taking(turn)
        if there is None:
            self._first.admitted(turn, endpoint)
        else:
            there[0].strategy.admitted(there[1], endpoint)

    def cookie(self, turn: Turn, endpoint: Endpoint) -> str:
        there = self._taking(turn)
        return (
            self._first.cookie(turn, endpoint)
            if there is None
            else there[0].strategy.cookie(there[1], endpoint)
        )

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        there = self._taking(turn)
        return self._first.scores(turn) if there is None else there[0].strategy.scores(there[1])

    def parts(self, turn: Turn) -> list[tuple[Endpoint, list[tuple[str, float]]]]:
        there = self._taking(turn)
        return self._first.parts(turn) if there is None else there[0].strategy.parts(there[1])

    def _taking(self, turn: Turn) -> tuple[Link, Turn] | None:
        """The link that takes the place of the pool, where nobody in the pool may be picked: the same one for
        the whole turn, even where the request that it was given was the last that it may have."""
        if turn.link == NOT_LOOKED_AT:
            turn.link = _NONE
            if not turn.candidates.endpoints:
                for at, link in enumerate(self._links):
                    turn.there = link.turn(turn)
                    if turn.there is not None:
                        turn.link = at
                        break
        there = turn.there
        return None if there is None else (self._links[turn.link], there)


def _add(ranking: list[Endpoint], more: list[Endpoint], want: int) -> None:
    """Append those that are not in it, until there are `want`."""
    for endpoint in more:
        if len(ranking) >= want:
            return
        if all(endpoint.key != named.key for named in ranking):
            ranking.append(endpoint)
