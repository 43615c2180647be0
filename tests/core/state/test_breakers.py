"""A breaker for each endpoint, in written time."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.breakers import CLOSED, HALF_OPEN, OPEN, Breakers
from sidecar.core.state.standing import HEALTHY, OUT, RESTING, Roster, Standing
from sidecar.core.state.tickets import Ticket, Tickets
from sidecar.core.state.verdict import Verdict
from sidecar.core.watch import BreakerRule
from tests.core.watched import RULE, watched

SERVED, FAILED, SILENT = Verdict.SERVED, Verdict.FAILED, Verdict.SILENT
(A,) = watched("a")


class Watching:
    """Breakers over a standing, asked as the engine asks them."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.standing = Standing()
        self.breakers = Breakers(self.standing)
        self.tickets = Tickets(0)
        self.reload(endpoints or (A,))

    def reload(self, endpoints: Iterable[Endpoint], now: float = 0.0) -> None:
        listed = tuple(endpoints)
        self.standing.adopt([Roster(listed)], now)
        self.breakers.keep_endpoints({endpoint.key for endpoint in listed})
        self.breakers.plan_changed(now)

    def pick(self, now: float, endpoint: Endpoint = A, fallbacks: tuple[Endpoint, ...] = ()) -> Ticket:
        self.standing.pass_time(now)
        ticket = self.tickets.open("main", "main", "main", endpoint, 1, now, 300.0, "GET", fallbacks)
        self.breakers.admitted(ticket, now)
        return ticket

    def end(self, ticket: Ticket, judged: Verdict, now: float, endpoint: Endpoint | None = None) -> None:
        self.tickets.close(ticket.id)
        self.breakers.ended(endpoint or ticket.endpoint, judged, -1.0, ticket, now)

    def ask(self, judged: Verdict, now: float, endpoint: Endpoint = A) -> Ticket:
        ticket = self.pick(now, endpoint)
        self.end(ticket, judged, now, endpoint)
        return ticket

    def trip(self, now: float = 0.0, endpoint: Endpoint = A) -> None:
        for _ in range(RULE.failures):
            self.ask(FAILED, now, endpoint)
        assert self.state(now, endpoint) == OPEN

    def state(self, now: float, endpoint: Endpoint = A) -> int:
        return self.breakers.state(endpoint.key, now)

    def level(self, now: float, endpoint: Endpoint = A) -> int:
        self.standing.pass_time(now)
        return self.standing.level(endpoint.key)

    def why(self, endpoint: Endpoint = A) -> str:
        return self.standing.why(endpoint.key)


def by(rule: BreakerRule) -> Watching:
    (endpoint,) = watched("a", rule)
    watching = Watching()
    watching.reload([endpoint])
    return watching


def test_so_many_failures_in_a_row_open_it() -> None:
    """H5"""
    watching = Watching()
    for judged in (FAILED, FAILED, SERVED, FAILED, FAILED):
        watching.ask(judged, 1.0)
    assert watching.state(1.0) == CLOSED
    assert not watching.breakers.not_closed

    watching.ask(FAILED, 1.0)

    assert watching.state(1.0) == OPEN
    assert watching.why() == "breaker open: 3 failures in a row"
    assert watching.standing.until(A.key) == 11.0
    assert watching.breakers.opened == 1


def test_what_says_nothing_breaks_no_row() -> None:
    """H5: a cancelled request is neither a success nor a failure."""
    watching = Watching()
    for judged in (FAILED, FAILED, SILENT, FAILED):
        watching.ask(judged, 1.0)
    assert watching.state(1.0) == OPEN


@pytest.mark.parametrize("last", [SERVED, FAILED])
def test_too_small_a_share_of_served_opens_it(last: Verdict) -> None:
    """H5: under 95 % of at least 20, whoever was the last of them."""
    watching = by(BreakerRule(failures=0, success_rate=0.95, requests=20, window_s=10.0))
    for judged in (FAILED, FAILED if last is SERVED else SERVED, *[SERVED] * 17):
        watching.ask(judged, 1.0)
    assert watching.state(1.0) == CLOSED, "19 are too few to conclude from"

    watching.ask(last, 1.0)

    assert watching.state(1.0) == OPEN
    assert watching.why() == "breaker open: 90% of 20 were served, less than 95%"


