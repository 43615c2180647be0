"""What tenants spent in a month."""

from datetime import UTC, datetime, timedelta

import pytest

from sidecar.core.outcome import LOST, Outcome
from sidecar.core.state.spend import Spend, cost_micro_usd, month_of
from sidecar.core.state.tickets import Ticket, Tickets
from tests.core.filters.asking import offering

NOVEMBER = 2026 * 12 + 10


def test_months_are_those_of_the_calendar_in_utc() -> None:
    """Q6: every 20 hours of 400 years, which is a whole cycle of the calendar."""
    moment = datetime(1970, 1, 1, tzinfo=UTC)
    while moment.year < 2370:
        assert month_of(moment.timestamp()) == moment.year * 12 + moment.month - 1
        moment += timedelta(hours=20)


@pytest.mark.parametrize(("text", "month"), [("2026-11-30T23:59:59.9", 10), ("2026-12-01T00:00:00", 11)])
def test_a_month_ends_at_midnight(text: str, month: int) -> None:
    """Q6"""
    assert month_of(datetime.fromisoformat(text + "+00:00").timestamp()) == 2026 * 12 + month


def test_a_cost_is_rounded_up_to_whole_millionths() -> None:
    dear = offering("dear", price=(30_000, 60_001))

    assert cost_micro_usd(dear, 1, 1) == 91
    assert cost_micro_usd(dear, 0, 0) == 0
    assert cost_micro_usd(offering("own"), 1000, 1000) == 0


def a_ticket(id: int) -> Ticket:
    tickets = Tickets(id)
    return tickets.open("route", "variant", "pool", offering("a", price=(1000, 1000)), 1, 0.0, 10.0)


def test_the_two_months_that_began_last_are_remembered() -> None:
    """Q6: memory is bounded, and a clock that was wrong harms no month after it."""
    spend = Spend()
    for at, month in enumerate([NOVEMBER, NOVEMBER + 900, NOVEMBER + 901, NOVEMBER, NOVEMBER + 1]):
        spend.reserve(a_ticket(at), "acme", month, 1000, 0)

    assert [spend.of("acme", NOVEMBER + at) for at in (0, 1, 900, 901)] == [1000, 1000, 0, 0]


def test_the_outcome_of_a_request_of_a_month_long_ago_changes_nothing() -> None:
    spend = Spend()
    old = a_ticket(1)
    spend.reserve(old, "acme", NOVEMBER - 2, 1000, 0)
    for at in (0, 1):
        spend.reserve(a_ticket(2 + at), "acme", NOVEMBER + at, 1000, 0)

    spend.settled(old, Outcome(500), 1.0)

    assert [spend.of("acme", NOVEMBER + at) for at in (-2, 0, 1)] == [0, 1000, 1000]


def test_a_retry_is_charged_at_the_price_of_who_answered() -> None:
    """Q6 C6"""
    spend = Spend()
    first, second = offering("first", price=(1000, 1000)), offering("second", price=(7000, 7000))
    ticket = Tickets(1).open("r", "v", "p", first, 1, 0.0, 10.0, fallbacks=[second])
    spend.reserve(ticket, "acme", NOVEMBER, 500, 500)

    spend.settled(ticket, Outcome(200, served=second.address, attempts=2), 1.0)

    assert spend.of("acme", NOVEMBER) == 7000


@pytest.mark.parametrize(
    ("outcome", "cost"),
    [
        (Outcome(200), 2000),
        (Outcome(200, served="second.test:80", attempts=2), 7000),
        (Outcome(200, served="third.test:80", attempts=3), 1000),
        (Outcome(200, served="10.0.0.1:80", attempts=2), 7000),
        (Outcome(200, attempts=2, tokens=500), 3500),
        (LOST, 7000),
        (Outcome(503, attempts=3), 0),
    ],
)
def test_the_price_of_the_dearest_is_reserved_and_the_price_of_who_answered_remains(
    outcome: Outcome, cost: int
) -> None:
    """Q6 C6: a retry may go to any of them. Where nobody knows who answered, it may have been the dearest."""
    spend = Spend()
    first, *others = (
        offering(name, price=(price, price))
        for name, price in (("first", 2000), ("second", 7000), ("third", 1000))
    )
    ticket = Tickets(1).open("r", "v", "p", first, 1, 0.0, 10.0, fallbacks=others)
    spend.reserve(ticket, "acme", NOVEMBER, 500, 500)
    assert spend.of("acme", NOVEMBER) == 7000

    spend.settled(ticket, outcome, 1.0)

    assert spend.of("acme", NOVEMBER) == cost


def test_a_new_plan_forgets_tenants_that_spent_nothing_this_month_and_the_last() -> None:
    """Q6"""
    spend = Spend()
    late = a_ticket(1)
    spend.reserve(late, "gone", NOVEMBER, 1000, 0)
    spend.reserve(a_ticket(2), "last", NOVEMBER + 1, 1000, 0)
    spend.keep_endpoints(set())
    assert spend.of("gone", NOVEMBER) == 1000

    spend.reserve(a_ticket(3), "this", NOVEMBER + 2, 1000, 0)
    spend.keep_endpoints(set())
    spend.settled(late, Outcome(200), 1.0)

    assert spend.of("gone", NOVEMBER) == 0
    assert spend.of("last", NOVEMBER + 1) == spend.of("this", NOVEMBER + 2) == 1000
