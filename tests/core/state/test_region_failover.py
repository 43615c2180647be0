"""Which region has the traffic, when it is left, and when it has it again."""

from collections.abc import Sequence

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.region_failover import RegionFailover
from sidecar.core.state.standing import NEVER, OUT, SPENT, STANDBY, Mark
from sidecar.core.state.verdict import Verdict
from sidecar.core.watch import RegionRule, Watch
from tests.builders import lines_run
from tests.core.judging import a_ticket, adopt, standing_of, watched

SERVED, FAILED, SILENT = Verdict.SERVED, Verdict.FAILED, Verdict.SILENT
ORDER = ("us", "eu", "ap")
RULE = RegionRule(ORDER)


def two_in_each(regions: Sequence[str] = ORDER) -> list[Endpoint]:
    """`us1`, `us2`, `eu1` …"""
    found: list[Endpoint] = []
    for region in regions:
        found += watched(f"{region}1 {region}2", Watch(), region=region)
    return found


class Scene:
    def __init__(self, rule: RegionRule | None = RULE, endpoints: Sequence[Endpoint] | None = None) -> None:
        self.standing = standing_of([])
        self.regions = RegionFailover(self.standing)
        self.plan(rule, two_in_each() if endpoints is None else endpoints)

    def plan(self, rule: RegionRule | None, endpoints: Sequence[Endpoint], now: float = 0.0) -> None:
        self.endpoints = {endpoint.id: endpoint for endpoint in endpoints}
        adopt(self.standing, endpoints, now)
        self.regions.adopt(rule, endpoints)
        self.regions.keep_endpoints({endpoint.key for endpoint in endpoints})
        self.regions.plan_changed(now)

    def ended(
        self,
        id: str,
        *verdicts: Verdict,
        latency_s: float = 0.05,
        now: float = 0.0,
        asked_at: float | None = None,
    ) -> None:
        endpoint = self.endpoints[id]
        for judged in verdicts:
            ticket = a_ticket(endpoint, now if asked_at is None else asked_at)
            self.regions.ended(endpoint, judged, latency_s, ticket, now)

    def down(self, *ids: str, now: float, level: int = OUT) -> None:
        for each in ids:
            self.standing.mark(self.endpoints[each].key, "test", Mark(level, "down"), now)

    def up(self, *ids: str, now: float) -> None:
        for each in ids:
            self.standing.clear(self.endpoints[each].key, "test", now)

    def active(self, now: float) -> str:
        if now >= self.standing.due:
            self.standing.pass_time(now)
        return self.regions.active

    def standby(self) -> str:
        marks = {name: self.standing.marks(each.key).get("region") for name, each in self.endpoints.items()}
        return " ".join(name for name, mark in marks.items() if mark is not None and mark.level == STANDBY)

    def why(self, id: str) -> str:
        mark = self.standing.marks(self.endpoints[id].key).get("region")
        return "" if mark is None else mark.why


def test_the_first_of_the_order_is_active_and_the_others_stand_by() -> None:
    """F5: endpoints of regions that the order does not name stand by too; those without a region do not."""
    endpoints = [*two_in_each(), *watched("mars", Watch(), region="mars"), *watched("no", Watch())]

    scene = Scene(endpoints=endpoints)

    assert scene.active(0.0) == "us"
    assert scene.standby() == "eu1 eu2 ap1 ap2 mars"
    assert scene.why("eu1") == "stands by while us is active"
    assert scene.regions.changes == 0


def test_without_a_rule_nobody_stands_by() -> None:
    """F5"""
    scene = Scene(None)
    scene.down("us1", "us2", now=0.0)
    scene.ended("eu1", *[FAILED] * 100)

    assert scene.active(1.0) == ""
    assert scene.standby() == ""


