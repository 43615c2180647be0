"""One request after the other: what is decided, admitted, settled and lost."""

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import LOST, Failure, Outcome
from sidecar.core.plan import HeaderChanges, Rewrite, Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.rules.path import PathIs, PathUnder
from sidecar.core.state.base import Learner
from sidecar.core.state.tickets import Ticket
from tests.builders import (
    OK,
    a_plan,
    a_request,
    a_route,
    an_endpoint,
    an_engine,
    decided,
    endpoints_of,
    ticket_of,
)


def refused(*routes: Route, target: str = "/") -> Refusal:
    answer = an_engine(*routes).decide(a_request(target), 0.0)
    assert isinstance(answer, Refusal)
    return answer


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ([an_endpoint("shop", address="")], {"shop/shop"}),
        ([an_endpoint("b", cluster="search")], {"search/b"}),
        ([an_endpoint("a"), an_endpoint("b", cluster="search")], {"shop/a", "search/b"}),
    ],
    ids=["a whole cluster", "one endpoint", "a pool over two clusters"],
)
def test_goes_to_a_cluster_an_endpoint_or_a_pool(to: list[Endpoint], expected: set[str]) -> None:
    """A1"""
    engine = an_engine(a_route(to=to))

    assert {decided(engine).endpoint.key for _ in range(4)} == expected


def test_a_decision_says_where_and_how() -> None:
    """A1"""
    engine = an_engine(a_route("chat", to=endpoints_of({"a": 1, "b": 1, "c": 1, "never": 0}), want=2))

    decision = decided(engine, a_request("/x"), now=7.0)

    assert (decision.route.name, decision.variant.name, decision.endpoint.id) == ("chat", "main", "a")
    assert [endpoint.id for endpoint in decision.fallbacks] == ["b"]
    assert (decision.target, decision.considered, decision.generation) == (None, 3, 1)
    ticket = decision.ticket
    assert ticket is not None
    assert (ticket.route, ticket.variant, ticket.pool, ticket.endpoint) == (
        "chat",
        "main",
        "chat",
        decision.endpoint,
    )
    assert (ticket.generation, ticket.admitted_at, ticket.expires_at) == (1, 7.0, 307.0)


def test_a_decision_carries_the_changes_of_path_and_headers() -> None:
    """A4"""
    asked = HeaderChanges(set=(("x-api", "v1"),), remove=("x-debug",))
    answered = HeaderChanges(add=(("x-served-by", "shop"),))
    route = a_route(
        request_headers=asked,
        response_headers=answered,
        rewrite=Rewrite(strip_prefix="/v1", host="shop.internal"),
        labels=(("gpu", "1"),),
    )

    decision = decided(an_engine(route), a_request("/v1/x?q=1"))

    assert decision.target == "/x?q=1"
    assert decision.route.request_headers is asked
    assert decision.route.response_headers is answered
    assert decision.route.rewrite is not None
    assert decision.route.rewrite.host == "shop.internal"
    assert decision.route.labels == (("gpu", "1"),)
    assert decided(an_engine(route), a_request("/v2/x")).target is None


@pytest.mark.parametrize("strategy", ["round_robin", "weighted_round_robin", "random", "weighted_random"])
def test_no_strategy_gives_a_request_to_an_endpoint_of_weight_0(strategy: str) -> None:
    """S2"""
    engine = an_engine(
        a_route(to=endpoints_of({"no": 0, "a": 1, "b": 3, "none": 0}), strategy=strategy, want=4)
    )

    for _ in range(200):
        decision = decided(engine)
        assert {endpoint.id for endpoint in [decision.endpoint, *decision.fallbacks]} == {"a", "b"}


def test_a_default_route_takes_what_no_other_route_matches() -> None:
    """M18"""
    engine = an_engine(a_route("default"), a_route("api", PathUnder("/api")))

    targets = ("/api/x", "/apix", "/", "*", "")
    assert [decided(engine, a_request(target)).route.name for target in targets] == ["api"] + ["default"] * 4


def test_without_a_default_route_the_answer_is_404_and_says_so() -> None:
    """M18"""
    refusal = refused(a_route("api", PathUnder("/api")), target="/other")

    assert (refusal.reason, refusal.status, refusal.route) == (Reason.NO_ROUTE, 404, "")
    assert "no route" in refusal.message


@pytest.mark.parametrize("weights", [{}, {"a": 0, "b": 0}])
def test_a_route_without_an_endpoint_refuses_and_says_which_route(weights: dict[str, int]) -> None:
    refusal = refused(a_route("chat", to=endpoints_of(weights)))

    assert (refusal.reason, refusal.status, refusal.route) == (Reason.NO_ENDPOINT, 503, "chat")


