"""Who is ejected, for how long, and how many at once."""

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.outliers import Outliers
from sidecar.core.state.standing import HEALTHY, OUT
from sidecar.core.state.verdict import Verdict
from sidecar.core.watch import OutlierRule, Watch
from tests.builders import lines_run
from tests.core.judging import a_ticket, adopt, standing_of, watched

SERVED, FAILED, SILENT = Verdict.SERVED, Verdict.FAILED, Verdict.SILENT
QUICK, SLOW = 0.05, 1.5


class Scene:
    """So many endpoints `a`, `b` … of one cluster, judged by one rule."""

    def __init__(self, ids: str = "a b c d", rule: OutlierRule | None = None) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.rule = OutlierRule() if rule is None else rule
        self.standing = standing_of([])
        self.outliers = Outliers(self.standing)
        self.plan(ids, self.rule)

    def plan(self, ids: str, rule: OutlierRule | None, now: float = 0.0) -> None:
        """These are the endpoints from now on."""
        endpoints = watched(ids, Watch(outliers=rule))
        self.endpoints = {endpoint.id: endpoint for endpoint in endpoints}
        adopt(self.standing, endpoints, now)
        self.outliers.keep_endpoints({endpoint.key for endpoint in endpoints})
        self.outliers.plan_changed(now)

    def ended(
        self,
        id: str,
        *verdicts: Verdict,
        latency_s: float = QUICK,
        now: float = 0.0,
        asked_at: float | None = None,
    ) -> None:
        endpoint = self.endpoints[id]
        for judged in verdicts:
            ticket = a_ticket(endpoint, now if asked_at is None else asked_at)
            self.outliers.ended(endpoint, judged, latency_s, ticket, now)

    def out(self, now: float = 0.0) -> str:
        if now >= self.standing.due:
            self.standing.pass_time(now)
        return " ".join(name for name, each in self.endpoints.items() if self.standing.level(each.key) == OUT)

    def why(self, id: str) -> str:
        return self.standing.why(self.endpoints[id].key)

    def until(self, id: str) -> float:
        return self.standing.until(self.endpoints[id].key)


def test_who_fails_in_half_of_its_attempts_is_ejected_for_30_s() -> None:
    """H3"""
    scene = Scene()
    scene.ended("a", *[SERVED] * 26, now=1.0)
    scene.ended("a", *[FAILED] * 25, now=2.0)
    assert scene.out() == ""

    scene.ended("a", FAILED, now=3.0)

    assert scene.out(3.0) == "a"
    assert scene.why("a") == "ejected: 50% of 52 failed in 10 s, at least 50%"
    assert scene.until("a") == 33.0
    assert scene.out(32.9) == "a"
    assert scene.out(33.0) == ""
    assert scene.outliers.ejected == 1


def test_with_too_few_attempts_nothing_is_concluded() -> None:
    """H3: ten are needed; of those that ended a window ago nothing is known any more."""
    scene = Scene()
    scene.ended("a", *[FAILED] * 9, now=1.0)
    scene.ended("a", *[SILENT] * 20, now=1.0)
    scene.ended("a", FAILED, now=12.0)
    assert scene.out(12.0) == ""

    scene.ended("a", *[FAILED] * 9, now=12.0)
    assert scene.out(12.0) == "a"


@pytest.mark.parametrize(
    ("quick", "slow", "expected"),
    [(7, 2, ""), (8, 2, ""), (7, 3, "a"), (297, 3, ""), (296, 3, "a"), (2000, 20, ""), (1979, 20, "a")],
)
def test_p99_is_above_the_limit_when_more_than_one_in_a_hundred_were_slower(
    quick: int, slow: int, expected: str
) -> None:
    """H3: and three at least, as one of few is slow by chance."""
    scene = Scene()
    scene.ended("a", *[SERVED] * quick, now=1.0)

    scene.ended("a", *[SERVED] * slow, latency_s=SLOW, now=1.0)

    assert scene.out(1.0) == expected
    if expected:
        told = f"{slow} of {quick + slow} took longer than 1 s in 10 s, more than 1%"
        assert scene.why("a") == f"ejected: {told}"


def test_either_may_be_left_out() -> None:
    """H3"""
    by_latency = Scene(rule=OutlierRule(failure_rate=0.0))
    by_latency.ended("a", *[FAILED] * 100, now=1.0)
    assert by_latency.out(1.0) == ""

    by_failures = Scene(rule=OutlierRule(p99_s=0.0))
    by_failures.ended("a", *[SERVED] * 100, latency_s=60.0, now=1.0)
    assert by_failures.out(1.0) == ""

    none = Scene(rule=None)
    none.plan("a b", None)
    none.ended("a", *[FAILED] * 100, now=1.0)
    assert none.out(1.0) == ""


