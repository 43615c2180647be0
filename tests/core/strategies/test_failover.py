"""Chains of pools: where to go when the first choice fails."""

from collections.abc import Mapping

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.registry import STRATEGIES
from sidecar.core.rules.fields import HeaderField
from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.consistent_hash import ConsistentHash
from sidecar.core.strategies.failover import Failover, Link
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.strategies.sticky import Sticky
from tests.builders import (
    ALWAYS,
    OK,
    a_plan,
    a_request,
    an_endpoint,
    an_engine,
    decided,
    endpoints_of,
    ticket_of,
)
from tests.core.limited import an_offer, limited

MODEL = HeaderField("x-model")


def pool_of(name: str, ids: str, strategy: Strategy) -> Variant:
    return Variant(
        name, f"main/{name}", tuple(an_endpoint(each, cluster=name) for each in ids), strategy, "own"
    )


def a_chain(
    own: str,
    *links: tuple[str, str],
    want: int = 3,
    first: Strategy | None = None,
    models: Mapping[str, str] | None = None,
) -> Plan:
    """The pool `own` and links by name, each with the endpoints of its letters, in turn. `models` is one more
    link, by the header x-model, with the endpoints of each model."""
    variants = [pool_of(name, ids, RoundRobin()) for name, ids in links]
    steps = [Link(variant.strategy, variant.pool) for variant in variants]
    if models is not None:
        by_model = {model: pool_of(model, ids, RoundRobin()) for model, ids in models.items()}
        variants.extend(by_model.values())
        pools = {model: variant.pool for model, variant in by_model.items()}
        steps.append(Link(RoundRobin(), by=MODEL, pools=pools))
    strategy = Failover(RoundRobin() if first is None else first, tuple(steps))
    endpoints = tuple(an_endpoint(each, cluster="own") for each in own)
    main = Variant("main", "main", endpoints, strategy, "failover", links=tuple(variants))
    return a_plan(Route("main", ALWAYS, (main,), want=want))


def an_engine_of(plan: Plan) -> Engine:
    return an_engine(*plan.routes)


def named(decision: Decision) -> str:
    return " ".join(endpoint.key for endpoint in [decision.endpoint, *decision.fallbacks])


def test_names_one_of_the_pool_and_then_one_of_each_link() -> None:
    """F2: a pool, a named endpoint, another pool; three attempts. Only what is picked has had its turn."""
    engine = an_engine_of(a_chain("ab", ("named", "v"), ("other", "xy")))

    assert named(decided(engine)) == "own/a named/v other/x"
    assert named(decided(engine)) == "own/b named/v other/x"


def test_where_links_are_fewer_than_attempts_the_others_follow() -> None:
    """F2"""
    assert named(decided(an_engine_of(a_chain("ab", ("l", "xy"), want=9)))) == "own/a l/x own/b l/y"


def test_where_one_is_wanted_links_are_not_asked() -> None:
    """F2"""

    class Never(Strategy):
        def rank(self, turn: object, want: int) -> list[Endpoint]:
            raise AssertionError

    link = pool_of("l", "x", Never())
    strategy = Failover(RoundRobin(), (Link(link.strategy, link.pool),))
    main = Variant("main", "main", endpoints_of({"a": 1}), strategy, "failover", links=(link,))

    assert named(decided(an_engine(Route("main", ALWAYS, (main,))))) == "shop/a"


def test_an_endpoint_that_is_in_several_links_is_named_once() -> None:
    """F2: the named endpoint may be the one that was picked already; then the link gives another, if it
    has."""
    shared = endpoints_of({"a": 1, "b": 1, "c": 1})
    link = Variant("l", "main/l", shared, RoundRobin(), "own")
    only = Variant("o", "main/o", shared[:1], RoundRobin(), "own")
    strategy = Failover(RoundRobin(), (Link(only.strategy, only.pool), Link(link.strategy, link.pool)))
    main = Variant("main", "main", shared, strategy, "failover", links=(only, link))
    engine = an_engine(Route("main", ALWAYS, (main,), want=3))

    assert named(decided(engine)) == "shop/a shop/b shop/c"
    assert named(decided(engine)) == "shop/b shop/a shop/c"


