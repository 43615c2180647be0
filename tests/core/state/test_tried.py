"""Who was asked in which attempt."""

import pytest

from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.tried import tried
from tests.builders import an_endpoint

A, B, C = (an_endpoint(name, address=f"10.0.0.{at}:80") for at, name in enumerate("abc", 1))
NAMED = an_endpoint("n", address="shop.test:80")
ADDRESS = {"a": A.address, "b": B.address, "c": C.address, "x": "10.9.9.9:80", "": ""}


def told(ticket: Ticket, outcome: Outcome) -> str:
    return " ".join(f"{endpoint.id}:{judged.value}" for endpoint, judged in tried(ticket, outcome))


def a_ticket(*endpoints: object) -> Ticket:
    first, *rest = endpoints or (A, B, C)
    return Ticket(1, "main", "main", "main", first, 1, 0.0, 300.0, "GET", rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attempts", "served", "expected"),
    [
        pytest.param(2, "b", "a:failed b:served", id="the second served"),
        pytest.param(3, "c", "a:failed b:failed c:served", id="the third served"),
        pytest.param(4, "a", "a:failed b:failed c:failed a:served", id="the list begins again"),
        pytest.param(2, "", "a:failed b:served", id="nobody told who served"),
        pytest.param(2, "c", "a:failed c:served", id="not the one who was next: the one between is unknown"),
        pytest.param(3, "a", "a:failed a:served", id="the first served after all"),
        pytest.param(2, "x", "a:failed", id="somebody whom the decision did not name"),
        pytest.param(1000, "b", "a:failed b:served", id="more attempts than are looked at"),
    ],
)
def test_attempts_follow_the_list(attempts: int, served: str, expected: str) -> None:
    """H1: all but the last failed, and the ticket's own endpoint is told first."""
    assert told(a_ticket(), Outcome(200, attempts=attempts, served=ADDRESS[served])) == expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(Outcome(503, attempts=2, served=B.address), "a:failed b:failed", id="both failed"),
        pytest.param(
            Outcome(0, attempts=2, served=B.address, failure=Failure.CANCELLED),
            "a:failed b:silent",
            id="the client went away from the second",
        ),
        pytest.param(
            Outcome(0, attempts=3, failure=Failure.CONNECTION),
            "a:failed b:failed c:failed",
            id="no connection to any",
        ),
        pytest.param(
            Outcome(404, attempts=2, served=B.address), "a:failed b:served", id="a client's mistake"
        ),
    ],
)
def test_the_last_attempt_ended_as_the_request_did(outcome: Outcome, expected: str) -> None:
    """H1"""
    assert told(a_ticket(), outcome) == expected


def test_one_endpoint_may_be_asked_again_and_again() -> None:
    """H1: each time counts."""
    outcome = Outcome(200, attempts=3, served=A.address)
    assert told(a_ticket(A), outcome) == "a:failed a:failed a:served"


def test_of_any_number_of_attempts_16_are_looked_at() -> None:
    """H1: the number is what somebody told."""
    assert len(tried(a_ticket(), Outcome(503, attempts=2**31 - 1))) == 16


def test_who_is_known_by_a_host_name_may_have_any_address() -> None:
    """H1"""
    outcome = Outcome(200, attempts=2, served="10.9.9.9:80")
    assert told(a_ticket(A, NAMED), outcome) == "a:failed n:served"


def test_where_envoy_goes_another_way_those_are_told_that_it_asks() -> None:
    """H1 F1: one that was named, and could not be asked in this order, has not failed."""
    ticket = a_ticket(A, B, C)
    ticket.asked = [A, A, A]
    assert told(ticket, Outcome(503, attempts=3, served=A.address)) == "a:failed a:failed a:failed"
    ticket.asked = [A, C, B]
    refused = Outcome(0, attempts=2, failure=Failure.CONNECTION)
    assert told(ticket, refused) == "a:failed c:failed"


def test_one_address_may_be_that_of_two_endpoints() -> None:
    """H1: it is in two clusters, and whose turn it was served."""
    twin = an_endpoint("twin", address=A.address, cluster="far")
    assert told(a_ticket(A, twin), Outcome(200, attempts=2, served=A.address)) == "a:failed twin:served"


def test_an_endpoint_without_an_address_is_not_who_served_because_nobody_told() -> None:
    """H1"""
    anywhere = an_endpoint("any", address="")
    assert told(a_ticket(anywhere, B), Outcome(200, attempts=2)) == "any:failed b:served"


@pytest.mark.parametrize(
    ("again_for", "outcome", "expected"),
    [
        ((502, 503, 504), Outcome(404, attempts=2), "a:failed b:served"),
        ((404, 503), Outcome(404, attempts=3), "a:silent b:silent c:served"),
        ((404, 503), Outcome(503, attempts=2), "a:silent b:failed"),
        ((429,), Outcome(429, attempts=2), "a:silent b:silent"),
        ((404, 503), Outcome(200, attempts=2, served="10.0.0.3:80"), "a:silent c:served"),
        ((404, 503), Outcome(200, attempts=2, served="10.9.9.9:80"), "a:silent"),
    ],
)
def test_nobody_is_blamed_where_requests_are_sent_again_for_what_is_no_failure(
    again_for: tuple[int, ...], outcome: Outcome, expected: str
) -> None:
    """H1: a client that asks for what is not there would shut out all endpoints at once."""
    ticket = a_ticket()
    ticket.again_for = again_for
    assert told(ticket, outcome) == expected
