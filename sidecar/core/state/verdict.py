"""What an outcome says about the endpoint that was picked: it served, it failed, or nobody can tell.

A client that goes away, an answer of Envoy's own, a report that never came and one without a word tell
nothing of the endpoint. Learning from them would make an endpoint bad because of who asked it, or good for
nothing.
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
    """What it says of the endpoint that was asked last.

    A client may leave an answer that began. Whether its end would have come, nobody knows: clients leave what
    stands still. But what began as a failure was one.
    """
    failure = outcome.failure
    if failure is Failure.NONE or failure is Failure.CANCELLED:
        if outcome.status >= 500 or outcome.status == 429:
            return Verdict.FAILED
        if failure is Failure.NONE and outcome.status > 0:
            return Verdict.SERVED
        return Verdict.SILENT
    if failure is Failure.REFUSED or failure is Failure.LOST:
        return Verdict.SILENT
    return Verdict.FAILED