def test_a_link_whose_first_is_named_already_gives_its_second() -> None:
    """F2"""
    own = endpoints_of({"a": 1, "b": 1})
    link = Variant("l", "main/l", (own[0], *endpoints_of({"x": 1})), RoundRobin(), "own")
    strategy = Failover(RoundRobin(), (Link(link.strategy, link.pool),))
    main = Variant("main", "main", own, strategy, "failover", links=(link,))

    assert named(decided(an_engine(Route("main", ALWAYS, (main,), want=2)))) == "shop/a shop/x"


def test_the_link_by_model_is_anything_that_serves_it() -> None:
    """F2"""
    engine = an_engine_of(a_chain("a", ("l", "x"), models={"gpt": "gh", "claude": "c"}))

    def asked(*headers: tuple[str, str]) -> str:
        return named(decided(engine, a_request("/", *headers)))

    assert asked(("x-model", "gpt")) == "own/a l/x gpt/g"
    assert asked(("x-model", "claude")) == "own/a l/x claude/c"
    assert asked(("x-model", "unknown")) == "own/a l/x"
    assert asked() == "own/a l/x"


def test_while_the_pool_is_empty_the_first_link_with_somebody_takes_its_place() -> None:
    """F2: its rotation goes on, and its pool is the ticket's, so that its learners learn."""
    engine = an_engine_of(a_chain("", ("empty", ""), ("l", "xyz"), ("last", "q"), want=2))

    decisions = [decided(engine) for _ in range(4)]

    assert [named(decision) for decision in decisions] == [
        "l/x last/q",
        "l/y last/q",
        "l/z last/q",
        "l/x last/q",
    ]
    assert {decision.ticket.pool for decision in decisions if decision.ticket} == {"main/l"}
    assert engine.state.pools.of("main").turns == 0


def test_when_the_pool_has_somebody_again_it_takes_the_requests_back() -> None:
    """F2"""
    engine = an_engine_of(a_chain("", ("l", "x")))
    assert named(decided(engine)) == "l/x"

    engine.swap(a_chain("a", ("l", "x")))

    assert named(decided(engine)) == "own/a l/x"
    assert engine.state.pools.of("main").turns == 1


def test_where_nobody_is_left_in_any_link_the_request_is_refused() -> None:
    """F2"""
    answer = an_engine_of(a_chain("", ("l", ""), models={"gpt": "g"})).decide(a_request(), 0.0)

    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NO_ENDPOINT


def test_each_link_has_a_strategy_of_its_own() -> None:
    """F2: a key keeps its endpoint in the pool and in the link."""
    key = HeaderField("x-user")
    link = pool_of("l", "wxyz", ConsistentHash(by=(key,)))
    strategy = Failover(ConsistentHash(by=(key,)), (Link(link.strategy, link.pool),))
    main = Variant("main", "main", endpoints_of({"a": 1, "b": 1}), strategy, "failover", links=(link,))
    engine = an_engine(Route("main", ALWAYS, (main,), want=2))

    by_user = {
        user: {named(decided(engine, a_request("/", ("x-user", user)))) for _ in range(5)}
        for user in map(str, range(40))
    }

    assert all(len(seen) == 1 for seen in by_user.values())
    assert len(set.union(*by_user.values())) == 8


def test_sessions_stay_in_a_link_while_it_takes_the_place_of_the_pool() -> None:
    """F2, S16: a chain of sticky pools; who came back to the pool is bound there anew."""
    by = (HeaderField("x-session"),)

    def plan(own: str) -> Plan:
        link = pool_of("l", "xyz", Sticky(RoundRobin(), by))
        strategy = Failover(Sticky(RoundRobin(), by), (Link(link.strategy, link.pool),))
        endpoints = tuple(an_endpoint(each, cluster="own") for each in own)
        main = Variant("main", "main", endpoints, strategy, "failover", links=(link,))
        return a_plan(Route("main", ALWAYS, (main,)))

    engine = an_engine_of(plan(""))
    sessions = [a_request("/", ("x-session", str(at))) for at in range(2)]

    assert [named(decided(engine, each)) for each in sessions * 3] == ["l/x", "l/y"] * 3
    engine.swap(plan("abc"))
    assert [named(decided(engine, each)) for each in sessions * 3] == ["own/a", "own/b"] * 3


