"""Why an endpoint is out and when it may be back, in what `explain` says; in written time."""

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.explanation import CandidateVerdict, Explanation, back_in, in_time, marks_of
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Plan, Variant
from sidecar.core.refusal import Refusal
from sidecar.core.registry import STRATEGIES
from sidecar.core.state.standing import DEGRADED, GONE, NEVER, OUT, RESTING, STANDBY, Mark
from sidecar.core.strategies.failover import Failover, Link
from sidecar.core.watch import BreakerRule, OutlierRule, ProbeRule, RegionRule, ScoreRule, Watch
from tests.builders import OK, a_request
from tests.core.watched import RULE, a_watched_engine, a_watched_plan, watched

FAILED = Outcome(503, duration_s=0.01)


def send(engine: Engine, bad: str, count: int, now: float) -> None:
    """Requests one after the other, of which those to the endpoints `bad` fail."""
    for _ in range(count):
        answer = engine.decide(a_request(), now)
        assert isinstance(answer, Decision)
        assert answer.ticket is not None
        engine.settle(answer.ticket.id, FAILED if answer.endpoint.id in bad else OK, now)


def explained(engine: Engine, now: float) -> dict[str, CandidateVerdict]:
    return {each.endpoint.id: each for each in engine.explain(a_request(), now).candidates}


def placed(explanation: Explanation) -> dict[str, int]:
    return {each.endpoint.id: each.place for each in explanation.candidates}


def an_engine_with(watch: Watch, ids: str = "ab", *, panic: float = 0.0) -> Engine:
    offer = Offer(watch=watch)
    endpoints = tuple(Endpoint("shop", name, f"10.0.0.{ord(name)}:80", offer=offer) for name in ids)
    return a_watched_engine(a_watched_plan(endpoints, panic=panic))


def test_an_open_breaker_is_told_with_why_and_when() -> None:
    """O6, H5"""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    send(engine, "b", 6, 100.0)

    assert explained(engine, 100.5)["b"].why.startswith("out: breaker open: 3 failures in a row; trials")
    told = explained(engine, 103.5)["b"]
    assert (told.place, told.level) == (0, RESTING)
    assert told.why == "resting: breaker open: 3 failures in a row; trials again in 7 s"
    ((cause, left_s),) = [(mark.cause, mark.left_s) for mark in told.marks]
    assert cause == "breaker"
    assert left_s == pytest.approx(6.5)


def test_trials_that_are_left_and_a_slow_start_are_told_of_one_that_may_be_picked() -> None:
    """O6, H5"""
    engine = a_watched_engine(a_watched_plan(watched("ab", slow_start_s=20.0)))
    send(engine, "b", 6, 100.0)

    half_open = explained(engine, 110.0)["b"]
    assert half_open.place > 0
    assert half_open.why == ""
    assert half_open.state.startswith("breaker half-open: 3 of 3 trials left")

    send(engine, "", 2, 110.0)
    assert explained(engine, 110.0)["b"].state.startswith("breaker half-open: 2 of 3 trials left")

    send(engine, "", 2, 110.0)
    assert explained(engine, 120.0)["b"].state == "slow start: 50% of its weight, all of it in 10 s"
    assert explained(engine, 130.0)["b"].state == ""


def test_an_ejected_outlier_is_told_with_why_and_when() -> None:
    """O6, H3"""
    engine = an_engine_with(Watch(outliers=OutlierRule(requests=4, base_s=30.0)))
    send(engine, "b", 8, 100.0)

    told = explained(engine, 110.0)["b"]

    assert told.level == OUT
    assert told.why == "out: ejected: 100% of 4 failed in 10 s, at least 50%; back in 20 s"


def test_a_low_score_is_told_and_so_is_one_that_is_less_than_whole() -> None:
    """O6, H2"""
    engine = an_engine_with(Watch(score=ScoreRule(least=0.7)))
    send(engine, "b", 2, 100.0)
    assert explained(engine, 100.0)["b"].state == "health score 0.79"

    send(engine, "b", 4, 100.0)
    told = explained(engine, 100.0)["b"]
    assert told.level == DEGRADED
    assert told.why.startswith("degraded: health score 0.")
    assert told.health < 0.7


def test_a_probe_says_what_brings_the_endpoint_back() -> None:
    """O6, H4: its mark has no end of its own."""
    engine = an_engine_with(Watch(probe=ProbeRule(http="/healthz", unhealthy=1, healthy=2)))
    engine.checked("shop/b", False, "status 500", 1.0)

    told = explained(engine, 2.0)["b"]

    assert told.why == "out: probe: 1 bad answer: status 500; back after 2 good answers in a row"
    assert [mark.left_s for mark in told.marks] == [None]
    assert back_in(told.marks) is None


def test_each_cause_is_told_the_worst_first() -> None:
    """O6"""
    engine = an_engine_with(Watch())
    standing = engine.state.standing
    standing.mark("shop/b", "load", Mark(DEGRADED, "load: 95% is above 90%", 30.0), 0.0)
    standing.mark("shop/b", "hand", Mark(GONE, "drained"), 0.0)

    told = explained(engine, 1.0)["b"]

    assert told.why == "gone: drained; and load: 95% is above 90%; back in 29 s"


