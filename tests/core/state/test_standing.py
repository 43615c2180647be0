"""Who may be picked now, and why not."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.standing import (
    DEGRADED,
    GONE,
    HEALTHY,
    NEVER,
    OUT,
    RESTING,
    SPENT,
    STANDBY,
    Mark,
    Roster,
    Standing,
)
from tests.builders import lines_run
from tests.core.filters.asking import offering

A, B, C, D = (offering(name, slow_start_s=30.0) for name in "abcd")
FOUR = (A, B, C, D)


def a_standing(*rosters: Roster) -> Standing:
    standing = Standing()
    standing.adopt(list(rosters), 0.0)
    return standing


def ids(roster: Roster) -> str:
    return " ".join(endpoint.id for endpoint in roster.candidates.endpoints)


def marked(standing: Standing, levels: dict[Endpoint, int], now: float = 0.0) -> None:
    for endpoint, level in levels.items():
        standing.mark(endpoint.key, "test", Mark(level, "ill"), now)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({}, "a b c d"),
        ({B: DEGRADED}, "a c d"),
        ({A: DEGRADED, B: DEGRADED, C: OUT, D: GONE}, "a b"),
        ({A: OUT, B: OUT, C: SPENT, D: GONE}, ""),
        ({A: OUT, B: SPENT, C: DEGRADED}, "d"),
    ],
)
def test_the_healthy_are_candidates_or_else_the_degraded(levels: dict[Endpoint, int], expected: str) -> None:
    """C4: degraded is passed over while a healthy one is left."""
    roster = Roster(FOUR)
    standing = a_standing(roster)

    marked(standing, levels)

    assert ids(roster) == expected


def test_candidates_are_made_anew_only_when_they_change() -> None:
    """C4: a request does no more than take what is there."""
    roster = Roster(FOUR)
    standing = a_standing(roster)
    first = roster.candidates

    standing.mark(A.key, "one", Mark(OUT, "ill"), 0.0)
    second = roster.candidates
    assert second is not first
    standing.mark(A.key, "other", Mark(OUT, "ill in another way"), 0.0)
    standing.mark("shop/unknown", "one", Mark(OUT, "ill"), 0.0)
    standing.clear(A.key, "one", 0.0)
    assert roster.candidates is second

    standing.clear(A.key, "other", 0.0)
    standing.clear(A.key, "other", 0.0)
    assert ids(roster) == "a b c d"


def test_what_was_said_last_for_a_cause_counts_and_the_worst_is_told() -> None:
    standing = a_standing(Roster(FOUR))

    standing.mark(A.key, "probe", Mark(OUT, "3 probes failed"), 0.0)
    standing.mark(A.key, "operator", Mark(GONE, "drained"), 0.0)
    assert (standing.why(A.key), standing.level(A.key)) == ("drained", GONE)
    standing.mark(A.key, "operator", Mark(DEGRADED, "is slow"), 0.0)
    assert (standing.why(A.key), standing.level(A.key)) == ("3 probes failed", OUT)
    standing.clear(A.key, "probe", 0.0)
    assert (standing.why(A.key), standing.level(A.key)) == ("is slow", DEGRADED)
    standing.clear(A.key, "operator", 0.0)
    assert (standing.why(A.key), standing.level(A.key), standing.marks(A.key)) == ("", HEALTHY, {})


def test_a_mark_ends_by_itself() -> None:
    """C4"""
    roster = Roster(FOUR)
    standing = a_standing(roster)
    standing.mark(A.key, "ejected", Mark(OUT, "ejected", until=10.0), 0.0)
    standing.mark(B.key, "ejected", Mark(OUT, "ejected", until=20.0), 0.0)
    assert (standing.due, ids(roster)) == (10.0, "c d")

    standing.pass_time(9.9)
    assert ids(roster) == "c d"
    standing.pass_time(10.0)
    assert (standing.due, ids(roster)) == (20.0, "a c d")
    standing.pass_time(25.0)
    assert ids(roster) == "a b c d"

    standing.pass_time(1000.0)
    assert standing.due == NEVER


def test_another_cause_outlasts_a_mark_that_ends() -> None:
    roster = Roster(FOUR)
    standing = a_standing(roster)
    standing.mark(A.key, "ejected", Mark(OUT, "ejected", until=10.0), 0.0)
    standing.mark(A.key, "probe", Mark(DEGRADED, "slow"), 0.0)

    standing.pass_time(10.0)

    assert (standing.level(A.key), ids(roster)) == (DEGRADED, "b c d")


@pytest.mark.parametrize(
    ("ill", "expected"),
    [(0, "a b c d"), (1, "b c d"), (2, "c d"), (3, "a b c d"), (4, "a b c d")],
)
def test_where_too_few_are_healthy_health_does_not_count(ill: int, expected: str) -> None:
    """C4 H7: fewer than half."""
    roster = Roster(FOUR, panic=0.5)
    standing = a_standing(roster)

    marked(standing, dict.fromkeys(FOUR[:ill], OUT))

    assert ids(roster) == expected
    assert roster.panicking == (ill > 2)


def test_not_even_a_panic_picks_who_is_gone_or_has_no_quota_left() -> None:
    """C4 H7"""
    roster = Roster(FOUR, panic=0.9)
    standing = a_standing(roster)

    marked(standing, {A: GONE, B: SPENT, C: OUT, D: OUT})

    assert ids(roster) == "c d"


def test_degraded_ones_count_as_left_where_one_is_out() -> None:
    """C4 H7: three that are loaded bear more than the one that is known to be broken."""
    roster = Roster(FOUR, panic=0.5)
    standing = a_standing(roster)

    marked(standing, {A: DEGRADED, B: DEGRADED, C: DEGRADED, D: OUT})
    assert (roster.panicking, ids(roster)) == (False, "a b c")

    marked(standing, {B: OUT, C: RESTING})
    assert (roster.panicking, ids(roster), roster.left, roster.away) == (True, "a b c d", 1, 3)


@pytest.mark.parametrize(
    ("level", "expected"), [(STANDBY, True), (DEGRADED, True), (RESTING, False), (GONE, False)]
)
def test_one_is_spared_while_each_list_has_another_that_may_be_picked(level: int, expected: bool) -> None:
    """H3: in the second list there is only b besides it; one of weight 0 is nobody."""
    idle = Endpoint("shop", "idle", "idle.test:80", 0)
    standing = a_standing(Roster(FOUR), Roster((A, B, A, idle)), Roster((C, D)))
    assert standing.spares(A.key)

    marked(standing, {B: level})
    assert standing.spares(A.key) == expected

    marked(standing, {A: OUT, B: HEALTHY})
    assert standing.spares(A.key)
    assert not standing.spares(B.key)


def test_a_move_that_changes_no_candidates_looks_at_nobody() -> None:
    """C4: from rest to out and back among 1,000, of which others are healthy."""
    endpoints = tuple(offering(f"e{at}") for at in range(1000))
    roster = Roster(endpoints, 0.3)
    standing = a_standing(roster)
    marked(standing, {endpoints[5]: OUT})

    for level in (RESTING, SPENT, DEGRADED, STANDBY, GONE, OUT):
        again = partial(standing.mark, endpoints[5].key, "test", Mark(level, "ill"), 0.0)
        assert lines_run(again) < 100

    standing.clear(endpoints[5].key, "test", 0.0)
    assert roster.candidates.endpoints == list(endpoints)


LEVELS = st.sampled_from([HEALTHY, STANDBY, DEGRADED, RESTING, OUT, SPENT, GONE])


@given(
    moves=st.lists(st.tuples(st.sampled_from(FOUR), LEVELS), max_size=20),
    panic=st.sampled_from([0.0, 0.5, 0.9]),
    recovers=st.booleans(),
)
def test_candidates_after_any_moves_are_those_of_a_list_that_is_made_anew(
    moves: list[tuple[Endpoint, int]], panic: float, *, recovers: bool
) -> None:
    """C4 H7"""
    roster = Roster(FOUR, panic, recovers=recovers)
    standing = a_standing(roster)
    for endpoint, level in moves:
        standing.mark(endpoint.key, "test", Mark(level, "ill"), 0.0)

        anew = Roster(FOUR, panic, recovers=recovers)
        standing.renew([anew])
        assert ids(roster) == ids(anew)
        assert (roster.panicking, roster.trying, roster.spent) == (anew.panicking, anew.trying, anew.spent)
        assert (roster.left, roster.away) == (anew.left, anew.away)


def test_degraded_ones_are_no_reason_to_panic() -> None:
    """C4: those that are out would be asked although others are well enough."""
    roster = Roster(FOUR, panic=0.5)
    standing = a_standing(roster)

    marked(standing, {A: DEGRADED, B: DEGRADED, C: DEGRADED, D: DEGRADED})

    assert not roster.panicking


def test_rosters_are_told_by_every_endpoint_that_they_share() -> None:
    two, three = Roster((A, B)), Roster((B, C, D))
    standing = a_standing(two, three)

    marked(standing, {B: OUT})

    assert (ids(two), ids(three)) == ("a", "c d")


def test_a_new_plan_keeps_the_marks_of_the_endpoints_that_stay() -> None:
    """C4: those that left are forgotten."""
    standing = a_standing(Roster(FOUR))
    marked(standing, {A: OUT, B: OUT})

    roster = Roster((A, C))
    standing.renew([roster])
    standing.adopt([roster], 5.0)
    assert ids(roster) == "c"

    again = Roster(FOUR)
    standing.renew([again])
    standing.adopt([again], 6.0)
    assert ids(again) == "b c d"


def test_who_comes_back_begins_with_a_tenth_and_grows_with_time() -> None:
    """S5: in 30 s to all of it."""
    standing = a_standing(Roster(FOUR))
    assert standing.weight(A, 0.0) == 1.0
    marked(standing, {A: OUT})
    standing.clear(A.key, "test", 100.0)

    told = [standing.weight(A, 100.0 + passed) for passed in (0.0, 3.0, 15.0, 29.9, 30.0, 300.0)]
    assert told == pytest.approx([0.1, 0.1, 0.5, 29.9 / 30.0, 1.0, 1.0])
    assert standing.due == 130.0
    standing.pass_time(130.0)
    assert (standing.young, standing.due) == ({}, NEVER)


@pytest.mark.parametrize("level", [DEGRADED, SPENT])
def test_who_was_not_out_has_not_to_begin_again(level: int) -> None:
    """S5"""
    standing = a_standing(Roster(FOUR))
    marked(standing, {A: level})
    standing.clear(A.key, "test", 100.0)

    assert standing.weight(A, 100.0) == 1.0


def test_who_is_new_in_a_plan_begins_slowly_but_not_with_the_first_plan() -> None:
    """S5"""
    standing = a_standing(Roster((A, B)))
    assert standing.young == {}

    standing.adopt([Roster(FOUR)], 50.0)

    assert standing.young == {C.key: 50.0, D.key: 50.0}
    assert standing.weight(C, 65.0) == 0.5
    assert standing.weight(A, 65.0) == 1.0


def test_who_leaves_while_it_is_young_is_forgotten() -> None:
    standing = a_standing(Roster((A,)))
    standing.adopt([Roster(FOUR)], 50.0)

    standing.adopt([Roster((A, B))], 51.0)

    assert standing.young == {B.key: 50.0}


def test_without_a_slow_start_nobody_is_young() -> None:
    """S5"""
    quick = offering("quick")
    standing = a_standing(Roster((quick,)))
    marked(standing, {quick: OUT})
    standing.clear(quick.key, "test", 1.0)

    assert (standing.young, standing.due) == ({}, NEVER)


def test_where_nobody_else_is_left_those_that_rest_are_tried_if_it_recovers() -> None:
    """H7: and before a panic; who is out stays out."""
    recovering, other = Roster(FOUR, recovers=True), Roster(FOUR)
    panicking = Roster(FOUR, 0.5, recovers=True)
    standing = a_standing(recovering, other, panicking)

    marked(standing, {A: RESTING, B: RESTING, C: OUT, D: DEGRADED})
    assert (ids(recovering), ids(other), ids(panicking)) == ("d", "d", "a b c d")
    marked(standing, {D: OUT})
    assert (ids(recovering), ids(other), ids(panicking)) == ("a b", "", "a b")
    marked(standing, {A: OUT, B: OUT})
    assert (ids(recovering), ids(other), ids(panicking)) == ("", "", "a b c d")
    assert panicking.panicking


def test_one_that_shall_begin_slowly_grows_to_its_weight() -> None:
    """H5 C5: from a tenth, whatever was against it before; without a slow start nothing happens."""
    standing = a_standing(Roster(FOUR))
    standing.begin_slowly(A.key, 100.0)
    assert [standing.weight(A, now) for now in (100.0, 115.0, 130.0)] == [0.1, 0.5, 1.0]
    assert standing.due == 130.0
    standing.pass_time(130.0)
    assert not standing.young

    at_once = offering("e")
    standing = a_standing(Roster((at_once,)))
    standing.begin_slowly(at_once.key, 100.0)
    assert not standing.young


def test_many_that_are_back_at_once_make_candidates_once() -> None:
    """C4: as many that go at once do: twenty times as many cost about twenty times as much."""

    def cost(count: int) -> int:
        endpoints = tuple(offering(f"e{at}") for at in range(count))
        roster = Roster(endpoints)
        standing = a_standing(roster)
        for endpoint in endpoints:
            standing.mark(endpoint.key, "test", Mark(OUT, "ill", 10.0), 0.0)
        lines = lines_run(lambda: standing.pass_time(10.0))
        assert len(roster.candidates.endpoints) == count
        return lines

    assert cost(200) <= 30 * cost(10)


def test_a_mark_that_ends_costs_the_same_among_1000_as_among_10() -> None:
    """C4: neither those that last are looked through, nor those that are young."""

    def cost(count: int) -> int:
        endpoints = [offering(f"e{at}", slow_start_s=30.0) for at in range(count)]
        standing = a_standing(*(Roster((endpoint,)) for endpoint in endpoints))
        for at, endpoint in enumerate(endpoints):
            if at % 2:
                standing.begin_slowly(endpoint.key, 0.0)
            else:
                standing.mark(endpoint.key, "test", Mark(OUT, "ill", 1.0 + at), 0.0)
        return lines_run(lambda: standing.pass_time(1.0))

    assert cost(1000) == cost(10)


ENDS = st.sampled_from([0.5, 1.0, 1.0, 2.5, 7.0, NEVER])
STEPS: st.SearchStrategy[tuple[str, list[str], str, float]] = st.one_of(
    st.tuples(st.just("mark"), st.lists(st.sampled_from("abcd"), max_size=3), st.sampled_from("xy"), ENDS),
    st.tuples(st.just("mark_all"), st.lists(st.sampled_from("abcd"), max_size=4), st.just("x"), ENDS),
    st.tuples(st.just("clear"), st.lists(st.sampled_from("abcd"), max_size=3), st.sampled_from("xy"), ENDS),
    st.tuples(st.just("adopt"), st.lists(st.sampled_from("abcd"), max_size=4), st.just("x"), ENDS),
    st.tuples(st.just("pass"), st.just([]), st.just("x"), st.sampled_from([0.0, 0.3, 0.5, 1.0, 4.0, 40.0])),
)


@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_a_mark_lasts_as_long_as_it_says(
    steps: list[tuple[str, list[str], str, float]],
) -> None:
    """C4: and the next end is known exactly once time has passed."""
    roster = Roster(FOUR)
    standing = a_standing(roster)
    by_id = {endpoint.id: endpoint for endpoint in FOUR}
    expected: dict[tuple[str, str], float] = {}
    now = 0.0
    for what, names, cause, number in steps:
        keys = [by_id[name].key for name in names]
        if what == "adopt":
            roster = Roster(tuple(by_id[name] for name in sorted(set(names))))
            standing.renew([roster])
            standing.adopt([roster], now)
            expected = {pair: until for pair, until in expected.items() if pair[0] in keys}
        elif what == "clear":
            standing.clear_all(keys, cause, now)
            expected = {
                pair: end for pair, end in expected.items() if pair[0] not in keys or pair[1] != cause
            }
        elif what == "pass":
            now += number
        else:
            keys = [key for key in keys if standing.knows(key)]
            mark = Mark(OUT, "ill", now + number)
            if what == "mark_all":
                standing.mark_all(keys, cause, mark, now)
            else:
                for key in keys:
                    standing.mark(key, cause, mark, now)
            expected |= dict.fromkeys([(key, cause) for key in keys], mark.until)
        if now >= standing.due or what == "pass":
            standing.pass_time(now)
        expected = {pair: until for pair, until in expected.items() if until > now}

        marks = {
            (key, each): mark.until for key in standing.marked() for each, mark in standing.marks(key).items()
        }
        assert marks == expected
        away = {key for key, _ in expected}
        assert ids(roster) == " ".join(each.id for each in roster.listed if each.key not in away)
        young = [since + 30.0 for since in standing.young.values()]
        ends = [*expected.values(), *young]
        assert standing.due <= min(ends, default=NEVER)
        if what == "pass":
            assert standing.due == min(ends, default=NEVER)