def test_a_share_that_is_just_enough_leaves_it_closed() -> None:
    """H5: 19 of 20 are 95 %."""
    watching = by(BreakerRule(failures=0, success_rate=0.95, requests=20, window_s=10.0))
    for judged in (FAILED, *[SERVED] * 100):
        watching.ask(judged, 1.0)
    assert watching.state(1.0) == CLOSED


def test_failures_that_are_long_ago_count_no_more() -> None:
    """H5"""
    watching = by(BreakerRule(failures=0, success_rate=0.9, requests=4, window_s=10.0))
    for now in (0.0, 1.0, 2.0):
        watching.ask(FAILED, now)
    for _ in range(10):
        watching.ask(SERVED, 20.0)
    assert watching.state(20.0) == CLOSED


def test_open_rests_then_may_be_tried_for_want_of_others_then_by_everybody() -> None:
    """H5 H7: a tenth of the time it is out, and then resting, until its time is over."""
    watching = Watching()
    watching.trip(0.0)
    assert [watching.level(now) for now in (0.0, 0.9, 1.0, 9.9, 10.0)] == [
        OUT,
        OUT,
        RESTING,
        RESTING,
        HEALTHY,
    ]
    assert watching.state(10.0) == HALF_OPEN


def test_half_open_lets_so_many_through_and_closes_when_enough_were_served() -> None:
    """H5: three trials, of which two have to be served."""
    watching = Watching()
    watching.trip(0.0)

    trials = [watching.pick(10.0) for _ in range(3)]
    assert all(trial.trial for trial in trials)
    assert watching.level(10.0) == OUT
    assert watching.why() == "breaker half-open: all 3 trials are under way"
    assert watching.pick(10.1).trial == 0, "one more, for want of others, is no trial"

    watching.end(trials[0], SERVED, 10.2)
    watching.end(trials[1], FAILED, 10.3)
    assert watching.state(10.3) == HALF_OPEN
    watching.end(trials[2], SERVED, 10.4)

    assert watching.state(10.4) == CLOSED
    assert watching.level(10.4) == HEALTHY
    assert not watching.standing.marked()


def test_too_many_failed_trials_open_it_for_twice_as_long_up_to_a_bound() -> None:
    """H5: 10 s, then 20, 40 and 40; and 10 again after it had closed."""
    watching = Watching()
    watching.trip(0.0)
    now = 0.0
    for open_s in (10.0, 20.0, 40.0, 40.0):
        assert watching.standing.until(A.key) == now + open_s
        now += open_s
        trials = [watching.pick(now) for _ in range(3)]
        watching.end(trials[0], FAILED, now)
        assert watching.state(now) == HALF_OPEN, "two of three may still be served"
        watching.end(trials[1], FAILED, now)
        assert watching.state(now) == OPEN
        assert watching.why() == "breaker open: 2 of 3 trials failed"
    now += 40.0
    for _ in range(2):
        watching.ask(SERVED, now)
    assert watching.state(now) == CLOSED

    watching.trip(now + 1.0)
    assert watching.standing.until(A.key) == now + 11.0


def test_a_late_reply_from_before_the_trip_changes_nothing() -> None:
    """H5: the generation guard."""
    watching = Watching()
    slow = [watching.pick(0.0) for _ in range(10)]
    watching.trip(0.1)

    watching.end(slow[0], SERVED, 5.0)
    assert watching.state(5.0) == OPEN
    watching.end(slow[1], SERVED, 10.0)
    for _ in range(2):
        watching.ask(SERVED, 11.0)
    assert watching.state(11.0) == CLOSED
    for late in slow[2:]:
        watching.end(late, FAILED, 12.0)
    assert watching.state(12.0) == CLOSED


def test_a_late_trial_of_an_earlier_generation_changes_nothing() -> None:
    """H5"""
    watching = Watching()
    watching.trip(0.0)
    first = [watching.pick(10.0) for _ in range(3)]
    watching.end(first[0], FAILED, 10.1)
    watching.end(first[1], FAILED, 10.1)
    second = [watching.pick(31.0) for _ in range(2)]

    watching.end(first[2], FAILED, 31.1)
    assert watching.breakers.trials(A.key) == 2
    watching.end(second[0], SERVED, 31.2)
    watching.end(second[1], SERVED, 31.2)

    assert watching.state(31.2) == CLOSED


