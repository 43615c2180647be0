"""Requests stay in their zone, within its capacity."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random

import pytest

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.engine import Engine
from sidecar.core.rules.fields import HeaderField
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.zone_aware import ZoneAware
from tests.builders import a_plan, a_request, a_route_by, an_engine_by, decided

ZONE = HeaderField("x-zone")
PARTS = {"a": 0.40, "b": 0.35, "c": 0.25}


def in_zones(counts: Mapping[str, int], weight: int = 1) -> tuple[Endpoint, ...]:
    """So many endpoints in each zone: `a0`, `a1` …"""
    return tuple(
        Endpoint("shop", f"{zone}{at}", "10.0.0.1:80", weight, zone=zone)
        for zone, count in counts.items()
        for at in range(count)
    )


FOUR_EACH = in_zones({"a": 4, "b": 4, "c": 4})


class Traffic:
    """What went from which zone to which."""

    def __init__(self, engine: Engine, origins: Mapping[str, float], seed: int = 1) -> None:
        self.engine = engine
        self.to: Counter[str] = Counter()
        self.across = 0
        self.sent: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self._names = list(origins)
        self._weights = list(origins.values())
        self._rng = Random(seed)

    def send(self, count: int) -> None:
        for origin in self._rng.choices(self._names, self._weights, k=count):
            zone = decided(self.engine, a_request("/", ("x-zone", origin))).endpoint.zone
            self.to[zone] += 1
            self.across += zone != origin
            self.sent[origin] += 1
            self.left[origin] += zone != origin


def shares(to: Counter[str]) -> dict[str, float]:
    return {zone: to[zone] / to.total() for zone in "abc"}


def aware(**options: float) -> ZoneAware:
    return ZoneAware(capacity=PARTS, by=(ZONE,), **options)  # type: ignore[arg-type]


def without_half_of(zone: str) -> Iterable[Endpoint]:
    return [each for each in FOUR_EACH if each.zone != zone or each.id in {f"{zone}0", f"{zone}1"}]


def lose_half_of(engine: Engine, strategy: ZoneAware, zone: str) -> None:
    """Two of its four may not be picked any more, as when they are ill."""
    pool = engine.state.pools.of("main")
    strategy.arrange(engine.state.pools.arrange("main", Candidates(list(without_half_of(zone))), pool.listed))


def test_requests_of_no_zone_are_shared_out_as_the_capacities_say() -> None:
    """S15: 40, 35 and 25 % of 10,000, to one request in a thousand."""
    engine = an_engine_by(aware(), FOUR_EACH)

    given = Counter(decided(engine).endpoint.zone for _ in range(10_000))

    assert shares(given) == pytest.approx(PARTS, abs=0.001)


def test_requests_that_come_as_the_capacities_are_stay_in_their_zone() -> None:
    """S15: 10,000 requests."""
    traffic = Traffic(an_engine_by(aware(), FOUR_EACH), PARTS)

    traffic.send(10_000)

    assert traffic.across <= 0.001 * 10_000


def test_a_zone_keeps_its_requests_until_it_is_one_and_a_half_times_as_full_as_another() -> None:
    """S15: capacities 40/35/25, and all requests from a zone that may send as many away as it likes: with x
    there, x/0.4 = 1.5 (1 - x)/0.6, so it keeps half; without a penalty 40 %. 10,000 requests after 3,000."""
    for penalty, kept in ((1.5, 0.5), (1.0, 0.4), (3.0, 2 / 3)):
        traffic = Traffic(an_engine_by(aware(penalty=penalty, most_across=1.0), FOUR_EACH), {"a": 1.0})
        traffic.send(3_000)
        traffic.to.clear()
        traffic.send(10_000)
        assert traffic.to["a"] / 10_000 == pytest.approx(kept, abs=0.01)


@pytest.mark.parametrize("origins", [{"a": 1.0}, {"c": 1.0}, {"a": 0.1, "c": 0.9}, {"a": 1, "b": 1, "c": 1}])
def test_at_most_30_percent_leave_their_zone(origins: Mapping[str, float]) -> None:
    """S15: 10,000 requests, and after each hundred of them."""
    traffic = Traffic(an_engine_by(aware(), FOUR_EACH), origins)

    for at in range(1, 101):
        traffic.send(100)
        assert traffic.across <= 0.3 * 100 * at

    if origins in ({"a": 1.0}, {"c": 1.0}):
        assert traffic.across >= 0.28 * 10_000


def test_of_no_zone_more_leave_than_may_however_many_stay_elsewhere() -> None:
    """S15: a zone that can take a hundredth and has a tenth of 20,000 requests; nine tenths have room at
    home. After each hundred; at the end the small zone has sent away what it may."""
    strategy = ZoneAware(capacity={"a": 0.9, "b": 0.01, "c": 0.09}, by=(ZONE,))
    traffic = Traffic(an_engine_by(strategy, in_zones({"a": 1, "b": 1, "c": 1})), {"a": 0.9, "b": 0.1})
    for _ in range(200):
        traffic.send(100)
        for zone in "ab":
            assert traffic.left[zone] <= 0.3 * traffic.sent[zone]

    assert traffic.left["b"] >= 0.28 * traffic.sent["b"]


def test_what_a_zone_sent_away_is_known_when_its_endpoints_change() -> None:
    """S15: 3,000 requests with a change after each; one that forgot would let nobody go at all."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    traffic = Traffic(engine, {"c": 1.0})
    for at in range(1, 3_001):
        traffic.send(1)
        pool = engine.state.pools.arrange("main", Candidates(list(FOUR_EACH[at % 2 :])), FOUR_EACH)
        strategy.arrange(pool)
        assert traffic.across <= 0.3 * at

    assert traffic.across >= 0.2 * 3_000


