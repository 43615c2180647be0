"""Who is ejected, for how long, and how many at once."""

from random import Random

import pytest

from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.state.outliers import Outliers
from sidecar.core.state.standing import HEALTHY, OUT, Mark, Roster, Standing
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
        if now >= self.standing.due:
            self.standing.pass_time(now)
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
    """H3: and three at least, as one of few is slow by chance. Here others had 20,000, and none was slow."""
    scene = Scene()
    scene.ended("b", *[SERVED] * 20_000, now=1.0)
    scene.ended("a", *[SERVED] * quick, now=1.0)

    scene.ended("a", *[SERVED] * slow, latency_s=SLOW, now=1.0)

    assert scene.out(1.0) == expected
    if expected:
        told = f"{slow} of {quick + slow} took longer than 1 s in 10 s, more than 1%"
        assert scene.why("a") == f"ejected: {told}, and 0 of 20000 at the others of its cluster"


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
        ("a b", 1.0, "a"),
        ("a b c", 1.0, "a b"),
        ("a", 1.0, ""),
    ],
)
def test_no_more_than_a_share_is_out_at_once_but_always_one_of_several(
    ids: str, most: float, expected: str
) -> None:
    """H3: one that is alone is never ejected, nor the last that is left, as nobody would take its place."""
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


def test_a_late_outcome_is_judged_by_the_plan_in_force() -> None:
    """H3: neither one of an endpoint that went, nor one by a rule that was taken out, ejects anybody."""
    scene = Scene()
    gone = scene.endpoints["a"]
    late = [a_ticket(gone, 0.0) for _ in range(20)]

    scene.plan("b c", scene.rule, now=1.0)
    for ticket in late:
        scene.outliers.ended(gone, FAILED, QUICK, ticket, 2.0)
    assert scene.standing.marked() == []
    scene.ended("b", *[FAILED] * 10, now=2.0)
    assert scene.out(2.0) == "b", "who went takes nobody's room"

    scene.plan("a b c d", None, now=3.0)
    for ticket in late:
        scene.outliers.ended(gone, FAILED, QUICK, ticket, 4.0)
    assert scene.out(4.0) == ""


def test_who_has_no_weight_takes_nobodys_place() -> None:
    """H3: of two, of which one is never picked, the other is alone."""
    offer = Offer(watch=Watch(outliers=OutlierRule()))
    endpoints = [Endpoint("shop", name, f"{name}.test:80", at, offer=offer) for at, name in enumerate("ab")]
    standing = standing_of(endpoints)
    outliers = Outliers(standing)
    outliers.keep_endpoints({endpoint.key for endpoint in endpoints})

    for endpoint in endpoints:
        for _ in range(20):
            outliers.ended(endpoint, FAILED, QUICK, a_ticket(endpoint, 0.0), 0.0)

    assert standing.marked() == []


def test_a_smaller_cluster_has_those_back_who_are_too_many_to_be_out() -> None:
    """H3: the next to be back are back at once, by a new plan and after a restart."""
    scene = Scene()
    for at, each in enumerate("ab"):
        scene.ended(each, *[FAILED] * 10, now=float(at))
    rows = {key: scene.outliers.row(key, 2.0) for key in ("shop/a", "shop/b")}
    assert scene.out(2.0) == "a b"

    scene.plan("a b", scene.rule, now=2.0)
    assert scene.out(2.0) == "b"

    again = Scene("a b")
    for key, row in rows.items():
        assert row is not None
        again.outliers.restore(key, row, 0.0, 2.0)
    assert len(again.out(2.0).split()) == 1
    assert again.outliers.row("shop/b", 3.0) == [-1.0, 1.0], "it is known how often it was"


def test_an_outcome_costs_the_same_however_many_are_out() -> None:
    """H3: where half of a cluster is out, and the other half fails as well."""

    def cost(count: int) -> int:
        scene = Scene(" ".join(f"e{at}" for at in range(count)))
        for each in scene.endpoints:
            scene.ended(each, *[FAILED] * 10, now=1.0)
        assert len(scene.out(1.0).split()) == count // 2
        endpoint = scene.endpoints[f"e{count - 1}"]
        ticket = a_ticket(endpoint, 1.0)
        return lines_run(lambda: scene.outliers.ended(endpoint, FAILED, QUICK, ticket, 1.0))

    assert cost(500) == cost(10)


def test_what_is_slow_everywhere_ejects_nobody() -> None:
    """H3: of 400 requests a second at eight endpoints by chance, one in fifty takes long, for ten minutes,
    with a fixed seed; and a few slow ones at once are no evidence."""
    rng = Random(7)
    scene = Scene("a b c d e f g h")
    for at in range(240_000):
        latency_s = SLOW if rng.random() < 0.02 else QUICK
        scene.ended(rng.choice("abcdefgh"), SERVED, latency_s=latency_s, now=at / 400)
    assert scene.outliers.ejected == 0

    scene = Scene("a b c d")
    for at in range(17):
        for each in "abcd":
            scene.ended(each, SERVED, now=1.0, latency_s=SLOW if at > 13 else QUICK)
    assert scene.outliers.ejected == 0


