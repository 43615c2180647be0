"""One of three endpoints breaks under load, and recovers: the fault run of `make outage`, in short."""

import asyncio

import pytest

from tests.bench.failing import DOWN, ERROR
from tests.bench.outage import Plan, play
from tests.bench.outage_report import Fault, Played, Recovery, Rules, faults, recoveries

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

PLAN = Plan(
    per_s=100.0,
    well_s=1.5,
    fault_s=2.5,
    between_s=5.0,
    back_s=5.0,
    faults=(ERROR, DOWN),
    rules=Rules(open_s=0.5, half_open=3, per_try_s=1.0, slow_start_s=2.0),
)
MOST_FAILED = 0.01
MOST_ORDINARY = 30
"""A third of a second's requests would be as many. The run on a quiet machine allows 10."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return asyncio.run(play(PLAN, tmp_path_factory.mktemp("outage")))


@pytest.fixture(params=PLAN.faults)
def fault(request: pytest.FixtureRequest, played: Played) -> Fault:
    return next(each for each in faults(played) if each.phase.word == request.param)


@pytest.fixture(params=PLAN.faults)
def recovery(request: pytest.FixtureRequest, played: Played) -> Recovery:
    return next(each for each in recoveries(played) if each.phase.after == request.param)


def test_clients_see_next_to_nothing_of_it(fault: Fault) -> None:
    """F1 F4: each GET that fails is sent to another endpoint."""
    assert fault.requests > 100
    assert fault.failed <= MOST_FAILED * fault.requests


def test_the_broken_endpoint_is_soon_left_alone(fault: Fault) -> None:
    """H5: after some failures it gets trials only, so many together at most."""
    assert 1 <= fault.ordinary <= MOST_ORDINARY
    assert fault.last_s <= 1.0
    assert fault.trials, "it is tried again"
    assert max(fault.trials) <= PLAN.rules.half_open


def test_it_gets_its_share_again_when_it_has_recovered(recovery: Recovery) -> None:
    """H5: and nothing fails meanwhile."""
    assert recovery.failed <= MOST_FAILED * recovery.requests
    assert 0 <= recovery.back_s <= PLAN.between_s
