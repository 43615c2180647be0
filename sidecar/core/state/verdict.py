"""What an outcome says about the endpoint that was picked: it served, it failed, or nobody can tell.

A client that goes away, an answer of Envoy's own, a report that never came and one without a word tell
nothing of the endpoint. Learning from them would make an endpoint bad because of who asked it, or good for
nothing. Learners that rank endpoints take `verdict`; judges, who shut endpoints out, take `of_attempt`, which
a client can't turn against one.
"""

from enum import Enum
from typing import Final

from sidecar.core.endpoint import names_an_ip
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.tickets import Ticket

_REQUEST_TIMEOUT: Final = 408
"""With a cancelled request it is Envoy's own word: the client stood still."""


class Verdict(Enum):
    SERVED = "served"
    FAILED = "failed"
    SILENT = "silent"


def verdict(ticket: Ticket, outcome: Outcome) -> Verdict:
    """Failed is a 5xx or 429 status, no connection, a reset, a timeout, or an answer by another after a
    retry.

    Other 4xx are the client's mistakes, and the endpoint served them. One that is known by a host name may
    have any address. Where nobody told who answered, it was whose turn it was.
    """
    if outcome.attempts > 1:
        if outcome.served == "":
            return of_last(outcome) if ticket.attempt(outcome.attempts) is ticket.endpoint else Verdict.FAILED
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


def of_attempt(outcome: Outcome, failures: frozenset[int]) -> Verdict:
    """What judges take it for, of the endpoint that was asked last, where these statuses are failures.

    Nobody is shut out for what a client did. A client that leaves an answer which began well was served, as
    far as the endpoint can serve it: long streams most often end so. Where an answer that began well stands
    still until a timeout is over, it may be the client that does not read. A 429 and a 5xx that is no failure
    say nothing.
    """
    failure = outcome.failure
    status = outcome.status
    if failure is Failure.NONE:
        return _of_status(status, failures)
    if failure is Failure.CANCELLED:
        return Verdict.SILENT if status == _REQUEST_TIMEOUT else _of_status(status, failures)
    if failure is Failure.REFUSED or failure is Failure.LOST:
        return Verdict.SILENT
    if failure is Failure.TIMEOUT and 0 < status < 500 and status not in failures:
        return Verdict.SILENT
    return Verdict.FAILED


def _of_status(status: int, failures: frozenset[int]) -> Verdict:
    if status in failures:
        return Verdict.FAILED
    if status >= 500 or status in {0, 429}:
        return Verdict.SILENT
    return Verdict.SERVED
