"""The same key to the same endpoint."""

from collections import Counter
from math import ceil
from random import Random

import pytest

from sidecar.core.endpoint import Candidates
from sidecar.core.engine import Engine
from sidecar.core.filters.tenants import Allowed
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Route, Variant
from sidecar.core.rules.base import Field
from sidecar.core.rules.fields import CookieField, HeaderField, PathField, QueryField
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.consistent_hash import ConsistentHash
from tests.builders import (
    ALWAYS,
    COMPILED,
    OK,
    a_plan,
    a_request,
    a_route_by,
    an_endpoint,
    an_engine,
    an_engine_by,
    decided,
    endpoints_of,
    lines_run,
    ticket_of,
)

USER = HeaderField("x-user")
FOUR = endpoints_of({"a": 1, "b": 1, "c": 1, "d": 1})


def hashed(engine: Engine, user: str, now: float = 0.0) -> str:
    return decided(engine, a_request("/", ("x-user", user)), now).endpoint.id


def test_a_key_stays_with_its_endpoint_and_keys_are_spread() -> None:
    """S13"""
    engine = an_engine_by(ConsistentHash(by=(USER,)), FOUR)

    first = [hashed(engine, f"user-{at}") for at in range(200)]

    assert [hashed(engine, f"user-{at}") for at in range(200)] == first
    assert set(first) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("field", "target", "header"),
    [
        (USER, "/", ("x-user", "{}")),
        (CookieField("sid"), "/", ("cookie", "sid={}")),
        (QueryField("id"), "/?id={}", ("accept", "*/*")),
        (PathField("**", lambda path: path), "/items/{}", ("accept", "*/*")),
    ],
)
def test_the_key_is_any_field_of_the_request(field: Field, target: str, header: tuple[str, str]) -> None:
    """S13"""
    engine = an_engine_by(ConsistentHash(by=(field,)), FOUR)

    def to(key: str) -> str:
        return decided(engine, a_request(target.format(key), (header[0], header[1].format(key)))).endpoint.id

    first = [to(str(at)) for at in range(50)]
    assert [to(str(at)) for at in range(50)] == first
    assert len(set(first)) == 4


def test_the_first_field_that_has_a_value_counts() -> None:
    """S13"""
    engine = an_engine_by(ConsistentHash(by=(CookieField("sid"), USER)), FOUR)
    for at in range(20):
        alone = hashed(engine, f"user-{at}")
        empty = a_request("/", ("cookie", "sid="), ("x-user", f"user-{at}"))
        other = a_request("/", ("cookie", f"sid=user-{at}"), ("x-user", "somebody"))
        assert decided(engine, empty).endpoint.id == alone
        assert decided(engine, other).endpoint.id == alone


def test_without_a_key_chance_decides_by_weight() -> None:
    """S13: 10,000 draws with a fixed seed; five standard deviations are 0.0217."""
    engine = an_engine_by(ConsistentHash(by=(USER,)), endpoints_of({"a": 3, "b": 1}))

    drawn = [decided(engine).endpoint.id for _ in range(10_000)]

    assert abs(drawn.count("a") / 10_000 - 0.75) <= 0.0217


def test_when_an_endpoint_leaves_and_returns_the_others_keep_their_keys() -> None:
    """S13"""
    strategy = ConsistentHash(by=(USER,))
    engine = an_engine_by(strategy, FOUR)
    before = {f"user-{at}": hashed(engine, f"user-{at}") for at in range(500)}

    engine.swap(a_plan(a_route_by(strategy, FOUR[:3])))
    for user, owner in before.items():
        if owner == "d":
            assert hashed(engine, user) in {"a", "b", "c"}
        else:
            assert hashed(engine, user) == owner
    engine.swap(a_plan(a_route_by(ConsistentHash(by=(USER,)), FOUR)))

    assert {user: hashed(engine, user) for user in before} == before


def test_when_a_heavy_endpoint_falls_ill_only_its_own_keys_move() -> None:
    """S13: three of weight 600 take as many points as a ring may have, halved; without one of them two would
    have room for all of theirs, but the others' keys would move then. 3,000 keys."""
    heavy = endpoints_of({"a": 600, "b": 600, "c": 600})
    strategy = ConsistentHash(by=(USER,))
    engine = an_engine_by(strategy, heavy)
    before = {f"user-{at}": hashed(engine, f"user-{at}") for at in range(3_000)}

    pool = engine.state.pools.arrange("main", Candidates(list(heavy[:2])), heavy)
    strategy.arrange(pool)

    assert all(hashed(engine, user) == owner for user, owner in before.items() if owner != "c")


