"""Limits of requests and tokens a minute, kept against more traffic than they allow."""

from random import Random
from typing import Any

import pytest

from sidecar.core.plan import Plan
from sidecar.core.request import Request
from sidecar.core.strategies.quota_aware import QuotaAware
from sidecar.sim.result import Result
from sidecar.sim.scenario import Scenario
from sidecar.sim.simulation import simulate
from tests.core.limited import a_limited_plan, an_offer, asking, most_in_a_minute
from tests.sim.scenes import a_scenario, a_server

LIMITS = {"e0": 120, "e1": 300, "e2": 60}
OFFERS = {name: an_offer(limit) for name, limit in LIMITS.items()}


def overloaded(**more: Any) -> Scenario:
    """20 requests a second come for 5 minutes, where 8 are allowed. What is more is answered with 429."""
    servers = {name: a_server(0.05, 16, quota_per_minute=limit) for name, limit in LIMITS.items()}
    return a_scenario(servers, rate=20.0, duration_s=300.0, **more)


def sent(result: Result) -> dict[str, list[float]]:
    return {name: result.of(f"shop/{name}").came_at for name in LIMITS}


@pytest.mark.parametrize("strategy", ["round_robin", "least_loaded", "quota_aware", "consistent_hash"])
def test_no_endpoint_is_sent_more_in_any_minute_than_it_may_have(strategy: str) -> None:
    """Q5: and each is sent nearly all that it may have, in 61 seconds at worst."""
    result = simulate(a_limited_plan(OFFERS, strategy=strategy), overloaded())

    for name, times in sent(result).items():
        assert most_in_a_minute(times) <= LIMITS[name]
        assert len(times) >= 0.95 * 5 * LIMITS[name] * 60 / 61
    assert result.refused() > 0
    assert result.by_reason() == {"rate_limited": result.refused()}
    assert result.failures() == result.refused()  # nobody answered with 429


def test_without_limits_endpoints_answer_with_429() -> None:
    """Q5: what the test above is worth."""
    result = simulate(a_limited_plan(dict.fromkeys(LIMITS, an_offer())), overloaded())

    assert result.refused() == 0
    assert result.failures() > 1_000
    assert max(most_in_a_minute(times) for times in sent(result).values()) > 300


def test_limits_hold_where_outcomes_come_late_or_never() -> None:
    """Q5"""
    result = simulate(a_limited_plan(OFFERS, lease_s=20.0), overloaded(feedback_s=5.0, lost_share=0.3))

    for name, times in sent(result).items():
        assert most_in_a_minute(times) <= LIMITS[name]


def test_no_endpoint_is_sent_more_tokens_in_any_minute_than_it_may_have() -> None:
    """Q5: prompts of 1 to 400 tokens, which all are as long as estimated."""
    offers = {"e0": an_offer(0, 20_000), "e1": an_offer(0, 8_000)}
    plan: Plan = a_limited_plan(offers)
    asked: list[int] = []

    def request(rng: Random) -> Request:
        asked.append(rng.randint(1, 400))
        return asking(asked[-1])

    scenario = a_scenario(
        {name: a_server(0.05, 16) for name in offers}, rate=10.0, duration_s=200.0, request=request
    )
    result = simulate(plan, scenario)

    for number, offer in enumerate(offers.values()):
        came = [at for at, to in enumerate(result.went_to) if to == number]
        tokens = [asked[at] for at in came]
        assert most_in_a_minute([result.came_at[at] for at in came], tokens) <= offer.tokens_per_minute
        assert sum(tokens) >= 0.95 * 200 / 61 * offer.tokens_per_minute
    assert result.refused() > 100


def test_quota_aware_draws_quotas_level_where_nobody_reports() -> None:
    """S10, Q5: by what it was given. 5 requests a second come, of the 8 that are allowed; by their weights a
    third of them would be too many for two of the three."""
    endless = {name: a_server(0.05, 16) for name in LIMITS}
    scenario = a_scenario(endless, rate=5.0, duration_s=600.0)

    result = simulate(a_limited_plan(OFFERS, strategy=QuotaAware()), scenario).between(120.0)

    assert result.refused() == 0
    used = {name: len(result.of(f"shop/{name}")) / (480.0 / 60.0 * limit) for name, limit in LIMITS.items()}
    assert max(used.values()) - min(used.values()) < 0.25
