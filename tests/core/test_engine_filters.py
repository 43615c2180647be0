"""Conditions of requests on endpoints: what is kept from one to the next, what changes, what is refused."""

from collections import Counter
from math import sqrt
from typing import Final, final

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.filters.base import Filter, Sieve
from sidecar.core.filters.models import Models
from sidecar.core.filters.named import Excluded, Preferred
from sidecar.core.filters.tenants import Allowed, Favoured
from sidecar.core.plan import Route, StrategyChooser, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.path import PathUnder
from sidecar.core.state.memory import State
from sidecar.core.state.standing import DEGRADED, GONE, OUT, Mark
from sidecar.core.strategies.failover import Failover, Link
from sidecar.core.strategies.round_robin import RoundRobin
from tests.builders import (
    ALWAYS,
    COMPILED,
    OK,
    a_plan,
    a_request,
    a_route,
    an_endpoint,
    an_engine,
    decided,
    endpoints_of,
    lines_run,
    picks,
    ticket_of,
)
from tests.core.filters.asking import a_filtered_engine, a_filtered_route, left, offering, said, whys

TENANT: Final = HeaderField("x-tenant")
EXCLUDED: Final = Excluded((HeaderField("x-exclude"),))
PREFERRED: Final = Preferred((HeaderField("x-prefer"),))
ROTATIONS: Final = ["round_robin", "weighted_round_robin"]


def fleet(ids: str = "abcd") -> list[Endpoint]:
    return [offering(name) for name in ids]


def allowed(**words: str) -> Allowed:
    return Allowed(TENANT, {name: frozenset(each.split()) for name, each in words.items()})


def of(tenant: str) -> Request:
    return a_request("/", ("x-tenant", tenant))


def without(names: str) -> Request:
    return a_request("/", ("x-exclude", names))


@pytest.mark.parametrize("strategy", ROTATIONS)
def test_a_part_that_is_kept_has_a_rotation_of_its_own(strategy: str) -> None:
    """C2: whatever the other requests do in between."""
    engine = a_filtered_engine(fleet(), allowed(acme="b d"), strategy=strategy)

    given: list[str] = []
    for at in range(30):
        given += picks(engine, 1, of("acme")).split()
        picks(engine, at % 3)

    assert given == ["b", "d"] * 15


@pytest.mark.parametrize("strategy", ROTATIONS)
def test_what_some_leave_out_costs_the_others_no_turn(strategy: str) -> None:
    """C2, S1, S2: 600 that exclude `a`, then by turns with others. Those go on with their rotation."""
    engine = a_filtered_engine(fleet(), EXCLUDED, strategy=strategy)
    picks(engine, 600, without("a"))

    given: list[str] = []
    for _ in range(12):
        given += picks(engine, 1).split()
        picks(engine, 1, without("a"))

    assert given == ["a", "b", "c", "d"] * 3


@pytest.mark.parametrize("between", [0, 1, 2, 3])
@pytest.mark.parametrize("strategy", ROTATIONS)
def test_what_one_request_leaves_out_makes_no_favourite_of_another(strategy: str, between: int) -> None:
    """C2: 600 requests that exclude `a` give each of the others 200 +- 58, five standard deviations of the
    binomial, however many others come in between."""
    engine = a_filtered_engine(fleet(), EXCLUDED, strategy=strategy)

    given: Counter[str] = Counter()
    for _ in range(600):
        given.update(picks(engine, 1, without("a")).split())
        picks(engine, between)

    bound = 5 * sqrt(600 * 1 / 3 * 2 / 3)
    assert set(given) == {"b", "c", "d"}
    assert all(abs(count - 200) <= bound for count in given.values()), given


def test_weights_count_among_those_that_are_left() -> None:
    """C2"""
    weights = [offering("a"), offering("b", weight=3), offering("c")]
    engine = a_filtered_engine(weights, allowed(acme="b c"), strategy="weighted_round_robin")

    assert picks(engine, 8, of("acme")) == "b b c b b b c b"


def test_parts_follow_the_candidates() -> None:
    """C4"""
    engine = a_filtered_engine(fleet(), allowed(acme="a b c"))
    standing = engine.state.standing
    assert left(engine, of("acme")) == "a b c"

    standing.mark("shop/b", "test", Mark(OUT, "3 probes failed"), 0.0)
    assert left(engine, of("acme")) == "a c"
    assert whys(engine, of("acme")) == {"b": "out: 3 probes failed", "d": 'tenant "acme" may not have it'}
    assert set(picks(engine, 6, of("acme")).split()) == {"a", "c"}

    standing.clear("shop/b", "test", 0.0)
    assert left(engine, of("acme")) == "a b c"


