"""What a client cannot do by what it sends."""

import pytest

from sidecar import names
from tests.e2e.gateway import Gateway
from tests.running.asking import Pairs, ask_raw

pytestmark = pytest.mark.e2e


def _forged(gateway: Gateway) -> list[Pairs]:
    """Each of these would lead to `miss`, to another route or to another endpoint if it were believed."""
    address = gateway.endpoints["miss"].address
    return [
        [(names.CLUSTER_HEADER, "miss")],
        [(names.CLUSTER_HEADER.upper(), "miss"), (names.CLUSTER_HEADER, "miss")],
        [(names.ROUTE_HEADER, "edited")],
        [(names.ENDPOINT_KEY, address)],
        [(f"{names.ENDPOINT_KEY}-served", address)],
        [("connection", f"keep-alive, {names.CLUSTER_HEADER}"), (names.CLUSTER_HEADER, "miss")],
        [(name, "miss") for name in names.INTERNAL_HEADERS],
    ]


def test_a_forged_internal_header_changes_nothing_and_never_arrives(gateway: Gateway) -> None:
    """X4"""
    for headers in _forged(gateway):
        reply = gateway.ask("/forged", headers)

        assert reply.name == "hit", headers
        assert reply.all("x-set") == [], headers
        arrived = reply.seen["headers"]
        assert not [name for name in arrived if name.lower() in names.INTERNAL_HEADERS], headers
        assert not [name for name in arrived if name.startswith(names.INTERNAL_PREFIX)], headers


def test_a_forged_header_does_not_save_a_refused_request(gateway: Gateway) -> None:
    """X4"""
    for headers in _forged(gateway):
        assert gateway.ask("/nothing/here", headers).status == 404, headers


@pytest.mark.parametrize(
    "path",
    [
        "//admin",
        "///admin//users",
        "/%61dmin",
        "/%61%64%6D%69%6E/users",
        "/a/../admin",
        "/beside/../admin",
        "/beside/%2e%2e/admin",
        "/beside/.%2E/admin/users",
        "/./admin",
        "/../../admin",
        "/beside\\..\\admin",
        "/admin/./users",
        "/admin/x/../users",
        "/admin/",
        "/admin?x=/beside",
        "http://elsewhere.test/admin",
    ],
)
def test_another_spelling_of_a_path_meets_the_same_rule(gateway: Gateway, path: str) -> None:
    """X4: the rule and the endpoint see one and the same path."""
    head = f"GET {path} HTTP/1.1\r\nhost: shop.test\r\n\r\n"

    reply = ask_raw(gateway.envoy.port, head.encode())

    assert reply.name == "hit"
    assert reply.seen["path"].partition("?")[0] in {"/admin", "/admin/", "/admin/users"}


@pytest.mark.parametrize("path", ["/beside%2f..%2fadmin", "/beside/..%2Fadmin", "/beside/..%5cadmin"])
def test_an_escaped_slash_is_sent_back_to_be_asked_for_plainly(gateway: Gateway, path: str) -> None:
    """X4"""
    reply = gateway.ask(path)

    assert reply.status == 307
    assert reply.all("location") == ["/admin"]
