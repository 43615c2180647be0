"""A model of success, one endpoint each."""

from math import exp, log
from random import Random

import pytest

from sidecar.core.endpoint import Candidates
from sidecar.core.outcome import LOST, Outcome
from sidecar.core.state.model import Model, Odds, best_fit, context_of, probability, weights_of
from sidecar.core.state.tickets import Ticket, Tickets
from tests.builders import an_endpoint, endpoints_of

GOOD, BAD = Outcome(200, 0.1), Outcome(503, 0.1)
MONDAY_S = 1767571200.0
"""2026-01-05 00:00 UTC."""


def a_model(*names: str) -> Model:
    return Model(Candidates([an_endpoint(name) for name in names]), target_s=1.0)


def a_ticket(tickets: Tickets, name: str = "a") -> Ticket:
    return tickets.open("main", "main", "main", an_endpoint(name), 1, 0.0, 300.0)


def learn(model: Model, tickets: Tickets, context: int, outcome: Outcome, now: float = 0.0) -> None:
    ticket = a_ticket(tickets)
    model.admitted(ticket)
    model.note(context)
    model.settled(ticket, outcome, now)


def sizes_apart(sizes: list[int]) -> int:
    return len({context_of(size, 0.0, 0) for size in sizes})


def test_sizes_are_told_apart_by_powers_of_4_from_256_bytes_on() -> None:
    """S12"""
    assert sizes_apart([1, 100, 256]) == 1
    assert sizes_apart([257, 1000, 1024]) == 1
    assert sizes_apart([1025, 4096]) == 1
    assert sizes_apart([-1, 0, 256, 1024, 4096, 16_384, 65_536, 262_144, 1 << 20, 1 << 22, 1 << 24]) == 11
    assert sizes_apart([1 << 60, 10**18]) == 1


def test_times_are_told_apart_by_hour_and_weekday() -> None:
    """S12: of UTC, and a week later it is the same again."""
    contexts = [context_of(5, MONDAY_S + hour * 3600 + 1800.5, 0) for hour in range(24 * 14)]

    assert len(set(contexts)) == 24 * 7
    assert contexts[: 24 * 7] == contexts[24 * 7 :]
    assert len({weights_of(context)[2] for context in contexts[:24]}) == 24
    assert len({weights_of(context)[3] for context in contexts[:24]}) == 1


def test_no_two_kinds_of_weight_share_a_key() -> None:
    """And there are no more of them than a model may have."""
    keys: list[set[int]] = [set() for _ in range(6)]
    for size in [-1, 0, *(4**power for power in range(31))]:
        for hour in range(24 * 7):
            for region in (0, 1, 63) if hour else range(64):
                for kind, key in enumerate(weights_of(context_of(size, hour * 3600.0, region))):
                    keys[kind].add(key)

    assert [len(each) for each in keys] == [1, 16, 24, 7, 16 * 24, 63]
    assert len(set().union(*keys)) == 495


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("variance", [1e-6, 0.1, 1.0, 6.5, 50.0])
@pytest.mark.parametrize("prior", [-800.0, -20.0, -1.0, 0.0, 3.0, 20.0, 800.0])
def test_the_best_fit_solves_its_equation(prior: float, variance: float, label: float) -> None:
    """S12"""
    z = best_fit(prior, variance, label)

    assert z == pytest.approx(prior + variance * (label - probability(z)), abs=1e-6)


def test_probabilities_are_those_of_log_odds() -> None:
    assert probability(0.0) == 0.5
    assert probability(log(3.0)) == pytest.approx(0.75)
    assert probability(-2.0) == pytest.approx(1.0 / (1.0 + exp(2.0)))
    assert 0.0 <= probability(-1e300) < 1e-300
    assert probability(1e300) == pytest.approx(1.0)


def test_learns_the_share_of_successes() -> None:
    """S12: 2,000 outcomes of 80 %; the standard error is 0.9 %, and as much again for what is forgotten."""
    odds, chance, keys = Odds(), Random(1), weights_of(context_of(5, MONDAY_S, 0))

    for _ in range(2000):
        odds.learn(keys, chance.random() < 0.8, 0.0)

    assert probability(odds.mean(keys)) == pytest.approx(0.8, abs=0.07)


