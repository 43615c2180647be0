"""What strategies by key, cache, quota, place and session do to traffic, against round robin.

Seeds are fixed, so a bound is met or not; each leaves room for other seeds.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.cache_aware import CacheAware
from sidecar.core.strategies.consistent_hash import ConsistentHash
from sidecar.core.strategies.geo_nearest import GeoNearest
from sidecar.core.strategies.quota_aware import QuotaAware
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.strategies.sticky import Sticky
from sidecar.core.strategies.zone_aware import ZoneAware
from sidecar.sim.result import Result
from sidecar.sim.scenario import Cache, Change, Scenario
from sidecar.sim.simulation import play, simulate
from tests.builders import a_plan, a_request, a_route_by, an_endpoint, an_engine_by, decided, ticket_of
from tests.sim.scenes import WARM_S, a_scenario, a_server, played

PROMPT, USER, REGION, ZONE = (HeaderField(name) for name in ("x-prompt", "x-user", "x-region", "x-zone"))
FOUR = ("e0", "e1", "e2", "e3")


def prompting(groups: int) -> Callable[[Random], Request]:
    """Prompts that begin with the 600 characters of one of so many groups, and go on with a question."""

    def draw(rng: Random) -> Request:
        return a_request("/", ("x-prompt", f"{rng.randrange(groups):06}" * 100 + f"question {rng.random()}"))

    return draw


def with_caches(keys: int, groups: int, **more: float) -> Scenario:
    """Four servers whose caches hold the beginnings of so many groups of prompts each; what hits takes a
    tenth of the time."""
    cache = Cache("x-prompt", keys, prefix=600)
    servers = {name: a_server(cache=cache) for name in FOUR}
    return a_scenario(servers, request=prompting(groups), **more)


def attempts(strategy: Strategy, scenario: Scenario) -> Result:
    """As the servers saw them, from when the caches are warm."""
    return play(
        a_plan(a_route_by(strategy, [an_endpoint(name) for name in FOUR])), scenario
    ).attempts.between(WARM_S)


def hit_rate(result: Result) -> float:
    rate = result.hit_rate()
    assert rate is not None
    return rate


@pytest.mark.parametrize("sidecars", [1, 2])
def test_by_prompt_caches_hit_at_least_one_and_a_half_times_as_often_as_in_turn(sidecars: int) -> None:
    """S9: 120 groups, and caches of 40, at half of what the servers could do without them. One cache holds a
    third, all hold each once where each has its own. A second sidecar does not know whom the first has sent
    where, which costs a part of it."""
    scenario = with_caches(40, 120, sidecars=sidecars).at_utilisation(0.5)

    in_turn, by_prompt = (
        attempts(strategy, scenario) for strategy in (RoundRobin(), CacheAware(by=(PROMPT,)))
    )

    assert 0.2 <= hit_rate(in_turn) <= 0.45
    assert hit_rate(by_prompt) >= 1.5 * hit_rate(in_turn)
    assert by_prompt.latency_s(0.5) < in_turn.latency_s(0.5)


def test_by_reported_hit_rate_the_best_cache_gets_most_and_the_order_is_that_of_the_rates() -> None:
    """S9: caches that hold 90, 60 and 30 of 100 beginnings and tell each second how often they hit."""
    servers = {
        f"e{at}": a_server(cache=Cache("x-prompt", keys, prefix=600)) for at, keys in enumerate((90, 60, 30))
    }
    scenario = a_scenario(servers, request=prompting(100), reports_every_s=1.0).at_utilisation(0.5)

    shares = played(CacheAware(least_hits=0.0), scenario).between(WARM_S).shares()

    assert shares["shop/e0"] > shares["shop/e1"] > shares["shop/e2"] > 0
    assert shares["shop/e0"] > 0.5


def test_the_key_of_a_hash_hits_caches_too() -> None:
    """S13: each group of prompts is a user's, and its endpoint the same at both sidecars."""

    def of_users(rng: Random) -> Request:
        user = rng.randrange(120)
        return a_request("/", ("x-user", str(user)), ("x-prompt", f"{user:06}"))

    servers = {name: a_server(cache=Cache("x-prompt", 40)) for name in FOUR}
    scenario = a_scenario(servers, request=of_users, sidecars=2).at_utilisation(0.5)

    in_turn, by_user = (
        attempts(strategy, scenario) for strategy in (RoundRobin(), ConsistentHash(by=(USER,)))
    )

    assert hit_rate(by_user) >= 2 * hit_rate(in_turn)
    assert hit_rate(by_user) >= 0.9


def test_a_bound_on_loads_keeps_a_key_that_everybody_asks_for_from_overloading_one() -> None:
    """S13: half of all requests have the same key, at 70 % of what four can do: more than one of them can."""

    def crowded(rng: Random) -> Request:
        return a_request("/", ("x-user", "star" if rng.random() < 0.5 else str(rng.random())))

    scenario = a_scenario({name: a_server() for name in FOUR}, request=crowded).at_utilisation(0.7)

    bounded, free = (
        played(ConsistentHash(by=(USER,), load_factor=factor), scenario).between(WARM_S)
        for factor in (1.25, 0.0)
    )

    assert max(free.shares().values()) >= 0.5
    assert max(bounded.shares().values()) <= 0.5
    assert bounded.latency_s(0.99) <= free.latency_s(0.99) / 10


def test_quotas_last_longer_where_those_who_have_more_left_get_more() -> None:
    """S10: quotas of 3,000, 1,200 and 600 requests a minute, told each second, and 4,000 requests in each of
    three minutes: a third of them to each is more than the two small ones have."""
    quotas = {"e0": 3_000, "e1": 1_200, "e2": 600}
    servers = {name: a_server(mean_s=0.01, quota_per_minute=quota) for name, quota in quotas.items()}
    scenario = a_scenario(servers, rate=4_000 / 60, duration_s=180.0, reports_every_s=1.0)

    in_turn, by_quota = (played(strategy, scenario) for strategy in (RoundRobin(), QuotaAware()))

    assert in_turn.failures() > 0.1 * len(in_turn)
    assert by_quota.failures() < in_turn.failures() / 10


