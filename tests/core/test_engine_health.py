"""Who gets requests by what became of those before: scores, ejection, regions, quotas and load together."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.outcome import LOST, Failure, Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.report import Report
from sidecar.core.rules.path import PathIs
from sidecar.core.state.memory import State
from sidecar.core.state.standing import DEGRADED
from sidecar.core.watch import BreakerRule, OutlierRule, RegionRule, ScoreRule, Watch
from tests.builders import OK, a_request, decided, lines_run, ticket_of
from tests.core.judging import FAILED, REFUSED, a_judged_engine, a_judged_plan, asked, watched, who

SCORED = Watch(ScoreRule(least=0.7))
EJECTED = Watch(outliers=OutlierRule())
BROKEN = Watch(breaker=BreakerRule())
ALL = Watch(ScoreRule(least=0.7), OutlierRule(), BreakerRule())
JUDGED = Watch(ScoreRule(), OutlierRule(), BreakerRule())
SLOW = Outcome(200, 3.0)


def play(engine: Engine, bad: dict[str, Outcome], begin: float, end: float, rate: int = 20) -> Counter[str]:
    """Requests that end at once: as told here, else well. Who got them."""
    got: Counter[str] = Counter()
    for at in range(int((end - begin) * rate)):
        endpoint = asked(engine, begin + at / rate, lambda each: bad.get(each.id, OK))
        got[endpoint.id] += 1
    return got


def test_health_of_at_least_07_breaker_not_open_not_ejected() -> None:
    """C4: five endpoints, each judged by one thing; whoever falls short by it gets nothing."""
    engine = a_judged_engine(
        [
            *watched("low high", SCORED),
            *watched("broken", BROKEN),
            *watched("out in", EJECTED, cluster="cart"),
            *watched("free", Watch()),
        ]
    )

    play(engine, {"low": FAILED, "broken": FAILED, "out": FAILED, "free": FAILED}, 0.0, 6.0)

    assert who(engine, 6.0) == "free high in"
    standing = engine.state.standing
    assert standing.why("shop/low").startswith("health score 0.69 is below 0.7: ")
    assert standing.why("shop/broken") == "breaker open: 5 failures in a row"
    assert standing.why("cart/out").startswith("ejected: 100% of 10 failed in 10 s, at least 50%")
    verdicts = {each.endpoint.id: each.why for each in engine.explain(a_request(), 6.0).candidates}
    assert "health score 0.69" in verdicts["low"]
    assert "breaker open" in verdicts["broken"]
    assert "ejected" in verdicts["out"]


def test_degraded_is_passed_over_while_a_healthy_one_is_left() -> None:
    """C4: and no longer."""
    engine = a_judged_engine(watched("a b", SCORED) + watched("c", BROKEN))
    play(engine, {"a": FAILED, "b": FAILED}, 0.0, 1.0)
    assert who(engine, 1.0) == "c"

    play(engine, {"a": FAILED, "b": FAILED, "c": FAILED}, 1.0, 2.0)

    assert who(engine, 2.0) == "a b"
    assert engine.state.standing.level("shop/a") == DEGRADED


def test_an_endpoint_of_health_07_is_not_passed_over() -> None:
    """C4 H2: always slower than 500 ms and never failing is 0.7."""
    engine = a_judged_engine(watched("a b", SCORED))

    got = play(engine, {"a": SLOW}, 0.0, 60.0)

    assert engine.state.scores.of("shop/a", 60.0) == pytest.approx(0.7)
    assert got["a"] == got["b"]


def test_who_gets_nothing_for_its_score_is_tried_again_when_it_has_faded() -> None:
    """C4 H2: 6.6 windows after its second failure; it fails again, and is passed over at once."""
    engine = a_judged_engine(watched("a b", SCORED))
    assert play(engine, {"a": FAILED}, 0.0, 400.0, rate=2)["a"] == 2

    assert play(engine, {"a": FAILED}, 400.0, 600.0, rate=2)["a"] == 1
    assert play(engine, {}, 600.0, 1400.0, rate=2)["a"] > 300


def test_what_says_nothing_of_the_endpoint_keeps_nobody_away() -> None:
    """C4: clients that go away, answers of Envoy's own, outcomes that never come."""
    engine = a_judged_engine(watched("a b", ALL))

    for at in range(100):
        for silent in (Outcome(0, 9.0, Failure.CANCELLED), Outcome(503, 9.0, Failure.REFUSED), LOST):
            asked(engine, at / 10, lambda _, silent=silent: silent)  # type: ignore[misc]

    assert who(engine, 10.0) == "a b"
    assert engine.state.standing.marked() == []


def test_an_endpoint_that_fails_is_ejected_and_comes_back() -> None:
    """H3: ten failures, 30 s without a request, and its part again."""
    engine = a_judged_engine(watched("a b c d", EJECTED))

    assert play(engine, {"a": FAILED}, 0.0, 30.0)["a"] == 10
    after = play(engine, {}, 35.0, 45.0)

    assert after["a"] == 50