def test_draws_narrow_as_outcomes_come_and_widen_again_with_time() -> None:
    """S12: the distance of the draw for one standard deviation; what was learnt keeps its mean meanwhile."""
    odds, keys = Odds(), weights_of(context_of(5, MONDAY_S, 0))

    def spread(now: float) -> float:
        return odds.draw(keys, 1.0, now) - odds.mean(keys)

    at_first = spread(0.0)
    for label in (True, False) * 200:
        odds.learn(keys, label, 0.0)
    mean = odds.mean(keys)

    assert spread(0.0) < 0.3 * at_first
    assert spread(0.0) < spread(600.0) < spread(3600.0) < spread(1e9) <= at_first
    assert odds.mean(keys) == mean


def test_nobody_is_judged_by_what_another_did() -> None:
    model, tickets = a_model("a", "b"), Tickets(0)
    keys = weights_of(7)
    for _ in range(20):
        learn(model, tickets, 7, BAD)
    a, b = model.of("shop/a"), model.of("shop/b")

    assert a is not None
    assert b is not None
    assert a.mean(keys) < -1.0
    assert b.mean(keys) == 0.0


def test_only_what_is_reported_of_an_endpoint_that_is_there_is_learnt() -> None:
    """S12: one is reported, one lost, and one is of an endpoint that is gone."""
    model, tickets = a_model("a"), Tickets(0)
    open_tickets = [a_ticket(tickets, name) for name in ("a", "a", "gone")]
    for ticket in open_tickets:
        model.admitted(ticket)
        model.note(7)

    for ticket, outcome in zip(open_tickets, (GOOD, LOST, GOOD), strict=True):
        model.settled(ticket, outcome, 0.0)

    assert [ticket.context for ticket in open_tickets] == [7, 7, 7]
    assert model.outcomes == 1


def test_a_request_that_nobody_noted_teaches_nothing() -> None:
    model, tickets = a_model("a"), Tickets(0)
    ticket = a_ticket(tickets)
    model.note(7)
    model.admitted(ticket)
    model.settled(ticket, GOOD, 0.0)
    assert (model.outcomes, ticket.context) == (0, -1)


def test_an_endpoint_is_due_when_it_missed_200_outcomes_and_30_s_went_by() -> None:
    """S12"""
    model, tickets = Model(Candidates(list(endpoints_of({"a": 1, "b": 1}))), 1.0), Tickets(0)
    a, b = model.of("shop/a"), model.of("shop/b")
    assert a is not None
    assert b is not None
    ticket = a_ticket(tickets, "b")
    model.admitted(ticket)
    model.note(7)
    model.settled(ticket, BAD, 0.0)

    for _ in range(199):
        learn(model, tickets, 7, GOOD, 1.0)
    assert not model.due(b, 100.0)
    learn(model, tickets, 7, GOOD, 1.0)

    assert not model.due(b, 29.0)
    assert model.due(b, 30.0)
    assert not model.due(a, 100.0)
    assert not model.due(Odds(), 100.0)


def test_the_leader_is_the_one_with_the_best_odds_for_such_a_request() -> None:
    model, tickets = a_model("a", "b"), Tickets(0)
    small, large = context_of(5, MONDAY_S, 0), context_of(5_000_000, MONDAY_S, 0)
    for name, context, outcome in (
        ("a", small, BAD),
        ("b", small, GOOD),
        ("a", large, GOOD),
        ("a", large, GOOD),
        ("b", large, BAD),
    ):
        ticket = a_ticket(tickets, name)
        model.admitted(ticket)
        model.note(context)
        model.settled(ticket, outcome, 0.0)

    assert model.leader(small) == "shop/b"
    assert model.leader(large) == "shop/a"
    assert model.leader(context_of(5, MONDAY_S + 3600, 0)) == ""

    model.keep_endpoints({"shop/a"})

    assert model.leader(small) == ""
    assert model.of("shop/b") is None
