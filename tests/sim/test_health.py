"""What scores, ejection and region failover do to the requests of clients.

Round robin, which avoids nobody by itself. Seeds are fixed, so a bound is met or not; each leaves room.
"""

from collections.abc import Mapping

from sidecar.core.endpoint import Endpoint
from sidecar.core.watch import OutlierRule, RegionRule, ScoreRule, Watch
from sidecar.sim.result import Result
from sidecar.sim.scenario import Change, Scenario, Server, Service
from sidecar.sim.simulation import simulate
from tests.core.judging import a_judged_plan, watched
from tests.sim.scenes import a_scenario, a_server

EJECTING = Watch(outliers=OutlierRule())
FOUR = ("e0", "e1", "e2", "e3")


def played(watch: Watch, scenario: Scenario) -> Result:
    return simulate(a_judged_plan(watched(" ".join(FOUR), watch)), scenario)


def four(bad: Server) -> Mapping[str, Server]:
    return {"e0": bad, **{name: a_server(0.05, 50) for name in FOUR[1:]}}


def test_an_endpoint_with_a_bad_tail_is_ejected_and_clients_wait_less() -> None:
    """H3: a lognormal of mean 300 ms and sigma 2 has a median of 41 ms, like that of the others, and 5 % of
    it are over 1 s. 100 requests a second for two minutes."""
    bad = Server(Service(0.3, "lognormal", 2.0), 50)
    scenario = a_scenario(four(bad), rate=100.0, duration_s=120.0)

    watched_, unwatched = (played(watch, scenario).between(10.0) for watch in (EJECTING, Watch()))

    assert unwatched.latency_s(0.99) > 1.0
    assert watched_.latency_s(0.99) < unwatched.latency_s(0.99) / 2
    assert watched_.shares()["shop/e0"] < 0.05


def test_an_endpoint_that_fails_is_out_when_half_of_its_window_failed_and_has_its_part_again() -> None:
    """H3: everything fails from 20 to 60 s."""
    changes = (Change(20.0, "shop/e0", failure_share=1.0), Change(60.0, "shop/e0", failure_share=0.0))
    scenario = a_scenario(four(a_server(0.05, 50)), rate=100.0, duration_s=150.0, changes=changes)

    result = played(EJECTING, scenario)

    # At 25 requests a second in a window of 10 s, 125 of 250 have to have failed; when it is back, 10 of 10.
    assert result.between(20.0, 30.0).failures() <= 140
    assert result.between(30.0, 60.0).failures() <= 20
    assert result.between(120.0, 150.0).shares()["shop/e0"] > 0.24


def test_a_low_score_keeps_a_failing_endpoint_to_a_few_requests() -> None:
    """H2 C4: two failures in a row are enough; then it is tried some times in twenty minutes."""
    changes = (Change(20.0, "shop/e0", failure_share=1.0),)
    scenario = a_scenario(four(a_server(0.05, 50)), rate=40.0, duration_s=1200.0, changes=changes)

    result = played(Watch(ScoreRule(least=0.7)), scenario)

    assert 2 <= result.failures() <= 20


def test_a_failing_region_is_left_and_has_the_traffic_again_when_it_stayed_good() -> None:
    """F5: a third of what the primary region does fails from 30 to 90 s. It is given the traffic back twice
    at most before that is over, each time for as long as it takes to see that."""
    endpoints: list[Endpoint] = [
        *watched("e0 e1", Watch(), region="us"),
        *watched("e2 e3", Watch(), region="eu"),
    ]
    changes = tuple(
        Change(at, f"shop/{name}", failure_share=share)
        for at, share in ((30.0, 0.33), (90.0, 0.0))
        for name in ("e0", "e1")
    )
    scenario = a_scenario(four(a_server(0.05, 50)), rate=50.0, duration_s=400.0, changes=changes)
    leaving = RegionRule(("us", "eu"), error_rate=0.05)

    result = simulate(a_judged_plan(endpoints, regions=leaving), scenario)
    staying = simulate(a_judged_plan(endpoints[:2], regions=None), scenario)

    assert result.between(1.0, 29.0).shares().get("shop/e2", 0.0) == 0.0
    assert result.between(35.0, 85.0).shares().get("shop/e0", 0.0) == 0.0
    assert result.failures() < 50
    assert staying.failures() > 500
    assert result.between(350.0, 400.0).shares().get("shop/e2", 0.0) == 0.0