def test_capacities_and_the_30_percent_hold_while_a_zone_loses_half_its_endpoints() -> None:
    """S15: 100,000 requests, 40/35/25 from the zones; the first loses half of its endpoints after 30,000 and
    has them again after 70,000. With half of them its part of all is 20/80, and no zone is more than 1.5
    times as full as another (5 % for chance)."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    traffic = Traffic(engine, PARTS)
    traffic.send(30_000)
    assert shares(traffic.to) == pytest.approx(PARTS, abs=0.01)

    lose_half_of(engine, strategy, "a")
    traffic.send(3_000)
    traffic.to.clear()
    for _ in range(37):
        before = traffic.across
        traffic.send(1_000)
        assert traffic.across - before <= 0.3 * 1_000
    left = {"a": 0.25, "b": 0.4375, "c": 0.3125}
    fullness = {zone: share / left[zone] for zone, share in shares(traffic.to).items()}
    assert max(fullness.values()) <= 1.5 * 1.05 * min(fullness.values())
    assert shares(traffic.to)["a"] == pytest.approx(1 / 3, abs=0.01)

    strategy.arrange(engine.state.pools.arrange("main", Candidates(list(FOUR_EACH)), FOUR_EACH))
    traffic.send(3_000)
    traffic.to.clear()
    traffic.send(27_000)
    assert shares(traffic.to) == pytest.approx(PARTS, abs=0.01)
    assert traffic.across <= 0.3 * 100_000


def test_while_a_zone_loses_half_its_endpoints_no_more_than_30_percent_leave_it_however_full_it_is() -> None:
    """S15: 100,000 requests, all from the first zone, which loses half of its endpoints after 30,000 and has
    them again after 70,000. After each thousand. The limit is what keeps them: by fullness alone two thirds
    would leave meanwhile, as with x there, x/0.25 = 1.5 (1 - x)/0.75."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    traffic = Traffic(engine, {"a": 1.0})
    for at in range(100):
        if at == 30:
            lose_half_of(engine, strategy, "a")
        if at == 70:
            strategy.arrange(engine.state.pools.arrange("main", Candidates(list(FOUR_EACH)), FOUR_EACH))
        before = traffic.across
        traffic.send(1_000)
        assert traffic.across - before <= 0.3 * 1_000 + 1

    assert traffic.across >= 0.29 * 100_000
    free = aware(most_across=1.0)
    unlimited = Traffic(an_engine_by(free, FOUR_EACH), {"a": 1.0})
    lose_half_of(unlimited.engine, free, "a")
    unlimited.send(3_000)
    unlimited.across = 0
    unlimited.send(10_000)
    assert unlimited.across / 10_000 == pytest.approx(2 / 3, abs=0.02)


