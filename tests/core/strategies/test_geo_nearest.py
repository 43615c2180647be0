"""The endpoint that is nearest."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.engine import Engine
from sidecar.core.geography import Location
from sidecar.core.outcome import Outcome
from sidecar.core.rules.fields import HeaderField
from sidecar.core.state.tickets import Tickets
from sidecar.core.strategies.base import Turn
from sidecar.core.strategies.geo_nearest import GeoNearest
from tests.builders import (
    COMPILED,
    a_plan,
    a_request,
    a_route_by,
    an_engine_by,
    decided,
    lines_run,
    ticket_of,
)

FROM = HeaderField("x-from")
CHICAGO = (41.8781, -87.6298)


def at(id: str, location: Location | None = None, region: str = "", weight: int = 1) -> Endpoint:
    return Endpoint("shop", id, "10.0.0.1:80", weight, region=region or id, location=location)


NEW_YORK = at("new-york", (40.7128, -74.0060))
SAN_FRANCISCO = at("san-francisco", (37.7749, -122.4194))
LONDON = at("london", (51.5074, -0.1278))
THREE = (LONDON, SAN_FRANCISCO, NEW_YORK)


def near(**options: object) -> GeoNearest:
    return GeoNearest(by=(FROM,), **options)  # type: ignore[arg-type]


def going(engine: Engine, origin: str, now: float = 0.0) -> list[str]:
    decision = decided(engine, a_request("/", ("x-from", origin)), now)
    return [endpoint.id for endpoint in [decision.endpoint, *decision.fallbacks]]


@pytest.mark.parametrize("origin", ["41.8781,-87.6298", "chicago", "northcentralus"])
def test_chicago_goes_to_new_york_among_new_york_san_francisco_and_london(origin: str) -> None:
    """S14: as a point, as a place of the configuration, and as a cloud's region."""
    engine = an_engine_by(near(places={"chicago": CHICAGO}), THREE, want=3)

    assert going(engine, origin) == ["new-york", "san-francisco", "london"]


@pytest.mark.parametrize(
    ("origin", "to"),
    [
        ("48.85,2.35", "london"),
        ("eu-central-1", "london"),
        ("34.05,-118.24", "san-francisco"),
        ("us-west-2", "san-francisco"),
        ("21.3,-157.9", "san-francisco"),
        ("london", "london"),
        ("90,0", "london"),
    ],
)
def test_each_goes_to_the_nearest(origin: str, to: str) -> None:
    """S14"""
    assert going(an_engine_by(near(), THREE), origin) == [to]


def test_the_antimeridian_is_no_border() -> None:
    """S14: from Fiji, on either side of the line, Samoa is nearer than Sydney."""
    engine = an_engine_by(near(), (at("sydney", (-33.9, 151.2)), at("samoa", (-13.8, -171.8))))

    assert going(engine, "-17.0,179.9") == going(engine, "-17.0,-179.9") == ["samoa"]


def test_a_region_of_its_own_name_comes_first() -> None:
    """S14: without anybody knowing where it is."""
    engine = an_engine_by(near(), (at("a", region="here"), at("b", region="there"), NEW_YORK), want=3)

    assert going(engine, "there")[0] == "b"
    assert going(engine, "here")[0] == "a"
    assert going(engine, "41.88,-87.63")[0] == "new-york"


def test_a_region_of_a_cloud_needs_no_location() -> None:
    """S14"""
    engine = an_engine_by(near(), (at("a", region="us-east-1"), at("b", region="eu-west-1")))

    assert going(engine, "51.5,-0.1") == ["b"]
    assert going(engine, "us-east-2") == ["a"]


def test_endpoints_at_one_spot_share_by_weight() -> None:
    """S14: 4,000 requests; five standard deviations of 3/4 are 137."""
    engine = an_engine_by(near(), (at("a", (1.0, 1.0), "x", 3), at("b", (1.0, 1.0), "x", 1), LONDON))

    given = Counter(going(engine, "1,2")[0] for _ in range(4_000))

    assert abs(given["a"] - 3_000) <= 137
    assert given["a"] + given["b"] == 4_000


