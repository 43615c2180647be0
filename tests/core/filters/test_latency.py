"""Who is likely to answer in time."""

import pytest

from sidecar.core.engine import Engine
from sidecar.core.filters.latency import InTime, seconds
from sidecar.core.outcome import Outcome
from sidecar.core.rules.fields import HeaderField
from tests.builders import a_request, decided, ticket_of
from tests.core.filters.asking import a_filtered_engine, left, offering, whys

IN_TIME = InTime((HeaderField("x-target"),), (HeaderField("x-deadline"),))
SECONDS = {"fast": 0.05, "slow": 0.5, "new": 0.0}


def an_engine_that_knows(samples: int = 10) -> Engine:
    """That fast answers in 50 ms and slow in 500 ms, and nothing of new."""
    engine = a_filtered_engine([offering(each) for each in SECONDS], IN_TIME)
    for _ in range(3 * samples):
        decision = decided(engine)
        if decision.endpoint.id == "new":
            continue
        engine.settle(ticket_of(decision), Outcome(200, SECONDS[decision.endpoint.id]), 0.0)
    return engine


@pytest.mark.parametrize(
    ("target", "deadline", "expected"),
    [
        ("", "", "fast new slow"),
        ("200ms", "", "fast new"),
        ("", "200", "fast new"),
        ("2s", "0.2s", "fast new"),
        ("0.2s", "2s", "fast new"),
        ("1s", "", "fast new slow"),
        ("soon", "-1", "fast new slow"),
        ("10ms", "", "new"),
    ],
)
def test_who_is_known_to_be_too_slow_is_passed_over_while_another_is_left(
    target: str, deadline: str, expected: str
) -> None:
    """C7"""
    request = a_request("/", ("x-target", target), ("x-deadline", deadline))

    assert left(an_engine_that_knows(), request) == expected


def test_a_late_answer_is_better_than_none() -> None:
    """C7"""
    engine = a_filtered_engine([offering("slow")], IN_TIME)
    for _ in range(10):
        engine.settle(ticket_of(decided(engine)), Outcome(200, 0.5), 0.0)

    assert left(engine, a_request("/", ("x-target", "100ms"))) == "slow"


def test_nine_outcomes_are_not_enough_to_know() -> None:
    """C7"""
    assert left(an_engine_that_knows(9), a_request("/", ("x-target", "100ms"))) == "fast new slow"


def test_says_how_slow_it_is() -> None:
    """C7 C8: the median is known to within 5 %."""
    (why,) = whys(an_engine_that_knows(), a_request("/", ("x-target", "100ms"))).values()

    assert why.startswith("its median is ")
    assert why.endswith(" ms, above the target of 100 ms")
    assert float(why.split()[3]) == pytest.approx(500, rel=0.05)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200ms", 0.2),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("250", 0.25),
        ("0", 0.0),
        ("", 0.0),
        ("ms", 0.0),
        ("1e3", 0.0),
        ("-5ms", 0.0),
        ("1 s", 0.0),
        ("9" * 13, 0.0),
    ],
)
def test_durations_have_a_unit_or_are_milliseconds(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)
