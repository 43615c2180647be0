"""Which requests may be sent again, and who is blamed when they were."""

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.plan import Route
from sidecar.core.retries import Retries
from sidecar.core.rules.path import PathUnder
from tests.builders import ALWAYS, a_request, a_variant, an_endpoint, an_engine, decided, ticket_of

ONCE = PathUnder("/once")
RETRIES = Retries(3, (503,), (Failure.CONNECTION,), ("GET", "HEAD"), (ONCE,))
ENDPOINTS = [an_endpoint(name, address=f"10.0.0.{at}:80") for at, name in enumerate("abc")]


def retrying(endpoints: list[Endpoint] | None = None) -> Engine:
    variant = a_variant("main", ENDPOINTS if endpoints is None else endpoints)
    return an_engine(Route("main", ALWAYS, (variant,), want=RETRIES.attempts, retries=RETRIES))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/x", True),
        ("HEAD", "/x", True),
        ("POST", "/x", False),
        ("get", "/x", False),
        ("GET", "/once/x", False),
        ("GET", "/once?x", False),
        ("GET", "/onces", True),
    ],
)
def test_a_request_may_be_sent_again_by_its_method_and_path(method: str, path: str, allowed: bool) -> None:
    """F4"""
    answer = decided(retrying(), a_request(path, method=method))

    assert (answer.retries is RETRIES) is allowed
    assert [endpoint.id for endpoint in answer.fallbacks] == ["b", "c"], "whoever may use them or not"


def test_a_route_that_says_nothing_sends_nothing_again() -> None:
    """F4"""
    assert decided(an_engine()).retries is None


def test_there_is_at_least_one_attempt() -> None:
    with pytest.raises(ValueError, match="attempts must be at least 1, got 0"):
        Retries(0, (), (), ())


def learnt(engine: Engine, outcome: Outcome) -> dict[str, float]:
    """The share of successes by endpoint, of those that something is known of."""
    engine.settle(ticket_of(decided(engine)), outcome, 1.0)
    tracks = {endpoint.id: engine.state.latency.of(endpoint.key) for endpoint in ENDPOINTS}
    return {
        name: track.success_share() for name, track in tracks.items() if track is not None and track.known(1)
    }


@pytest.mark.parametrize(
    ("outcome", "shares"),
    [
        pytest.param(Outcome(200, 0.1, served="10.0.0.0:80"), {"a": 1.0}, id="the first served"),
        pytest.param(
            Outcome(200, 0.1, served="10.0.0.2:80", attempts=2), {"a": 0.0, "c": 1.0}, id="a fallback served"
        ),
        pytest.param(
            Outcome(503, 0.1, served="10.0.0.1:80", attempts=2), {"a": 0.0, "b": 0.0}, id="a fallback failed"
        ),
        pytest.param(
            Outcome(0, 0.1, Failure.CANCELLED, "10.0.0.1:80", 2), {"a": 0.0}, id="the client went away"
        ),
        pytest.param(
            Outcome(200, 0.1, served="10.0.0.0:80", attempts=2), {"a": 1.0}, id="the first, asked twice"
        ),
        pytest.param(Outcome(200, 0.1, served="10.9.9.9:80", attempts=2), {"a": 0.0}, id="a stranger served"),
        pytest.param(Outcome(200, 0.1, attempts=2), {"a": 0.0, "b": 1.0}, id="nobody says who"),
        pytest.param(
            Outcome(200, 0.1, attempts=4), {"a": 1.0}, id="nobody says who, and it was the first's turn"
        ),
    ],
)
def test_a_failed_attempt_is_the_firsts_and_the_rest_is_who_was_asked_last(
    outcome: Outcome, shares: dict[str, float]
) -> None:
    """F1 H1"""
    assert learnt(retrying(), outcome) == shares


def test_how_long_all_attempts_took_is_nobodys_duration() -> None:
    """F1: neither of who failed nor of who served at last."""
    engine = retrying()
    learnt(engine, Outcome(200, 9.0, served="10.0.0.1:80", attempts=2))
    learnt(engine, Outcome(0, 9.0, Failure.TIMEOUT, served="10.0.0.0:80", attempts=2))

    tracks = [engine.state.latency.of(endpoint.key) for endpoint in ENDPOINTS]
    assert [track.mean_s() for track in tracks if track is not None] == [-1.0, -1.0, -1.0]