def test_parts_follow_a_new_plan() -> None:
    """C2: words, endpoints and strategy."""
    engine = a_filtered_engine(fleet(), allowed(acme="a b"))
    assert picks(engine, 4, of("acme")) == "a b a b"

    engine.swap(a_plan(a_filtered_route(fleet("bcde"), allowed(acme="b e"), strategy="least_connections")))

    assert set(picks(engine, 20, of("acme")).split()) == {"b", "e"}
    assert len(engine.state.pools.of("main").parts) == 1


@final
class _Word(Sieve):
    def __init__(self, word: str) -> None:
        super().__init__(word, word)

    def why_not(self, endpoint: Endpoint) -> str:
        return "" if endpoint.id != "a" else "it is a"


@final
class _Words(Filter):
    """Each path is a word of its own: more than a configuration has."""

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        return _Word(request.path)


def test_parts_are_bounded_over_all_pools_and_what_was_asked_for_last_stays() -> None:
    """C2: memory is bounded whatever clients ask for, and no part has a place in what strategies keep of
    load. Two pools of 1,000 endpoints have 190 parts together, not as many each."""
    fleets = [[offering(f"{pool}{at}") for at in range(1001)] for pool in "xy"]
    routes = [
        Route(
            pool,
            PathUnder(f"/{pool}"),
            (Variant(pool, pool, tuple(to), STRATEGIES["least_connections"](), "least_connections"),),
            filters=(_Words(),),
        )
        for pool, to in zip("xy", fleets, strict=True)
    ]
    engine = an_engine(*routes)
    pools = engine.state.pools

    engine.settle(ticket_of(decided(engine, a_request("/x/often"))), OK, 0.0)
    often = pools.of("x").parts["/x/often"]
    for at in range(250):
        for path in ("/x/often", f"/{'xy'[at % 2]}/{at}"):
            engine.settle(ticket_of(decided(engine, a_request(path))), OK, 0.0)

    parts = {pool: set(pools.of(pool).parts) for pool in "xy"}
    assert len(parts["x"]) + len(parts["y"]) == 200_000 // (1001 + 50)
    assert pools.of("x").parts["/x/often"] is often
    assert "/x/248" in parts["x"]
    assert "/y/249" in parts["y"]
    assert "/x/0" not in parts["x"]
    assert engine.state.load.total() == 0


@pytest.mark.skipif(COMPILED, reason="compiled lines are not counted")
def test_where_parts_are_full_a_kept_one_costs_no_more_and_a_new_one_a_look_at_its_endpoints() -> None:
    engine = a_filtered_engine(fleet(), _Words())
    decided(engine, a_request("/0"))
    fresh = lines_run(lambda: decided(engine, a_request("/1")))
    usual = lines_run(lambda: decided(engine, a_request("/1")))

    for at in range(2, 4000):
        decided(engine, a_request(f"/{at}"))

    assert lines_run(lambda: decided(engine, a_request("/3999"))) <= usual + 5
    assert lines_run(lambda: decided(engine, a_request("/new"))) <= fresh + 30
    assert lines_run(lambda: decided(engine, a_request("/new"))) <= usual + 5


def test_a_part_that_was_given_up_takes_outcomes_and_begins_anew() -> None:
    engine = a_filtered_engine(fleet(), _Words(), strategy="adaptive")
    ticket = ticket_of(decided(engine, a_request("/first")))

    for at in range(4000):
        decided(engine, a_request(f"/{at}"))
    assert "/first" not in engine.state.pools.of("main").parts
    assert engine.settle(ticket, OK, 1.0) is not None

    assert decided(engine, a_request("/first")).endpoint.id != "a"


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_explaining_makes_no_part_and_changes_none(strategy: str) -> None:
    """C8: what was explained before, of words of the configuration and of wishes, has no effect on what is
    decided."""
    filters = (allowed(acme="b c d"), Favoured(TENANT, {"acme": ("c", "d", "b"), "globex": ("d", "a")}))
    alone, watched = (
        a_filtered_engine(fleet("abcde"), *filters, want=3, strategy=strategy) for _ in range(2)
    )

    def ids(engine: Engine, tenant: str) -> list[str]:
        decision = decided(engine, of(tenant))
        return [each.id for each in (decision.endpoint, *decision.fallbacks)]

    for _ in range(3):
        for tenant in ("acme", "globex"):
            watched.explain(of(tenant), 0.0)
    main = watched.state.pools.of("main")
    assert main.parts == {}
    assert watched.state.load.ladders() == alone.state.load.ladders()

    for at in range(12):
        tenant = ("acme", "globex")[at % 2]
        before = set(main.parts)
        explained = watched.explain(of(tenant), 0.0).answer
        assert set(main.parts) == before
        assert isinstance(explained, Decision)
        said_before = [each.id for each in (explained.endpoint, *explained.fallbacks)]
        assert ids(watched, tenant) == ids(alone, tenant) == said_before
    assert set(main.parts) == set(alone.state.pools.of("main").parts) != set()