def test_a_refusal_changes_nothing() -> None:
    engine = an_engine(a_route("api", PathUnder("/api")), a_route("empty", PathIs("/empty"), to=()))

    for target in ("/other", "/empty"):
        assert isinstance(engine.decide(a_request(target), 0.0), Refusal)

    assert (engine.state.tickets.opened, engine.state.load.total()) == (0, 0)
    assert engine.expire(0.0) is None


def test_a_ticket_settles_once_and_load_returns_to_nothing() -> None:
    engine = an_engine(a_route(to=endpoints_of({"a": 1})))
    decision = decided(engine)
    ticket = ticket_of(decision)
    assert engine.state.load.of("shop/a") == 1

    settled = engine.settle(ticket, OK, 1.0)
    again = engine.settle(ticket, OK, 2.0)

    assert settled is decision.ticket
    assert again is None
    assert engine.state.load.total() == 0
    tickets = engine.state.tickets
    assert (tickets.opened, tickets.reported, tickets.lost, tickets.unknown) == (1, 1, 0, 1)


def test_a_ticket_is_lost_exactly_at_the_end_of_its_lease() -> None:
    engine = an_engine(a_route(), lease_s=10.0)
    first = ticket_of(decided(engine, now=1.0))
    decided(engine, now=2.0)

    assert engine.expire(10.5) == 11.0
    assert engine.state.load.total() == 2
    assert engine.expire(11.0) == 12.0
    assert engine.state.load.total() == 1
    assert engine.settle(first, OK, 11.5) is None
    assert engine.expire(100.0) is None
    assert (engine.state.load.total(), engine.state.tickets.lost) == (0, 2)


def test_a_report_that_comes_before_the_lease_was_looked_at_still_counts() -> None:
    engine = an_engine(a_route(), lease_s=10.0)

    assert engine.settle(ticket_of(decided(engine, now=0.0)), OK, 99.0) is not None


def test_a_ticket_from_before_a_restart_settles_nothing() -> None:
    before = ticket_of(decided(an_engine(a_route(), epoch=1)))
    engine = an_engine(a_route(), epoch=2)
    decided(engine)

    assert engine.settle(before, OK, 1.0) is None
    assert engine.state.load.total() == 1


def test_a_full_table_gives_up_the_oldest_as_lost() -> None:
    engine = an_engine(a_route(), most_tickets=3)
    first, second, *_ = [ticket_of(decided(engine)) for _ in range(4)]

    assert (len(engine.state.tickets), engine.state.tickets.lost, engine.state.load.total()) == (3, 1, 3)
    assert engine.settle(first, OK, 1.0) is None
    assert engine.settle(second, OK, 1.0) is not None


class _Diary(Learner):
    """A learner of somebody else's, in plain Python also where the core is compiled."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int, Failure | None, float]] = []

    def admitted(self, ticket: Ticket, now: float) -> None:
        self.entries.append(("admitted", ticket.id, None, now))

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        self.entries.append(("settled", ticket.id, outcome.failure, now))


def test_a_learner_hears_of_each_ticket_once_when_it_is_admitted_and_once_when_it_ends() -> None:
    engine = an_engine(a_route(), lease_s=10.0, most_tickets=2)
    diary = _Diary()
    engine.state.learners.append(diary)

    first, second, third = (ticket_of(decided(engine, now=now)) for now in (0.0, 1.0, 2.0))
    engine.settle(second, Outcome(0, failure=Failure.TIMEOUT), 3.0)
    engine.settle(second, OK, 4.0)
    engine.expire(12.0)

    assert diary.entries == [
        ("admitted", first, None, 0.0),
        ("admitted", second, None, 1.0),
        ("settled", first, Failure.LOST, 2.0),
        ("admitted", third, None, 2.0),
        ("settled", second, Failure.TIMEOUT, 3.0),
        ("settled", third, Failure.LOST, 12.0),
    ]


def test_what_is_lost_has_no_status_and_no_duration() -> None:
    assert (LOST.status, LOST.failure, LOST.served, LOST.attempts) == (0, Failure.LOST, "", 1)
    assert LOST.duration_s < 0


def test_an_engine_shows_the_plan_that_is_in_force() -> None:
    engine = an_engine(a_route())
    plan = a_plan(a_route("new"), generation=2)

    engine.swap(plan)

    assert engine.plan is plan
    assert decided(engine).generation == 2
