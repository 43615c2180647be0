"""Who looks on while endpoints go and come back, and marks of many at once."""

from sidecar.core.endpoint import Candidates
from sidecar.core.state.standing import (
    DEGRADED,
    HEALTHY,
    NEVER,
    OUT,
    RESTING,
    STANDBY,
    Mark,
    Roster,
    Standing,
)
from sidecar.core.watch import OutlierRule, ScoreRule, Watch
from tests.core.judging import FAILED, a_judged_engine, asked, watched

FOUR = tuple(watched("a b c d", Watch()))
KEYS = [endpoint.key for endpoint in FOUR]


def a_standing() -> tuple[Standing, Roster]:
    roster = Roster(FOUR)
    standing = Standing()
    standing.adopt([roster], 0.0)
    return standing, roster


def ids(roster: Roster) -> str:
    return " ".join(endpoint.id for endpoint in roster.candidates.endpoints)


def test_many_marks_at_once_are_as_many_marks() -> None:
    """F5"""
    standing, roster = a_standing()

    standing.mark_all(KEYS[:3], "region", Mark(STANDBY, "stands by"), 0.0)
    assert ids(roster) == "d"
    assert [standing.level(key) for key in KEYS] == [STANDBY, STANDBY, STANDBY, HEALTHY]

    standing.mark(KEYS[3], "test", Mark(OUT, "down"), 0.0)
    assert ids(roster) == "a b c"

    standing.clear_all(KEYS, "region", 0.0)
    assert ids(roster) == "a b c"
    assert standing.marked() == [KEYS[3]]


def test_many_marks_at_once_end_by_themselves() -> None:
    """F5"""
    standing, roster = a_standing()

    standing.mark_all(KEYS[:2], "test", Mark(OUT, "down", 5.0), 0.0)

    assert standing.due == 5.0
    standing.pass_time(5.0)
    assert ids(roster) == "a b c d"
    assert standing.due == NEVER


def test_the_candidates_of_a_pool_are_made_once_for_many_marks() -> None:
    """F5: after each of them alone there would be others."""
    standing, roster = a_standing()
    seen: list[Candidates] = [roster.candidates]

    standing.mark_all(KEYS[:3], "region", Mark(STANDBY, "stands by"), 0.0)
    seen.append(roster.candidates)
    standing.mark_all(KEYS[:3], "region", Mark(STANDBY, "in other words"), 0.0)

    assert roster.candidates is seen[1]
    assert standing.why(KEYS[0]) == "in other words"


def test_an_onlooker_that_takes_marks_away_while_time_passes_does_no_harm() -> None:
    """H2: the score of one that was ejected goes with its ejection, at the same instant."""
    watch = Watch(ScoreRule(least=0.7), OutlierRule())
    engine = a_judged_engine(watched("a b c d", watch))
    for at in range(200):
        asked(engine, at / 100, lambda _: FAILED)
    standing = engine.state.standing
    assert {standing.level(key) for key in standing.marked()} <= {OUT, DEGRADED, RESTING}
    ejected = [key for key in standing.marked() if standing.level(key) == OUT]
    assert len(ejected) == 2

    engine.expire(60.0)

    assert [standing.level(key) for key in ejected] == [HEALTHY, HEALTHY]
    assert [engine.state.scores.of(key, 60.0) for key in ejected] == [1.0, 1.0]