def test_fallbacks_are_the_next_endpoints_on_the_ring() -> None:
    """S13: the first fallback is who has the key when the first choice is gone."""
    engine = an_engine_by(ConsistentHash(by=(USER,)), FOUR, want=3)
    for at in range(100):
        decision = decided(engine, a_request("/", ("x-user", f"user-{at}")))
        named = [decision.endpoint, *decision.fallbacks]
        assert len({endpoint.id for endpoint in named}) == 3
        others = [endpoint for endpoint in FOUR if endpoint is not decision.endpoint]
        alone = an_engine_by(ConsistentHash(by=(USER,)), others)
        assert hashed(alone, f"user-{at}") == decision.fallbacks[0].id


def test_candidates_that_a_request_may_not_have_are_stepped_over() -> None:
    """S13: as if they were not on the ring."""
    strategy = ConsistentHash(by=(USER,))
    engine = an_engine_by(strategy, FOUR)
    pool = engine.state.pools.of("main")
    fewer = Candidates([endpoint for endpoint in FOUR if endpoint.id != "b"])
    without = an_engine_by(ConsistentHash(by=(USER,)), fewer.endpoints)
    for at in range(200):
        request = a_request("/", ("x-user", f"user-{at}"))
        for want in (1, 2):
            turn = Turn(request, pool, fewer, engine.state, Random(1), 0.0)
            assert strategy.rank(turn, want)[0].id == hashed(without, f"user-{at}")


@pytest.mark.skipif(COMPILED, reason="compiled lines are not counted")
@pytest.mark.parametrize("some", [1, 2, 500])
def test_the_ring_is_left_when_all_that_a_request_may_have_are_found(some: int) -> None:
    """S13 F1: 150,000 points lie on it."""
    strategy = ConsistentHash(by=(USER,))
    everybody = [an_endpoint(f"e{at}") for at in range(1000)]
    engine = an_engine_by(strategy, everybody)
    fewer = Candidates(everybody[:some])

    def ranked() -> None:
        request = a_request("/", ("x-user", "ann"))
        turn = Turn(request, engine.state.pools.of("main"), fewer, engine.state, Random(1), 0.0)
        assert len(strategy.rank(turn, 3)) == min(some, 3)

    assert lines_run(ranked) < 150_000


@pytest.mark.parametrize("allowed", [2, 60])
def test_a_part_of_any_size_has_the_keys_of_a_pool_of_its_endpoints(allowed: int) -> None:
    """S13 C2: a small one by a ring of its own, a large one by the whole pool's, which takes no memory."""
    everybody = [an_endpoint(f"e{at}") for at in range(100)]
    filters = (
        Allowed(HeaderField("x-tenant"), {"acme": frozenset(each.id for each in everybody[:allowed])}),
    )
    variant = Variant("main", "main", tuple(everybody), ConsistentHash(by=(USER,)), "consistent_hash")
    engine = an_engine(Route("main", ALWAYS, (variant,), filters=filters))
    alone = an_engine_by(ConsistentHash(by=(USER,)), everybody[:allowed])

    for at in range(300):
        request = a_request("/", ("x-tenant", "acme"), ("x-user", f"user-{at}"))
        assert decided(engine, request).endpoint.id == hashed(alone, f"user-{at}")
    (part,) = engine.state.pools.of("main").parts.values()
    assert (part.ring is None) == (allowed == 60)