def test_failures_before_a_fallback_served_count_against_who_failed() -> None:
    """H3: in 200 requests a fails in every one that began with it, and b, which saved them, does not."""
    endpoints = [
        Endpoint("shop", name, f"10.0.0.{at}:80", offer=Offer(watch=EJECTED)) for at, name in enumerate("ab")
    ]
    engine = a_judged_engine(endpoints, want=2)
    for at in range(200):
        decision = decided(engine, now=at / 20)
        saved = decision.endpoint.id == "a"
        outcome = Outcome(200, 0.1, served="10.0.0.1:80", attempts=2 if saved else 1)
        engine.settle(ticket_of(decision), outcome, at / 20)

    assert who(engine, 10.0) == "b"
    assert engine.state.outliers.ejected == 1


def test_a_version_of_one_endpoint_keeps_it_however_it_fails() -> None:
    """H3: one cluster, an endpoint and a route for each version."""
    endpoints = watched("v1 v2", EJECTED)
    routes = [
        Route(
            each.id,
            PathIs(f"/{each.id}"),
            (
                Variant(
                    each.id, each.id, (each,), STRATEGIES["weighted_round_robin"](), "weighted_round_robin"
                ),
            ),
        )
        for each in endpoints
    ]
    engine = Engine(Plan(1, routes), State(), Random(1))

    for at in range(60):
        decision = engine.decide(a_request(f"/v{at % 2 + 1}"), at / 10)
        assert isinstance(decision, Decision), at
        engine.settle(ticket_of(decision), FAILED, at / 10)

    assert engine.state.standing.marked() == []


def test_an_endpoint_with_a_bad_tail_is_ejected() -> None:
    """H3: 1 % are 300 of 30,000; here it is one in ten, where the others are quick."""
    engine = a_judged_engine(watched("a b c d", EJECTED))
    count = 0

    def answer(endpoint: Endpoint) -> Outcome:
        nonlocal count
        count += endpoint.id == "a"
        return SLOW if endpoint.id == "a" and count % 10 == 0 else OK

    for at in range(400):
        asked(engine, at / 40, answer)

    assert who(engine, 10.0) == "b c d"
    assert engine.state.standing.why("shop/a") == (
        "ejected: 7 of 70 took longer than 1 s in 10 s, more than 1%, "
        "and 0 of 207 at the others of its cluster"
    )


@pytest.mark.parametrize("failing", [0, 10], ids=["all are well", "a tenth is out"])
def test_a_request_costs_as_little_among_1_000_judged_endpoints_as_among_10(failing: int) -> None:
    """H2 H3 H5: to decide, and to learn how it ended; whoever is out is not looked for."""

    def cost(count: int) -> int:
        bad = {f"e{at}": FAILED for at in range(0, count, failing or count + 1)} if failing else {}
        engine = a_judged_engine(watched(" ".join(f"e{at}" for at in range(count)), JUDGED))
        play(engine, bad, 0.0, 6.0, rate=2 * count)
        assert len(engine.state.breakers.not_closed) == len(bad)
        return min(lines_run(lambda: asked(engine, 6.0, lambda _: OK)) for _ in range(5))

    assert cost(1_000) <= 1.1 * cost(10)


def test_a_reload_keeps_scores_and_ejections_by_name() -> None:
    """H2 H3"""
    engine = a_judged_engine(watched("a b c", Watch(ScoreRule(least=0.7), OutlierRule())))
    play(engine, {"a": FAILED, "b": FAILED}, 0.0, 10.0)
    before = who(engine, 10.0)
    assert before == "c"

    engine.swap(a_judged_plan(watched("a b c d", Watch(ScoreRule(least=0.7), OutlierRule()))), 10.0)
    assert who(engine, 10.0) == "c d"

    engine.swap(a_judged_plan(watched("a b c d", Watch())), 11.0)
    assert who(engine, 11.0) == "a b c d"


def test_after_its_breaker_closed_an_old_score_keeps_nobody_away() -> None:
    """H2 H5 C4: the trials are what counts."""
    engine = a_judged_engine(watched("a b", Watch(ScoreRule(least=0.7), None, BreakerRule())))
    play(engine, {"a": FAILED}, 0.0, 5.0)
    assert who(engine, 5.0) == "b"
    play(engine, {}, 400.0, 900.0, rate=2)

    assert who(engine, 900.0) == "a b"


def quota_and_load() -> Engine:
    offers = {
        "calm": Offer(most_utilisation=0.9, most_quota=0.8),
        "busy": Offer(most_utilisation=0.9, most_quota=0.8),
        "used": Offer(most_utilisation=0.9, most_quota=0.8),
        "metered": Offer(requests_per_minute=10, most_quota=0.8, watch=ALL),
    }
    return a_judged_engine(
        Endpoint("shop", name, f"{name}.test:80", offer=offer) for name, offer in offers.items()
    )


