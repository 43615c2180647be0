"""What a breaker does to the traffic of an endpoint that fails, in virtual time."""

import pytest

from sidecar.core.watch import BreakerRule
from sidecar.sim.result import Result
from sidecar.sim.scenario import Change, Scenario
from sidecar.sim.simulation import simulate
from tests.core.watched import a_watched_plan, watched
from tests.sim.scenes import a_scenario, a_server

RULE = BreakerRule(failures=5, open_s=5.0, most_open_s=20.0, half_open=3, close_after=2)
BREAKS_S, HEALS_S, ENDS_S = 20.0, 60.0, 120.0


def an_outage() -> Scenario:
    """300 requests a second to three servers, one of which fails at everything from second 20 to 60. They
    take 10 ms each."""
    return a_scenario(
        {name: a_server(0.01, 16, "constant") for name in "abc"},
        rate=300.0,
        duration_s=ENDS_S,
        changes=(
            Change(BREAKS_S, "shop/a", failure_share=1.0),
            Change(HEALS_S, "shop/a", failure_share=0.0),
        ),
    )


def played(rule: BreakerRule | None, strategy: str) -> Result:
    return simulate(a_watched_plan(watched("abc", rule), strategy=strategy), an_outage())


@pytest.mark.parametrize("strategy", ["round_robin", "random", "least_loaded"])
def test_the_share_of_a_failing_endpoint_falls_to_its_trials(strategy: str) -> None:
    """H5: it is open for 5, 10, 20 and 20 s, and tried three times in each generation at most. What was sent
    before the fifth failure was known, within 10 ms, came besides."""
    result = played(RULE, strategy)

    first = result.between(BREAKS_S, BREAKS_S + 1.0)
    assert 5 <= first.failures() <= 5 + 8
    while_broken = result.between(BREAKS_S + 1.0, HEALS_S)
    assert 1 <= len(while_broken.of("shop/a")) <= 3 * 3
    assert while_broken.failures() == len(while_broken.of("shop/a"))
    assert result.refused() == 0
    healed = result.between(HEALS_S + RULE.most_open_s, ENDS_S)
    assert healed.failures() == 0
    assert healed.shares()["shop/a"] == pytest.approx(1 / 3, abs=0.03), "its full share again"


def test_without_a_breaker_it_goes_on_to_fail() -> None:
    """H5: what the test above is worth."""
    result = played(None, "round_robin").between(BREAKS_S, HEALS_S)
    assert result.shares()["shop/a"] == pytest.approx(1 / 3, abs=0.03)
    assert result.failures() > 3_000
