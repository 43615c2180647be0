"""Requests where a cache is likely to hit."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from random import Random

import pytest

from sidecar.core.endpoint import Candidates
from sidecar.core.engine import Engine
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from sidecar.core.strategies.base import Strategy, Turn
from sidecar.core.strategies.cache_aware import CacheAware
from sidecar.core.strategies.round_robin import RoundRobin
from tests.builders import OK, a_request, an_engine_by, decided, endpoints_of, ticket_of

THREE = endpoints_of({"a": 1, "b": 1, "c": 1})
PROMPT = HeaderField("x-prompt")


def told(engine: Engine, rates: Mapping[str, float], now: float = 0.0) -> None:
    for name, rate in rates.items():
        engine.state.reports.told(f"shop/{name}", now, cache_hit_rate=rate)


def shares(engine: Engine, count: int, now: float = 0.0) -> Counter[str]:
    """Of so many decisions, one each millisecond."""
    return Counter(decided(engine, now=now + at / 1000).endpoint.id for at in range(count))


def prompting(text: str) -> Request:
    return a_request("/", ("x-prompt", text))


def test_the_best_hit_rate_gets_most_and_the_order_is_that_of_the_rates() -> None:
    """S9: 0.85, 0.62 and 0.91 over 1,000 requests. As 1/(1 - h) is 6.7, 2.6 and 11.1, 327, 129 and 544 are
    expected, with standard deviations of 15, 11 and 16."""
    engine = an_engine_by(CacheAware(), THREE)
    told(engine, {"a": 0.85, "b": 0.62, "c": 0.91})

    given = shares(engine, 1_000)

    assert given["c"] > 500
    assert given["c"] > given["a"] > given["b"] > 0


def test_each_has_the_same_number_of_misses() -> None:
    """S9: 30,000 requests; each of three misses 1,633 of them, with a deviation of 40 by chance."""
    rates = {"a": 0.85, "b": 0.62, "c": 0.91}
    engine = an_engine_by(CacheAware(), THREE)
    told(engine, rates)

    given = shares(engine, 29_000)

    misses = [given[name] * (1 - rate) for name, rate in rates.items()]
    assert max(misses) - min(misses) <= 5 * 40


def test_below_a_rate_of_30_percent_there_is_no_share() -> None:
    """S9"""
    engine = an_engine_by(CacheAware(), THREE, want=3)
    told(engine, {"a": 0.299, "b": 0.3, "c": 0.4})

    assert set(shares(engine, 500)) == {"b", "c"}
    assert decided(engine).fallbacks[-1].id == "a"


def test_the_first_cache_to_be_warm_does_not_keep_the_others_cold() -> None:
    """S9: 4,000 requests while fewer than half have 30 %: 1/(1 - h) is 1.25, 1.25 and 1.67 for those that
    report, and the average for the one that does not. Five deviations of 0.24 and of 0.3 are 135 and 145."""
    engine = an_engine_by(CacheAware(), endpoints_of({"a": 1, "b": 1, "c": 1, "d": 1}))
    told(engine, {"a": 0.2, "b": 0.2, "c": 0.4})

    given = shares(engine, 4_000)

    assert abs(given["a"] - 900) <= 135
    assert abs(given["c"] - 1_200) <= 145


def test_where_half_are_warm_the_cold_get_nothing() -> None:
    """S9"""
    engine = an_engine_by(CacheAware(), endpoints_of({"a": 1, "b": 1}))
    told(engine, {"a": 0.2, "b": 0.4})

    assert shares(engine, 500)["a"] == 0


def test_where_no_rate_is_worth_it_weights_count() -> None:
    """S9: 4,000 requests; five standard deviations of 3/4 are 137."""
    engine = an_engine_by(CacheAware(), endpoints_of({"a": 3, "b": 1}))
    told(engine, {"a": 0.1, "b": 0.2})

    assert abs(shares(engine, 4_000)["a"] - 3_000) <= 137


def test_who_reports_nothing_gets_the_average_share() -> None:
    """S9: neither starved nor flooded: of shares 2 and 4 that is 3, a third of all. Five deviations of 4,000
    are 149."""
    engine = an_engine_by(CacheAware(), THREE)
    told(engine, {"a": 0.5, "b": 0.75})

    assert abs(shares(engine, 4_000)["c"] - 4_000 / 3) <= 149


def test_a_cache_that_always_hits_does_not_take_all() -> None:
    """S9: a rate of 1 counts as 0.99, which is 50 times the share of 0.5."""
    engine = an_engine_by(CacheAware(), endpoints_of({"a": 1, "b": 1}))
    told(engine, {"a": 1.0, "b": 0.5})

    assert shares(engine, 2_000)["b"] > 0


def test_a_report_that_is_old_counts_for_nothing() -> None:
    """S9"""
    engine = an_engine_by(CacheAware(), THREE)
    told(engine, {"a": 0.1, "b": 0.9, "c": 0.9})
    assert shares(engine, 200)["a"] == 0

    assert shares(engine, 200, now=31.0)["a"] > 30


def test_the_same_beginning_leads_to_who_served_it() -> None:
    """S9: 20 prompts that share 1,000 characters with an earlier one and go on otherwise."""
    engine = an_engine_by(CacheAware(by=(PROMPT,)), THREE)
    groups = {letter: letter * 1_000 for letter in "uvwxyz"}
    served = {}
    for letter, beginning in groups.items():
        decision = decided(engine, prompting(beginning + "first"))
        served[letter] = decision.endpoint.id
        engine.settle(ticket_of(decision), OK, 0.0)

    assert len(set(served.values())) > 1
    for at in range(20):
        for letter, beginning in groups.items():
            decision = decided(engine, prompting(f"{beginning}{at}"))
            assert decision.endpoint.id == served[letter]
            engine.settle(ticket_of(decision), OK, 0.0)


def test_the_longest_shared_beginning_decides() -> None:
    """S9: all share 300 characters, and two conversations 600 more."""
    strategy = CacheAware(by=(PROMPT,))
    engine = an_engine_by(strategy, THREE)
    prefixes = engine.state.prefixes
    talks = {"shop/a": "s" * 300 + "1" * 600, "shop/b": "s" * 300 + "2" * 600}
    pool = engine.state.pools.of("main")
    for key, text in talks.items():
        turn = Turn(prompting(text), pool, pool.candidates, engine.state, Random(1), 0.0)
        strategy.admitted(turn, pool.candidates.by_key[key])
    assert len(prefixes) == 3  # 256 characters in common, and 512 of each

    for key, text in talks.items():
        assert decided(engine, prompting(text + "and so on")).endpoint.key == key


def test_a_short_prompt_or_none_goes_by_share() -> None:
    """S9"""
    engine = an_engine_by(CacheAware(by=(PROMPT,)), THREE)

    for _ in range(30):
        decided(engine, prompting("x" * 255))
        decided(engine)

    assert len(engine.state.prefixes) == 0


def test_a_beginning_is_forgotten_in_time() -> None:
    """S9"""
    engine = an_engine_by(CacheAware(by=(PROMPT,), kept_s=60.0), THREE)

    def goes(now: float) -> str:
        decision = decided(engine, prompting("x" * 300), now)
        engine.settle(ticket_of(decision), OK, now)
        return decision.endpoint.id

    assert len({goes(59.0 * at) for at in range(20)}) == 1
    assert len({goes(2_000.0 + 61.0 * at) for at in range(20)}) > 1


def test_a_beginning_that_all_share_does_not_overload_one() -> None:
    """S9: 90 at once with the same beginning; each of three has at most 1.5 times its part."""
    engine = an_engine_by(CacheAware(by=(PROMPT,)), THREE)

    given = Counter(decided(engine, prompting("x" * 2_000)).endpoint.id for _ in range(90))

    assert max(given.values()) <= 1.5 * 30 + 1
    assert len(given) == 3


def test_candidates_that_a_request_may_not_have_are_not_preferred() -> None:
    """S9"""
    strategy = CacheAware(by=(PROMPT,))
    engine = an_engine_by(strategy, THREE)
    served = decided(engine, prompting("x" * 300)).endpoint
    fewer = Candidates([endpoint for endpoint in THREE if endpoint is not served])
    pool = engine.state.pools.of("main")

    for seed in range(20):
        turn = Turn(prompting("x" * 300), pool, fewer, engine.state, Random(seed), 0.0)
        assert strategy.rank(turn, 1)[0] is not served


def test_who_served_the_beginning_comes_first_and_once() -> None:
    """S9"""
    engine = an_engine_by(CacheAware(by=(PROMPT,)), THREE, want=3)
    first = decided(engine, prompting("x" * 300)).endpoint

    for _ in range(3):
        decision = decided(engine, prompting("x" * 300))
        named = [decision.endpoint, *decision.fallbacks]
        assert decision.endpoint is first
        assert sorted(endpoint.id for endpoint in named) == ["a", "b", "c"]


class _Cache:
    """Keeps the beginnings that were used last: `room` of them."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[int, None] = OrderedDict()

    def hits(self, group: int) -> bool:
        hit = group in self._kept
        self._kept[group] = None
        self._kept.move_to_end(group)
        if len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return hit