def test_a_trial_of_which_nobody_can_tell_gives_its_place_back() -> None:
    """H5: a client that goes away, and a report that never comes."""
    watching = Watching()
    watching.trip(0.0)
    trials = [watching.pick(10.0) for _ in range(3)]
    assert watching.level(10.0) == OUT

    watching.end(trials[0], SILENT, 10.1)

    assert watching.level(10.1) == HEALTHY
    assert watching.pick(10.2).trial
    assert watching.level(10.2) == OUT
    assert watching.pick(10.3).trial == 0


def test_trials_that_never_end_do_not_block_it_for_ever() -> None:
    """H5: each gives up its place after five seconds, however long the breaker is open."""
    watching = Watching()
    watching.trip(0.0)
    for at in (10.0, 11.0, 12.0):
        assert watching.pick(at).trial
    assert watching.pick(14.9).trial == 0
    assert watching.level(14.9) == OUT
    assert watching.standing.until(A.key) == 15.0

    assert watching.level(15.0) == HEALTHY
    assert watching.breakers.left(A.key, 15.0) == 2, "its own place, and one more"
    assert [watching.pick(15.0).trial > 0 for _ in range(3)] == [True, True, False]
    assert watching.level(15.0) == OUT
    assert watching.standing.until(A.key) == 16.0


def test_places_double_while_nothing_ends_up_to_a_bound() -> None:
    """H5: so that whoever stalls has to stall ever more at once; 16 times half_open is the most."""
    watching = Watching()
    watching.trip(0.0)
    given = []
    for now in (10.0, 15.0, 20.0, 25.0, 30.0, 35.0):
        count = 0
        while watching.level(now) == HEALTHY:
            count += watching.pick(now).trial > 0
        given.append(count)
    assert given == [3, 6, 12, 24, 48, 48]


def test_a_place_is_held_as_long_however_short_the_breaker_is_open() -> None:
    """H5: else one that hangs would get ever more requests before the first of them times out."""
    watching = by(BreakerRule(failures=3, open_s=0.5, half_open=1, close_after=1))
    watching.trip(0.0)
    watching.pick(2.0)
    assert watching.standing.until(A.key) == 7.0


@pytest.mark.parametrize(("judged", "state"), [(SERVED, CLOSED), (FAILED, OPEN)])
def test_trials_that_take_longer_than_their_place_is_held_count_as_they_end(
    judged: Verdict, state: int
) -> None:
    """H5: else streams that last longer than the breaker was open would leave it half-open for ever."""
    watching = Watching()
    watching.trip(0.0)
    long = [watching.pick(10.0) for _ in range(3)]
    assert all(watching.pick(15.0 + each).trial for each in range(3))

    watching.end(long[0], judged, 40.0)
    assert watching.state(40.0) == HALF_OPEN
    watching.end(long[1], judged, 41.0)

    assert watching.state(41.0) == state


def test_a_late_word_gives_back_no_place_of_another() -> None:
    """H5: a trial that lost its place, and of which nobody can tell, does not make room twice."""
    watching = Watching()
    watching.trip(0.0)
    lost = [watching.pick(10.0) for _ in range(3)]
    for _ in range(6):
        watching.pick(15.0)
    assert watching.level(15.5) == OUT

    for ticket in lost:
        watching.end(ticket, SILENT, 16.0)

    assert watching.level(16.0) == OUT
    assert watching.pick(16.0).trial == 0


def test_after_late_words_it_is_out_until_there_is_room_again() -> None:
    """H5: two late words take the places that their trials left to others."""
    watching = by(BreakerRule(failures=3, open_s=10.0, half_open=4, close_after=2))
    watching.trip(0.0)
    late = [watching.pick(10.0) for _ in range(4)]
    for at in (15.0, 15.1, *[16.0] * 6):
        assert watching.pick(at).trial
    watching.end(late[0], SERVED, 18.0)
    watching.end(late[1], FAILED, 18.0)
    watching.end(late[2], FAILED, 18.0)
    assert watching.state(18.0) == HALF_OPEN

    assert watching.standing.until(A.key) == 20.1, "the place that ends at 20 makes two, and three are owed"
    assert watching.level(20.05) == OUT
    assert watching.pick(20.05).trial == 0
    assert watching.level(20.1) == HEALTHY
    assert watching.pick(20.1).trial


