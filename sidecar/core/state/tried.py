"""Who was asked in which attempt of a request, and what became of each attempt."""

from itertools import cycle, islice
from typing import Final

from sidecar.core.endpoint import Endpoint, names_an_ip
from sidecar.core.outcome import Outcome
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict, of_last

_MOST: Final = 16
"""Attempts that are looked at."""


def tried(ticket: Ticket, outcome: Outcome) -> list[tuple[Endpoint, Verdict]]:
    """In their order, of an outcome of several attempts; the ticket's own endpoint is the first.

    The attempts follow the list of the decision, from its beginning again where it is too short, and all but
    the last failed. Where who served is not who would be next by that, the first and the last are told alone:
    who was asked in between is not known then. One that is known by a host name may have any address.
    """
    named = [ticket.endpoint, *ticket.fallbacks]
    order = list(islice(cycle(named), min(outcome.attempts, _MOST)))
    last = order[-1]
    server = ticket.server(outcome.served)
    if server is None and outcome.served != "" and names_an_ip(last.address):
        return [(ticket.endpoint, Verdict.FAILED)]  # somebody whom the decision did not name
    if server is not None and server is not last:
        if server is ticket.endpoint:
            return [(server, Verdict.FAILED), (server, of_last(outcome))]
        return [(ticket.endpoint, Verdict.FAILED), (server, of_last(outcome))]
    found = [(endpoint, Verdict.FAILED) for endpoint in order[:-1]]
    found.append((last, of_last(outcome)))
    return found
