"""A client keeps its arm of a split."""

from collections.abc import Iterator

import pytest

from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.waiting import until

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

GATEWAY = (
    LISTEN
    + """
clusters:
  shop: {endpoints: [{address: $a, version: v1}, {address: $b, version: v1}, {address: $c, version: v2}]}
routes:
  - name: checkout
    split:
      - {to: {cluster: shop, version: v1}, weight: 90, name: stable}
      - {to: {cluster: shop, version: v2}, weight: CANARY, name: canary}
    sticky: {by: user}
"""
)
USERS = [f"user-{number}" for number in range(80)]


@pytest.fixture
def checkout(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(
        GATEWAY.replace("CANARY", "30"), tmp_path_factory.mktemp("staying"), transport
    ) as gateway:
        yield gateway


def _arms(gateway: Gateway) -> dict[str, str]:
    return {
        user: "canary" if gateway.ask("/", {"x-user-id": user}).name == "c" else "stable" for user in USERS
    }


def test_a_user_keeps_the_arm(checkout: Gateway) -> None:
    """R4: from request to request, after a restart, and while the canary's weight only grows."""
    first = _arms(checkout)
    assert set(first.values()) == {"stable", "canary"}
    assert _arms(checkout) == first

    assert checkout.sidecar.stop() == 0
    checkout.sidecar.start()
    assert _arms(checkout) == first

    checkout.write(GATEWAY.replace("CANARY", "90"))
    until(lambda: checkout.generation == 2, "the new weights")
    later = _arms(checkout)
    assert {user for user in USERS if first[user] == "canary"} < {
        user for user in USERS if later[user] == "canary"
    }