def test_a_client_that_stalls_keeps_a_healthy_endpoint_out_for_a_bounded_time() -> None:
    """H5: fifty requests a second never end, and after every fifth, at once, comes an honest one."""
    watching = Watching()
    watching.trip(0.0)
    now, number = 10.0, 0
    while watching.state(now) != CLOSED:
        assert now < 30.0, "it would be out for ever"
        number += 1
        honest = number % 6 == 0
        now += 0.0001 if honest else 0.02
        if watching.level(now) == HEALTHY:
            ticket = watching.pick(now)
            if honest:
                watching.end(ticket, SERVED, now)


def test_who_is_tried_early_for_want_of_others_is_half_open_at_once() -> None:
    """H7"""
    watching = Watching()
    watching.trip(0.0)

    assert watching.pick(0.5).trial == 0, "it is at rest: only a panic asks it"
    assert watching.state(0.5) == OPEN
    assert watching.pick(1.0).trial

    assert watching.state(1.0) == HALF_OPEN
    assert watching.level(1.0) == HEALTHY


def test_what_a_panic_asks_of_one_that_is_at_rest_says_nothing() -> None:
    """H7: else a failing endpoint would be open for the longest time at once."""
    watching = Watching()
    watching.trip(0.0)
    for _ in range(10):
        watching.ask(FAILED, 0.5)
        watching.ask(SERVED, 0.5)

    assert watching.state(0.5) == OPEN
    assert watching.standing.until(A.key) == 10.0


def test_who_is_only_ever_a_fallback_recovers_as_its_attempts_end() -> None:
    """H5 F1: naming it takes no place of a trial; being asked does."""
    a, b = watched("ab")
    watching = Watching(a, b)
    watching.trip(0.0, b)
    early = watching.pick(0.5, a, (b,))
    named = [watching.pick(10.0, a, (b,)) for _ in range(5)]
    assert watching.breakers.trials(b.key) == 0

    for _ in range(3):
        watching.breakers.ended(b, SERVED, -1.0, early, 10.1)
    assert watching.breakers.trials(b.key) == 0, "it was named while nobody should ask it"
    for ticket in named[:2]:
        watching.breakers.ended(a, FAILED, -1.0, ticket, 10.2)
        watching.breakers.ended(b, SERVED, -1.0, ticket, 10.2)
    assert watching.state(10.2, b) == CLOSED


def test_a_fallback_that_fails_when_asked_again_opens_again() -> None:
    """H5 F1"""
    a, b = watched("ab")
    watching = Watching(a, b)
    watching.trip(0.0, b)
    named = [watching.pick(10.0, a, (b,)) for _ in range(5)]

    for ticket in named:
        watching.breakers.ended(b, FAILED, -1.0, ticket, 10.2)

    assert watching.state(10.2, b) == OPEN
    assert watching.standing.until(b.key) == 30.2
    assert watching.breakers.opened == 2


def test_slow_start_begins_when_it_closes() -> None:
    """H5 C5: not when it was tried."""
    (slow,) = watched("a", slow_start_s=30.0)
    watching = Watching(slow)
    watching.trip(0.0, slow)
    watching.ask(SERVED, 15.0, slow)
    watching.ask(SERVED, 20.0, slow)

    assert watching.state(20.0, slow) == CLOSED
    assert watching.standing.young == {slow.key: 20.0}
    assert watching.standing.due <= 50.0


def test_a_reload_keeps_it_and_its_trials() -> None:
    """H5: by the name of the endpoint, whatever else is new."""
    watching = Watching()
    watching.trip(0.0)
    same = watched("ab")
    watching.reload(same, 5.0)
    assert watching.level(5.0) == RESTING

    trials = [watching.pick(10.0, same[0]) for _ in range(2)]
    watching.reload(watched("ba"), 10.1)
    for trial in trials:
        watching.end(trial, SERVED, 10.2)
    assert watching.state(10.2) == CLOSED


def test_an_endpoint_that_goes_leaves_nothing_behind() -> None:
    """H5"""
    a, b = watched("ab")
    watching = Watching(a, b)
    watching.trip(0.0, a)
    watching.ask(SERVED, 0.0, b)
    late = watching.pick(10.0, a)
    watching.breakers.changed()

    watching.reload([], 11.0)

    assert len(watching.breakers) == 0
    assert not watching.breakers.not_closed
    assert not watching.standing.marked()
    assert watching.breakers.changed() == {a.key}, "a store is told"
    watching.end(late, FAILED, 12.0)
    assert len(watching.breakers) == 0

    watching.reload([a, b], 13.0)
    assert watching.state(13.0, a) == CLOSED


