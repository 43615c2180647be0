"""What the file says of leaving regions, and what is said of mistakes in it."""

import pytest

from sidecar.config.errors import ConfigError
from sidecar.core.watch import RegionRule
from tests.config.files import loaded

SHOP = """\
clusters: {shop: {endpoints: [{address: '10.0.0.1:80', region: us}, {address: '10.0.0.2:80', region: eu}]}}
routes: [{name: r, to: shop}]
"""
AT = "gateway.yaml:3: regions.leave"


def a_file(regions: str) -> str:
    """`regions` stands in line 3."""
    return f"{SHOP}regions: {{{regions}}}\n"


def rule_of(regions: str) -> RegionRule | None:
    return loaded(a_file(regions)).plan.regions


def test_no_region_is_left_unless_it_is_said_when() -> None:
    """F5"""
    assert rule_of("primary: us, order: [us, eu]") is None


def test_the_primary_region_comes_first_and_none_twice() -> None:
    """F5"""
    rule = rule_of(
        'primary: eu, order: [us, eu], leave: {health: "< 95%", response_time: "> 1s", error_rate: "> 5%"}'
    )

    assert rule is not None
    assert rule.order == ("eu", "us")
    assert (rule.least_healthy, rule.slow_s, rule.error_rate) == (0.95, 1.0, 0.05)
    assert (rule.return_after_s, rule.window_s, rule.requests) == (60.0, 10.0, 20)


def test_what_is_not_given_is_no_reason() -> None:
    """F5"""
    health = rule_of('order: [us, eu], return_after: 5m, leave: {health: "<50%", window: 1m, requests: 5}')
    slow = rule_of('order: [us, eu], leave: {response_time: ">250ms"}')

    assert health is not None
    assert slow is not None
    assert (health.least_healthy, health.slow_s, health.error_rate) == (0.5, 0.0, 1.0)
    assert (health.return_after_s, health.window_s, health.requests) == (300.0, 60.0, 5)
    assert (slow.least_healthy, slow.slow_s) == (0.0, 0.25)


def test_geo_nearest_where_one_region_has_the_traffic_is_noted() -> None:
    """F5"""
    text = a_file('order: [us, eu], leave: {health: "< 95%"}').replace(
        "to: shop", "to: shop, strategy: geo_nearest"
    )

    (note,) = loaded(text).notes

    assert note.endswith(
        "geo_nearest has one region to choose from, as regions.leave makes the others stand by; "
        "leave one of the two out"
    )


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        pytest.param(
            'order: [us, eu], leave: {health: "95%"}',
            f'{AT}.health: "95%" is not a bound; write one such as "< 95%"',
            id="no sign",
        ),
        pytest.param(
            'order: [us, eu], leave: {health: "> 95%"}',
            f'{AT}.health: "> 95%" is not a bound; write one such as "< 95%"',
            id="health the wrong way round",
        ),
        pytest.param(
            'order: [us, eu], leave: {response_time: "> 1000"}',
            f'{AT}.response_time: "> 1000" is not a bound; write one such as "> 1s"',
            id="no unit",
        ),
        pytest.param(
            "order: [us, eu], leave: {error_rate: 5}",
            f'{AT}.error_rate: 5 is not a bound; write one such as "> 5%"',
            id="a number",
        ),
        pytest.param(
            "order: [us, eu], leave: {}",
            f"{AT}: there is no reason to leave a region; give it health, response_time or error_rate",
            id="no reason",
        ),
        pytest.param(
            'primary: us, leave: {health: "< 95%"}',
            f"{AT}: there is nowhere to go from a region that is left; name at least two regions in primary "
            "and order",
            id="one region",
        ),
        pytest.param(
            "order: [us, eu], return_after: 0s",
            "gateway.yaml:3: regions.return_after: must be longer than 0, got 0s",
            id="it returns at once",
        ),
        pytest.param(
            'order: [us, eu], leave: {helth: "< 95%"}',
            f"{AT}.helth: unknown key; did you mean health?",
            id="unknown key",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(regions: str, expected: str) -> None:
    with pytest.raises(ConfigError) as told:
        loaded(a_file(regions))

    assert expected in str(told.value).splitlines()