def test_parts_share_what_is_learnt() -> None:
    """S12: it is by endpoint and by request, so outcomes of all parts and of the pool add up."""
    engine = a_filtered_engine(fleet(), allowed(acme="a b", globex="b c"), strategy="learned")

    for tenant in ("acme", "globex", ""):
        for _ in range(40):
            decision = decided(engine, of(tenant) if tenant else None)
            engine.settle(ticket_of(decision), OK, 1.0)

    main = engine.state.pools.of("main")
    assert main.model is not None
    assert main.model.outcomes == 120
    assert [part.model is main.model for part in main.parts.values()] == [True, True]


def test_a_pool_that_leaves_takes_its_parts_with_it() -> None:
    engine = a_filtered_engine(fleet(), allowed(acme="a b"), strategy="least_connections")
    ticket = ticket_of(decided(engine, of("acme")))

    engine.swap(a_plan(a_route("other", to=fleet())))
    assert engine.settle(ticket, OK, 1.0) is not None

    assert engine.state.load.total() == 0
    with pytest.raises(KeyError):
        engine.state.pools.of("main")


def test_a_wish_counts_only_while_it_leaves_somebody() -> None:
    """C2 C7: and fallbacks are filled up from the others."""
    engine = a_filtered_engine(fleet(), PREFERRED, want=3)
    request = a_request("/", ("x-prefer", "c"))

    decision = decided(engine, request)
    assert (decision.endpoint.id, len(decision.fallbacks), decision.considered) == ("c", 2, 1)
    assert "c" not in {each.id for each in decision.fallbacks}

    engine.state.standing.mark("shop/c", "test", Mark(GONE, "drained"), 0.0)
    assert decided(engine, request).endpoint.id != "c"


def test_a_wish_never_outweighs_a_condition() -> None:
    """C2: a tenant prefers what this request excludes."""
    engine = a_filtered_engine(
        fleet(), Favoured(TENANT, {"acme": ("b",)}), EXCLUDED, allowed(acme="a b c"), want=4
    )
    request = a_request("/", ("x-tenant", "acme"), ("x-exclude", "b"))

    for _ in range(8):
        decision = decided(engine, request)
        assert {each.id for each in (decision.endpoint, *decision.fallbacks)} == {"a", "c"}


def test_of_two_wishes_the_first_counts_more() -> None:
    """C2: the request's before its tenant's; where both can be had, both are."""
    engine = a_filtered_engine(fleet(), PREFERRED, Favoured(TENANT, {"acme": ("b", "c")}))

    def picked(prefer: str) -> str:
        return decided(engine, a_request("/", ("x-tenant", "acme"), ("x-prefer", prefer))).endpoint.id

    assert (picked("d"), picked("nobody"), picked("shop")) == ("d", "b", "b")


def test_says_what_was_asked_for_when_nobody_is_left() -> None:
    """C1 C2 C8"""
    models = Models(HeaderField("x-model"), {"gpt": frozenset({"gpt"})})
    engine = a_filtered_engine([offering("a", models=["gpt"])], allowed(acme="b"), models)
    request = a_request("/", ("x-tenant", "acme"), ("x-model", "other"))

    assert said(engine, request) == 'no_endpoint: no endpoint for tenant "acme" and model "other"'
    explanation = engine.explain(request, 0.0)
    (verdict,) = explanation.candidates
    assert (verdict.place, verdict.why) == (0, 'tenant "acme" may not have it')