def test_a_region_is_left_when_too_few_of_its_endpoints_may_be_picked() -> None:
    """F5: here one of two is 50 %, less than 95 %."""
    scene = Scene()

    scene.down("us2", now=5.0)

    assert scene.active(5.0) == "eu"
    assert scene.standby() == "us1 us2 ap1 ap2"
    told = "1 of 2 endpoints of us may be picked, less than 95%"
    assert scene.why("us1") == f"stands by while eu is active; us was left: {told}"
    assert scene.why("ap1") == "stands by while eu is active"
    assert scene.regions.left() == {"us": told}
    assert scene.regions.back_at("us") == NEVER
    assert scene.regions.changes == 1


@pytest.mark.parametrize(("down", "expected"), [(1, "us"), (2, "eu")])
def test_the_share_is_exact(down: int, expected: str) -> None:
    """F5: 95 % of twenty are nineteen."""
    many = watched(" ".join(f"us{at}" for at in range(20)), Watch(), region="us")
    scene = Scene(endpoints=[*many, *two_in_each(("eu",))])

    scene.down(*[f"us{at}" for at in range(down)], now=1.0, level=SPENT)

    assert scene.active(1.0) == expected


def test_a_region_is_left_when_it_fails_too_often() -> None:
    """F5: two of forty are 5 %, and three of forty-one more."""
    scene = Scene()
    scene.ended("us1", *[SERVED] * 38, FAILED, FAILED, *[SILENT] * 40)
    assert scene.active(1.0) == "us"

    scene.ended("us2", FAILED, now=1.0)

    assert scene.active(1.0) == "eu"
    assert scene.regions.left() == {"us": "7.317% of 41 failed in 10 s in us, more than 5%"}


def test_with_few_requests_errors_and_times_say_nothing() -> None:
    """F5: twenty are needed, within ten seconds."""
    scene = Scene()
    scene.ended("us1", *[FAILED] * 19, latency_s=9.0)
    scene.ended("us1", FAILED, now=20.0, latency_s=0.01)
    assert scene.active(20.0) == "us"


def test_a_region_is_left_when_it_is_slow() -> None:
    """F5: by the median of its latencies; a failure that comes at once does not make it look quick, and one
    that took too long counts as slow."""
    scene = Scene(RegionRule(ORDER, error_rate=1.0))
    scene.ended("us1", *[SERVED] * 30, latency_s=0.1)
    scene.ended("us1", *[FAILED] * 30, latency_s=0.001)
    scene.ended("us1", *[SERVED] * 30, latency_s=-1.0)
    scene.ended("us1", *[SERVED] * 14, latency_s=1.2)
    scene.ended("us2", *[FAILED] * 15, latency_s=5.0, now=1.0)
    assert scene.active(1.0) == "us"

    scene.ended("us1", SERVED, latency_s=1.2, now=1.0)

    assert scene.active(1.0) == "eu"
    assert scene.regions.left()["us"] == "30 of 60 took longer than 1 s in 10 s in us, at least half"


def test_a_few_very_slow_answers_move_no_region() -> None:
    """F5: nor slow ones of long ago."""
    scene = Scene()
    scene.ended("us1", *[SERVED] * 11, latency_s=0.1)
    scene.ended("us1", *[SERVED] * 9, latency_s=600.0)
    assert scene.active(0.0) == "us"

    scene.ended("us1", *[SERVED] * 19, latency_s=2.0, now=20.0)
    scene.ended("us1", *[SERVED] * 12, latency_s=0.1, now=35.0)
    scene.ended("us1", *[SERVED] * 11, latency_s=2.0, now=35.0)
    assert scene.active(35.0) == "us"


def test_only_reasons_that_are_given_count() -> None:
    """F5"""
    scene = Scene(RegionRule(ORDER, least_healthy=0.0, slow_s=0.0, error_rate=1.0))
    scene.down("us1", "us2", now=0.0)
    scene.ended("us1", *[FAILED] * 100, latency_s=60.0)

    assert scene.active(1.0) == "us"


def test_it_has_the_traffic_again_when_it_was_good_for_a_minute() -> None:
    """F5"""
    scene = Scene()
    scene.down("us2", now=100.0)
    assert scene.active(500.0) == "eu"

    scene.up("us2", now=500.0)

    assert scene.regions.back_at("us") == 560.0
    assert scene.active(559.9) == "eu"
    assert scene.active(560.0) == "us"
    assert scene.standby() == "eu1 eu2 ap1 ap2"
    assert scene.regions.left() == {}
    assert scene.regions.changes == 2


