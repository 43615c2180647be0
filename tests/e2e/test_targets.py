"""Where a request goes, and how it is changed on the way."""

import pytest

from tests.e2e.gateway import Gateway

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)


def test_a_route_goes_to_all_of_a_cluster(gateway: Gateway) -> None:
    """A1"""
    assert set(gateway.names("/cluster", 4)) == {"a", "b"}


def test_a_route_goes_to_one_endpoint_of_a_cluster(gateway: Gateway) -> None:
    """A1"""
    assert set(gateway.names("/one", 6)) == {"b"}


def test_a_pool_takes_two_clusters_as_one(gateway: Gateway) -> None:
    """A1"""
    assert gateway.names("/pool", 6) == ["a", "b", "c"] * 2


def test_request_headers_are_set_added_and_removed(gateway: Gateway) -> None:
    """A4: what is set arrives exactly once, whatever the client sent."""
    sent = [("x-set", "mine"), ("x-set", "mine too"), ("x-add", "mine"), ("x-remove", "1"), ("x-kept", "1")]

    reply = gateway.ask("/edited", sent)

    assert reply.arrived("x-set") == ["by-route"]
    assert ",".join(reply.arrived("x-add")) == "mine,by-route"
    assert reply.arrived("x-remove") == []
    assert reply.arrived("x-kept") == ["1"]


def test_response_headers_are_set_added_and_removed(gateway: Gateway) -> None:
    """A4"""
    gateway.endpoints["hit"].headers = {"x-set": "its", "x-add": "its", "x-remove": "1", "x-kept": "1"}

    reply = gateway.ask("/edited")

    assert reply.all("x-set") == ["by-route"]
    assert ",".join(",".join(reply.all("x-add")).split(", ")) == "its,by-route"
    assert reply.all("x-remove") == []
    assert reply.all("x-kept") == ["1"]


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/strip/me/and/keep?this=1", "/and/keep?this=1"),
        ("/strip/me?this=1", "/?this=1"),
        ("/strip/me/", "/"),
        ("/strip/me/%20x", "/%20x"),
    ],
)
def test_a_prefix_is_stripped(gateway: Gateway, path: str, seen: str) -> None:
    """A4"""
    assert gateway.ask(path).seen["path"] == seen


def test_path_and_host_are_rewritten(gateway: Gateway) -> None:
    """A4"""
    seen = gateway.ask("/v2/old/a/b?q=/v3/old/", {"host": "shop.test"}).seen

    assert seen["path"] == "/new/a/b/2?q=/v3/old/"
    assert seen["host"] == "shop.internal"
