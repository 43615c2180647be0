"""What every strategy is given and what it promises."""

from random import Random
from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.cookie import Shown
from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.filters.base import Sieve, in_common_words, left_by
from sidecar.core.request import NOT_LOOKED_AT, Request
from sidecar.core.state.memory import State
from sidecar.core.state.pools import Pool

_MANY: Final = 32
_TRIES: Final = 0.1


@final
@mypyc_attr(free_list_len=1)
class Turn:
    """One choice to be made: for `request`, in `pool`, among `candidates`. These are never empty, but in a
    pool that others are chained to. `session` is the key of the client's session, found at most once,
    and so are `shown`, what its cookie says, and `beginnings`, the keys of what its prompt begins with.
    `stays` says whether the session had an endpoint, and keeps it. `link` says which link of a chain took the
    place of the pool, and `there` is the turn in it: found once, because others may be picked as soon as the
    request is admitted.
    `sieves` are what the request asks of endpoints: `candidates` are what they left of the pool's."""

    def __init__(
        self,
        request: Request,
        pool: Pool,
        candidates: Candidates,
        state: State,
        rng: Random,
        now: float,
        sieves: list[Sieve] | None = None,
    ) -> None:
        self.request: Final = request
        self.pool: Final = pool
        self.candidates: Final = candidates
        self.state: Final = state
        self.rng: Final = rng
        self.now: Final = now
        self.sieves: Final = sieves
        self.session: int = NOT_LOOKED_AT
        self.shown: Shown | None = None
        self.stays = False
        self.beginnings: list[int] | None = None
        self.link: int = NOT_LOOKED_AT
        self.there: Turn | None = None

    def weight(self, endpoint: Endpoint) -> float:
        """What the endpoint counts for now, above 0. One that shall begin slowly counts for less here."""
        standing = self.state.standing
        return standing.weight(endpoint, self.now) if standing.young else endpoint.weight

    def tries(self, endpoint: Endpoint) -> bool:
        """Whether this request is to see how an endpoint does that is due for that, whatever is known of it.

        One at a time is, and one request in ten at most: else, where requests are few, all of them would be.
        """
        return self.state.load.of(endpoint.key) == 0 and self.rng.random() < _TRIES

    def draw(self, count: int) -> list[Endpoint]:
        """`count` different candidates, or all: each drawn by weight from those not drawn yet.

        Costs what is drawn, however many candidates there are; if more than 32 are, all are looked at.
        """
        endpoints = self.candidates.endpoints
        count = min(count, len(endpoints))
        if count < 1:
            return []
        random = self.rng.random
        if count > _MANY:
            # Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006: order by u^(1/w).
            keyed = [(-(random() ** (1.0 / endpoint.weight)), at) for at, endpoint in enumerate(endpoints)]
            keyed.sort()
            return [endpoints[at] for _, at in keyed[:count]]
        upto = self.candidates.upto
        left = self.candidates.total_weight
        at = _place_of(upto, int(random() * left))
        drawn = [endpoints[at]]
        if count == 1:
            return drawn
        taken = [at]
        while True:
            left -= endpoints[at].weight
            point = int(random() * left)
            before = 0
            for other in taken:  # in ascending order: each that lies before the point is stepped over
                weight = endpoints[other].weight
                if point < upto[other] - weight:
                    break
                point += weight
                before += 1
            at = _place_of(upto, point)
            drawn.append(endpoints[at])
            if len(drawn) == count:
                return drawn
            taken.insert(before, at)


def _place_of(upto: list[int], point: int) -> int:
    """As `bisect_right`; compiled, it is faster, because that makes objects of its numbers."""
    low = 0
    high = len(upto) - 1
    while low < high:
        middle = (low + high) >> 1
        if point < upto[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@mypyc_attr(allow_interpreted_subclasses=True)
class Strategy:
    """Orders candidates. It has options but no memory: what it needs to know stands in `turn.state`."""

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        """The best `want` candidates or fewer, best first, none twice; writes nothing."""
        raise NotImplementedError

    def source(self, turn: Turn) -> Pool:
        """The pool that the first of its ranking comes from: not always the turn's where they are chained."""
        return turn.pool

    def arrange(self, pool: Pool) -> None:
        """The candidates of `pool` changed: prepare in it what would be slow to make for each request."""

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        """The request of `turn` was given to `endpoint`: tell the state what only this strategy knows of it,
        and renew what grows old. Nothing of it is done by `rank`, so that explaining has no effect."""

    def cookie(self, turn: Turn, endpoint: Endpoint) -> str:
        """A `set-cookie` for the client of `turn`, whose request was given to `endpoint`; empty for none."""
        return ""

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """What it judges each candidate by now, for whoever asks why; writes nothing, and is not for traffic.

        Empty where there is nothing to judge by. Each strategy says what its numbers are.
        """
        return []

    def parts(self, turn: Turn) -> list[tuple[Endpoint, list[tuple[str, float]]]]:
        """What each of these scores is made of, where it is made of several: numbers by name."""
        return []


def candidates_now(pool: Pool, strategy: Strategy) -> Candidates:
    """Those of the pool that may be picked; where they are others than before, it is arranged anew."""
    if pool.stale():
        pool.renew()
        strategy.arrange(pool)
    return pool.candidates


def narrowed(pool: Pool, strategy: Strategy, state: State, sieves: list[Sieve]) -> tuple[Pool, Candidates]:
    """What these leave of the pool, and the part of it whose rotations count for them.

    What they ask for in words of the configuration is a part that is kept. The rest is looked for in it anew.
    """
    common = in_common_words(sieves)
    if common:
        part = state.pools.part(pool, "\0".join([sieve.kept for sieve in common]))
        if part.made_of is not pool.candidates:
            part.take(left_by(common, pool.candidates), pool.candidates)
            strategy.arrange(part)
            state.pools.weighed(part)
        pool = part
        sieves = [sieve for sieve in sieves if sieve not in common]
    return pool, left_by(sieves, pool.candidates)


def is_kept(sieves: list[Sieve]) -> bool:
    """Whether what all of them leave is a part that is kept."""
    return len(in_common_words(sieves)) == len(sieves)


def kept_places(wish: Sieve, before: list[Sieve], pool: Pool, strategy: Strategy, state: State) -> list[int]:
    """The places, in their order, at which the wish names somebody whom those before it leave of the pool;
    kept with the part that they leave together."""
    part, _ = narrowed(pool, strategy, state, [*before, wish])
    if part.places is None:
        part.places = sorted(wish.levels(narrowed(pool, strategy, state, before)[1]))
    return part.places