def test_each_bad_sign_begins_that_minute_anew() -> None:
    """F5: an endpoint that goes down again, and requests that go there all the same and fail."""
    scene = Scene()
    scene.down("us2", now=0.0)
    scene.up("us2", now=10.0)
    scene.down("us2", now=60.0)
    assert scene.active(71.0) == "eu"
    scene.up("us2", now=80.0)

    scene.ended("us1", *[FAILED] * 20, now=130.0)

    assert scene.active(189.9) == "eu"
    assert scene.active(190.0) == "us"


def test_one_that_was_left_for_its_errors_is_good_at_once_for_all_that_is_known() -> None:
    """F5: what it answered before it was left counts for nothing then."""
    scene = Scene()
    scene.ended("us1", *[FAILED] * 20, now=5.0)
    assert scene.active(5.0) == "eu"
    scene.ended("us1", *[FAILED] * 40, now=20.0, asked_at=4.0)

    assert scene.active(64.9) == "eu"
    assert scene.active(65.0) == "us"
    scene.ended("us1", *[FAILED] * 19, now=66.0)
    assert scene.active(66.0) == "us"


def test_one_that_has_to_be_left_again_waits_twice_as_long_up_to_ten_minutes() -> None:
    """F5"""
    scene = Scene()
    now = 0.0
    for wait_s in (60.0, 120.0, 240.0, 480.0, 600.0, 600.0):
        scene.ended("us1", *[FAILED] * 20, now=now)
        assert scene.active(now) == "eu"
        assert scene.active(now + wait_s - 0.1) == "eu", wait_s
        now += wait_s
        assert scene.active(now) == "us"
        now += 1.0


def test_one_that_stayed_good_for_ten_minutes_waits_for_one_again() -> None:
    """F5"""
    scene = Scene()
    for now in (0.0, 61.0):
        scene.ended("us1", *[FAILED] * 20, now=now)
        scene.active(now)
    assert scene.active(181.0) == "us"

    scene.ended("us1", *[FAILED] * 20, now=181.0 + 600.0)

    assert scene.regions.back_at("us") == 181.0 + 660.0


def test_the_next_of_the_order_follows_and_a_better_one_takes_over_again() -> None:
    """F5"""
    scene = Scene()
    scene.down("us1", now=0.0)
    scene.down("eu1", now=10.0)
    assert scene.active(10.0) == "ap"

    scene.up("eu1", now=20.0)
    scene.up("us1", now=50.0)

    assert scene.active(80.0) == "eu"
    assert scene.active(110.0) == "us"


def test_time_passes_again_only_when_something_may_change() -> None:
    """F5: also where two regions were left, and the first of them is back before the second."""
    scene = Scene()
    scene.down("us1", now=0.0)
    scene.down("eu1", now=10.0)
    scene.up("us1", now=20.0)
    scene.up("eu1", now=30.0)
    assert scene.standing.due == 80.0

    assert scene.active(80.0) == "us"
    assert scene.standing.due == 90.0
    assert scene.active(90.0) == "us"
    assert scene.standing.due == NEVER


def test_one_that_is_not_active_is_not_left_for_what_happens_there() -> None:
    """F5: but it is passed over while its endpoints are down."""
    scene = Scene()
    scene.down("eu1", now=0.0)
    scene.ended("ap1", *[FAILED] * 50, now=0.0)
    assert scene.active(1.0) == "us"
    assert scene.regions.left() == {}
    scene.up("eu1", now=2.0)

    scene.down("us1", now=3.0)

    assert scene.active(3.0) == "eu"


def test_where_no_region_is_good_none_stands_by() -> None:
    """F5: all that may be picked share the traffic."""
    scene = Scene()

    scene.down("us1", "eu1", "ap1", now=0.0)

    assert scene.active(1.0) == ""
    assert scene.standby() == ""
    scene.up("ap1", now=10.0)
    assert scene.active(69.9) == ""
    assert scene.active(70.0) == "ap"