def test_a_link_with_bounded_loads_returns_to_nothing() -> None:
    """F2: what it admitted while it took the pool's place is settled with it."""
    link = pool_of("l", "xyz", ConsistentHash(by=(MODEL,), load_factor=1.25))
    strategy = Failover(RoundRobin(), (Link(link.strategy, link.pool),))
    main = Variant("main", "main", (), strategy, "failover", links=(link,))
    engine = an_engine(Route("main", ALWAYS, (main,)))
    tickets = [ticket_of(decided(engine, a_request("/", ("x-model", "one")))) for _ in range(9)]
    tally = engine.state.pools.of("main/l").tally
    assert tally is not None
    assert tally.total() == 9

    for ticket in tickets:
        engine.settle(ticket, OK, 1.0)

    assert tally.total() == 0


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_any_strategy_may_begin_a_chain_and_be_its_link(name: str) -> None:
    """F2: 60 decisions, of which every second is settled; none names an endpoint twice."""
    link = pool_of("l", "xyz", STRATEGIES[name]())
    strategy = Failover(STRATEGIES[name](), (Link(link.strategy, link.pool),))
    main = Variant("main", "main", endpoints_of({"a": 2, "b": 1}), strategy, "failover", links=(link,))
    engine = an_engine(Route("main", ALWAYS, (main,), want=4))
    for at in range(60):
        decision = decided(engine, now=float(at))
        keys = named(decision).split()
        assert keys[0].startswith("shop/")
        assert keys[1].startswith("l/")
        assert len(keys) == len(set(keys)) == 4
        if at % 2:
            engine.settle(ticket_of(decision), OK, float(at))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_link_that_takes_the_place_may_give_the_last_that_it_has(name: str) -> None:
    """F2 Q5: its only endpoint has had all as soon as the request is admitted, and still the request was its
    own: its session stays there, and its pool is the ticket's."""
    by = (HeaderField("x-session"),)
    link = Variant("l", "main/l", limited({"x": an_offer(2)}), Sticky(STRATEGIES[name](), by), "own")
    strategy = Failover(Sticky(STRATEGIES[name](), by), (Link(link.strategy, link.pool),))
    main = Variant("main", "main", (), strategy, "failover", links=(link,))
    engine = an_engine(Route("main", ALWAYS, (main,)))

    for now in (1.0, 2.0):
        decision = decided(engine, a_request("/", ("x-session", "one")), now)
        assert decision.endpoint.id == "x"
        assert decision.ticket is not None
        assert decision.ticket.pool == "main/l"
    refusal = engine.decide(a_request("/", ("x-session", "one")), 3.0)

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.RATE_LIMITED


def test_all_of_a_chain_stand_in_the_explanation() -> None:
    """F2"""
    explanation = an_engine_of(a_chain("ab", ("l", "xy"), want=2)).explain(a_request(), 0.0)

    places = [(verdict.endpoint.key, verdict.place) for verdict in explanation.candidates]
    assert places == [("own/a", 1), ("l/x", 2), ("own/b", 3), ("l/y", 4)]


def test_explaining_while_the_pool_is_empty_shows_the_link() -> None:
    """F2"""
    explanation = an_engine_of(a_chain("", ("l", "xy"))).explain(a_request(), 0.0)

    assert [(each.endpoint.key, each.place) for each in explanation.candidates] == [("l/x", 1), ("l/y", 2)]


@pytest.mark.parametrize("options", [{}, {"pool": "main/l", "by": MODEL}])
def test_a_link_has_either_a_pool_or_a_field(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a link has a pool, or a field"):
        Link(RoundRobin(), **options)  # type: ignore[arg-type]