def test_a_request_that_asks_nothing_is_told_nothing_of_conditions() -> None:
    engine = a_filtered_engine([offering("a", weight=0)], allowed(acme="b"))

    assert said(engine) == "no_endpoint: no endpoint of this route may be picked"


def a_chain(*filters: Filter) -> Engine:
    """From a, b to x, y."""
    linked = Variant("other", "main/other", tuple(fleet("xy")), RoundRobin(), "round_robin")
    strategy = Failover(RoundRobin(), (Link(linked.strategy, linked.pool),))
    main = Variant("main", "main", tuple(fleet("ab")), strategy, "round_robin", links=(linked,))
    return an_engine(Route("main", ALWAYS, (main,), want=4, filters=filters))


def named(engine: Engine, request: Request) -> str:
    decision = decided(engine, request)
    return " ".join(each.id for each in (decision.endpoint, *decision.fallbacks))


def test_the_links_of_a_chain_obey_conditions_too() -> None:
    """C2 F2"""
    engine = a_chain(EXCLUDED, allowed(acme="b y"))

    assert named(engine, without("a,y")) == "b x"
    assert named(engine, of("acme")) == "b y"
    assert named(engine, without("a,b")) in {"x y", "y x"}
    assert said(engine, without("shop")) == 'no_endpoint: no endpoint for a request that excludes "shop"'


def test_a_link_that_takes_over_has_a_rotation_among_what_is_left_of_it() -> None:
    """C2 F2"""
    linked = Variant("other", "main/other", tuple(fleet("xyz")), RoundRobin(), "round_robin")
    strategy = Failover(RoundRobin(), (Link(linked.strategy, linked.pool),))
    main = Variant("main", "main", tuple(fleet("ab")), strategy, "round_robin", links=(linked,))
    engine = an_engine(Route("main", ALWAYS, (main,), filters=(allowed(acme="x z"),)))

    assert picks(engine, 6, of("acme")) == "x z x z x z"


def test_healthy_ones_share_the_requests_and_the_others_get_none() -> None:
    """C4: healthy, unhealthy, healthy, degraded over 200 requests; in turn 100 each, and by chance 100 +- 36,
    which is five standard deviations of the binomial."""
    for strategy in ("round_robin", "weighted_round_robin", "random", "weighted_random", "least_connections"):
        engine = an_engine(a_route(to=endpoints_of(dict.fromkeys("abcd", 1)), strategy=strategy))
        engine.state.standing.mark("shop/b", "probe", Mark(OUT, "3 probes failed"), 0.0)
        engine.state.standing.mark("shop/d", "score", Mark(DEGRADED, "score 0.6"), 0.0)

        given: Counter[str] = Counter()
        for _ in range(200):
            decision = decided(engine)
            given[decision.endpoint.id] += 1
            engine.settle(ticket_of(decision), OK, 0.0)

        assert set(given) == {"a", "c"}
        bound = 0.0 if "round" in strategy else 5 * sqrt(200 / 4)
        assert abs(given["a"] - 100) <= bound


def test_says_what_is_known_of_health() -> None:
    """C4 C8"""
    engine = a_filtered_engine([*fleet("abc"), offering("never", weight=0)])
    engine.state.standing.mark("shop/b", "probe", Mark(OUT, "3 probes failed"), 0.0)
    engine.state.standing.mark("shop/c", "operator", Mark(GONE, "drained"), 0.0)

    assert whys(engine) == {"b": "out: 3 probes failed", "c": "gone: drained", "never": "its weight is 0"}


def test_a_mark_that_ends_by_itself_needs_no_call() -> None:
    """C4"""
    engine = a_filtered_engine(fleet("ab"))
    engine.state.standing.mark("shop/a", "ejected", Mark(OUT, "ejected", until=10.0), 0.0)

    assert {decided(engine, now=9.0).endpoint.id for _ in range(4)} == {"b"}
    assert {decided(engine, now=10.0).endpoint.id for _ in range(4)} == {"a", "b"}


def test_a_reload_keeps_the_marks() -> None:
    """C4"""
    engine = a_filtered_engine(fleet("ab"))
    engine.state.standing.mark("shop/a", "probe", Mark(OUT, "3 probes failed"), 0.0)

    engine.swap(a_plan(a_filtered_route(fleet("abc")), generation=2))

    assert set(picks(engine, 6).split()) == {"b", "c"}


