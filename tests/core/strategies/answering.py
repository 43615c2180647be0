"""Endpoints that have answered before, for strategies that go by what was learnt."""

from collections import Counter

from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from tests.builders import a_request, decided, ticket_of


def answered(engine: Engine, id: str, *outcomes: Outcome, now: float = 0.0) -> None:
    """As if the endpoint had been given these requests one after the other, by whatever route."""
    pool = engine.state.pools.of("main")
    for outcome in outcomes:
        endpoint = pool.candidates.by_key[f"shop/{id}"]
        ticket = engine.state.tickets.open("main", "main", "main", endpoint, 1, now, 300.0)
        for learner in engine.state.learners:
            learner.admitted(ticket, now)
        engine.settle(ticket.id, outcome, now)


def took(*durations_s: float) -> list[Outcome]:
    return [Outcome(200, duration_s) for duration_s in durations_s]


def failed(count: int) -> list[Outcome]:
    """At once."""
    return [Outcome(0, 0.001, Failure.CONNECTION)] * count


def given(engine: Engine, count: int, now: float = 0.0, lasting_s: float = -1.0) -> Counter[str]:
    """Who gets the requests where each has ended, with an unknown duration unless it is told, before the
    next."""
    names: Counter[str] = Counter()
    for _ in range(count):
        decision = decided(engine, a_request(), now)
        engine.settle(ticket_of(decision), Outcome(200, lasting_s), now)
        names[decision.endpoint.id] += 1
    return names
