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


def test_who_is_known_by_a_host_name_may_have_any_address() -> None:
    """H1"""
    outcome = Outcome(200, attempts=2, served="10.9.9.9:80")
    assert told(a_ticket(A, NAMED), outcome) == "a:failed n:served"
