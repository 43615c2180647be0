"""What each endpoint was given in the last minute, and who has had all it may have."""

from collections.abc import Mapping

import pytest

from sidecar.core.endpoint import Offer
from sidecar.core.outcome import LOST, Failure, Outcome
from sidecar.core.state.quotas import UNLIMITED, Quotas
from sidecar.core.state.reports import UNKNOWN
from sidecar.core.state.standing import DEGRADED, HEALTHY, SPENT, Roster, Standing
from sidecar.core.state.tickets import Ticket, Tickets
from tests.core.limited import an_offer, limited

OK = Outcome(200, 0.1)


class Scene:
    """One learner, told of tickets by hand."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self.standing = Standing()
        self.quotas = Quotas(self.standing)
        self.tickets = Tickets(0)
        self.plan(offers, 0.0)

    def plan(self, offers: Mapping[str, Offer], now: float) -> None:
        self.endpoints = {endpoint.id: endpoint for endpoint in limited(offers)}
        self.standing.adopt([Roster(tuple(self.endpoints.values()))], now)
        self.quotas.keep_endpoints({endpoint.key for endpoint in self.endpoints.values()})
        self.quotas.plan_changed(now)

    def admit(self, id: str, now: float, tokens: int = 0, *fallbacks: str) -> Ticket:
        ticket = self.tickets.open(
            "main",
            "main",
            "main",
            self.endpoints[id],
            1,
            now,
            300.0,
            "GET",
            [self.endpoints[each] for each in fallbacks],
            tokens,
        )
        self.quotas.admitted(ticket, now)
        return ticket

    def given(self, id: str, now: float) -> tuple[int, int]:
        """Requests and tokens that count now; 0 where there is no limit."""
        offer, key = self.endpoints[id].offer, f"shop/{id}"
        requests, tokens = offer.requests_per_minute, offer.tokens_per_minute
        return (
            requests - self.quotas.requests_left(key, now) if requests else 0,
            tokens - self.quotas.tokens_left(key, now) if tokens else 0,
        )

    def level(self, id: str, now: float) -> int:
        self.standing.pass_time(now)
        return self.standing.level(f"shop/{id}")


def test_the_share_that_is_used_is_that_of_requests_or_of_tokens_whichever_is_more() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(10, 1000)})

    scene.admit("a", 0.0, 50)
    assert scene.quotas.used("shop/a", 0.0) == 0.1
    scene.admit("a", 0.0, 450)
    assert scene.quotas.used("shop/a", 0.0) == 0.5


def test_nothing_is_known_of_who_has_no_limits() -> None:
    """Q5"""
    scene = Scene({"a": an_offer()})
    scene.admit("a", 0.0, 50)

    assert scene.quotas.used("shop/a", 0.0) == UNKNOWN
    assert scene.quotas.tokens_left("shop/a", 0.0) == UNLIMITED
    assert scene.quotas.requests_left("shop/b", 0.0) == UNLIMITED
    assert len(scene.quotas) == 0
    assert not scene.quotas.short(UNLIMITED)


@pytest.mark.parametrize("came_at", [0.0, 0.5, 0.999])
def test_a_request_counts_for_60_seconds_at_least_and_61_at_most(came_at: float) -> None:
    """Q5"""
    scene = Scene({"a": an_offer(10)})
    scene.admit("a", came_at)

    assert scene.given("a", came_at + 60.0)[0] == 1
    assert scene.given("a", came_at + 61.0)[0] == 0


def test_reading_is_the_same_whether_or_not_something_was_admitted_since() -> None:
    """Q5: what is read at a later time is what is left then; and reading changes nothing."""
    scene = Scene({"a": an_offer(100)})
    for second in range(30):
        scene.admit("a", float(second))

    assert [scene.given("a", float(now))[0] for now in (29, 60, 61, 75, 89, 90, 1000)] == [
        30, 30, 29, 15, 1, 0, 0,
    ]  # fmt: skip
    assert scene.given("a", 29.0)[0] == 30


def test_who_has_had_all_is_out_until_enough_has_left() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(3)})
    for now in (0.2, 5.0, 5.5):
        assert scene.level("a", now) == HEALTHY
        scene.admit("a", now)

    assert scene.level("a", 5.5) == SPENT
    assert scene.standing.why("shop/a") == "it has had its 3 requests of this minute"
    assert scene.level("a", 60.9) == SPENT
    assert scene.level("a", 61.0) == HEALTHY
    scene.admit("a", 61.0)
    assert scene.level("a", 65.9) == SPENT
    assert scene.level("a", 66.0) == HEALTHY


def test_who_had_all_comes_back_with_a_twentieth_of_the_limit() -> None:
    """Q5: one that came back for each request would make the candidates anew for each."""
    scene = Scene({"a": an_offer(200)})
    for at in range(200):
        scene.admit("a", at / 20)  # 20 a second
    assert scene.level("a", 10.0) == SPENT

    assert scene.level("a", 60.99) == SPENT
    assert scene.level("a", 61.0) == HEALTHY
    for _ in range(20):
        scene.admit("a", 61.0)
    assert scene.level("a", 61.0) == SPENT


def test_who_has_had_all_tokens_is_out_too() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(0, 1000)})
    scene.admit("a", 0.0, 999)
    assert scene.level("a", 0.0) == HEALTHY

    scene.admit("a", 1.0, 1)

    assert scene.level("a", 1.0) == SPENT
    assert scene.standing.why("shop/a") == "it has had its 1000 tokens of this minute"
    assert scene.level("a", 61.0) == HEALTHY


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Outcome(200), (1, 500)),
        (Outcome(200, tokens=120), (1, 120)),
        (Outcome(200, tokens=0), (1, 0)),
        (Outcome(200, tokens=900), (1, 900)),
        (Outcome(503), (1, 500)),
        (Outcome(0, failure=Failure.TIMEOUT), (1, 500)),
        (Outcome(0, failure=Failure.CANCELLED), (1, 500)),
        (Outcome(0, failure=Failure.RESET, tokens=80), (1, 80)),
        (LOST, (1, 500)),
        (Outcome(0, failure=Failure.CONNECTION), (0, 0)),
        (Outcome(429, failure=Failure.REFUSED), (0, 0)),
    ],
)
def test_an_outcome_puts_what_was_used_in_the_place_of_the_estimate(
    outcome: Outcome, counted: tuple[int, int]
) -> None:
    """Q5: what nobody tells stays as estimated, and who never came gives all back."""
    scene = Scene({"a": an_offer(10, 1000)})
    ticket = scene.admit("a", 0.0, 500)

    scene.quotas.settled(ticket, outcome, 30.0)

    assert scene.given("a", 30.0) == counted
    assert scene.given("a", 60.0) == counted
    assert scene.given("a", 61.0) == (0, 0)


def test_what_is_given_back_brings_an_endpoint_back_at_once() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(0, 1000)})
    ticket = scene.admit("a", 0.0, 1000)
    assert scene.level("a", 2.0) == SPENT

    scene.quotas.settled(ticket, Outcome(200, tokens=100), 2.0)

    assert scene.level("a", 2.0) == HEALTHY
    assert scene.given("a", 2.0) == (0, 100)


def test_what_is_given_back_in_part_brings_it_back_sooner() -> None:
    """Q5: 40 of 1,000 free are less than a twentieth, until the 20 of the first second leave."""
    scene = Scene({"a": an_offer(0, 1000)})
    scene.admit("a", 0.0, 20)
    scene.admit("a", 10.0, 800)
    ticket = scene.admit("a", 20.0, 180)
    assert scene.level("a", 61.0) == SPENT

    scene.quotas.settled(ticket, Outcome(200, tokens=140), 30.0)

    assert scene.level("a", 60.9) == SPENT
    assert scene.level("a", 61.0) == HEALTHY


def test_more_than_was_estimated_puts_an_endpoint_out() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(0, 1000)})
    ticket = scene.admit("a", 0.0, 100)

    scene.quotas.settled(ticket, Outcome(200, tokens=1500), 2.0)

    assert scene.level("a", 2.0) == SPENT
    assert scene.quotas.used("shop/a", 2.0) == 1.5
    assert scene.quotas.tokens_left("shop/a", 2.0) == -500
    assert scene.level("a", 61.0) == HEALTHY


def test_what_a_long_answer_took_beyond_the_estimate_counts_from_its_end() -> None:
    """Q5: the second in which it was admitted has left, with what was reserved."""
    scene = Scene({"a": an_offer(0, 1000)})
    long = scene.admit("a", 0.0, 100)
    short = scene.admit("a", 0.0, 100)

    scene.quotas.settled(long, Outcome(200, tokens=400), 90.0)
    scene.quotas.settled(short, Outcome(200, tokens=10), 90.0)

    assert scene.given("a", 90.0) == (0, 300)
    assert scene.given("a", 151.0) == (0, 0)


def test_a_retry_counts_where_it_went() -> None:
    """Q5: nobody reserved anything at the fallback; the first keeps what it was sent."""
    scene = Scene({"a": an_offer(10, 1000), "b": an_offer(10, 1000), "c": an_offer(10, 1000)})
    ticket = scene.admit("a", 0.0, 200, "b", "c")

    scene.quotas.settled(ticket, Outcome(200, served="10.0.0.3:80", attempts=3, tokens=150), 1.0)

    assert [scene.given(each, 1.0) for each in "abc"] == [(1, 200), (1, 0), (1, 150)]


def test_each_attempt_is_a_request_where_it_went_over_and_over() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(10), "b": an_offer(10)})
    for outcome in (
        Outcome(503, attempts=4),
        Outcome(0, failure=Failure.CONNECTION, attempts=2),
        Outcome(503, attempts=2**32),
    ):
        scene.quotas.settled(scene.admit("a", 0.0, 0, "b"), outcome, 0.0)

    assert [scene.given(each, 0.0)[0] for each in "ab"] == [2 + 1 + 8, 2 + 1 + 8]


def test_a_retry_takes_what_was_estimated_where_nobody_tells_more() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(), "b": an_offer(10, 1000)})
    ticket = scene.admit("a", 0.0, 200, "b")

    scene.quotas.settled(ticket, Outcome(200, served="10.0.0.2:80", attempts=2), 1.0)

    assert scene.given("b", 1.0) == (1, 200)


def test_above_its_quota_threshold_an_endpoint_is_degraded() -> None:
    """C5: what it was given counts as what it reports."""
    scene = Scene({"a": an_offer(10, quota=0.5)})
    for at in range(5):
        scene.admit("a", float(at))
    assert scene.level("a", 4.0) == HEALTHY

    scene.admit("a", 5.0)

    assert scene.level("a", 5.0) == DEGRADED
    assert scene.level("a", 60.9) == DEGRADED
    assert scene.level("a", 61.0) == HEALTHY
    for at in range(5):
        scene.admit("a", 61.0 + at / 10)
    assert scene.level("a", 61.5) == SPENT
    assert scene.level("a", 62.0) == HEALTHY  # its marks are over; the next request finds it above the half
    scene.admit("a", 62.0)
    assert scene.level("a", 62.0) == SPENT


def test_a_new_plan_brings_new_limits_and_what_was_given_stays() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(10), "b": an_offer(10)})
    for _ in range(6):
        scene.admit("a", 0.0)

    scene.plan({"a": an_offer(5), "b": an_offer(5)}, 10.0)
    assert [scene.level(each, 10.0) for each in "ab"] == [SPENT, HEALTHY]
    assert scene.quotas.used("shop/a", 10.0) == 1.2

    scene.plan({"a": an_offer(20), "b": an_offer(5)}, 20.0)
    assert scene.level("a", 20.0) == HEALTHY
    assert scene.given("a", 20.0)[0] == 6

    scene.plan({"a": an_offer(6), "b": an_offer(5)}, 30.0)
    scene.plan({"a": an_offer(), "b": an_offer(5)}, 31.0)
    assert scene.level("a", 31.0) == HEALTHY
    assert scene.quotas.used("shop/a", 31.0) == UNKNOWN


def test_a_ticket_from_before_its_limit_gives_nothing_back() -> None:
    """Q5: it was not counted."""
    scene = Scene({"a": an_offer(10), "b": an_offer()})
    old = [scene.admit("a", 0.0), scene.admit("b", 0.0)]
    scene.plan({"a": an_offer(10, 1000), "b": an_offer(10, 1000)}, 0.0)
    for each in "ab":
        scene.admit(each, 0.0, 10)

    for ticket in old:
        scene.quotas.settled(ticket, Outcome(0, failure=Failure.CONNECTION), 1.0)
        scene.quotas.settled(ticket, Outcome(200, tokens=700), 1.0)

    assert [scene.given(each, 1.0) for each in "ab"] == [(2, 10), (1, 10)]


def test_who_leaves_the_plan_and_comes_back_has_had_what_it_was_given() -> None:
    """Q5: a reload and another one give nobody a second minute."""
    scene = Scene({"a": an_offer(5), "b": an_offer(5)})
    for _ in range(5):
        scene.admit("a", 0.0)

    scene.plan({"b": an_offer(5)}, 1.0)
    assert scene.level("a", 1.0) == HEALTHY, "nobody is told of who is not there"
    scene.plan({"a": an_offer(5), "b": an_offer(5)}, 2.0)

    assert scene.given("a", 2.0)[0] == 5
    assert scene.level("a", 2.0) == SPENT
    assert scene.level("a", 61.0) == HEALTHY


def test_a_limit_that_is_taken_away_and_set_again_has_been_used() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(5, 100)})
    scene.admit("a", 0.0, 70)

    scene.plan({"a": an_offer(5)}, 1.0)
    scene.plan({"a": an_offer()}, 2.0)
    assert scene.quotas.used("shop/a", 2.0) == UNKNOWN
    scene.plan({"a": an_offer(5, 100)}, 3.0)

    assert scene.given("a", 3.0) == (1, 70)


def test_endpoints_that_left_the_plan_are_forgotten_when_their_last_minute_is_over() -> None:
    """Q5"""
    scene = Scene({"a": an_offer(10), "b": an_offer(10), "never": an_offer(10), "free": an_offer(10)})
    late = [scene.admit("a", 0.0), scene.admit("a", 0.0)]
    scene.admit("free", 0.0)

    scene.plan({"b": an_offer(10), "free": an_offer()}, 1.0)
    assert len(scene.quotas) == 3
    scene.quotas.settled(late[0], Outcome(0, failure=Failure.CONNECTION), 2.0)
    scene.plan({"b": an_offer(10), "free": an_offer()}, 60.0)
    assert len(scene.quotas) == 3
    scene.plan({"b": an_offer(10), "free": an_offer()}, 61.0)
    scene.quotas.settled(late[1], Outcome(0, failure=Failure.CONNECTION), 62.0)

    assert len(scene.quotas) == 1
    assert scene.standing.marks("shop/a") == {}


def test_memory_is_that_of_endpoints_with_limits_whatever_they_are_given() -> None:
    """Q5: 61 numbers for each limit, after any number of requests."""
    scene = Scene({"a": an_offer(10**9, 10**9), "b": an_offer()})
    for at in range(20_000):
        ticket = scene.admit("ab"[at % 2], at / 10, at)
        scene.quotas.settled(ticket, Outcome(200, tokens=7), at / 10)

    assert len(scene.quotas) == 1
    assert scene.given("a", 1999.9) == (305, 305 * 7)  # 5 a second, in 61 seconds


def test_says_whether_anybody_may_be_short_of_tokens() -> None:
    """Q5: it may say so too often, for a second, and never too seldom."""
    scene = Scene({"a": an_offer(0, 1000), "b": an_offer(0, 500), "c": an_offer()})
    assert not scene.quotas.short(500)
    assert scene.quotas.short(501)

    ticket = scene.admit("a", 1.0, 800)
    assert not scene.quotas.short(200)
    assert scene.quotas.short(201)

    scene.quotas.settled(ticket, Outcome(200, tokens=0), 1.0)
    assert scene.quotas.short(201)  # until somebody looks again
    scene.admit("b", 2.0, 100)
    assert not scene.quotas.short(400)


def test_one_that_has_none_left_does_not_make_others_short() -> None:
    """Q5: it is no candidate; when it comes back, it has a twentieth of its limit."""
    scene = Scene({"a": an_offer(0, 1000), "b": an_offer(0, 1000)})
    scene.admit("a", 1.0, 1000)
    scene.admit("b", 1.0, 100)

    assert not scene.quotas.short(50)
    assert scene.quotas.short(51)
