"""What outcomes say about an endpoint."""

import pytest

from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.tickets import Tickets
from sidecar.core.state.verdict import Verdict, of_attempt, verdict
from sidecar.core.watch import USUAL_FAILURES
from tests.builders import an_endpoint

HERE, ELSEWHERE = "10.0.0.1:80", "10.0.0.2:80"


def judged(outcome: Outcome, address: str = HERE) -> Verdict:
    endpoint = an_endpoint(address=address)
    return verdict(Tickets(0).open("route", "variant", "pool", endpoint, 1, 0.0, 10.0), outcome)


@pytest.mark.parametrize("status", [101, 200, 302, 400, 404, 499])
def test_an_answer_that_the_client_asked_for_is_served(status: int) -> None:
    assert judged(Outcome(status)) is Verdict.SERVED


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_an_answer_that_the_endpoint_could_not_give_is_a_failure(status: int) -> None:
    assert judged(Outcome(status)) is Verdict.FAILED


def test_neither_a_status_nor_a_failure_says_nothing() -> None:
    """H1: an endpoint must not become good by an answer that nobody saw."""
    assert judged(Outcome(0)) is Verdict.SILENT


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, Verdict.SILENT), (404, Verdict.SILENT), (503, Verdict.FAILED), (429, Verdict.FAILED)],
)
def test_of_an_answer_that_the_client_left_only_its_beginning_can_tell(
    status: int, expected: Verdict
) -> None:
    """H1: one that stands still makes clients leave, so a good beginning is no success."""
    assert judged(Outcome(status, failure=Failure.CANCELLED)) is expected


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure.CONNECTION, Verdict.FAILED),
        (Failure.TIMEOUT, Verdict.FAILED),
        (Failure.RESET, Verdict.FAILED),
        (Failure.CANCELLED, Verdict.SILENT),
        (Failure.REFUSED, Verdict.SILENT),
        (Failure.LOST, Verdict.SILENT),
    ],
)
def test_what_no_endpoint_is_to_blame_for_says_nothing(failure: Failure, expected: Verdict) -> None:
    assert judged(Outcome(0, failure=failure)) is expected


def test_an_answer_by_another_after_a_retry_is_a_failure_of_the_first() -> None:
    assert judged(Outcome(200, served=ELSEWHERE, attempts=2)) is Verdict.FAILED
    assert judged(Outcome(200, served=HERE, attempts=2)) is Verdict.SERVED
    assert judged(Outcome(200, served=ELSEWHERE)) is Verdict.SERVED
    assert judged(Outcome(200, attempts=2)) is Verdict.SERVED


def test_of_a_host_name_nobody_knows_whether_the_address_is_its_own() -> None:
    """What the last answer says counts, unless the address is that of a fallback."""
    name = "shop.test:80"

    assert judged(Outcome(200, served=ELSEWHERE, attempts=2), address=name) is Verdict.SERVED
    assert judged(Outcome(503, served=ELSEWHERE, attempts=2), address=name) is Verdict.FAILED
    fallbacks = [an_endpoint("b", address=ELSEWHERE)]
    ticket = Tickets(0).open("r", "v", "p", an_endpoint(address=name), 1, 0.0, 10.0, fallbacks=fallbacks)
    assert verdict(ticket, Outcome(200, served=ELSEWHERE, attempts=2)) is Verdict.FAILED
    assert verdict(ticket, Outcome(200, served=HERE, attempts=2)) is Verdict.SERVED


def test_where_envoy_picks_the_address_any_of_them_serves() -> None:
    assert judged(Outcome(200, served=ELSEWHERE, attempts=2), address="") is Verdict.SERVED


def test_where_nobody_told_who_answered_it_was_whose_turn_it_was() -> None:
    """H1: as the judges of attempts take it, so that no learner praises who failed first."""
    fallbacks = [an_endpoint("b", address=ELSEWHERE)]
    ticket = Tickets(0).open("r", "v", "p", an_endpoint(), 1, 0.0, 10.0, fallbacks=fallbacks)

    verdicts = [verdict(ticket, Outcome(200, attempts=attempts)) for attempts in (1, 2, 3)]

    assert verdicts == [Verdict.SERVED, Verdict.FAILED, Verdict.SERVED]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, Verdict.SILENT),
        (200, Verdict.SERVED),
        (404, Verdict.SERVED),
        (408, Verdict.SERVED),
        (429, Verdict.SILENT),
        (500, Verdict.FAILED),
        (501, Verdict.SILENT),
        (503, Verdict.FAILED),
        (505, Verdict.SILENT),
        (599, Verdict.FAILED),
    ],
)
def test_judges_blame_no_endpoint_for_what_anybody_can_ask_for(status: int, expected: Verdict) -> None:
    """H1: a method that it does not know, and too many requests, would shut everybody out."""
    assert of_attempt(Outcome(status), USUAL_FAILURES) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, Verdict.FAILED), (429, Verdict.FAILED), (500, Verdict.SILENT), (403, Verdict.SERVED)],
)
def test_which_statuses_are_failures_is_for_each_cluster_to_say(status: int, expected: Verdict) -> None:
    """H1"""
    assert of_attempt(Outcome(status), frozenset({404, 429})) is expected


@pytest.mark.parametrize(
    ("failure", "status", "expected"),
    [
        pytest.param(Failure.CANCELLED, 200, Verdict.SERVED, id="a stream that its client leaves"),
        pytest.param(Failure.CANCELLED, 404, Verdict.SERVED, id="so with a client's mistake"),
        pytest.param(Failure.CANCELLED, 503, Verdict.FAILED, id="what began as a failure was one"),
        pytest.param(Failure.CANCELLED, 0, Verdict.SILENT, id="nobody had answered"),
        pytest.param(Failure.CANCELLED, 408, Verdict.SILENT, id="the client did not send all"),
        pytest.param(Failure.TIMEOUT, 200, Verdict.SILENT, id="an answer stood still, or its reader"),
        pytest.param(Failure.TIMEOUT, 503, Verdict.FAILED, id="it stood still and was a failure"),
        pytest.param(Failure.TIMEOUT, 504, Verdict.FAILED, id="no answer in time"),
        pytest.param(Failure.TIMEOUT, 0, Verdict.FAILED, id="no answer, as a caller tells it"),
        pytest.param(Failure.RESET, 200, Verdict.FAILED, id="an answer that broke off"),
        pytest.param(Failure.CONNECTION, 503, Verdict.FAILED, id="no connection"),
        pytest.param(Failure.REFUSED, 503, Verdict.SILENT, id="Envoy's own answer"),
        pytest.param(Failure.LOST, 0, Verdict.SILENT, id="nobody told"),
    ],
)
def test_judges_blame_no_endpoint_for_what_a_client_does(
    failure: Failure, status: int, expected: Verdict
) -> None:
    """H1 H5: trials are streams too, and a client that reads slowly would open breakers."""
    assert of_attempt(Outcome(status, failure=failure), USUAL_FAILURES) is expected
