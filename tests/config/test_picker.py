"""`envoy.endpoint_picker`: what the plan gets, and what such a file must have."""

import pytest

from sidecar.config.errors import ConfigError
from sidecar.core.filters.subset import Subset
from tests.config.files import TWO_CLUSTERS, a_route, loaded

PICKER = "envoy: {endpoint_picker: true}\n"


def test_every_route_keeps_to_the_subset_of_the_gateway() -> None:
    """checklist 26"""
    (route,) = loaded(a_route("to: other", PICKER + TWO_CLUSTERS)).plan.routes
    (usual,) = loaded(a_route("to: other", TWO_CLUSTERS)).plan.routes

    assert [type(each) for each in route.filters] == [Subset]
    assert usual.filters == ()


def test_a_route_that_asks_no_endpoint_has_no_need_of_it() -> None:
    (route,) = loaded(a_route("respond: {}", PICKER + TWO_CLUSTERS)).plan.routes

    assert route.filters == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            a_route("to: shop", PICKER + "clusters: {shop: {}}\n"),
            "gateway.yaml:2: clusters.shop: an endpoint picker names addresses, and here are none; "
            "list its endpoints",
            id="no addresses",
        ),
        pytest.param(
            a_route("to: shop", PICKER + "clusters: {shop: {endpoints: [{address: 'shop.test:80'}]}}\n"),
            "gateway.yaml:2: clusters.shop.endpoints[0].address: an endpoint picker names IP addresses; "
            "write the address that the name stands for",
            id="host names",
        ),
        pytest.param(
            "on_error: other\n" + a_route("to: shop, failover: [other]", PICKER + TWO_CLUSTERS),
            "gateway.yaml:1: on_error: an endpoint picker names no cluster; write refuse: "
            "the gateway does the rest",
            id="a cluster for errors",
        ),
    ],
)
def test_what_cannot_be_picked_is_a_mistake(text: str, said: str) -> None:
    """checklist 25"""
    with pytest.raises(ConfigError) as caught:
        loaded(text)

    assert str(caught.value) == said


def test_addresses_of_ipv6_can_be_picked() -> None:
    text = a_route("to: shop", PICKER + "clusters: {shop: {endpoints: [{address: '[::1]:80'}]}}\n")

    assert loaded(text).notes == []