def test_fallbacks_are_those_of_the_spot_and_then_of_the_next() -> None:
    """S14"""
    here = (at("a", (40.0, -74.0), "x"), at("b", (40.0, -74.0), "x"))
    engine = an_engine_by(near(), (LONDON, *here, SAN_FRANCISCO), want=4)

    for _ in range(20):
        named = going(engine, "41.88,-87.63")
        assert sorted(named[:2]) == ["a", "b"]
        assert named[2:] == ["san-francisco", "london"]


def test_when_nobody_is_left_in_the_nearest_region_the_next_takes_over() -> None:
    """S14: and gives back."""
    engine = an_engine_by(near(), THREE)
    assert going(engine, "41.88,-87.63") == ["new-york"]

    engine.swap(a_plan(a_route_by(near(), (LONDON, SAN_FRANCISCO))))
    assert going(engine, "41.88,-87.63") == ["san-francisco"]
    engine.swap(a_plan(a_route_by(near(), THREE)))

    assert going(engine, "41.88,-87.63") == ["new-york"]


def answered(engine: Engine, endpoint: Endpoint, seconds: float, now: float) -> None:
    """Twenty requests of another pool took so long there."""
    for _ in range(20):
        ticket = Tickets(0).open("route", "variant", "other", endpoint, 1, now, 10.0)
        engine.state.regions.settled(ticket, Outcome(200, duration_s=seconds), now)


def test_a_region_above_the_threshold_is_passed_over_for_the_next() -> None:
    """S14: 200 ms."""
    engine = an_engine_by(near(), THREE, want=3)
    answered(engine, NEW_YORK, 0.19, 0.0)
    assert going(engine, "41.88,-87.63")[0] == "new-york"

    answered(engine, NEW_YORK, 0.5, 1.0)

    assert going(engine, "41.88,-87.63", 2.0) == ["san-francisco", "london", "new-york"]
    assert going(engine, "new-york", 2.0) == ["san-francisco", "london", "new-york"]
    assert going(engine, "41.88,-87.63", 30.9)[0] == "san-francisco"


def test_a_slow_region_is_tried_by_one_in_ten_until_it_is_known_to_be_fast() -> None:
    """S14: nothing was heard of it for half a minute. Of 1,000 requests, none of which has ended yet, five
    standard deviations around 100 go there; after five quick answers all do."""
    engine = an_engine_by(near(), THREE)
    answered(engine, NEW_YORK, 0.5, 0.0)

    given = Counter(going(engine, "41.88,-87.63", 31.0)[0] for _ in range(1_000))
    assert abs(given["new-york"] - 100) <= 48
    assert given["san-francisco"] + given["new-york"] == 1_000
    for at in range(5):
        ticket = Tickets(0).open("route", "variant", "other", NEW_YORK, 1, 31.0, 10.0)
        engine.state.regions.settled(ticket, Outcome(200, duration_s=0.05), 31.0 + at)

    assert {going(engine, "41.88,-87.63", 36.0)[0] for _ in range(100)} == {"new-york"}


def test_where_all_are_above_the_threshold_the_nearest_counts() -> None:
    """S14"""
    engine = an_engine_by(near(), THREE, want=3)
    for endpoint in THREE:
        answered(engine, endpoint, 0.5, 0.0)

    assert going(engine, "41.88,-87.63", 1.0) == ["new-york", "san-francisco", "london"]


def test_the_threshold_is_an_option() -> None:
    """S14"""
    engine = an_engine_by(near(threshold_s=1.0), THREE)
    answered(engine, NEW_YORK, 0.5, 0.0)

    assert going(engine, "41.88,-87.63", 1.0) == ["new-york"]


