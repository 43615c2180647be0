"""Breakers, and what becomes of requests while they are open, from the decision to the refusal."""

from collections import Counter

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.explanation import Explanation
from sidecar.core.filters.models import Models
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Reply
from sidecar.core.request import Request
from sidecar.core.retries import Retries
from sidecar.core.rules.facts import Fact
from sidecar.core.rules.fields import HeaderField
from sidecar.core.state.breakers import CLOSED, HALF_OPEN, OPEN
from sidecar.core.state.standing import GONE, OUT, Mark
from sidecar.core.strategies.failover import Failover, Link
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.watch import Watch
from tests.builders import ALWAYS, OK, a_request, decided, ticket_of
from tests.core.filters.asking import a_filtered_engine, offering
from tests.core.watched import a_watched_engine, a_watched_plan, watched

ERROR = Outcome(500, duration_s=0.01)
NAMES = {name: frozenset({name}) for name in "xy"}
SORRY = Reply("main", 503, (("content-type", "text/plain"),), "back soon")


def asked(engine: Engine, broken: str, now: float, request: Request | None = None) -> Decision | None:
    """One request, whose endpoint answers 500 if it is one of the broken; None when it is refused."""
    answer = engine.decide(request or a_request(), now)
    if not isinstance(answer, Decision):
        return None
    engine.settle(ticket_of(answer), ERROR if answer.endpoint.id in broken else OK, now)
    return answer


def given(engine: Engine, broken: str, now: float, times: int) -> Counter[str]:
    """How many requests each endpoint got; `-` are those that were refused."""
    decisions = [asked(engine, broken, now) for _ in range(times)]
    return Counter("-" if each is None else each.endpoint.id for each in decisions)


def a_pool(own: str, other: str, *, want: int, methods: frozenset[str] | None = None) -> Plan:
    """`own`, for which `other` stands in."""
    replica = Variant("replica", "main/otherwise", watched(other, cluster="replica"), RoundRobin(), "own")
    link = Link(replica.strategy, replica.pool, last=True, methods=methods)
    strategy = Failover(RoundRobin(), (link,))
    return a_watched_plan(watched(own), strategy=strategy, want=want, links=(replica,))


def test_a_failing_endpoint_gets_no_more_than_its_failures_and_then_its_trials() -> None:
    """H5: three failures, and each time that it is tried, two of three trials; never more."""
    engine = a_watched_engine(a_watched_plan(watched("abc")))

    assert given(engine, "a", 0.0, 300) == {"a": 3, "b": 148, "c": 149}
    assert given(engine, "a", 9.9, 100)["a"] == 0
    assert given(engine, "a", 10.0, 100)["a"] == 2
    assert given(engine, "a", 29.9, 100)["a"] == 0
    assert given(engine, "a", 30.0, 100)["a"] == 2
    assert engine.state.breakers.opened == 3

    healed = given(engine, "", 70.0, 300)
    assert healed["a"] >= 98, "its full share, but for the time of its trials"
    assert not engine.state.breakers.not_closed


def test_while_trials_are_under_way_others_get_the_requests() -> None:
    """H5: at most three at once, however many come before the first has ended."""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    given(engine, "a", 0.0, 10)

    held = [decided(engine, now=10.0) for _ in range(50)]

    trials = [each for each in held if each.endpoint.id == "a"]
    assert len(trials) == 3
    for each in trials[:2]:
        engine.settle(ticket_of(each), OK, 11.0)
    assert engine.state.breakers.state("shop/a", 11.0) == CLOSED


def test_a_lost_trial_gives_its_place_back_when_its_ticket_expires() -> None:
    """H5 H1"""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    given(engine, "a", 0.0, 10)
    for _ in range(50):
        decided(engine, now=10.0)
    assert engine.state.breakers.trials("shop/a") == 3

    engine.expire(1000.0)

    assert engine.state.breakers.trials("shop/a") == 0
    assert engine.state.breakers.state("shop/a", 1000.0) == HALF_OPEN


