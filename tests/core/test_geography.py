"""Distances on the earth, and where places are."""

from math import pi
from random import Random

import pytest

from sidecar.core.geography import EARTH_RADIUS_KM, PLACES, distance_km, location_of, on_earth

LONDON, NEW_YORK, SAN_FRANCISCO = (51.5074, -0.1278), (40.7128, -74.0060), (37.7749, -122.4194)
TOKYO, SYDNEY, CHICAGO = (35.6762, 139.6503), (-33.8688, 151.2093), (41.8781, -87.6298)


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (LONDON, NEW_YORK, 5570),
        (CHICAGO, NEW_YORK, 1145),
        (CHICAGO, SAN_FRANCISCO, 2984),
        (TOKYO, SAN_FRANCISCO, 8271),
        (SYDNEY, LONDON, 16994),
    ],
)
def test_towns_are_as_far_apart_as_is_known(
    one: tuple[float, float], other: tuple[float, float], km: float
) -> None:
    """S14: to half a percent, by which the earth is not a sphere."""
    assert distance_km(one, other) == pytest.approx(km, rel=0.005)
    assert distance_km(other, one) == pytest.approx(distance_km(one, other))


def test_the_way_over_the_antimeridian_is_the_short_one() -> None:
    """S14: a degree at the equator is 111.2 km, on either side of the line."""
    assert distance_km((0.0, 179.5), (0.0, -179.5)) == pytest.approx(111.195, rel=1e-4)
    assert distance_km((0.0, 180.0), (0.0, -180.0)) == pytest.approx(0.0, abs=1e-6)


def test_at_the_poles_every_longitude_is_the_same_place() -> None:
    """S14"""
    assert distance_km((90.0, 0.0), (90.0, 123.0)) == pytest.approx(0.0, abs=1e-6)
    assert distance_km((-90.0, 10.0), (-90.0, -170.0)) == pytest.approx(0.0, abs=1e-6)
    assert distance_km((89.0, 0.0), (89.0, 180.0)) == pytest.approx(2 * 111.195, rel=1e-4)
    assert distance_km((90.0, 0.0), (-90.0, 77.0)) == pytest.approx(pi * EARTH_RADIUS_KM)


def test_distances_are_a_metric() -> None:
    """S14: 2,000 random triangles; and never more than half around the earth, opposite points included."""
    rng = Random(1)

    def anywhere() -> tuple[float, float]:
        return rng.uniform(-90, 90), rng.uniform(-180, 180)

    for _ in range(2_000):
        a, b, c = anywhere(), anywhere(), anywhere()
        assert distance_km(a, c) <= distance_km(a, b) + distance_km(b, c) + 1e-6
        opposite = (-a[0], a[1] - 180.0 if a[1] > 0 else a[1] + 180.0)
        assert distance_km(a, opposite) == pytest.approx(pi * EARTH_RADIUS_KM)


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("41.88,-87.63", (41.88, -87.63)),
        ("0,0", (0.0, 0.0)),
        (" -90 , 180 ", (-90.0, 180.0)),
        ("+1.5,-0", (1.5, 0.0)),
    ],
)
def test_a_point_is_latitude_and_longitude(text: str, location: tuple[float, float]) -> None:
    """S14"""
    assert location_of(text) == location


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "1",
        "1;2",
        "1,2,3",
        "91,0",
        "0,181",
        "-90.1,0",
        "nan,0",
        "0,inf",
        "a,b",
        "1," + "0" * 1000,
        "é,1",
    ],
)
def test_anything_else_is_no_point(text: str) -> None:
    """S14"""
    assert location_of(text) is None


def test_every_place_that_is_known_is_on_earth() -> None:
    """S14: and a few are where everybody knows them to be."""
    assert all(on_earth(location) for location in PLACES.values())
    for name, town in {
        "eu-west-2": LONDON,
        "europe-west2": LONDON,
        "ap-northeast-1": TOKYO,
        "australiaeast": SYDNEY,
    }.items():
        assert distance_km(PLACES[name], town) < 50


@pytest.mark.parametrize(
    ("prefix", "box"),
    [
        ("eu-", (35, 61, -10, 25)),
        ("europe-", (35, 61, -10, 28)),
        ("us-", (24, 50, -125, -66)),
        ("ap-", (-38, 38, 70, 153)),
        ("asia-", (-7, 38, 70, 142)),
        ("sa-", (-56, 13, -82, -34)),
        ("southamerica-", (-56, 13, -82, -34)),
        ("northamerica-", (14, 60, -130, -52)),
        ("africa-", (-35, 38, -18, 52)),
        ("af-", (-35, 38, -18, 52)),
        ("me-", (12, 42, 34, 60)),
        ("australia", (-44, -10, 112, 154)),
        ("ca-", (42, 60, -130, -52)),
        ("canada", (42, 60, -130, -52)),
        ("japan", (30, 46, 129, 146)),
        ("korea", (33, 39, 125, 130)),
    ],
)
def test_places_are_on_the_continent_of_their_name(prefix: str, box: tuple[int, int, int, int]) -> None:
    """S14: south, north, west, east."""
    found = [location for name, location in PLACES.items() if name.startswith(prefix)]

    assert found
    assert all(box[0] <= lat <= box[1] and box[2] <= lon <= box[3] for lat, lon in found)
