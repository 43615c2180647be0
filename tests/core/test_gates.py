"""Gates refuse before any route is asked, and are found like routes."""

from random import Random

import pytest

from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.gates import Gate
from sidecar.core.plan import Plan
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.request import Request
from sidecar.core.rules.address import Client, ClientIn
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.logic import All, Not
from sidecar.core.rules.path import PathIs, PathUnder, climbs
from sidecar.core.state.memory import State
from tests.builders import COMPILED, a_request, a_route, lines_run
from tests.wire.spellings import CLIMBING, SPELLINGS

OFFICE = Not(ClientIn(Client(), ("10.0.0.0/8",)))


def a_gate(name: str, *conditions: Matcher, reason: Reason = Reason.ADDRESS_NOT_ALLOWED) -> Gate:
    return Gate(name, All(conditions), Refusal(reason, gate=name))


def an_engine(*gates: Gate) -> Engine:
    return Engine(Plan(1, [a_route()], gates=gates), State(), Random(1))


def from_address(path: str, address: str) -> Request:
    return a_request(path, ("x-forwarded-for", address))


def test_the_first_that_refuses_counts() -> None:
    """X1"""
    engine = an_engine(
        a_gate("first", PathUnder("/admin"), OFFICE),
        a_gate("second", PathUnder("/"), OFFICE, reason=Reason.COUNTRY_NOT_ALLOWED),
    )
    admin = engine.decide(from_address("/admin", "192.0.2.1"), 0.0)
    other = engine.decide(from_address("/other", "192.0.2.1"), 0.0)

    assert isinstance(admin, Refusal)
    assert isinstance(other, Refusal)
    assert (admin.gate, admin.status, admin.reason) == ("first", 403, Reason.ADDRESS_NOT_ALLOWED)
    assert (other.gate, other.status, other.reason) == ("second", 403, Reason.COUNTRY_NOT_ALLOWED)
    assert isinstance(engine.decide(from_address("/admin", "10.0.0.1"), 0.0), Decision)


def test_a_gate_s_refusal_changes_nothing() -> None:
    """X1: nothing is admitted."""
    engine = an_engine(a_gate("office", OFFICE))

    for _ in range(3):
        assert isinstance(engine.decide(from_address("/", "192.0.2.1"), 0.0), Refusal)

    assert len(engine.state.tickets) == 0


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines")
def test_one_gate_among_a_thousand_costs_as_little_as_one_of_ten() -> None:
    """X1 M20"""

    def cost(number: int) -> int:
        gates = [a_gate(f"g{at}", PathIs(f"/{at}"), OFFICE) for at in range(number)]
        engine = an_engine(*gates)
        path = f"/{number - 1}"
        assert isinstance(engine.decide(from_address(path, "192.0.2.1"), 0.0), Refusal)
        return min(lines_run(lambda: engine.decide(from_address(path, "192.0.2.1"), 0.0)) for _ in range(3))

    assert cost(1000) == cost(10)


def test_the_explanation_has_every_gate_with_what_it_saw() -> None:
    """O6 X1"""
    engine = an_engine(a_gate("admin", PathUnder("/admin"), OFFICE), a_gate("all", OFFICE))

    explanation = engine.explain(from_address("/", "192.0.2.1"), 0.0)

    assert [(gate.gate, gate.refuses, gate.seen) for gate in explanation.gates] == [
        ("admin", False, '"/"; 192.0.2.1'),
        ("all", True, "192.0.2.1"),
    ]
    assert isinstance(explanation.answer, Refusal)


@pytest.mark.parametrize("path", CLIMBING.values())
def test_a_path_that_may_still_go_up_is_refused_whatever_the_file_says(path: str) -> None:
    """X4: some server would take off what follows the semicolon."""
    engine = an_engine()
    refusal = engine.decide(a_request(path), 0.0)

    assert isinstance(refusal, Refusal)
    assert (refusal.gate, refusal.status, refusal.reason) == ("path-parameters", 400, Reason.INVALID_REQUEST)
    assert engine.attempt(a_request(path), 0.0) is refusal
    explanation = engine.explain(a_request(path), 0.0)
    assert explanation.answer is refusal
    assert [(gate.gate, gate.text, gate.seen, gate.refuses) for gate in explanation.gates] == [
        ("path-parameters", "a segment of the path is . or .. with parameters", f'"{path}"', True)
    ]


@pytest.mark.parametrize("path", SPELLINGS.values())
def test_no_other_path_is(path: str) -> None:
    """X4: nor does the query matter."""
    assert not climbs(path.partition("?")[0])
    assert isinstance(an_engine().decide(a_request(f"{path}?x=/..;/"), 0.0), Decision)
    assert an_engine().explain(a_request(path), 0.0).gates == []
