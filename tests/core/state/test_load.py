"""Requests in flight by endpoint."""

from sidecar.core.state.load import Load
from sidecar.core.state.tickets import Ticket, Tickets
from tests.builders import OK, an_endpoint


def a_ticket(id: str) -> Ticket:
    return Tickets(0).open("route", "variant", "pool", an_endpoint(id), 1, 0.0, 10.0)


def test_load_rises_with_each_request_and_returns_to_nothing() -> None:
    load = Load()
    first, second, other = a_ticket("a"), a_ticket("a"), a_ticket("b")
    for ticket in (first, second, other):
        load.admitted(ticket, 0.0)

    assert (load.of("shop/a"), load.of("shop/b"), load.total()) == (2, 1, 3)

    for ticket in (second, other, first):
        load.settled(ticket, OK, 1.0)

    assert (load.of("shop/a"), load.of("shop/b"), load.total()) == (0, 0, 0)


def test_an_endpoint_that_was_never_used_has_no_load() -> None:
    assert Load().of("shop/a") == 0