def test_requests_of_no_zone_follow_what_is_left_of_the_capacity() -> None:
    """S15: 10,000 after 3,000; 20, 35 and 25 of 80."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    lose_half_of(engine, strategy, "a")
    for _ in range(3_000):
        decided(engine)

    given = Counter(decided(engine).endpoint.zone for _ in range(10_000))

    assert shares(given) == pytest.approx({"a": 0.25, "b": 0.4375, "c": 0.3125}, abs=0.002)


def test_without_capacities_weights_count() -> None:
    """S15: 3 x 1, 2 x 1 and 1 x 1 of six."""
    engine = an_engine_by(ZoneAware(), in_zones({"a": 3, "b": 2, "c": 1}))

    given = Counter(decided(engine).endpoint.zone for _ in range(6_000))

    assert shares(given) == pytest.approx({"a": 1 / 2, "b": 1 / 3, "c": 1 / 6}, abs=0.002)


def test_the_sidecars_own_zone_counts_where_a_request_names_none() -> None:
    """S15"""
    engine = an_engine_by(ZoneAware(capacity=PARTS, local="b", by=(ZONE,), most_across=0.0), FOUR_EACH)

    assert {decided(engine).endpoint.zone for _ in range(200)} == {"b"}
    assert {decided(engine, a_request("/", ("x-zone", "c"))).endpoint.zone for _ in range(200)} == {"c"}


def test_a_request_whose_zone_has_nobody_left_goes_elsewhere_and_does_not_count_as_sent_away() -> None:
    """S15"""
    only = in_zones({"b": 2, "c": 2})
    traffic = Traffic(an_engine_by(aware(most_across=0.0), only), {"a": 1.0})
    traffic.send(1_000)

    assert traffic.to["b"] + traffic.to["c"] == 1_000
    zones = traffic.engine.state.pools.of("main").zones
    assert zones is not None
    assert all((zone.homed, zone.crossed) == (0.0, 0.0) for zone in zones.by_name.values())


def test_a_zone_that_comes_back_is_not_flooded() -> None:
    """S15: 200 requests of no zone, after it was away for 5,000; its part is 25 %."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    engine.swap(a_plan(a_route_by(strategy, in_zones({"a": 4, "b": 4}))))
    for _ in range(5_000):
        decided(engine)

    engine.swap(a_plan(a_route_by(strategy, FOUR_EACH)))
    given = Counter(decided(engine).endpoint.zone for _ in range(200))

    assert given["c"] / 200 <= 0.3


def test_zones_that_have_no_capacity_are_the_last() -> None:
    """S15"""
    engine = an_engine_by(ZoneAware(capacity={"a": 1.0}), in_zones({"a": 1, "z": 1}), want=2)

    for _ in range(100):
        decision = decided(engine)
        assert (decision.endpoint.zone, decision.fallbacks[0].zone) == ("a", "z")


def test_where_no_zone_has_a_capacity_all_are_alike() -> None:
    """S15"""
    engine = an_engine_by(ZoneAware(capacity={"x": 1.0}), in_zones({"a": 1, "b": 1}))

    given = Counter(decided(engine).endpoint.zone for _ in range(1_000))

    assert given == {"a": 500, "b": 500}


def test_within_a_zone_endpoints_are_drawn_by_weight() -> None:
    """S15: 4,000 requests; five standard deviations of 3/4 are 137."""
    endpoints = (
        Endpoint("shop", "heavy", "", 3, zone="a"),
        Endpoint("shop", "light", "", 1, zone="a"),
    )

    given = Counter(
        decided(an_engine).endpoint.id for an_engine in [an_engine_by(ZoneAware(), endpoints)] * 4_000
    )

    assert abs(given["heavy"] - 3_000) <= 137