def test_in_a_panic_all_are_asked_but_those_that_are_gone() -> None:
    """C4 H7"""
    to = tuple(fleet())
    variant = Variant("main", "main", to, RoundRobin(), "round_robin", panic=0.6)
    engine = an_engine(Route("main", ALWAYS, (variant,)))
    standing = engine.state.standing
    standing.mark("shop/a", "probe", Mark(OUT, "ill"), 0.0)
    assert set(picks(engine, 9).split()) == {"b", "c", "d"}

    standing.mark("shop/b", "probe", Mark(OUT, "ill"), 0.0)
    standing.mark("shop/d", "operator", Mark(GONE, "drained"), 0.0)
    assert set(picks(engine, 9).split()) == {"a", "b", "c"}


def choosing(chooser: StrategyChooser, strategy: str = "round_robin", endpoints: str = "ab") -> Route:
    to = tuple(fleet(endpoints))

    def by(name: str, pool: str) -> Variant:
        return Variant("main", pool, to, STRATEGIES[name](), name)

    others = {"turns": by("round_robin", "main by turns"), "quiet": by("least_connections", "main by quiet")}
    variant = Variant("main", "main", to, STRATEGIES[strategy](), strategy, others=others)
    return Route("main", ALWAYS, (variant,), chooser=chooser)


CHOOSER: Final = StrategyChooser(
    (HeaderField("x-strategy"),), (TENANT,), {"acme": "quiet"}, frozenset({"turns"})
)


def strategy_for(engine: Engine, *headers: tuple[str, str]) -> str:
    return decided(engine, a_request("/", *headers)).variant.strategy_name


def test_a_request_chooses_among_the_strategies_that_are_offered() -> None:
    """S18: before its tenant; a word that is not offered counts for nothing."""
    engine = an_engine(choosing(CHOOSER, "random"))

    assert strategy_for(engine) == "random"
    assert strategy_for(engine, ("x-strategy", "turns")) == "round_robin"
    assert strategy_for(engine, ("x-tenant", "acme")) == "least_connections"
    assert strategy_for(engine, ("x-tenant", "globex")) == "random"
    assert strategy_for(engine, ("x-tenant", "acme"), ("x-strategy", "turns")) == "round_robin"
    for word in ("quiet", "adaptive", ""):
        assert strategy_for(engine, ("x-strategy", word)) == "random"


def test_each_strategy_has_rotations_of_its_own() -> None:
    """S18"""
    engine = an_engine(choosing(CHOOSER))
    by_turns = a_request("/", ("x-strategy", "turns"))

    given = [decided(engine, request).endpoint.id for _ in range(4) for request in (None, by_turns)]

    assert given == ["a", "a", "b", "b"] * 2


def test_a_switch_of_strategy_takes_effect_at_once_and_drops_nothing() -> None:
    """S18: by requests, and by a new plan, with requests under way."""
    engine = an_engine(choosing(CHOOSER, "random"))
    tickets: list[int] = []
    for at in range(300):
        if at == 150:
            engine.swap(a_plan(choosing(CHOOSER, "least_connections"), generation=2))
        words = ("turns", "", "quiet")[at % 3]
        decision = decided(engine, a_request("/", ("x-strategy", words)))
        usual = "random" if at < 150 else "least_connections"
        assert decision.variant.strategy_name == ("round_robin" if words == "turns" else usual)
        tickets.append(ticket_of(decision))
        if at % 2:
            assert engine.settle(tickets.pop(0), OK, 0.0) is not None

    for ticket in tickets:
        assert engine.settle(ticket, OK, 0.0) is not None
    assert engine.state.load.total() == 0


@pytest.mark.skipif(COMPILED, reason="compiled lines are not counted")
@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_a_tenant_costs_as_little_among_a_thousand_endpoints_as_among_three(tenant: str) -> None:
    """C2 F1: with what it is allowed, what it prefers, and fallbacks."""

    def lines(count: int) -> int:
        to = [an_endpoint(f"e{at}") for at in range(count)]
        names = {"acme": frozenset(each.id for each in to[: count // 2 + 1])}
        filters = (Allowed(TENANT, names), Favoured(TENANT, {"acme": ("e0",)}))
        engine = a_filtered_engine(to, *filters, want=2, strategy="weighted_round_robin")
        request = of(tenant)
        for _ in range(3):
            decided(engine, request)
        return lines_run(lambda: decided(engine, request))

    assert lines(999) <= lines(3) + 120