@pytest.mark.parametrize("factor", [1.1, 1.25, 2.0])
@pytest.mark.parametrize("weights", [{"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 5, "b": 1, "c": 2}])
def test_no_endpoint_has_more_than_its_factor_of_the_load(factor: float, weights: dict[str, int]) -> None:
    """S13: 5,000 steps with a fixed seed, half of the requests for one key; after each request its endpoint
    has at most its part of all in flight, by weight, times the factor, rounded up."""
    engine = an_engine_by(ConsistentHash(by=(USER,), load_factor=factor), endpoints_of(weights))
    rng = Random(7)
    open_tickets: list[tuple[int, str]] = []
    load: Counter[str] = Counter()
    for _ in range(5_000):
        if open_tickets and rng.random() < 0.48:
            ticket, endpoint = open_tickets.pop(rng.randrange(len(open_tickets)))
            engine.settle(ticket, OK, 0.0)
            load[endpoint] -= 1
            continue
        user = "everybody's" if rng.random() < 0.5 else f"user-{rng.randrange(1000)}"
        decision = decided(engine, a_request("/", ("x-user", user)))
        name = decision.endpoint.id
        open_tickets.append((ticket_of(decision), name))
        load[name] += 1
        part = weights[name] / sum(weights.values())
        assert load[name] <= ceil(factor * part * load.total() - 1e-9)
    assert load.total() > 100


def test_while_there_is_room_a_bounded_key_stays() -> None:
    """S13"""
    engine = an_engine_by(ConsistentHash(by=(USER,), load_factor=1.25), FOUR)
    free = an_engine_by(ConsistentHash(by=(USER,)), FOUR)

    for at in range(200):
        request = a_request("/", ("x-user", f"user-{at}"))
        decision = decided(engine, request)
        assert decision.endpoint.id == decided(free, request).endpoint.id
        engine.settle(ticket_of(decision), OK, 0.0)


def test_a_bounded_key_that_everybody_asks_for_is_spread() -> None:
    """S13: 100 at once for one key; each of four has at most 125 % of 25, and without a bound one has all."""
    bounded = an_engine_by(ConsistentHash(by=(USER,), load_factor=1.25), FOUR)
    free = an_engine_by(ConsistentHash(by=(USER,)), FOUR)

    spread = Counter(hashed(bounded, "star") for _ in range(100))
    heaped = Counter(hashed(free, "star") for _ in range(100))

    assert max(spread.values()) <= 32
    assert list(heaped.values()) == [100]


def test_what_other_pools_send_to_an_endpoint_does_not_bound_this_one() -> None:
    """S13"""
    engine = an_engine_by(ConsistentHash(by=(USER,), load_factor=1.25), FOUR)
    owner = hashed(engine, "star")
    elsewhere = an_engine_by(ConsistentHash(by=(USER,), load_factor=1.25), FOUR)
    for _ in range(50):
        ticket = elsewhere.state.tickets.open("r", "v", "other", an_endpoint(owner), 1, 0.0, 10.0)
        elsewhere.state.load.admitted(ticket, 0.0)

    assert hashed(elsewhere, "star") == owner


def test_outcomes_of_requests_from_before_the_bound_count_for_nothing() -> None:
    """S13"""
    engine = an_engine_by(ConsistentHash(by=(USER,)), FOUR)
    tickets = [ticket_of(decided(engine, a_request("/", ("x-user", "star")))) for _ in range(5)]
    engine.swap(a_plan(a_route_by(ConsistentHash(by=(USER,), load_factor=1.25), FOUR)))
    tickets.append(ticket_of(decided(engine, a_request("/", ("x-user", "star")))))

    for ticket in tickets:
        assert engine.settle(ticket, Outcome(200), 1.0) is not None

    tally = engine.state.pools.of("main").tally
    assert tally is not None
    assert tally.total() == 0


def test_fallbacks_with_room_come_before_those_without() -> None:
    """S13: 99 requests for one key fill its owner; with all four wanted, it is the last."""
    engine = an_engine_by(ConsistentHash(by=(USER,), load_factor=1.1), FOUR, want=4)
    request = a_request("/", ("x-user", "star"))
    owner = decided(engine, request).endpoint

    for _ in range(98):
        decided(engine, request)
    tally = engine.state.pools.of("main").tally
    assert tally is not None
    while tally.has_room(owner, engine.state.pools.of("main").candidates, 1.1):
        tally.admitted(owner.key)
    decision = decided(engine, request)

    assert decision.endpoint is not owner
    assert decision.fallbacks[-1] is owner


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"virtual_nodes": 0}, "virtual_nodes must be 1 to 10000, got 0"),
        ({"virtual_nodes": 10_001}, "virtual_nodes must be 1 to 10000, got 10001"),
        ({"load_factor": 1.0}, "load_factor must be above 1 and at most 100, or 0 for none, got 1.0"),
        ({"load_factor": -1.0}, "load_factor must be above 1"),
        ({"load_factor": float("nan")}, "load_factor must be above 1"),
    ],
)
def test_options_are_checked(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ConsistentHash(**options)  # type: ignore[arg-type]
