"""Who answers of several endpoints. Chance has bounds of five standard deviations of its binomial.

Outside of five a count falls less than once in a million runs, and nothing but a fault goes further.
"""

from collections import Counter
from math import sqrt

import pytest

from tests.e2e.gateway import Gateway

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)


def bounds(times: int, share: float) -> tuple[float, float]:
    mean = times * share
    deviation = sqrt(times * share * (1 - share))
    return mean - 5 * deviation, mean + 5 * deviation


def assert_shares(names: list[str], shares: dict[str, float]) -> None:
    counts = Counter(names)
    assert counts.keys() == shares.keys()
    for name, share in shares.items():
        lowest, highest = bounds(len(names), share)
        assert lowest <= counts[name] <= highest, counts


def test_round_robin_takes_each_in_turn(gateway: Gateway) -> None:
    """S1"""
    assert gateway.names("/turns", 9) == ["a", "b", "c"] * 3


def test_weights_5_1_1_are_spread_smoothly(gateway: Gateway) -> None:
    """S2"""
    assert gateway.names("/smooth", 14) == list("aabacaa" * 2)


def test_weights_70_and_30_are_exact_over_100_requests(gateway: Gateway) -> None:
    """S2"""
    assert Counter(gateway.names("/seventy", 100)) == {"a": 70, "b": 30}


@pytest.mark.parametrize("path", ["/never", "/loaded-dice"])
def test_a_weight_of_0_is_never_picked(gateway: Gateway, path: str) -> None:
    """S2: whatever the strategy."""
    assert set(gateway.names(path, 40)) == {"a", "b"}


def test_random_picks_all_alike(gateway: Gateway) -> None:
    """S3: 300 requests, 100 +- 41 each."""
    assert_shares(gateway.names("/dice", 300), {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})


def test_weighted_random_picks_by_weight(gateway: Gateway) -> None:
    """S3: 300 requests, 210 +- 40 to 90 +- 40."""
    assert_shares(gateway.names("/loaded-dice", 300), {"a": 0.7, "b": 0.3})


def test_a_version_is_a_part_of_its_cluster(gateway: Gateway) -> None:
    """R7"""
    assert gateway.names("/version", 4) == ["a", "b", "a", "b"]


def test_requests_are_split_between_versions_of_one_cluster(gateway: Gateway) -> None:
    """R7: 300 requests, 240 to 60, +- 35; within a version in turn."""
    names = gateway.names("/split", 300)

    assert_shares(["v2" if name == "c" else "v1" for name in names], {"v1": 0.8, "v2": 0.2})
    first = [name for name in names if name != "c"]
    assert first == (["a", "b"] * 150)[: len(first)]
