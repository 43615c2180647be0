"""What every scorer promises; to stand in the registry is to be tested here."""

from random import Random

import pytest

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.registry import SCORERS
from sidecar.core.scorers.base import Asked, Scorer
from sidecar.core.strategies.best_score import BestScore
from tests.builders import a_request, an_engine_by, decided, ticket_of

OUTCOMES = [
    *(Outcome(200, duration_s) for duration_s in (-1.0, 0.0, 0.05, 0.3, 9.0, 1e9)),
    *(Outcome(status, 0.01) for status in (0, 404, 429, 503)),
    *(Outcome(0, 0.5, failure) for failure in Failure if failure is not Failure.NONE),
]
SHARES = [-1.0, 0.0, 1e-300, 0.4, 1.0, 7.0, 1e300, float("inf"), float("nan")]
PRICES = [-1, 0, 1, 10**9]


@pytest.fixture(params=sorted(SCORERS))
def name(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def scorer(name: str) -> Scorer:
    return SCORERS[name]()


def of_all_kinds(seed: int) -> list[Endpoint]:
    chance = Random(seed)
    return [
        Endpoint(
            "shop",
            f"e{at}",
            f"10.0.0.{at}:80",
            chance.choice([1, 3, 1000]),
            zone=chance.choice(["", "a", "b"]),
            input_micro_usd=chance.choice(PRICES),
            output_micro_usd=chance.choice(PRICES),
        )
        for at in range(1, 6)
    ]


def an_engine_of(endpoints: list[Endpoint]) -> Engine:
    """Whose requests go anywhere, so that each of them gets some."""
    return an_engine_by(BestScore(load=1.0), endpoints)


def asked_of(engine: Engine, now: float = 0.0) -> Asked:
    pool = engine.state.pools.of("main")
    return Asked(a_request(), pool.candidates, pool.salt, engine.state, now)


def scored(scorer: Scorer, engine: Engine, endpoints: list[Endpoint], now: float = 0.0) -> list[float]:
    weights = [float(endpoint.weight) for endpoint in endpoints]
    return scorer.score(asked_of(engine, now), endpoints, weights)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_learnt_and_reported_each_score_is_from_0_to_1(scorer: Scorer, seed: int) -> None:
    """S17: NaN is neither at least 0 nor at most 1."""
    endpoints = of_all_kinds(seed)
    engine, chance, now = an_engine_of(endpoints), Random(seed), 0.0
    tickets: list[int] = []

    for _ in range(300):
        now += chance.choice([0.0, 0.1, 40.0])
        tickets.append(ticket_of(decided(engine, now=now)))
        if chance.random() < 0.8:
            engine.settle(tickets.pop(chance.randrange(len(tickets))), chance.choice(OUTCOMES), now)
        engine.state.reports.told(
            chance.choice(endpoints).key,
            now,
            utilisation=chance.choice(SHARES),
            quota_used=chance.choice(SHARES),
            cache_hit_rate=chance.choice(SHARES),
        )
        some = chance.sample(endpoints, chance.randint(1, 5))
        scores = scored(scorer, engine, some, now)
        assert len(scores) == len(some)
        assert all(0.0 <= score <= 1.0 for score in scores), scores


def test_an_endpoint_of_which_nothing_is_known_has_what_the_scorer_says(scorer: Scorer) -> None:
    endpoints = [Endpoint("shop", name, "10.0.0.1:80") for name in "ab"]

    assert scored(scorer, an_engine_of(endpoints), endpoints) == [scorer.unknown()] * 2
    assert 0.0 <= scorer.unknown() <= 1.0


def test_to_score_changes_nothing(scorer: Scorer) -> None:
    endpoints = of_all_kinds(1)
    engine = an_engine_of(endpoints)
    state = engine.state
    state.reports.told("shop/e1", 0.0, utilisation=0.3, quota_used=0.2, cache_hit_rate=0.9)
    open_ticket = ticket_of(decided(engine))

    first = scored(scorer, engine, endpoints)

    assert [scored(scorer, engine, endpoints) for _ in range(20)] == [first] * 20
    assert (state.load.total(), state.tickets.opened, len(state.prefixes)) == (1, 1, 0)
    assert engine.settle(open_ticket, Outcome(200, 0.1), 0.0) is not None


def test_the_order_of_the_endpoints_does_not_matter(scorer: Scorer) -> None:
    endpoints = of_all_kinds(2)
    engine = an_engine_of(endpoints)
    for at, endpoint in enumerate(endpoints):
        engine.state.reports.told(
            endpoint.key, 0.0, utilisation=at / 5, quota_used=at / 5, cache_hit_rate=at / 5
        )
    decided(engine)

    there = scored(scorer, engine, endpoints)

    assert scored(scorer, engine, endpoints[::-1]) == pytest.approx(there[::-1])


def test_every_scorer_is_an_option_of_best_score(name: str) -> None:
    """The compiled class does not tell its options, so it is asked."""
    strategy = BestScore(**{name: 2.0})  # type: ignore[arg-type]
    engine = an_engine_by(strategy, [Endpoint("shop", "a", "10.0.0.1:80")])
    decision = decided(engine)
    assert decision.turn is not None

    assert [[part for part, _ in parts] for _, parts in strategy.parts(decision.turn)] == [[name]]


class _Longest(Scorer):
    """One of somebody else's, in plain Python also where the core is compiled."""

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        longest = max(len(endpoint.id) for endpoint in endpoints)
        return [len(endpoint.id) / longest for endpoint in endpoints]

    def unknown(self) -> float:
        return 1.0


def test_a_scorer_of_somebody_else_needs_no_more_than_to_score() -> None:
    endpoints = [Endpoint("shop", name, "10.0.0.1:80") for name in ("a", "bb")]
    asked = Asked(a_request(), Candidates(endpoints), 0, an_engine_of(endpoints).state, 0.0)
    scorer = _Longest()

    assert scorer.score(asked, endpoints, [1.0, 1.0]) == [0.5, 1.0]
    assert scorer.favours(asked) is None
    scorer.admitted(asked, endpoints[0])


def test_the_base_says_what_a_scorer_has_to_do() -> None:
    engine = an_engine_of([Endpoint("shop", "a", "10.0.0.1:80")])
    with pytest.raises(NotImplementedError):
        scored(Scorer(), engine, [])
    with pytest.raises(NotImplementedError):
        Scorer().unknown()