def test_a_trial_says_nothing_of_an_endpoint_that_went_and_came_back() -> None:
    """H5: generations differ, however young its new breaker is."""
    watching = Watching()
    watching.trip(0.0)
    old = [watching.pick(10.0) for _ in range(2)]
    watching.reload([], 11.0)
    watching.reload([A], 12.0)
    watching.trip(12.0)
    watching.pick(22.0)

    for ticket in old:
        watching.end(ticket, SERVED, 22.1)

    assert watching.state(22.1) == HALF_OPEN


def test_without_its_rule_a_breaker_closes_and_is_forgotten() -> None:
    """H5: a reload took `breaker` out of the file."""
    watching = Watching()
    watching.trip(0.0)

    watching.reload(watched("a", None), 1.0)

    assert watching.level(1.0) == HEALTHY
    assert len(watching.breakers) == 0
    for _ in range(10):
        watching.ask(FAILED, 2.0)
    assert watching.level(2.0) == HEALTHY


def test_rules_that_a_reload_changed_count_from_then_on() -> None:
    """H5"""
    watching = Watching()
    watching.ask(FAILED, 0.0)
    watching.ask(FAILED, 0.0)
    watching.reload(watched("a", BreakerRule(failures=2, open_s=5.0, most_open_s=5.0)), 1.0)
    watching.ask(FAILED, 2.0)
    assert watching.state(2.0) == CLOSED, "what was counted by the former rule counts no more"
    watching.ask(FAILED, 2.0)
    assert watching.standing.until(A.key) == 7.0

    watching.reload(watched("a", BreakerRule(open_s=1.0, most_open_s=3.0, half_open=1, close_after=1)), 3.0)
    assert watching.standing.until(A.key) == 5.0, "no longer than it may be"
    watching.pick(5.0)
    assert watching.why() == "breaker half-open: its only trial is under way"

    trial = watching.pick(6.0)
    watching.reload(watched("a"), 6.1)
    assert watching.level(6.1) == HEALTHY, "by the new rule there is room for three"
    watching.end(trial, SERVED, 6.2)
    assert watching.breakers.trials(A.key) == 0


def test_a_row_for_a_store_brings_it_back_after_a_restart() -> None:
    """H5: how long it is open yet, less the time that nobody was there."""
    before = Watching()
    before.trip(0.0)
    assert before.breakers.changed() == {A.key}
    row = before.breakers.row(A.key, 4.0)
    assert row == [6.0, 20.0]

    after = Watching()
    after.breakers.restore(A.key, row, 2.0, 100.0)

    assert after.level(100.0) == OUT
    assert after.why() == "breaker open: it was open before the restart"
    assert after.standing.until(A.key) == 104.0
    for _ in range(2):
        after.ask(FAILED, 104.0)
    assert after.standing.until(A.key) == 124.0, "twice as long as before the restart"


def test_one_that_was_half_open_is_tried_at_once_after_a_restart() -> None:
    """H5"""
    before = Watching()
    before.trip(0.0)
    before.pick(10.0)
    row = before.breakers.row(A.key, 10.0)
    assert row is not None
    after = Watching()

    after.breakers.restore(A.key, row, 0.0, 0.0)

    assert after.level(0.0) == HEALTHY
    assert after.state(0.0) == HALF_OPEN
    assert after.pick(0.0).trial
    assert before.breakers.row("shop/unknown", 0.0) is None


@pytest.mark.parametrize(
    "row", [[], [1.0], [1.0, 2.0, 3.0], [-1.0, 1.0], [float("nan"), 1.0], [float("inf"), 1.0]]
)
def test_a_row_that_is_none_is_refused(row: list[float]) -> None:
    """H5"""
    with pytest.raises(ValueError, match="not a breaker"):
        Watching().breakers.restore(A.key, row, 0.0, 0.0)


def test_a_row_of_an_endpoint_without_a_breaker_counts_for_nothing() -> None:
    """H5"""
    watching = Watching(*watched("a", None))
    watching.breakers.restore(A.key, [5.0, 10.0], 0.0, 0.0)
    assert len(watching.breakers) == 0
    assert watching.level(0.0) == HEALTHY