def test_only_what_keeps_an_endpoint_away_counts_for_when_it_is_back() -> None:
    """O6: a mark that merely degrades may last longer than what it is out for."""
    long = Mark(DEGRADED, "load", 90.0)
    marks = marks_of({"load": long, "outlier": Mark(OUT, "ejected", 20.0)}, 10.0)

    assert back_in(marks) == pytest.approx(10.0)
    assert back_in(marks_of({"load": long}, 10.0)) == pytest.approx(80.0)
    assert back_in(marks_of({"load": long, "probe": Mark(OUT, "probe", NEVER)}, 10.0)) is None
    assert marks_of({"load": long}, 90.0) == []


def test_a_panic_is_told_in_figures() -> None:
    """O6, H7"""
    engine = a_watched_engine(a_watched_plan(watched("abcd"), panic=0.5))
    send(engine, "bcd", 24, 100.0)

    explanation = engine.explain(a_request(), 100.0)

    assert explanation.notes == ["panic: 1 of 4 healthy or degraded is below 50%; health does not count"]
    assert all(place > 0 for place in placed(explanation).values())
    assert explained(engine, 100.0)["b"].state.startswith("out: breaker open: ")


def test_a_recovery_for_want_of_others_is_told() -> None:
    """O6, H7"""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    send(engine, "ab", 6, 100.0)

    explanation = engine.explain(a_request(), 102.0)

    assert explanation.notes == ["recovery: nobody is left but those that rest, and they are tried early"]
    assert explained(engine, 102.0)["a"].state == (
        "resting: breaker open: 3 failures in a row; trials again in 8 s"
    )


@pytest.mark.parametrize(
    ("level", "note"),
    [
        (STANDBY, "no healthy endpoint is left: those that stand by are picked"),
        (DEGRADED, "no healthy endpoint is left: degraded ones are picked"),
    ],
)
def test_who_steps_in_is_told(level: int, note: str) -> None:
    """O6"""
    engine = an_engine_with(Watch())
    engine.state.standing.mark("shop/a", "hand", Mark(GONE, "drained"), 0.0)
    engine.state.standing.mark("shop/b", "other", Mark(level, "is so"), 0.0)

    assert engine.explain(a_request(), 1.0).notes == [note]


def test_a_region_that_was_left_is_told_with_when_it_may_be_active_again() -> None:
    """O6, F5"""
    offer = Offer(watch=Watch(probe=ProbeRule(http="/", unhealthy=1, healthy=1)))
    near, far = (
        Endpoint("shop", region, f"10.0.0.{at}:80", region=region, offer=offer)
        for at, region in enumerate(("near", "far"))
    )
    plan = a_watched_plan((near, far))
    engine = a_watched_engine(Plan(1, plan.routes, regions=RegionRule(("near", "far"), return_after_s=60.0)))
    assert explained(engine, 0.0)["far"].why == "stands by while near is active"

    engine.checked("shop/near", False, "status 500", 1.0)
    (note,) = engine.explain(a_request(), 1.0).notes
    assert note == (
        "region near was left: 0 of 1 endpoints of near may be picked, less than 95%; "
        "active again some time after it is good"
    )

    engine.checked("shop/near", True, "", 10.0)
    (note,) = engine.explain(a_request(), 20.0).notes
    assert note.endswith("; active again in 50 s if it stays good")
    assert explained(engine, 20.0)["near"].why.endswith("; active again in 50 s if it stays good")


def test_a_refusal_lists_everybody_with_the_reason() -> None:
    """O6, H7: those of a cluster that it fails over to as well."""
    other = Endpoint("backup", "z", "10.0.1.1:80", offer=Offer(watch=Watch(breaker=RULE)))
    link = Variant("backup", "backup", (other,), STRATEGIES["round_robin"](), "round_robin", linked=True)
    chain = Failover(STRATEGIES["round_robin"](), (Link(link.strategy, "backup"),))
    plan = a_watched_plan((*watched("a"), *watched("n", rule=None)), strategy=chain, links=(link,))
    engine = a_watched_engine(plan)
    for key in ("shop/a", "shop/n", "backup/z"):
        engine.state.standing.mark(key, "hand", Mark(OUT, f"{key} is broken", 30.0), 0.0)

    explanation = engine.explain(a_request(), 1.0)

    assert isinstance(explanation.answer, Refusal)
    assert {each.endpoint.key: each.why for each in explanation.candidates} == {
        key: f"out: {key} is broken; back in 29 s" for key in ("shop/a", "shop/n", "backup/z")
    }


def test_explaining_takes_no_trial() -> None:
    """O6"""
    engine = a_watched_engine(
        a_watched_plan(watched("ab", BreakerRule(failures=1, half_open=1, close_after=1)))
    )
    send(engine, "b", 2, 100.0)

    for _ in range(5):
        assert explained(engine, 140.0)["b"].state == "breaker half-open: 1 of 1 trials left"


def test_a_time_to_come_is_rounded_up() -> None:
    assert [in_time(seconds) for seconds in (0.01, 1.0, 22.2, 120.0, 121.0)] == [
        "1 s",
        "1 s",
        "23 s",
        "120 s",
        "3 min",
    ]
