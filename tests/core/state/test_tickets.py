"""Open tickets: each is settled once."""

import pytest

from sidecar.core.state.tickets import TICKET_BITS, Ticket, Tickets
from tests.builders import an_endpoint


def opened(tickets: Tickets, now: float = 0.0, lease_s: float = 10.0) -> Ticket:
    return tickets.open("route", "variant", "pool", an_endpoint(), 7, now, lease_s)


def test_a_ticket_knows_what_was_decided() -> None:
    ticket = opened(Tickets(0), now=2.0)

    assert (ticket.route, ticket.variant, ticket.pool, ticket.endpoint.id) == (
        "route",
        "variant",
        "pool",
        "a",
    )
    assert (ticket.generation, ticket.admitted_at, ticket.expires_at) == (7, 2.0, 12.0)


def test_a_ticket_closes_once() -> None:
    tickets = Tickets(0)
    ticket = opened(tickets)

    assert tickets.close(ticket.id) is ticket
    assert tickets.close(ticket.id) is None
    assert (tickets.opened, tickets.reported, tickets.lost, tickets.unknown, len(tickets)) == (1, 1, 0, 1, 0)


def test_a_ticket_is_overdue_exactly_when_its_lease_ends() -> None:
    tickets = Tickets(0)
    early = opened(tickets, now=0.0)
    late = opened(tickets, now=1.0)

    assert tickets.overdue(9.999) == []
    assert tickets.next_expiry() == 10.0
    assert tickets.overdue(10.0) == [early]
    assert tickets.next_expiry() == 11.0
    assert tickets.overdue(11.5) == [late]
    assert tickets.next_expiry() is None
    assert tickets.close(early.id) is None
    assert (tickets.opened, tickets.reported, tickets.lost, tickets.unknown) == (2, 0, 2, 1)


def test_a_shorter_lease_waits_behind_a_longer_one_that_is_older() -> None:
    tickets = Tickets(0)
    opened(tickets, now=0.0, lease_s=300.0)
    short = opened(tickets, now=1.0, lease_s=5.0)

    assert short.expires_at == 300.0
    assert tickets.overdue(299.0) == []
    assert len(tickets.overdue(300.0)) == 2
    assert opened(tickets, now=301.0, lease_s=5.0).expires_at == 306.0


def test_a_number_from_another_epoch_closes_nothing() -> None:
    before = opened(Tickets(4))
    tickets = Tickets(5)
    ticket = opened(tickets)

    assert tickets.close(before.id) is None
    assert tickets.close(ticket.id) is ticket


@pytest.mark.parametrize("epoch", [0, 1, 0xFFFFF, 1 << 40])
def test_a_number_fits_its_bits(epoch: int) -> None:
    assert 0 < opened(Tickets(epoch)).id < 1 << TICKET_BITS


def test_numbers_never_repeat() -> None:
    tickets = Tickets(3)

    assert len({opened(tickets).id for _ in range(1000)}) == 1000


def test_gives_up_the_oldest_hundredth_of_a_full_table() -> None:
    tickets = Tickets(0, most=300)
    all_of_them = [opened(tickets, now=float(n)) for n in range(300)]

    assert tickets.crowded()
    assert tickets.oldest() == all_of_them[:3]
    assert not tickets.crowded()
    assert (len(tickets), tickets.lost) == (297, 3)


def test_gives_up_at_least_one() -> None:
    tickets = Tickets(0, most=1)
    ticket = opened(tickets)

    assert tickets.oldest() == [ticket]
    assert tickets.oldest() == []


def test_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Tickets(0, most=0)