EVENTS = st.one_of(
    st.tuples(st.just("pick"), st.sampled_from("ab"), st.just(0)),
    st.tuples(st.just("pick"), st.sampled_from("ab"), st.just(0)),
    st.tuples(st.just("end"), st.sampled_from(["served", "failed", "failed", "silent"]), st.integers(0, 5)),
    st.tuples(st.just("end"), st.sampled_from(["served", "failed", "failed", "silent"]), st.integers(0, 5)),
    st.tuples(st.just("fallback"), st.sampled_from(["served", "failed"]), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.just(""), st.integers(1, 60)),
    st.tuples(st.just("reload"), st.sampled_from(["ab", "a", "b", "", "changed", "none"]), st.just(0)),
)
RULES = st.sampled_from(
    [
        BreakerRule(failures=2, open_s=2.0, most_open_s=8.0, half_open=3, close_after=2),
        BreakerRule(failures=1, open_s=1.0, most_open_s=1.0, half_open=1, close_after=1),
        BreakerRule(failures=0, success_rate=0.6, requests=3, window_s=5.0, open_s=3.0, half_open=2),
    ]
)


class AnyOrder:
    """Plays events on two endpoints, and looks whether all agrees after each."""

    def __init__(self, rule: BreakerRule, other: BreakerRule) -> None:
        self._rules = {"changed": other, "none": None}
        self._usual = rule
        self._rule: BreakerRule | None = rule
        self._listed = {each.id: each for each in watched("ab", rule)}
        self._watching = Watching(*self._listed.values())
        self._open: list[Ticket] = []
        self._now = 0.0

    def pick(self, which: str) -> None:
        if which in self._listed:
            others = tuple(each for name, each in self._listed.items() if name != which)
            ticket = self._watching.pick(self._now, self._listed[which], others)
            self._open.append(ticket)

    def end(self, judged: str, number: int) -> None:
        if self._open:
            ticket = self._open.pop(number % len(self._open))
            self._watching.end(ticket, Verdict(judged), self._now)
            assert ticket.trial == 0

    def fall_back(self, judged: str, number: int) -> None:
        if self._open:
            ticket = self._open.pop(number % len(self._open))
            self._watching.end(ticket, FAILED, self._now)
            for endpoint in ticket.fallbacks:
                self._watching.breakers.ended(endpoint, Verdict(judged), -1.0, ticket, self._now)

    def wait(self, eighths: int) -> None:
        self._now += eighths / 8

    def reload(self, which: str) -> None:
        self._rule = self._rules.get(which, self._usual)
        self._listed = {each.id: each for each in watched(which if len(which) < 3 else "ab", self._rule)}
        self._watching.reload(self._listed.values(), self._now)

    def agrees(self) -> None:
        breakers, standing = self._watching.breakers, self._watching.standing
        standing.pass_time(self._now)
        keys = {each.key for each in self._listed.values()}
        for key, breaker in breakers.not_closed.items():
            held = sum(until > self._now for until in breaker.places)
            assert held <= 16 * breaker.rule.half_open, key
            assert list(breaker.places) == sorted(breaker.places)
        assert set(breakers.not_closed) <= keys
        assert len(breakers) <= len(keys)
        for key in keys:
            state, level = breakers.state(key, self._now), standing.level(key)
            if state == CLOSED:
                assert not standing.marks(key), "a closed one has nothing against it"
                continue
            assert self._rule is not None
            if state == OPEN:
                assert level in {OUT, RESTING}
            elif level == OUT:
                assert breakers.left(key, self._now) == 0, "somebody else may try"
            else:
                assert level == HEALTHY
                assert breakers.left(key, self._now) > 0, "nobody may, and all are sent there"

    def is_over(self) -> None:
        self._watching.reload([], self._now)
        assert len(self._watching.breakers) == 0
        assert not self._watching.breakers.not_closed
        assert not self._watching.standing.marked()


@settings(max_examples=300, deadline=None)
@given(RULES, RULES, st.lists(EVENTS, max_size=80))
def test_whatever_happens_trials_are_bounded_and_marks_agree_with_states(
    rule: BreakerRule, other: BreakerRule, events: list[tuple[str, str, int]]
) -> None:
    """H5: for any order of requests, ends, waits and reloads, no more trials hold places than may."""
    play = AnyOrder(rule, other)
    for what, which, number in events:
        match what:
            case "pick":
                play.pick(which)
            case "end":
                play.end(which, number)
            case "fallback":
                play.fall_back(which, number)
            case "wait":
                play.wait(number)
            case _:
                play.reload(which)
        play.agrees()
    play.is_over()
