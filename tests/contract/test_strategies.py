"""What every strategy promises; to stand in the registry is to be tested here."""

from random import Random

import pytest

from sidecar.core.endpoint import Candidates, Endpoint, eligible
from sidecar.core.engine import Engine
from sidecar.core.plan import Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.state.memory import State
from sidecar.core.strategies.base import Strategy, Turn
from tests.builders import (
    ALWAYS,
    OK,
    a_plan,
    a_request,
    a_route,
    an_engine,
    decided,
    endpoints_of,
    picks,
    ticket_of,
)

WEIGHTS = {"a": 5, "b": 1, "c": 3, "d": 3, "never": 0}
WANTS = [1, 2, 3, 4, 9]


@pytest.fixture(params=sorted(STRATEGIES))
def name(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def strategy(name: str) -> Strategy:
    return STRATEGIES[name]()


def a_turn(strategy: Strategy, candidates: Candidates, seed: int = 1) -> Turn:
    """In a pool that is arranged for these candidates and has seen nothing."""
    state = State()
    pool = state.pools.arrange("main", candidates)
    strategy.arrange(pool)
    return Turn(a_request(), pool, candidates, state, Random(seed), 0.0)


def an_engine_with(name: str, weights: dict[str, int] = WEIGHTS, want: int = 1, seed: int = 1) -> Engine:
    return an_engine(a_route(to=endpoints_of(weights), strategy=name, want=want), seed=seed)


def ids(endpoints: list[Endpoint]) -> list[str]:
    return [endpoint.id for endpoint in endpoints]


@pytest.mark.parametrize("want", WANTS)
def test_ranks_candidates_only_and_none_twice_and_no_more_than_wanted(strategy: Strategy, want: int) -> None:
    candidates = eligible(endpoints_of(WEIGHTS))

    for seed in range(50):
        ranking = strategy.rank(a_turn(strategy, candidates, seed), want)
        assert 1 <= len(ranking) <= want
        assert all(endpoint in candidates.endpoints for endpoint in ranking)
        assert len(set(ids(ranking))) == len(ranking)


@pytest.mark.parametrize("want", WANTS)
def test_the_decisions_of_a_running_engine_keep_the_same_promise(name: str, want: int) -> None:
    engine = an_engine_with(name, want=want)

    for _ in range(200):
        decision = decided(engine)
        named = ids([decision.endpoint, *decision.fallbacks])
        assert len(named) == len(set(named)) <= want
        assert set(named) <= {"a", "b", "c", "d"}


@pytest.mark.parametrize("want", WANTS)
def test_the_same_seed_and_the_same_past_rank_the_same(name: str, want: int) -> None:
    first, second = (an_engine_with(name, want=want, seed=5) for _ in range(2))

    for _ in range(60):
        one, other = decided(first), decided(second)
        assert ids([one.endpoint, *one.fallbacks]) == ids([other.endpoint, *other.fallbacks])


@pytest.mark.parametrize("want", WANTS)
def test_ranking_writes_nothing(strategy: Strategy, want: int) -> None:
    """The same turn ranks the same again, and what is remembered reads as before."""
    candidates = eligible(endpoints_of(WEIGHTS))
    turn = a_turn(strategy, candidates)
    before = turn.rng.getstate()
    ranking = strategy.rank(turn, want)

    for _ in range(20):
        turn.rng.setstate(before)
        assert ids(strategy.rank(turn, want)) == ids(ranking)
    assert turn.pool.turns == 0
    assert turn.pool.candidates is candidates
    assert ids(candidates.endpoints) == ["a", "b", "c", "d"]
    assert candidates.upto == [5, 6, 9, 12]
    assert (turn.state.load.total(), turn.state.tickets.opened) == (0, 0)


def test_ranking_that_leads_to_no_decision_leaves_the_next_ones_as_they_were(name: str) -> None:
    """Ranks without admitting, with draws of its own, between the decisions of one of two engines."""
    watched, alone = an_engine_with(name), an_engine_with(name)
    strategy = watched.plan.routes[0].variants[0].strategy
    pool = watched.state.pools.of("main")

    for _ in range(40):
        for want in WANTS:
            strategy.rank(Turn(a_request(), pool, pool.candidates, watched.state, Random(9), 0.0), want)
        assert decided(watched).endpoint.id == decided(alone).endpoint.id


@pytest.mark.parametrize("want", WANTS)
@pytest.mark.parametrize("weight", [1, 1000])
def test_one_candidate_is_always_the_answer(name: str, want: int, weight: int) -> None:
    engine = an_engine_with(name, {"only": weight, "never": 0}, want)

    for _ in range(20):
        decision = decided(engine)
        assert (decision.endpoint.id, decision.fallbacks, decision.considered) == ("only", [], 1)


def test_every_candidate_is_ranked_when_all_are_wanted(strategy: Strategy) -> None:
    turn = a_turn(strategy, eligible(endpoints_of(WEIGHTS)))

    assert sorted(ids(strategy.rank(turn, 4))) == ["a", "b", "c", "d"]


def test_every_candidate_gets_its_requests(name: str) -> None:
    """1,000 draws: the least of the four has 1 of 12, and is missed by chance once in 10 to the 37."""
    assert set(picks(an_engine_with(name), 1000).split()) == {"a", "b", "c", "d"}


def test_endpoints_may_leave_between_a_decision_and_its_outcome(name: str) -> None:
    engine = an_engine_with(name)
    tickets = [ticket_of(decided(engine)) for _ in range(12)]

    engine.swap(a_plan(a_route(to=endpoints_of({"c": 3, "new": 2}), strategy=name)))
    for ticket in tickets:
        decided(engine)
        assert engine.settle(ticket, OK, 1.0) is not None

    assert engine.state.load.total() == 12
    assert engine.state.load.of("shop/c") + engine.state.load.of("shop/new") == 12
    assert set(picks(engine, 60).split()) == {"c", "new"}


def test_a_pool_may_become_empty_and_full_again(name: str) -> None:
    engine = an_engine_with(name)
    decided(engine)

    engine.swap(a_plan(a_route(to=(), strategy=name)))
    engine.swap(a_plan(a_route(to=endpoints_of(WEIGHTS), strategy=name)))

    assert set(picks(engine, 200).split()) == {"a", "b", "c", "d"}


class _Last(Strategy):
    """A strategy of somebody else's, in plain Python also where the core is compiled."""

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        return turn.candidates.endpoints[-want:][::-1]


def test_a_strategy_of_somebody_else_needs_no_more_than_to_rank() -> None:
    variant = Variant("main", "main", endpoints_of(WEIGHTS), _Last(), "last")
    engine = an_engine(Route("main", ALWAYS, (variant,), want=2))

    decision = decided(engine)

    assert ids([decision.endpoint, *decision.fallbacks]) == ["d", "c"]