@pytest.mark.parametrize(
    ("ids", "most", "expected"),
    [
        ("a b c d", 0.5, "a b"),
        ("a b c d e", 0.5, "a b"),
        ("a b c d e f g h i j", 0.3, "a b c"),
        ("a b c", 0.1, "a"),
        ("a b", 0.5, "a"),
        ("a b", 1.0, "a b"),
        ("a", 1.0, ""),
    ],
)
def test_no_more_than_a_share_is_out_at_once_but_always_one_of_several(
    ids: str, most: float, expected: str
) -> None:
    """H3: one that is alone is never ejected, as nobody would take its place."""
    scene = Scene(ids, OutlierRule(most_ejected=most))

    for each in scene.endpoints:
        scene.ended(each, *[FAILED] * 20, now=1.0)

    assert scene.out(1.0) == expected


def test_who_had_to_stay_goes_when_another_is_back() -> None:
    """H3"""
    scene = Scene("a b")
    scene.ended("a", *[FAILED] * 10, now=0.0)
    scene.ended("b", *[FAILED] * 10, now=25.0)
    assert scene.out(25.0) == "a"

    scene.ended("b", FAILED, now=30.0)

    assert scene.out(30.0) == "b"


def test_clusters_are_counted_apart() -> None:
    """H3"""
    endpoints = watched("a b", Watch(outliers=OutlierRule())) + watched(
        "a b", Watch(outliers=OutlierRule()), cluster="cart"
    )
    standing = standing_of(endpoints)
    outliers = Outliers(standing)
    outliers.keep_endpoints({endpoint.key for endpoint in endpoints})

    for endpoint in endpoints:
        for _ in range(10):
            outliers.ended(endpoint, FAILED, QUICK, a_ticket(endpoint, 0.0), 0.0)

    assert {key for key in standing.marked() if standing.level(key) == OUT} == {"shop/a", "cart/a"}


def test_each_time_in_a_row_it_is_out_for_longer_up_to_a_limit() -> None:
    """H3: 30 s, 60 s, 90 s, and no more than 100 s here."""
    scene = Scene(rule=OutlierRule(most_s=100.0))
    now = 0.0
    for times, out_s in ((1, 30.0), (2, 60.0), (3, 90.0), (4, 100.0), (5, 100.0)):
        scene.ended("a", *[FAILED] * 10, now=now)
        assert scene.until("a") - now == out_s, times
        now = scene.until("a") + 1.0
        assert scene.out(now) == ""
    assert scene.outliers.ejected == 5


def test_the_next_time_is_shorter_when_it_stayed_good_in_between() -> None:
    """H3: one time less for each 30 s."""
    scene = Scene()
    for now in (0.0, 31.0):
        scene.ended("a", *[FAILED] * 10, now=now)
    assert scene.out(91.0) == ""

    scene.ended("a", *[FAILED] * 10, now=91.0 + 35.0)
    assert scene.until("a") - 126.0 == 60.0
    assert scene.why("a").endswith(", for the 2nd time in a row")

    scene.ended("a", *[FAILED] * 10, now=186.0 + 61.0)
    assert scene.until("a") - 247.0 == 30.0


def test_it_comes_back_with_nothing_held_against_it() -> None:
    """H3: neither what was before, nor what was asked before it was back."""
    scene = Scene()
    scene.ended("a", *[FAILED] * 15, now=0.0)
    assert scene.out(30.0) == ""

    scene.ended("a", *[FAILED] * 50, now=31.0, asked_at=29.0)
    scene.ended("a", *[FAILED] * 9, now=31.0)
    assert scene.out(31.0) == ""

    scene.ended("a", FAILED, now=31.0)
    assert scene.out(31.0) == "a"


def test_it_comes_back_slowly() -> None:
    """H3 H7"""
    endpoints = watched("a b", Watch(outliers=OutlierRule()), slow_start_s=20.0)
    standing = standing_of(endpoints)
    outliers = Outliers(standing)
    outliers.keep_endpoints({endpoint.key for endpoint in endpoints})
    for _ in range(10):
        outliers.ended(endpoints[0], FAILED, QUICK, a_ticket(endpoints[0], 0.0), 0.0)

    standing.pass_time(30.0)

    weights = [standing.weight(endpoints[0], now) for now in (30.0, 40.0, 50.0)]
    assert weights == pytest.approx([0.1, 0.5, 1.0])


