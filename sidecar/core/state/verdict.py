"""What an outcome says about the endpoint that was picked: it served, it failed, or nobody can tell.

A client that goes away, an answer of Envoy's own and a report that never came say nothing about the endpoint.
Learning from them would make an endpoint bad because of who asked it.
"""

from enum import Enum

from sidecar.core.endpoint import names_an_ip
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.tickets import Ticket


class Verdict(Enum):
    SERVED = "served"
    FAILED = "failed"
    SILENT = "silent"


def verdict(ticket: Ticket, outcome: Outcome) -> Verdict:
    """Failed is a 5xx or 429 status, no connection, a reset, a timeout, or an answer by another after a
    retry.

    Other 4xx are the client's mistakes, and the endpoint served them. One that is known by a host name may
    have any address.
    """
    if outcome.attempts > 1 and outcome.served != "":
        server = ticket.server(outcome.served)
        if server is not None or names_an_ip(ticket.endpoint.address):
            return of_last(outcome) if server is ticket.endpoint else Verdict.FAILED
    return of_last(outcome)


def of_last(outcome: Outcome) -> Verdict:
    """What it says of the endpoint that was asked last."""
    failure = outcome.failure
    if failure is Failure.NONE:
        if outcome.status >= 500 or outcome.status == 429:
            return Verdict.FAILED
        return Verdict.SERVED
    if failure in {Failure.CANCELLED, Failure.REFUSED, Failure.LOST}:
        return Verdict.SILENT
    return Verdict.FAILED