def regional(id: str, region: str, zone: str = "") -> Endpoint:
    return Endpoint("shop", id, "10.0.0.1:80", region=region, zone=zone)


THREE_REGIONS = (
    regional("e0", "us-east-1"),
    regional("e1", "us-west-2"),
    regional("e2", "eu-west-1"),
)


def test_the_next_region_takes_over_while_one_is_slow_and_gives_back_when_it_is_not() -> None:
    """S14: from Ohio, 50 requests a second. The nearest region takes ten times as long from 20 to 60 s, which
    is above 200 ms. It is left within 2 s but for what tries it, never for the farthest, and within a minute
    after it has recovered it has its requests again."""

    def from_ohio(_rng: Random) -> Request:
        return a_request("/", ("x-region", "us-east-2"))

    scenario = a_scenario(
        {f"e{at}": a_server(0.05, 16) for at in range(3)},
        rate=50.0,
        duration_s=150.0,
        request=from_ohio,
        changes=(Change(20.0, "shop/e0", slower=10.0), Change(60.0, "shop/e0", slower=1.0)),
    )
    result = simulate(a_plan(a_route_by(GeoNearest(by=(REGION,)), THREE_REGIONS)), scenario)

    before, slow, after = (
        result.between(since, until).shares() for since, until in ((1, 20), (22, 60), (120, 150))
    )
    assert before["shop/e0"] == 1.0
    assert slow["shop/e1"] >= 0.95
    assert after["shop/e0"] == 1.0
    assert all(shares["shop/e2"] == 0.0 for shares in (before, slow, after))


def test_at_most_30_percent_leave_their_zone_however_many_sidecars_and_slow_endpoints() -> None:
    """S15: capacities 40/35/25, requests from the first zone alone, at three sidecars."""
    endpoints = [regional(f"e{at}", "", "abc"[at % 3]) for at in range(6)]
    strategy = ZoneAware(capacity={"a": 0.4, "b": 0.35, "c": 0.25}, by=(ZONE,))
    scenario = a_scenario(
        {f"e{at}": a_server() for at in range(6)},
        rate=200.0,
        sidecars=3,
        request=lambda _: a_request("/", ("x-zone", "a")),
        changes=(Change(30.0, "shop/e0", slower=5.0),),
    )

    shares = simulate(a_plan(a_route_by(strategy, endpoints)), scenario).shares()

    assert 0.7 <= shares["shop/e0"] + shares["shop/e3"] <= 0.72


def test_sessions_stay_where_they_are_while_strategies_are_switched_under_load() -> None:
    """S16, S18: 60 s with 100 requests a second of 200 sessions, in virtual time; each lasts 0.2 to 2 s, so
    that about a hundred are under way at every switch; every second the strategy inside is another one.
    No request is refused, none of the sessions moves, and all outcomes find their tickets."""
    endpoints = [an_endpoint(name) for name in FOUR]
    engine = an_engine_by(Sticky(RoundRobin(), (USER,)), endpoints)
    rng, names = Random(2), sorted(STRATEGIES)
    homes: dict[int, set[str]] = defaultdict(set)
    under_way: list[tuple[float, int]] = []
    given: Counter[str] = Counter()
    for at in range(6_000):
        now = at / 100
        if at % 100 == 0:
            inner: Strategy = STRATEGIES[names[at // 100 % len(names)]]()
            engine.swap(a_plan(a_route_by(Sticky(inner, (USER,)), endpoints)), now)
        user = rng.randrange(200)
        decision = decided(engine, a_request("/", ("x-user", str(user))), now)
        homes[user].add(decision.endpoint.id)
        given[decision.endpoint.id] += 1
        under_way.append((now + rng.uniform(0.2, 2.0), ticket_of(decision)))
        for ends, ticket in [each for each in under_way if each[0] <= now]:
            assert engine.settle(ticket, Outcome(200, 1.0), now) is not None
            under_way.remove((ends, ticket))

    assert len(homes) == 200
    assert all(len(home) == 1 for home in homes.values())
    assert set(given) == set(FOUR)
    assert len(under_way) > 50
    engine.expire(1e9)
    assert engine.state.load.total() == 0


def test_sessions_move_off_a_server_that_is_gone_and_those_of_the_others_stay() -> None:
    """S16: 100 sessions at 100 requests a second; after 30 s the second server is taken out of the plan."""
    endpoints = [an_endpoint(name) for name in FOUR]
    engine = an_engine_by(Sticky(RoundRobin(), (USER,)), endpoints)

    def homes(since: float) -> dict[int, str]:
        return {
            user: decided(engine, a_request("/", ("x-user", str(user))), since + user / 100).endpoint.id
            for user in range(100)
        }

    before = homes(0.0)
    assert homes(29.0) == before
    engine.swap(a_plan(a_route_by(Sticky(RoundRobin(), (USER,)), [endpoints[0], *endpoints[2:]])), 30.0)
    after = homes(30.0)

    assert Counter(before.values())["e1"] == 25
    assert {user for user in before if before[user] != after[user]} == {
        user for user in before if before[user] == "e1"
    }
    assert homes(31.0) == after


def test_the_same_seed_plays_the_same() -> None:
    scenario = replace(with_caches(40, 120, duration_s=5.0), rate=50.0)

    first, second = (played(CacheAware(by=(PROMPT,)), scenario) for _ in range(2))

    assert first.went_to == second.went_to
