"""What endpoints say of themselves, and how long it counts."""

import pytest

from sidecar.core.endpoint import Offer
from sidecar.core.state.reports import UNKNOWN, Reports
from sidecar.core.state.standing import DEGRADED, HEALTHY, Roster, Standing
from tests.core.limited import an_offer, limited


def test_a_report_counts_while_it_is_fresh() -> None:
    """H8"""
    reports = Reports(fresh_s=30.0)
    reports.told("shop/a", 100.0, utilisation=0.7, quota_used=0.4, cache_hit_rate=0.9)

    assert reports.utilisation("shop/a", 129.9) == 0.7
    assert reports.quota_used("shop/a", 129.9) == 0.4
    assert reports.cache_hit_rate("shop/a", 129.9) == 0.9
    for read in (reports.utilisation, reports.quota_used, reports.cache_hit_rate):
        assert read("shop/a", 130.0) == UNKNOWN
        assert read("shop/b", 100.0) == UNKNOWN


def test_numbers_age_one_by_one() -> None:
    """H8"""
    reports = Reports(fresh_s=30.0)
    reports.told("shop/a", 0.0, utilisation=0.7, quota_used=0.4)
    reports.told("shop/a", 20.0, utilisation=0.8)

    assert reports.utilisation("shop/a", 40.0) == 0.8
    assert reports.quota_used("shop/a", 40.0) == UNKNOWN
    reports.told("shop/a", 45.0, quota_used=0.4, cache_hit_rate=0.9)
    assert reports.utilisation("shop/a", 55.0) == UNKNOWN


@pytest.mark.parametrize("nonsense", [-0.1, float("nan"), float("inf"), float("-inf")])
def test_what_can_not_be_is_not_believed(nonsense: float) -> None:
    reports = Reports()
    reports.told("shop/a", 0.0, utilisation=0.5, quota_used=0.5, cache_hit_rate=0.5)

    reports.told("shop/a", 1.0, utilisation=nonsense, quota_used=nonsense, cache_hit_rate=nonsense)

    assert reports.utilisation("shop/a", 1.0) == 0.5
    assert reports.quota_used("shop/a", 1.0) == 0.5
    assert reports.cache_hit_rate("shop/a", 1.0) == 0.5


def test_an_endpoint_may_be_beyond_what_it_can_do_but_no_cache_hits_more_than_always() -> None:
    reports = Reports()
    reports.told("shop/a", 0.0, utilisation=1.4, quota_used=1.1, cache_hit_rate=1.1)

    assert reports.utilisation("shop/a", 0.0) == 1.4
    assert reports.quota_used("shop/a", 0.0) == 1.1
    assert reports.cache_hit_rate("shop/a", 0.0) == UNKNOWN


def test_endpoints_that_left_the_plan_are_forgotten() -> None:
    reports = Reports()
    reports.told("shop/a", 0.0, utilisation=0.5)
    reports.told("shop/b", 0.0, utilisation=0.6)

    reports.keep_endpoints({"shop/b"})

    assert reports.utilisation("shop/a", 0.0) == UNKNOWN
    assert reports.utilisation("shop/b", 0.0) == 0.6


def test_fresh_s_is_checked() -> None:
    with pytest.raises(ValueError, match="fresh_s must be above 0, got 0"):
        Reports(fresh_s=0)


class Thresholds:
    """Reports of one endpoint, and where it stands by them."""

    def __init__(self, offer: Offer) -> None:
        self.standing = Standing()
        self.reports = Reports(30.0, standing=self.standing)
        self.plan(offer, 0.0)

    def plan(self, offer: Offer, now: float) -> None:
        self.standing.adopt([Roster(limited({"a": offer}))], now)
        self.reports.plan_changed(now)

    def level(self, now: float) -> int:
        self.standing.pass_time(now)
        return self.standing.level("shop/a")


