"""Endpoints, and which of them may be picked."""

import pytest

from sidecar.core.endpoint import eligible
from tests.builders import an_endpoint, endpoints_of


def test_is_named_by_its_cluster_and_id() -> None:
    assert an_endpoint("a", cluster="shop").key == "shop/a"
    assert "shop/a" in repr(an_endpoint("a", cluster="shop"))


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("[2001:DB8:0:0::01]:80", "[2001:db8::1]:80"),
        ("[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80"),
        ("[::FFFF:0a00:0001]:80", "[::ffff:10.0.0.1]:80"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("shop.test:80", "shop.test:80"),
        ("[no]:80", "[no]:80"),
        ("", ""),
    ],
)
def test_its_address_is_spelt_as_envoy_does(written: str, address: str) -> None:
    assert an_endpoint(address=written).address == address


def test_an_endpoint_of_weight_0_is_no_candidate() -> None:
    """S2"""
    candidates = eligible(endpoints_of({"a": 5, "b": 0, "c": 2}))

    assert [endpoint.id for endpoint in candidates.endpoints] == ["a", "c"]
    assert candidates.upto == [5, 7]
    assert candidates.total_weight == 7


def test_no_endpoints_are_no_candidates() -> None:
    assert eligible(()).endpoints == []
    assert eligible(()).total_weight == 0