def simulated_hit_rate(strategy: Strategy) -> float:
    """Four endpoints whose caches hold 40 beginnings each; 20,000 prompts of 120 groups, in random order,
    that share 1,500 characters within their group. Each takes 1 s, and 8 are under way at any time. The first
    2,000 only warm the caches."""
    engine = an_engine_by(strategy, endpoints_of({"a": 1, "b": 1, "c": 1, "d": 1}))
    caches = {name: _Cache(40) for name in "abcd"}
    rng = Random(11)
    under_way: list[int] = []
    hits = 0
    for at in range(20_000):
        now = at / 8
        group = rng.randrange(120)
        decision = decided(engine, prompting(f"{group:05}" * 300 + f"question {at}"), now)
        under_way.append(ticket_of(decision))
        if len(under_way) > 8:
            engine.settle(under_way.pop(0), OK, now)
        hit = caches[decision.endpoint.id].hits(group)
        hits += hit and at >= 2_000
    return hits / 18_000


def test_by_prefix_caches_hit_at_least_one_and_a_half_times_as_often_as_in_turn() -> None:
    """S9: one cache holds a third of the groups, four hold all, when each has its own."""
    in_turn = simulated_hit_rate(RoundRobin())
    by_prefix = simulated_hit_rate(CacheAware(by=(PROMPT,)))

    assert 0.2 <= in_turn <= 0.45
    assert by_prefix >= 1.5 * in_turn
    assert by_prefix >= 0.8


def test_says_what_it_judges_by() -> None:
    """S9, C8"""
    strategy = CacheAware()
    engine = an_engine_by(strategy, THREE)
    told(engine, {"a": 0.5, "b": 0.1})
    turn = decided(engine).turn
    assert turn is not None

    assert [(endpoint.id, score) for endpoint, score in strategy.scores(turn)] == [
        ("a", 0.5),
        ("b", 0.1),
        ("c", -1.0),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"least_hits": 1.5}, "least_hits must be 0 to 1, got 1.5"),
        ({"kept_s": 0.0}, "kept_s must be above 0, got 0.0"),
        ({"load_factor": 1.0}, "load_factor must be above 1, got 1.0"),
        ({"spare": -1}, "spare must not be negative, got -1"),
    ],
)
def test_options_are_checked(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CacheAware(**options)  # type: ignore[arg-type]
