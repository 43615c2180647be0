"""Fallbacks of a request whose wishes leave too few: they give way one by one.

Asked only where a request wishes for something and its route wants more endpoints than that leaves.
"""

from bisect import bisect_left
from typing import Final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.filters.base import Sieve
from sidecar.core.plan import Variant
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Turn, candidates_now, is_kept, kept_places, narrowed

_NO_LEVELS: Final[dict[int, list[Endpoint]]] = {}


def filled(ranking: list[Endpoint], turn: Turn, variant: Variant, want: int) -> list[Endpoint]:
    """Where wishes left too few, the fallbacks are those that the request may have besides: the wish that
    counts least gives way first."""
    found = list(ranking)
    named = {endpoint.key for endpoint in found}
    whole = turn.state.pools.of(turn.pool.base)
    sieves = turn.sieves
    assert sieves is not None
    wishes = len([each for each in sieves if each.soft])
    for at in range(len(sieves) - 1, len(sieves) - 1 - wishes, -1):
        before = sieves[:at]
        pool, candidates = narrowed(whole, variant.strategy, turn.state, before)
        without = Turn(turn.request, pool, candidates, turn.state, turn.rng, turn.now, before)
        _next_places(sieves[at], without, whole, variant, want, found, named)
        if len(found) < want:
            _add(without, variant, want, found, named)
        if len(found) == want:
            break
    return found


def _next_places(
    wish: Sieve,
    all_of_them: Turn,
    whole: Pool,
    variant: Variant,
    want: int,
    found: list[Endpoint],
    named: set[str],
) -> None:
    """After those of the first place in the order of the wish, those of the others: straight from one who
    is there to the next. `all_of_them` is the turn without the wish."""
    turn = all_of_them
    state = turn.state
    before = turn.sieves
    assert before is not None
    kept = is_kept([*before, wish])
    levels = _NO_LEVELS if kept else wish.levels(turn.candidates)
    own = kept_places(wish, before, whole, variant.strategy, state) if kept else sorted(levels)
    places = own
    for link in variant.links:
        pool = state.pools.of(link.pool)
        candidates_now(pool, link.strategy)
        if kept:
            there = kept_places(wish, before, pool, link.strategy, state)
        else:
            there = list(wish.levels(narrowed(pool, link.strategy, state, before)[1]))
        places = sorted({*places, *there})
    # A place of the pool itself brings somebody. One of a link may not, where the request can't go there.
    for place in places[1 : 1 + 2 * want]:
        sieves = [*before, wish.behind(place)]
        pool, candidates = turn.pool, turn.candidates
        if kept:
            pool, candidates = narrowed(whole, variant.strategy, state, sieves)
        elif own and place <= own[-1]:
            candidates = Candidates(levels[own[bisect_left(own, place)]])
        more = Turn(turn.request, pool, candidates, state, turn.rng, turn.now, sieves)
        _add(more, variant, want, found, named)
        if len(found) == want:
            return


def _add(turn: Turn, variant: Variant, want: int, found: list[Endpoint], named: set[str]) -> None:
    """The best of this turn that are not named yet."""
    for endpoint in variant.strategy.rank(turn, want):
        if endpoint.key not in named and len(found) < want:
            named.add(endpoint.key)
            found.append(endpoint)