def test_a_reload_keeps_who_is_out_and_how_often_it_was() -> None:
    """H3"""
    scene = Scene()
    scene.ended("a", *[FAILED] * 10, now=0.0)

    scene.plan("a b e", OutlierRule(base_s=20.0), now=10.0)

    assert scene.out(10.0) == "a"
    assert scene.until("a") == 30.0
    assert scene.out(30.0) == ""
    scene.ended("a", *[FAILED] * 10, now=31.0)
    assert scene.until("a") == 31.0 + 40.0


def test_a_new_plan_gives_back_who_is_judged_no_more_or_is_alone_now() -> None:
    """H3"""
    scene = Scene()
    scene.ended("a", *[FAILED] * 10, now=0.0)
    scene.plan("a b c d", None, now=1.0)
    assert scene.out(1.0) == ""

    scene.plan("a b", scene.rule, now=2.0)
    scene.ended("a", *[FAILED] * 10, now=2.0)
    assert scene.out(2.0) == "a"
    scene.plan("a", scene.rule, now=3.0)
    assert scene.out(3.0) == ""


def test_who_leaves_the_plan_makes_room_for_another() -> None:
    """H3"""
    scene = Scene("a b c")
    scene.ended("a", *[FAILED] * 10, now=0.0)
    scene.ended("b", *[FAILED] * 10, now=0.0)
    assert scene.out(0.0) == "a"

    scene.plan("b c", scene.rule, now=1.0)
    scene.ended("b", FAILED, now=1.0)

    assert scene.out(1.0) == "b"


def test_another_window_begins_anew() -> None:
    """H3"""
    scene = Scene()
    scene.ended("a", *[FAILED] * 9, now=0.0)

    scene.plan("a b c d", OutlierRule(window_s=30.0), now=1.0)
    scene.ended("a", *[FAILED] * 9, now=1.0)

    assert scene.out(1.0) == ""


def test_it_is_out_for_the_rest_of_its_time_after_a_restart() -> None:
    """H3"""
    before, after = Scene(), Scene()
    for now in (1000.0, 1031.0):
        before.ended("a", *[FAILED] * 10, now=now)
    assert before.outliers.changed() == {"shop/a"}
    assert before.outliers.changed() == set()
    assert before.outliers.row("shop/b", 1040.0) is None
    row = before.outliers.row("shop/a", 1041.0)
    assert row == [50.0, 2.0]

    after.outliers.restore("shop/a", row, 15.0, now=5.0)

    assert after.out(5.0) == "a"
    assert after.until("a") == 40.0
    assert after.why("a") == "ejected: it was so before the restart"
    assert after.out(40.0) == ""
    after.ended("a", *[FAILED] * 10, now=41.0)
    assert after.until("a") == 41.0 + 90.0


def test_one_that_was_back_before_the_restart_stays_so() -> None:
    """H3"""
    scene = Scene("a b")
    scene.outliers.restore("shop/a", [-10.0, 1.0], 5.0, now=5.0)
    assert scene.out(5.0) == ""

    alone = Scene("a")
    alone.outliers.restore("shop/a", [20.0, 1.0], 5.0, now=5.0)
    assert alone.out(5.0) == ""


@pytest.mark.parametrize("row", [[], [1.0], [1.0, 0.0], [float("nan"), 1.0], [1.0, float("inf")], [1.0] * 3])
def test_a_row_that_is_no_ejection_is_refused(row: list[float]) -> None:
    """H3"""
    with pytest.raises(ValueError, match="not an ejection"):
        Scene().outliers.restore("shop/a", row, 0.0, 0.0)


def test_an_outcome_costs_the_same_among_1000_endpoints_as_among_10() -> None:
    """H3: whoever may not be ejected for want of room, too."""

    def cost(count: int) -> int:
        ids = " ".join(f"e{at}" for at in range(count))
        scene = Scene(ids, OutlierRule(most_ejected=2 / count))
        for each in ("e0", "e1", "e2"):
            scene.ended(each, *[FAILED] * 30, now=1.0)
        assert scene.out(1.0) == "e0 e1"
        endpoint = scene.endpoints["e2"]
        ticket = a_ticket(endpoint, 1.0)
        return lines_run(lambda: scene.outliers.ended(endpoint, FAILED, QUICK, ticket, 1.0))

    assert cost(1000) == cost(10)


def test_nothing_speaks_against_who_is_good() -> None:
    """H3"""
    scene = Scene()
    for at in range(1000):
        scene.ended("a", SERVED, SERVED, FAILED, now=at / 10)

    assert scene.standing.level("shop/a") == HEALTHY
    assert scene.outliers.row("shop/a", 100.0) is None