def test_a_reload_keeps_what_was_left() -> None:
    """F5"""
    scene = Scene()
    scene.down("us1", now=0.0)
    scene.up("us1", now=10.0)

    scene.plan(
        RegionRule(ORDER, window_s=20.0), [*two_in_each(), *watched("us3", Watch(), region="us")], 20.0
    )

    assert scene.active(69.0) == "eu"
    assert scene.standby() == "us1 us2 ap1 ap2 us3"
    assert scene.active(70.0) == "us"
    assert scene.standby() == "eu1 eu2 ap1 ap2"


def test_a_reload_that_drops_the_rule_or_a_region_makes_up_for_it() -> None:
    """F5"""
    scene = Scene()
    scene.plan(RULE, two_in_each(("eu", "ap")), 5.0)
    assert (scene.active(5.0), scene.standby()) == ("eu", "ap1 ap2")

    scene.plan(RegionRule(("ap", "eu")), two_in_each(("eu", "ap")), 6.0)
    assert (scene.active(6.0), scene.standby()) == ("ap", "eu1 eu2")

    scene.plan(None, two_in_each(), 7.0)
    assert (scene.active(7.0), scene.standby()) == ("", "")


def test_a_region_that_goes_down_at_once_is_left_once() -> None:
    """F5: at the sixth of a hundred; those that follow change nothing."""
    ids = {region: " ".join(f"{region}{at}" for at in range(100)) for region in ("us", "eu")}
    endpoints = [each for region in ids for each in watched(ids[region], Watch(), region=region)]
    scene = Scene(endpoints=endpoints)

    scene.down(*ids["us"].split(), now=1.0)

    assert scene.active(1.0) == "eu"
    assert scene.regions.changes == 1


def test_an_outcome_costs_the_same_among_1000_endpoints_as_among_10() -> None:
    """F5: nothing is looked through."""

    def cost(count: int) -> int:
        endpoints = watched(" ".join(f"us{at}" for at in range(count)), Watch(), region="us")
        scene = Scene(endpoints=[*endpoints, *two_in_each(("eu",))])
        ticket = a_ticket(endpoints[0], 1.0)
        return lines_run(lambda: scene.regions.ended(endpoints[0], FAILED, 0.1, ticket, 1.0))

    assert cost(1000) == cost(10)


def test_a_wait_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="return_after_s must be above 0, got 0"):
        RegionRule(ORDER, return_after_s=0.0)


def test_what_an_endpoint_answers_that_went_says_nothing_of_its_region() -> None:
    """F5: it may have gone because of that."""
    scene = Scene()
    gone = scene.endpoints["us2"]
    scene.plan(RULE, [each for each in two_in_each() if each.id != "us2"], 1.0)

    for _ in range(50):
        scene.regions.ended(gone, FAILED, 0.1, a_ticket(gone, 2.0), 2.0)

    assert scene.active(2.0) == "us"


def test_marks_say_no_more_that_a_region_was_left_which_is_good_again() -> None:
    """F5: also where it does not become the active one."""
    scene = Scene()
    scene.down("us1", now=0.0)
    scene.down("eu1", now=10.0)
    scene.up("us1", now=20.0)
    scene.up("eu1", now=30.0)
    assert scene.active(80.0) == "us"
    assert "eu was left" in scene.why("eu1")
    changes = scene.regions.changes

    assert scene.active(90.0) == "us"

    assert scene.why("eu1") == "stands by while us is active"
    assert scene.regions.changes == changes


def test_a_shorter_wait_counts_from_the_reload_on() -> None:
    """F5: time passes when it is over, not when the former one would have been."""
    scene = Scene(RegionRule(ORDER, return_after_s=600.0))
    scene.down("us1", now=0.0)
    scene.up("us1", now=10.0)

    scene.plan(RegionRule(ORDER, return_after_s=6.0), two_in_each(), 20.0)

    assert scene.active(69.9) == "eu"
    assert scene.active(70.0) == "us"