def test_the_engine_learns_how_long_a_region_takes() -> None:
    """S14: each request is answered after 0.5 s; from the sixth on they go elsewhere."""
    engine = an_engine_by(near(), (NEW_YORK, SAN_FRANCISCO))
    seen = []
    for _ in range(6):
        decision = decided(engine, a_request("/", ("x-from", "41.88,-87.63")))
        engine.settle(ticket_of(decision), Outcome(200, duration_s=0.5), 0.0)
        seen.append(decision.endpoint.id)

    assert seen == ["new-york"] * 5 + ["san-francisco"]


@pytest.mark.parametrize("origin", ["", "nowhere", "91,0", "41.88;-87.63"])
def test_a_request_from_nowhere_known_goes_by_the_order_of_the_regions(origin: str) -> None:
    """S14: those that are not in it follow as they are listed."""
    engine = an_engine_by(near(order=("gone", "san-francisco", "london")), THREE, want=3)

    assert going(engine, origin) == ["san-francisco", "london", "new-york"]


def test_the_order_passes_over_a_slow_region_too() -> None:
    """S14"""
    engine = an_engine_by(near(order=("london", "new-york")), THREE)
    answered(engine, LONDON, 0.9, 0.0)

    assert going(engine, "nowhere", 1.0) == ["new-york"]


def test_without_an_order_a_request_from_nowhere_goes_by_weight() -> None:
    """S14: 3,000 requests; five standard deviations of a third are 129."""
    engine = an_engine_by(near(), THREE)

    given = Counter(going(engine, "nowhere")[0] for _ in range(3_000))

    assert all(abs(count - 1_000) <= 129 for count in given.values())


def test_the_second_field_counts_where_the_first_leads_nowhere() -> None:
    """S14"""
    engine = an_engine_by(GeoNearest(by=(FROM, HeaderField("x-point"))), THREE)

    decision = decided(engine, a_request("/", ("x-from", "nowhere"), ("x-point", "48.85,2.35")))

    assert decision.endpoint is LONDON


def test_candidates_that_a_request_may_not_have_are_left_out() -> None:
    """S14"""
    strategy = near()
    engine = an_engine_by(strategy, THREE)
    pool = engine.state.pools.of("main")
    fewer = Candidates([LONDON, SAN_FRANCISCO])

    turn = Turn(a_request("/", ("x-from", "41.88,-87.63")), pool, fewer, engine.state, Random(1), 0.0)

    assert strategy.rank(turn, 3) == [SAN_FRANCISCO, LONDON]


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines of Python")
def test_an_order_costs_no_more_among_many_regions() -> None:
    """S14: lines of Python run for a ranking of a request from nowhere."""

    def cost(count: int) -> int:
        engine = an_engine_by(near(order=("e1", "e2")), [at(f"e{each}") for each in range(count)])
        return lines_run(lambda: going(engine, "nowhere"))

    assert cost(60) == cost(4)


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines of Python")
def test_a_request_costs_no_more_among_many_regions() -> None:
    """S14: lines of Python run for a ranking, for a region's name and for a point, among 4 and 60 spots that
    lie around the earth."""
    rng = Random(2)

    def cost(count: int, origin: str) -> int:
        places = [at(f"e{each}", (rng.uniform(-60, 60), rng.uniform(-180, 180))) for each in range(count)]
        engine = an_engine_by(near(), places)
        return lines_run(lambda: going(engine, origin))

    assert cost(60, "us-east-1") <= cost(4, "us-east-1")
    assert cost(60, "41.88,-87.63") <= 3 * cost(4, "41.88,-87.63")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"places": {"moon": (100.0, 0.0)}}, r"places must be on earth, got \(100.0, 0.0\) for moon"),
        ({"threshold_s": 0.0}, "threshold_s must be above 0, got 0.0"),
    ],
)
def test_options_are_checked(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        near(**options)