@pytest.mark.parametrize(("share", "within_s"), [(1.0, 2.0), (0.2, 5.0), (0.1, 10.0)])
def test_one_that_is_slow_among_quick_ones_goes_soon(share: float, within_s: float) -> None:
    """H3: 80 requests a second at four endpoints. The others are slow in one of a hundred, but for the first
    case; with a fixed seed."""
    rng = Random(3)
    scene = Scene("a b c d")
    at = 0
    while scene.outliers.ejected == 0:
        at += 1
        each = "abcd"[at % 4]
        slow = rng.random() < (share if each == "b" else 0.01 * (share < 1.0))
        scene.ended(each, SERVED, latency_s=SLOW if slow else QUICK, now=at / 80)

    assert scene.out(at / 80) == "b"
    assert at / 80 < within_s


def test_two_of_four_that_are_slow_go_one_after_the_other() -> None:
    """H3: what the first was counts no more for the second."""
    scene = Scene("a b c d")
    for _ in range(40):
        for each in "abcd":
            scene.ended(each, SERVED, latency_s=SLOW if each in "ab" else QUICK, now=1.0)

    assert scene.out(1.0) == "a b"
    assert ", and 0 of " in scene.why("b")


def test_one_whose_others_are_not_asked_is_not_ejected_for_being_slow() -> None:
    """H3: there is nothing to compare it with; for failures it is."""
    scene = Scene("a b")
    scene.ended("a", *[SERVED] * 100, latency_s=SLOW, now=1.0)
    scene.ended("b", *[SERVED] * 2, now=1.0)
    assert scene.out(1.0) == ""

    scene.ended("a", *[FAILED] * 100, now=1.0)
    assert scene.out(1.0) == "a"


def test_a_clock_that_runs_backwards_breaks_nothing() -> None:
    """H3"""
    scene = Scene("a b c")
    for now in (50.0, 20.0, 51.0, 3.0, 70.0):
        for each in "abc":
            scene.ended(each, *[SERVED] * 10, latency_s=QUICK, now=now)
        scene.ended("a", *[SERVED] * 10, latency_s=SLOW, now=now)
        scene.ended("b", *[FAILED] * 10, latency_s=SLOW, now=now)


def by_version() -> tuple[list[Endpoint], list[Roster]]:
    """A cluster of one endpoint of each version, with one pool for each."""
    offer = Offer(watch=Watch(outliers=OutlierRule(most_ejected=1.0)))
    endpoints = [
        Endpoint("shop", name, f"{name}.test:80", version=name, offer=offer) for name in ("v1", "v2")
    ]
    return endpoints, [Roster((endpoint,)) for endpoint in endpoints]


def test_the_only_one_of_a_pool_is_never_ejected_though_its_cluster_has_others() -> None:
    """H3: each version has one endpoint, and a route of its own."""
    endpoints, rosters = by_version()
    standing = Standing()
    standing.adopt(rosters, 0.0)
    outliers = Outliers(standing)
    outliers.keep_endpoints({endpoint.key for endpoint in endpoints})

    for endpoint in endpoints:
        for _ in range(20):
            outliers.ended(endpoint, FAILED, QUICK, a_ticket(endpoint, 0.0), 0.0)
    outliers.restore("shop/v2", [20.0, 1.0], 0.0, 0.0)

    assert standing.marked() == []


def test_the_last_that_others_left_is_not_ejected() -> None:
    """H3: a breaker took the other one away; when it is back, this one may go."""
    scene = Scene("a b")
    scene.standing.mark("shop/b", "breaker", Mark(OUT, "open"), 0.0)
    scene.ended("a", *[FAILED] * 20, now=1.0)
    assert scene.why("a") == ""

    scene.standing.clear("shop/b", "breaker", 2.0)
    scene.ended("a", FAILED, now=2.0)

    assert scene.why("a").startswith("ejected")


def test_a_new_plan_with_a_pool_of_one_that_is_out_gives_it_back() -> None:
    """H3: by version, where all were in one pool before."""
    endpoints, rosters = by_version()
    standing = Standing()
    standing.adopt([Roster(tuple(endpoints))], 0.0)
    outliers = Outliers(standing)
    keys = {endpoint.key for endpoint in endpoints}
    outliers.keep_endpoints(keys)
    for _ in range(20):
        outliers.ended(endpoints[0], FAILED, QUICK, a_ticket(endpoints[0], 0.0), 0.0)
    assert standing.marked() == ["shop/v1"]

    standing.adopt(rosters, 1.0)
    outliers.keep_endpoints(keys)
    outliers.plan_changed(1.0)

    assert standing.marked() == []


def test_a_slow_attempt_costs_the_same_however_many_there_were() -> None:
    """H3: nothing is added up for the comparison."""

    def cost(count: int) -> int:
        scene = Scene(" ".join(f"e{at}" for at in range(count)))
        for each in scene.endpoints:
            scene.ended(each, *[SERVED] * 12, *[SERVED] * 4, now=1.0)
            scene.ended(each, *[SERVED] * 4, latency_s=SLOW, now=1.0)
        endpoint = scene.endpoints["e1"]
        ticket = a_ticket(endpoint, 1.0)
        return lines_run(lambda: scene.outliers.ended(endpoint, SERVED, SLOW, ticket, 1.0))

    assert cost(1000) == cost(10)