def test_the_attempts_that_failed_before_a_fallback_served_open_a_breaker() -> None:
    """H5 H1 F1: the client got its 200 each time."""
    engine = a_watched_engine(a_watched_plan(watched("ab"), want=2))
    for _ in range(20):
        decision = decided(engine, now=0.0)
        served = decision.endpoint
        attempts = 1
        if served.id == "a":
            served, attempts = decision.fallbacks[0], 2
        engine.settle(ticket_of(decision), Outcome(200, 0.01, served=served.address, attempts=attempts), 0.0)

    assert engine.state.breakers.state("shop/a", 0.0) == OPEN
    assert engine.state.breakers.state("shop/b", 0.0) == CLOSED


@pytest.mark.parametrize(
    "failure", [Failure.CANCELLED, Failure.REFUSED, Failure.LOST], ids=lambda failure: failure.value
)
def test_what_says_nothing_of_the_endpoint_opens_nothing(failure: Failure) -> None:
    """H5"""
    engine = a_watched_engine(a_watched_plan(watched("a")))
    for _ in range(20):
        engine.settle(ticket_of(decided(engine)), Outcome(0, failure=failure), 0.0)
    assert engine.state.breakers.state("shop/a", 0.0) == CLOSED


def test_with_nobody_left_those_that_rest_are_tried_then_the_request_is_refused() -> None:
    """H7: recovery through half-open first. Without a panic, a refusal that says so, and names nobody."""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    assert given(engine, "ab", 0.0, 20) == {"a": 3, "b": 3, "-": 14}

    refusal = engine.decide(a_request(), 0.5)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.status) == (Reason.NO_HEALTHY_ENDPOINT, 503)
    assert refusal.message == "no endpoint of this route is healthy"

    assert given(engine, "ab", 1.0, 20) == {"a": 2, "b": 2, "-": 16}, "after a tenth of the time: trials"
    assert given(engine, "b", 3.0, 20)["a"] >= 12, "a recovered, and has all that came after"
    assert engine.state.breakers.state("shop/a", 3.0) == CLOSED
    assert engine.state.breakers.state("shop/b", 3.0) == OPEN


def test_a_panic_comes_after_the_trials_and_before_the_refusal() -> None:
    """H7: half-open, then panic."""
    engine = a_watched_engine(a_watched_plan(watched("ab"), panic=0.5))
    given(engine, "ab", 0.0, 6)

    assert given(engine, "ab", 0.5, 20) == {"a": 10, "b": 10}, "at rest: nobody to try, so a panic"
    assert engine.state.breakers.opened == 2, "what a panic asks opens nothing again"

    held = [decided(engine, now=1.0) for _ in range(8)]
    trials = [each for each in held if each.ticket is not None and each.ticket.trial]
    assert [each.endpoint.id for each in held[:6]].count("a") == 3
    assert len(trials) == 6, "three trials each, and then a panic again"
    assert held[:6] == trials


def test_in_a_panic_requests_go_to_all_that_somebody_may_ask() -> None:
    """H7: with one of four healthy, it would have to bear the requests of all. Who is drained stays so."""
    engine = a_watched_engine(a_watched_plan(watched("abcd"), panic=0.5))
    engine.state.standing.mark("shop/d", "drain", Mark(GONE, "drained"), 0.0)
    assert set(given(engine, "a", 0.0, 30)) == {"a", "b", "c"}
    assert set(given(engine, "a", 0.1, 30)) == {"b", "c"}
    given(engine, "ab", 0.2, 30)

    assert given(engine, "ab", 0.3, 30) == {"a": 10, "b": 10, "c": 10}


def test_the_fixed_answer_comes_when_nobody_is_left() -> None:
    """H6"""
    engine = a_watched_engine(a_watched_plan(watched("a"), otherwise=SORRY))
    given(engine, "a", 0.0, 3)

    assert engine.decide(a_request(), 5.0) is SORRY, "it is not tried early, as there is an answer"
    assert decided(engine, now=10.0).endpoint.id == "a"


