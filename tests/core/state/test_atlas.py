"""Which places with endpoints are near."""

from random import Random

import pytest

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.geography import Location, distance_km
from sidecar.core.state.atlas import Atlas, Chart, atlas_of


def at(id: str, location: Location | None, region: str = "") -> Endpoint:
    return Endpoint("shop", id, "10.0.0.1:80", region=region, location=location)


def nearest(chart: Chart, point: Location) -> Location | None:
    spots = chart.of_point(point)
    assert spots is not None
    assert sorted(spots) == list(range(len(chart.spots)))
    return chart.spots[spots[0]][1]


@pytest.mark.parametrize("count", [1, 2, 3, 12, 60])
def test_the_nearest_is_exact_wherever_the_request_comes_from(count: int) -> None:
    """S14: against measuring all, for random spots and 1,500 random points, with those at poles and edges."""
    rng = Random(count)
    spots: list[tuple[str, Location | None]] = [
        ("", (rng.uniform(-90, 90), rng.uniform(-180, 180))) for _ in range(count)
    ]
    chart = Chart(spots, {})
    points = [(rng.uniform(-90, 90), rng.uniform(-180, 180)) for _ in range(1_500)]
    points += [(rng.choice([-90.0, 90.0, 0.0, 10.0, -10.0]), rng.uniform(-180, 180)) for _ in range(200)]
    points += [(rng.uniform(-90, 90), rng.choice([-180.0, 180.0, 0.0, 10.0, 179.999])) for _ in range(200)]
    for point in points:
        found = nearest(chart, point)
        assert found is not None
        least = min(distance_km(point, location) for _, location in spots if location is not None)
        assert distance_km(point, found) == pytest.approx(least, abs=1e-6)


def test_over_the_antimeridian_and_at_the_poles_it_is_the_near_one() -> None:
    """S14"""
    fiji, hawaii, alert = (-18.1, 178.4), (21.3, -157.9), (82.5, -62.3)
    chart = Chart([("", hawaii), ("", fiji), ("", alert)], {})

    assert nearest(chart, (-17.0, -179.9)) == fiji
    assert nearest(chart, (90.0, 120.0)) == alert
    assert nearest(chart, (89.0, 175.0)) == alert
    assert nearest(chart, (-90.0, 0.0)) == fiji
    assert nearest(chart, (20.0, 180.0)) == hawaii


def test_spots_without_a_location_come_last() -> None:
    chart = Chart([("x", None), ("y", (0.0, 0.0))], {})

    assert chart.of_point((80.0, 80.0)) == [1, 0]
    assert chart.of_name("x") == [0, 1]


def test_where_nobody_is_anywhere_no_point_is_near() -> None:
    assert Chart([("x", None)], {}).of_point((0.0, 0.0)) is None


def test_the_own_region_comes_before_a_nearer_one() -> None:
    """S14: somebody may have put the endpoints of a region elsewhere."""
    chart = Chart([("near", (1.0, 0.0)), ("home", (40.0, 0.0))], {"home": (0.0, 0.0)})

    assert chart.of_name("home") == [1, 0]


def test_of_equal_distance_the_first_that_is_listed_counts() -> None:
    """S14"""
    for east, west in (((0.0, 10.0), (0.0, -10.0)), ((0.0, -10.0), (0.0, 10.0))):
        chart = Chart([("", east), ("", west)], {"middle": (0.0, 0.0)})
        assert chart.of_name("middle") == [0, 1]


def test_endpoints_are_where_they_say_else_where_their_region_is() -> None:
    places = {"home": (1.0, 2.0)}
    atlas = Atlas(
        Candidates([at("a", None, "home"), at("b", (5.0, 6.0), "home"), at("c", None, "nowhere")]), places
    )

    assert atlas.chart.spots == [("home", (1.0, 2.0)), ("home", (5.0, 6.0)), ("nowhere", None)]


def test_distances_stay_when_somebody_falls_ill() -> None:
    """S14: they are worked out anew only for a spot that was not there before."""
    three = [at("a", (0.0, 0.0)), at("b", (10.0, 0.0)), at("c", (20.0, 0.0))]
    atlas = Atlas(Candidates(three), {})

    without = Atlas(Candidates(three[1:]), {}, atlas)
    more = Atlas(Candidates([*three, at("d", (30.0, 0.0))]), {}, without)

    assert without.chart is atlas.chart
    assert without.shares[0] is None
    assert without.shares[1] is not None
    assert more.chart is not atlas.chart


def test_pools_of_the_same_candidates_share_their_atlas() -> None:
    candidates = Candidates([at("a", (0.0, 0.0))])

    assert atlas_of(candidates, {}, None) is atlas_of(candidates, {}, None)
    assert atlas_of(candidates, {"x": (1.0, 1.0)}, None).chart.of_name("x") == [0]