def test_quota_and_load_above_their_thresholds_are_passed_over() -> None:
    """C5: load and quota as endpoints report them, and quota as it is counted: nine of ten are above 80 %."""
    engine = quota_and_load()
    for _ in range(36):
        asked(engine, 0.0, lambda _: OK)
    assert who(engine, 1.0, 3) == "busy calm used"

    engine.told("shop/busy", Report(utilisation=0.95), 1.0)
    engine.told("shop/used", Report(quota_used=0.85), 1.0)
    engine.told("shop/calm", Report(utilisation=0.5, quota_used=0.1), 1.0)

    assert who(engine, 1.0) == "calm"
    assert engine.state.standing.why("shop/busy") == "load: 95% is above 90%"
    assert engine.state.standing.why("shop/used") == "quota report: 85% is above 80%"
    engine.told("shop/busy", Report(utilisation=0.5), 2.0)
    assert who(engine, 2.0) == "busy calm"
    assert who(engine, 32.0) == "busy calm used", "what was reported 30 s ago is stale"
    assert who(engine, 62.0) == "busy calm metered used"


def test_above_a_threshold_is_better_than_out_and_worse_than_sound() -> None:
    """C4 C5: the metered one is nearly used up and the others are full: they get requests; when one of them
    is broken it gets none, and when all are, nobody is picked."""
    engine = a_judged_engine(
        Endpoint("shop", name, f"{name}.test:80", offer=Offer(most_utilisation=0.9, watch=BROKEN))
        for name in "ab"
    )
    engine.told("shop/a", Report(utilisation=0.95), 0.0)
    assert who(engine, 0.0) == "b"
    engine.told("shop/b", Report(utilisation=0.95), 0.0)
    assert who(engine, 0.0) == "a b"

    play(engine, {"a": REFUSED}, 0.0, 1.0)

    assert who(engine, 1.0) == "b"


def regions(**more: float) -> Engine:
    """Two endpoints in each of two regions, with breakers, and one that is nowhere."""
    return a_judged_engine(
        [
            *watched("us1 us2", BROKEN, region="us"),
            *watched("eu1 eu2", BROKEN, region="eu"),
            *watched("any", Watch()),
        ],
        regions=RegionRule(("us", "eu"), **more),  # type: ignore[arg-type]
    )


def test_requests_stay_in_the_primary_region_until_it_is_left_and_return() -> None:
    """F5: one of two endpoints breaks in the first second; half a minute later its breaker lets trials
    through, and another minute later its region has the traffic again."""
    engine = regions()
    assert who(engine, 0.0) == "any us1 us2"

    got = play(engine, {"us1": FAILED}, 0.0, 20.0)

    assert got["us1"] == 5
    assert got["us2"] <= 6
    assert who(engine, 20.0) == "any eu1 eu2"
    for now in range(20, 91):
        assert engine.expire(float(now)) is not None
    assert who(engine, 90.0) == "any eu1 eu2"
    assert play(engine, {}, 92.0, 102.0)["us1"] > 50
    assert who(engine, 102.0) == "any us1 us2"


def test_a_region_with_few_errors_is_left_by_their_share() -> None:
    """F5: one in eight of both endpoints fails, so no breaker opens."""
    engine = regions(requests=20)
    count = 0

    def answer(endpoint: Endpoint) -> Outcome:
        nonlocal count
        count += endpoint.region == "us"
        return FAILED if endpoint.region == "us" and count % 8 == 0 else OK

    for at in range(100):
        asked(engine, at / 20, answer)

    assert engine.state.region_failover.active == "eu"
    assert who(engine, 6.0) == "any eu1 eu2"
    assert "stands by while eu is active" in engine.state.standing.why("shop/us1")


def test_who_stands_by_is_there_when_nobody_else_is() -> None:
    """F5: a pool without endpoints in the active region, and one whose last there has gone before the region
    is left for it."""
    engine = a_judged_engine(
        [*watched("us1", BROKEN, region="us"), *watched("eu1", BROKEN, region="eu")],
        regions=RegionRule(("us", "eu"), least_healthy=0.0),
    )
    assert who(engine, 0.0) == "us1"

    got = play(engine, {"us1": FAILED}, 0.0, 5.0)

    assert got == {"us1": 5, "eu1": 95}
    assert engine.state.region_failover.active == "us"


def test_a_reload_changes_the_order_of_regions_at_once() -> None:
    """F5"""
    engine = regions()
    endpoints = [*watched("us1 us2", BROKEN, region="us"), *watched("eu1 eu2", BROKEN, region="eu")]

    engine.swap(a_judged_plan(endpoints, regions=RegionRule(("eu", "us"))), 1.0)
    assert who(engine, 1.0) == "eu1 eu2"

    engine.swap(a_judged_plan(endpoints), 2.0)
    assert who(engine, 2.0) == "eu1 eu2 us1 us2"


def test_explaining_says_who_stands_by_and_why() -> None:
    """F5 C8"""
    engine = regions()

    whys = {each.endpoint.id: each.why for each in engine.explain(a_request(), 0.0).candidates}

    assert "stands by while us is active" in whys["eu1"]
    assert whys["us1"] == ""
