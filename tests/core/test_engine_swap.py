"""Plans replaced while requests are under way."""

import pytest

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.plan import Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.path import PathIs
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.cache_aware import CacheAware
from sidecar.core.strategies.random import Random
from tests.builders import (
    ALWAYS,
    OK,
    a_plan,
    a_request,
    a_route,
    a_split_route,
    an_endpoint,
    an_engine,
    decided,
    endpoints_of,
    picks,
    ticket_of,
)


def named(engine: Engine, target: str) -> str:
    answer = engine.decide(a_request(target), 0.0)
    return answer.route.name if isinstance(answer, Decision) else ""


def test_routes_are_added_replaced_and_removed_while_running() -> None:
    """M17"""
    engine = an_engine(a_route("a", PathIs("/a")))
    assert (named(engine, "/a"), named(engine, "/b")) == ("a", "")

    engine.swap(a_plan(a_route("a", PathIs("/a")), a_route("b", PathIs("/b"))))
    assert (named(engine, "/a"), named(engine, "/b")) == ("a", "b")

    engine.swap(a_plan(a_route("a", PathIs("/aa")), a_route("b", PathIs("/b"))))
    assert (named(engine, "/a"), named(engine, "/aa"), named(engine, "/b")) == ("", "a", "b")

    engine.swap(a_plan(a_route("b", PathIs("/b"))))
    assert (named(engine, "/aa"), named(engine, "/b")) == ("", "b")


def test_a_route_is_switched_off_and_on_while_running() -> None:
    """M17"""
    engine = an_engine(a_route("a", PathIs("/a")), a_route("rest"))
    assert named(engine, "/a") == "a"

    engine.swap(a_plan(a_route("a", PathIs("/a"), enabled=False), a_route("rest")))
    assert named(engine, "/a") == "rest"

    engine.swap(a_plan(a_route("a", PathIs("/a")), a_route("rest")))
    assert named(engine, "/a") == "a"


def test_a_default_route_that_is_switched_off_leaves_a_refusal() -> None:
    """M17"""
    assert named(an_engine(a_route("rest", enabled=False)), "/") == ""


def test_load_stays_by_the_name_of_the_endpoint() -> None:
    engine = an_engine(a_route(to=endpoints_of({"a": 1})))
    ticket = ticket_of(decided(engine))

    engine.swap(a_plan(a_route("other", to=endpoints_of({"a": 7}))))
    decided(engine)
    assert engine.state.load.of("shop/a") == 2

    assert engine.settle(ticket, OK, 1.0) is not None
    assert engine.state.load.of("shop/a") == 1


def test_a_late_outcome_of_an_older_plan_settles() -> None:
    engine = an_engine(a_route("old", to=endpoints_of({"gone": 1})))
    ticket = ticket_of(decided(engine))

    engine.swap(a_plan(a_route("new", to=endpoints_of({"a": 1})), generation=2))
    settled = engine.settle(ticket, OK, 1.0)

    assert settled is not None
    assert (settled.route, settled.endpoint.id, settled.generation) == ("old", "gone", 1)
    assert engine.state.load.total() == 0


@pytest.mark.parametrize(
    ("strategy", "before", "after"),
    [("round_robin", "a b c a", "b c a b"), ("weighted_round_robin", "a a b a", "c a a a")],
)
def test_rotations_stay_by_the_name_of_the_pool(strategy: str, before: str, after: str) -> None:
    to = endpoints_of({"a": 5, "b": 1, "c": 1})
    engine = an_engine(a_route(to=to, strategy=strategy))
    assert picks(engine, 4) == before

    engine.swap(
        a_plan(a_route(to=to, strategy=strategy), a_route("new", PathIs("/new"), to=to, strategy=strategy))
    )

    assert picks(engine, 4) == after


def test_a_pool_that_comes_back_begins_anew() -> None:
    to = endpoints_of({"a": 1, "b": 1})
    engine = an_engine(a_route(to=to))
    assert picks(engine, 1) == "a"

    engine.swap(a_plan(a_route("other", to=to)))
    engine.swap(a_plan(a_route(to=to)))

    assert picks(engine, 1) == "a"


def test_a_pool_may_change_its_strategy_and_change_it_back() -> None:
    to = endpoints_of({"a": 2, "b": 1})
    engine = an_engine(a_route(to=to, strategy="weighted_round_robin"))
    assert picks(engine, 3) == "a b a"

    engine.swap(a_plan(a_route(to=endpoints_of({"a": 1, "c": 1}), strategy="round_robin")))
    assert sorted(picks(engine, 4).split()) == ["a", "a", "c", "c"]

    engine.swap(a_plan(a_route(to=to, strategy="weighted_round_robin")))
    given = picks(engine, 3).split()
    assert (given.count("a"), given.count("b")) == (2, 1)