def test_fallbacks_are_others_of_the_zone_and_then_of_the_next() -> None:
    """S15"""
    engine = an_engine_by(aware(), in_zones({"a": 2, "b": 2, "c": 2}), want=4)

    for _ in range(100):
        decision = decided(engine, a_request("/", ("x-zone", "b")))
        zones = [decision.endpoint.zone, *[each.zone for each in decision.fallbacks]]
        assert zones[0] == zones[1] != zones[2] == zones[3]


def test_candidates_that_a_request_may_not_have_are_left_out() -> None:
    """S15: and the counts are as they were."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    pool = engine.state.pools.of("main")
    fewer = Candidates([each for each in FOUR_EACH if each.id in {"b0", "b1", "c3"}])
    request = a_request("/", ("x-zone", "b"))
    zones = pool.zones
    assert zones is not None
    before = {name: zone.given for name, zone in zones.by_name.items()}

    picked = [
        strategy.rank(Turn(request, pool, fewer, engine.state, Random(seed), 0.0), 1)[0].id
        for seed in range(50)
    ]

    assert set(picked) == {"b0", "b1"}
    assert {name: zone.given for name, zone in zones.by_name.items()} == before


@pytest.mark.parametrize(("stayed", "went", "goes"), [(0, 0, "b"), (8, 2, "c"), (7, 3, "b")])
def test_candidates_that_are_fewer_may_leave_as_far_as_the_limit_of_all_says(
    stayed: int, went: int, goes: str
) -> None:
    """S15: of ten requests from b so many left it before; the next would, as its own zone is full, but may
    have only some endpoints of it and of c."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    pool = engine.state.pools.of("main")
    fewer = Candidates([each for each in FOUR_EACH if each.id in {"b0", "b1", "c3"}])
    assert pool.zones is not None
    for to in [*"b" * stayed, *"c" * went]:
        pool.zones.admitted(to, "b")
    for _ in range(1_000):
        pool.zones.admitted("b", "")

    turn = Turn(a_request("/", ("x-zone", "b")), pool, fewer, engine.state, Random(1), 0.0)

    assert strategy.rank(turn, 1)[0].zone == goes


def test_who_could_not_stay_for_a_condition_of_its_own_does_not_count_as_sent_away() -> None:
    """S15: 100 requests from b that may have endpoints of c alone."""
    strategy = aware()
    engine = an_engine_by(strategy, FOUR_EACH)
    pool = engine.state.pools.of("main")
    fewer = Candidates([each for each in FOUR_EACH if each.zone == "c"])

    for _ in range(100):
        turn = Turn(a_request("/", ("x-zone", "b")), pool, fewer, engine.state, Random(1), 0.0)
        strategy.admitted(turn, strategy.rank(turn, 1)[0])

    assert pool.zones is not None
    assert all((zone.homed, zone.crossed) == (0.0, 0.0) for zone in pool.zones.by_name.values())
    assert pool.zones.by_name["c"].given > pool.zones.by_name["b"].given


def test_says_what_it_judges_by() -> None:
    """S15, C8: at the beginning every zone is as full as the others, and others look 1.5 times as full."""
    strategy = aware()
    engine = an_engine_by(strategy, in_zones({"a": 1, "b": 1}))
    pool = engine.state.pools.of("main")
    turn = Turn(a_request("/", ("x-zone", "a")), pool, pool.candidates, engine.state, Random(1), 0.0)

    scores = {endpoint.zone: score for endpoint, score in strategy.scores(turn)}

    assert scores == pytest.approx({"a": 1.0, "b": 1.5}, abs=0.01)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"capacity": {"a": -0.1}}, "capacity must not be negative, got -0.1 for a"),
        ({"penalty": 0.9}, "penalty must be at least 1, got 0.9"),
        ({"most_across": 1.1}, "most_across must be 0 to 1, got 1.1"),
    ],
)
def test_options_are_checked(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ZoneAware(**options)  # type: ignore[arg-type]
