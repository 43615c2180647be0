"""The sidecar leaves, in good order or not, and comes back, while Envoy goes on."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.e2e.load import load
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

REFUSING = (
    LISTEN
    + """
clusters:
  shop: {endpoints: [{address: $shop}]}
  spare: {endpoints: [{address: $spare}]}
routes: [{name: shop, to: shop}, {name: spare, match: {path: {exact: /spare}}, to: spare}]
"""
)
SPARING = REFUSING + "on_error: spare\n"
USED_AGAIN_WITHIN_S = 2.0


@pytest.fixture(scope="module")
def sparing(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(SPARING, tmp_path_factory.mktemp("sparing"), transport) as gateway:
        yield gateway


def test_no_request_fails_while_the_sidecar_drains(
    sparing: Gateway, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """V6: those in flight are answered, later ones go to the cluster of on_error."""
    with load(sparing.envoy.port, "/") as seen:
        until(lambda: seen.names["shop"] > 300, "requests before")
        begun = time.monotonic()
        sparing.sidecar.tell(signal.SIGTERM)
        until(lambda: sparing.sidecar.ended, "the sidecar's end")
        record_testsuite_property("draining.drained_in_s", time.monotonic() - begun)
        until(lambda: seen.names["spare"] > 300, "requests without the sidecar")
        sparing.sidecar.start()
        until(lambda: sparing.ask().name == "shop", "its return", USED_AGAIN_WITHIN_S)

    record_testsuite_property("draining.requests", seen.answered)
    record_testsuite_property("draining.longest_s", seen.longest_s)
    assert seen.failed == []
    assert sparing.sidecar.stop() == 0
    assert sparing.sidecar.events("stopped")
    sparing.sidecar.start()


def test_a_killed_sidecar_leaves_requests_to_the_cluster_of_on_error(sparing: Gateway) -> None:
    """V6 X4: a forged header changes nothing then either, and its return needs no word to Envoy."""
    until(lambda: sparing.ask().name == "shop", "the sidecar's decisions")

    with load(sparing.envoy.port, "/", clients=2) as seen:
        until(lambda: seen.answered > 50, "requests before")
        sparing.sidecar.kill()
        until(lambda: seen.names["spare"] > 50, "requests without the sidecar")

    assert seen.failed == []
    assert set(sparing.names("/", 5)) == {"spare"}
    assert sparing.ask("/", {"x-sidecar-cluster": "shop", "x-sidecar-route": "shop"}).name == "spare"
    assert sparing.ask("/", {"x-gateway-destination-endpoint": sparing.addresses["shop"]}).name == "spare"
    sparing.sidecar.start()
    until(lambda: sparing.ask().name == "shop", "its return", USED_AGAIN_WITHIN_S)
    until(
        lambda: sparing.sidecar.sample("sidecar_tickets_total", end="reported") > 0, "outcomes of the new one"
    )


def test_a_killed_sidecar_refuses_every_request_where_the_file_says_so(
    transport: str, tmp_path: Path
) -> None:
    """V6 X4: on_error: refuse; a forged header is no way around it."""
    with running_gateway(REFUSING, tmp_path, transport) as gateway:
        assert gateway.ask().name == "shop"

        gateway.sidecar.kill()
        assert {gateway.ask().status for _ in range(5)} == {503}
        assert gateway.ask(headers={"x-sidecar-cluster": "shop"}).status == 503

        gateway.sidecar.start()
        until(lambda: gateway.ask().status == 200, "its return", USED_AGAIN_WITHIN_S)