def test_above_its_threshold_an_endpoint_is_degraded_until_a_better_report() -> None:
    """C5: at the threshold it is not yet, and the better one is a twentieth below it."""
    scene = Thresholds(an_offer(load=0.9))
    for now, utilisation, level in (
        (1.0, 0.9, HEALTHY),
        (2.0, 0.91, DEGRADED),
        (3.0, 1.5, DEGRADED),
        (4.0, 0.9, DEGRADED),
        (5.0, 0.86, DEGRADED),
        (6.0, 0.85, HEALTHY),
        (7.0, 0.9, HEALTHY),
    ):
        scene.reports.told("shop/a", now, utilisation=utilisation)
        assert scene.level(now) == level


def test_reports_that_go_up_and_down_at_the_threshold_change_nothing() -> None:
    """C5: 100 of load and of quota, of which each second is above."""
    scene = Thresholds(an_offer(load=0.9, quota=0.8))
    levels = []
    for at in range(100):
        near = 1.01 if at % 2 == 0 else 0.97
        scene.reports.told("shop/a", float(at), utilisation=0.9 * near, quota_used=0.8 * near)
        levels.append(scene.level(float(at)))

    assert levels == [DEGRADED] * 100
    assert sorted(mark.why for mark in scene.standing.marks("shop/a").values()) == [
        "load: 87.3% is above 85.5%, after 90%",
        "quota report: 77.6% is above 76%, after 80%",
    ]


def test_what_was_above_the_threshold_too_long_ago_is_forgotten() -> None:
    """C5: a report a little below it is then as good as any."""
    scene = Thresholds(an_offer(load=0.9))
    scene.reports.told("shop/a", 0.0, utilisation=0.95)

    scene.reports.told("shop/a", 30.0, utilisation=0.89)

    assert scene.level(30.0) == HEALTHY


def test_a_report_a_little_below_a_new_threshold_is_not_above_it() -> None:
    """C5: it was above another one."""
    scene = Thresholds(an_offer(load=0.6))
    scene.reports.told("shop/a", 0.0, utilisation=0.7)

    scene.plan(an_offer(load=0.72), 1.0)

    assert scene.level(1.0) == HEALTHY


def test_a_threshold_counts_no_longer_than_the_report() -> None:
    """C5: each report by its own time, also when another number is told in between."""
    scene = Thresholds(an_offer(load=0.9, quota=0.95))
    scene.reports.told("shop/a", 0.0, utilisation=0.95)
    scene.reports.told("shop/a", 20.0, cache_hit_rate=0.5)

    assert scene.standing.why("shop/a") == "load: 95% is above 90%"
    assert scene.level(29.9) == DEGRADED
    assert scene.level(30.0) == HEALTHY


def test_load_and_quota_are_judged_each_by_its_own_threshold() -> None:
    """C5"""
    scene = Thresholds(an_offer(load=0.5, quota=0.95))
    scene.reports.told("shop/a", 0.0, utilisation=0.4, quota_used=0.96)
    assert scene.standing.why("shop/a") == "quota report: 96% is above 95%"

    scene.reports.told("shop/a", 1.0, utilisation=0.6)
    scene.reports.told("shop/a", 2.0, quota_used=0.1)
    assert scene.standing.why("shop/a") == "load: 60% is above 50%"

    scene.reports.told("shop/a", 3.0, utilisation=0.1)
    assert scene.level(3.0) == HEALTHY


def test_without_a_threshold_a_report_degrades_nobody() -> None:
    """C5"""
    scene = Thresholds(an_offer())
    scene.reports.told("shop/a", 0.0, utilisation=5.0, quota_used=5.0)

    assert scene.level(0.0) == HEALTHY


def test_a_new_plan_judges_by_its_own_thresholds() -> None:
    """C5"""
    scene = Thresholds(an_offer(load=0.9))
    scene.reports.told("shop/a", 0.0, utilisation=0.7)

    scene.plan(an_offer(load=0.6), 1.0)
    assert scene.level(1.0) == DEGRADED
    assert scene.level(29.9) == DEGRADED
    scene.plan(an_offer(load=0.8), 2.0)
    assert scene.level(2.0) == HEALTHY