def test_the_fixed_answer_is_none_for_who_is_drained() -> None:
    """H6: it is for endpoints that are out, not for those that somebody took away."""
    engine = a_watched_engine(a_watched_plan(watched("a"), otherwise=SORRY))
    engine.state.standing.mark("shop/a", "drain", Mark(GONE, "drained"), 0.0)

    answer = engine.decide(a_request(), 0.0)

    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NO_ENDPOINT


def test_another_cluster_stands_in_while_nobody_is_left() -> None:
    """H6: and not before."""
    engine = a_watched_engine(a_pool("ab", "r", want=1))

    assert given(engine, "a", 0.0, 20)["r"] == 0
    assert given(engine, "ab", 0.0, 20) == {"b": 3, "r": 17}
    assert given(engine, "ab", 9.9, 20) == {"r": 20}
    assert given(engine, "", 10.0, 20)["r"] == 0


def test_a_read_replica_takes_reads() -> None:
    """H6: what changes something is refused, and says why."""
    engine = a_watched_engine(a_pool("a", "r", want=2, methods=frozenset({"GET"})))
    first = decided(engine, a_request(method="POST"))
    assert [each.id for each in first.fallbacks] == [], "nor is it a fallback"
    assert [each.id for each in decided(engine).fallbacks] == ["r"]
    given(engine, "a", 0.0, 3)

    assert given(engine, "a", 1.0, 5) == {"r": 5}
    refusal = engine.decide(a_request(method="POST"), 1.0)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_HEALTHY_ENDPOINT


def test_who_stands_in_is_the_last_fallback() -> None:
    """H6 F1: after the others of the pool, which come first in the list."""
    engine = a_watched_engine(a_pool("ab", "rs", want=3))
    assert [each.id for each in decided(engine).fallbacks] == ["b", "r"]
    engine = a_watched_engine(a_pool("abc", "r", want=3))
    assert [each.id for each in decided(engine).fallbacks] == ["b", "c"]


def test_a_chain_of_which_nobody_is_left_tries_its_last_link() -> None:
    """H7: there is nowhere else to go, so its end recovers early; then a refusal."""
    engine = a_watched_engine(a_pool("a", "r", want=1))
    assert given(engine, "ar", 0.0, 10) == {"a": 3, "r": 3, "-": 4}

    assert given(engine, "ar", 0.9, 5) == {"-": 5}
    assert given(engine, "a", 1.0, 5) == {"r": 5}


def test_explaining_says_who_is_out_and_why() -> None:
    """H5 H7: also of a request that is refused, and it changes nothing."""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    given(engine, "ab", 0.0, 20)

    def told(now: float) -> Explanation:
        return engine.explain(a_request(), now)

    why = {each.endpoint.id: each.why for each in told(0.5).candidates}
    assert "breaker open: 3 failures in a row" in why["a"]
    assert "10 s" in why["a"], "and until when"
    assert isinstance(told(0.5).answer, Refusal)
    told(1.0)
    assert engine.state.breakers.state("shop/a", 1.0) == OPEN


def test_a_request_is_told_of_health_only_where_health_is_why() -> None:
    """H7 C1: b is what it asks for, and out; nobody at all is what another asks for."""
    a, b = offering("a", models=["x"]), offering("b", models=["y"])
    engine = a_filtered_engine([a, b], Models(Fact("model", (HeaderField("x-model"),)), NAMES))
    engine.state.standing.mark(b.key, "test", Mark(OUT, "down"), 0.0)

    def why(model: str) -> Reason:
        answer = engine.decide(a_request("/", ("x-model", model)), 0.0)
        assert isinstance(answer, Refusal)
        return answer.reason

    assert why("y") is Reason.NO_HEALTHY_ENDPOINT
    assert why("z") is Reason.NO_ENDPOINT


def test_a_request_pays_nothing_while_all_are_closed() -> None:
    """H5: what is not closed is asked of an empty table."""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    given(engine, "", 0.0, 50)
    assert engine.state.breakers.not_closed == {}