@pytest.mark.parametrize(
    ("former", "left"),
    [
        ("weighted_round_robin", "wheel"),
        ("adaptive", "arms"),
        ("learned", "model"),
        ("consistent_hash", "ring"),
        ("cache_aware", "tally"),
        ("zone_aware", "zones"),
        ("geo_nearest", "atlas"),
        ("least_connections", "ladder"),
    ],
)
def test_what_only_the_former_strategy_went_by_is_kept_no_longer(former: str, left: str) -> None:
    """Neither memory nor work for what nobody reads: a model learns from every outcome."""
    fleet = [
        Endpoint("shop", name, address=f"10.0.0.{at}:80", region="us-east-1", zone="a")
        for at, name in enumerate("ab")
    ]
    made = CacheAware(by=(HeaderField("x-prompt"),)) if former == "cache_aware" else STRATEGIES[former]()
    engine = an_engine(by(fleet, made, former))
    pool = engine.state.pools.of("main")
    assert getattr(pool, left) is not None

    engine.swap(a_plan(by(fleet, made, former)))
    assert getattr(pool, left) is not None
    engine.swap(a_plan(by(fleet, Random(), "random")))

    assert engine.state.pools.of("main") is pool
    assert getattr(pool, left) is None
    decided(engine)


def by(fleet: list[Endpoint], strategy: Strategy, name: str) -> Route:
    return Route("main", ALWAYS, (Variant("main", "main", tuple(fleet), strategy, name),))


def test_regions_that_the_new_plan_does_not_name_are_forgotten() -> None:
    def somewhere(region: str) -> Route:
        return by([Endpoint("shop", "a", "10.0.0.1:80", region=region)], Random(), "random")

    engine = an_engine(somewhere("one"))
    for _ in range(5):
        engine.settle(ticket_of(decided(engine)), OK, 0.0)
    assert engine.state.regions.duration_s("one") > 0

    engine.swap(a_plan(somewhere("one")))
    assert engine.state.regions.duration_s("one") > 0
    engine.swap(a_plan(somewhere("two")))
    assert engine.state.regions.duration_s("one") < 0


def test_only_endpoints_of_the_new_plan_are_chosen_after_a_swap() -> None:
    """M17"""
    for strategy in ("round_robin", "weighted_round_robin", "random", "weighted_random"):
        engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 1}), strategy=strategy))
        picks(engine, 3)

        engine.swap(a_plan(a_route(to=endpoints_of({"a": 0, "c": 1, "d": 1}), strategy=strategy)))

        assert set(picks(engine, 40).split()) == {"c", "d"}


def test_a_shorter_lease_after_a_reload_leaves_nothing_overdue() -> None:
    engine = an_engine(a_route(), lease_s=300.0)
    decided(engine, now=0.0)

    engine.swap(a_plan(a_route(), lease_s=5.0))
    ticket = decided(engine, now=1.0).ticket

    assert ticket is not None
    assert engine.expire(ticket.expires_at) is None
    assert len(engine.state.tickets) == 0


def test_a_client_keeps_its_variant_through_a_reload() -> None:
    """R4"""

    def canary(share: float) -> set[int]:
        arms = {"stable": 100 - share, "canary": share}
        engine.swap(a_plan(a_split_route("checkout", arms, sticky=(HeaderField("x-user"),))))
        users = [a_request("/", ("x-user", f"user-{n}")) for n in range(500)]
        return {n for n, user in enumerate(users) if decided(engine, user).variant.name == "canary"}

    engine = an_engine(a_route())
    early, later, late = canary(5), canary(25), canary(60)

    assert early
    assert early < later < late
    assert canary(5) == early


class Unprepared(Strategy):
    def arrange(self, pool: Pool) -> None:
        raise ZeroDivisionError("a bug in a strategy")


def test_a_plan_whose_strategy_cannot_prepare_leaves_the_old_one_in_force() -> None:
    """V4: nothing of the old plan is forgotten, its splits included."""
    engine = an_engine(a_split_route("old", {"stable": 1.0, "canary": 1.0}))
    broken = Variant("new", "new/new", (an_endpoint("n"),), Unprepared(), "unprepared")

    with pytest.raises(ZeroDivisionError):
        engine.swap(a_plan(Route("new", PathIs("/"), (broken,)), generation=2))

    assert {decided(engine, a_request("/")).route.name for _ in range(20)} == {"old"}
