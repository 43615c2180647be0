"""Who was asked in which attempt of a request, and what became of each attempt."""

from typing import Final

from sidecar.core.endpoint import Endpoint, names_an_ip
from sidecar.core.outcome import Outcome
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict, of_attempt

_MOST: Final = 16
"""Attempts that are looked at."""


def tried(ticket: Ticket, outcome: Outcome) -> list[tuple[Endpoint, Verdict]]:
    """In their order, of an outcome of several attempts; the ticket's own endpoint is the first.

    The attempts follow the list of the decision, or the order in which it was put for Envoy, from its
    beginning again where it is too short, and all but the last failed, unless requests are sent again for
    what is no failure. Where who served is not who would be next by that, the first and the last are told
    alone: who was asked in between is not known then. One that is known by a host name may have any address,
    and one address may be that of two endpoints.
    """
    order = [ticket.attempt(number) for number in range(1, min(outcome.attempts, _MOST) + 1)]
    last = order[-1]
    if outcome.served not in {"", last.address}:
        server = ticket.server(outcome.served)
        if server is not None:
            return [(ticket.endpoint, _before(ticket.endpoint, ticket)), (server, _last(server, outcome))]
        if names_an_ip(last.address):
            # Somebody whom the decision did not name.
            return [(ticket.endpoint, _before(ticket.endpoint, ticket))]
    found = [(endpoint, _before(endpoint, ticket)) for endpoint in order[:-1]]
    found.append((last, _last(last, outcome)))
    return found


def _last(endpoint: Endpoint, outcome: Outcome) -> Verdict:
    return of_attempt(outcome, endpoint.offer.watch.failures)


def _before(endpoint: Endpoint, ticket: Ticket) -> Verdict:
    """Of one that was followed by another. It ended with something for which it is tried again; where that
    may have been a status that is no failure, nobody can tell."""
    failures = endpoint.offer.watch.failures
    for status in ticket.again_for:
        if status not in failures:
            return Verdict.SILENT
    return Verdict.FAILED