def test_a_reload_between_trip_and_trial_keeps_the_breaker() -> None:
    """H5: it is kept by the name of its endpoint."""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    given(engine, "a", 0.0, 20)

    more: tuple[Endpoint, ...] = watched("abc")
    engine.swap(a_watched_plan(more, generation=2), 5.0)

    assert given(engine, "a", 5.0, 30)["a"] == 0
    assert given(engine, "a", 10.0, 30)["a"] == 2

    engine.swap(
        Plan(3, [Route("main", ALWAYS, (Variant("x", "x", watched("b"), RoundRobin(), "own"),))]), 11.0
    )
    assert len(engine.state.breakers) == 1
    assert not engine.state.breakers.not_closed


def test_streams_that_their_clients_leave_close_a_breaker() -> None:
    """H5 H1: they had begun well, and few streams end otherwise."""
    engine = a_watched_engine(a_watched_plan(watched("a")))
    given(engine, "a", 0.0, 3)
    left = Outcome(200, 60.0, Failure.CANCELLED, first_byte_s=0.1)

    for _ in range(2):
        engine.settle(ticket_of(decided(engine, now=10.0)), left, 70.0)

    assert engine.state.breakers.state("shop/a", 70.0) == CLOSED


def test_what_anybody_can_ask_for_opens_no_breaker_unless_the_cluster_says_so() -> None:
    """H5 H1: a client with an unknown method, or with too many requests, shuts nobody else out."""
    for failures, expected in ((None, CLOSED), (frozenset({429, 501}), OPEN)):
        (a,) = watched("a")
        watch = a.offer.watch if failures is None else Watch(breaker=a.offer.watch.breaker, failures=failures)
        endpoint = Endpoint("shop", "a", a.address, offer=Offer(watch=watch))
        engine = a_watched_engine(a_watched_plan([endpoint]))
        for status in (501, 429, 501):
            engine.settle(ticket_of(decided(engine, now=0.0)), Outcome(status, 0.01), 0.0)
        assert engine.state.breakers.state("shop/a", 0.0) == expected


def test_a_request_that_is_sent_again_for_a_404_opens_no_breaker() -> None:
    """H5 H1 F1: it is nowhere, so it was asked for at each of them."""
    endpoints = watched("abc")
    for statuses, attempts, expected in (
        ((404, 503), 3, {CLOSED}),
        ((500, 502, 503), 3, {OPEN}),
        ((404, 503), 1, {CLOSED}),
    ):
        retries = Retries(3, statuses, (), ("GET",))
        variant = Variant("main", "main", endpoints, RoundRobin(), "own")
        engine = a_watched_engine(Plan(1, [Route("main", ALWAYS, (variant,), want=3, retries=retries)]))
        for _ in range(6):
            answer = engine.decide(a_request(), 0.0)
            if isinstance(answer, Decision):
                served = [answer.endpoint, *answer.fallbacks][min(attempts, len(answer.fallbacks) + 1) - 1]
                status = 503 if expected == {OPEN} else 404
                outcome = Outcome(status, 0.01, served=served.address, attempts=attempts)
                engine.settle(ticket_of(answer), outcome, 0.0)
        states = {engine.state.breakers.state(endpoint.key, 0.0) for endpoint in endpoints}
        assert states == expected, statuses


def test_how_long_a_client_stayed_that_left_is_nobody_s_latency() -> None:
    """H2: the time to the first byte is, where it is known."""
    engine = a_watched_engine(a_watched_plan(watched("ab")))
    for first_byte_s in (-1.0, 0.25):
        decision = decided(engine, now=0.0)
        left = Outcome(200, 60.0, Failure.CANCELLED, first_byte_s=first_byte_s)
        engine.settle(ticket_of(decision), left, 0.0)

    assert [engine.state.scores.of(f"shop/{name}", 0.0) for name in "ab"] == [1.0, pytest.approx(0.85)]
