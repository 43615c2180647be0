"""A process that is killed, or stands still: what requests do then, and how it is used again."""

import http.client
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.gateway import Gateway, running_gateway
from tests.e2e.load import load
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

MESSAGE_TIMEOUT_S = 0.5
USED_AGAIN_WITHIN_S = 2.0
AT_ONCE_S = 0.25
"""Envoy knows without waiting that nobody listens; the rest is for a machine that has more to do."""
LEASE_S = 2.0
REFUSING = """\
listen: {grpc: $grpc, admin: $admin}
envoy: {listen: $envoy, admin: null, message_timeout: 500ms}
clusters:
  shop: {endpoints: [{address: $shop}]}
  spare: {endpoints: [{address: $spare}]}
routes: [{name: shop, to: shop}, {name: spare, match: {path: {exact: /spare}}, to: spare}]
tickets: {lease: 2s}
"""
SPARING = REFUSING + "on_error: spare\n"


@pytest.fixture(scope="module")
def sparing(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(SPARING, tmp_path_factory.mktemp("killed_sparing"), transport) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def refusing(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(REFUSING, tmp_path_factory.mktemp("killed_refusing"), transport) as gateway:
        yield gateway


def _timed(ask: Callable[[], object]) -> float:
    begun = time.monotonic()
    ask()
    return time.monotonic() - begun


def _median_s(gateway: Gateway, wanted: str | int) -> float:
    """Of eleven requests, each answered so: by this endpoint, or with this status."""
    took: list[float] = []
    for _ in range(11):
        begun = time.monotonic()
        reply = gateway.ask()
        took.append(time.monotonic() - begun)
        assert wanted == (reply.name if isinstance(wanted, str) else reply.status)
    return sorted(took)[5]


def test_requests_go_to_the_cluster_of_on_error_as_soon_as_the_sidecar_is_killed(sparing: Gateway) -> None:
    """V6: under load, none fails, and none waits for a time-out; later they are routed again."""
    until(lambda: sparing.ask().name == "shop", "the sidecar's decisions")
    with load(sparing.envoy.port, "/") as seen:
        until(lambda: seen.names["shop"] > 200, "requests before")
        sparing.sidecar.kill()
        until(lambda: seen.names["spare"] > 200, "requests without the sidecar")
        assert _median_s(sparing, "spare") < AT_ONCE_S
        sparing.sidecar.start()
        until(lambda: sparing.ask().name == "shop", "its return", USED_AGAIN_WITHIN_S)
        decided = seen.names["shop"]
        until(lambda: seen.names["shop"] > decided + 200, "requests after")
        assert {sparing.ask().name for _ in range(20)} == {"shop"}

    assert seen.failed == []


def test_requests_are_refused_as_soon_as_the_sidecar_is_killed(refusing: Gateway) -> None:
    """V6: with the status that is configured, and none of them waits for a time-out."""
    until(lambda: refusing.ask().status == 200, "the sidecar's decisions")
    with load(refusing.envoy.port, "/", clients=2) as seen:
        until(lambda: seen.answered > 100, "requests before")
        refusing.sidecar.kill()
        until(lambda: len(seen.failed) > 50, "requests without the sidecar")
        assert _median_s(refusing, 503) < AT_ONCE_S
        refusing.sidecar.start()
        until(lambda: refusing.ask().status == 200, "its return", USED_AGAIN_WITHIN_S)

    assert {problem.partition(" ")[0] for problem in seen.failed} == {"503"}
    assert {refusing.ask().status for _ in range(20)} == {200}


@contextmanager
def _standing_still(gateway: Gateway) -> Iterator[None]:
    gateway.sidecar.tell(signal.SIGSTOP)
    try:
        yield
    finally:
        gateway.sidecar.tell(signal.SIGCONT)


def test_a_sidecar_that_stands_still_is_waited_for_only_so_long(sparing: Gateway) -> None:
    """V6: for message_timeout, and then the request goes to the cluster of on_error."""
    until(lambda: sparing.ask().name == "shop", "the sidecar's decisions")

    with _standing_still(sparing):
        replies = []
        took = [_timed(lambda: replies.append(sparing.ask())) for _ in range(3)]

    assert {reply.name for reply in replies} == {"spare"}
    assert min(took) >= MESSAGE_TIMEOUT_S * 0.9
    assert max(took) < MESSAGE_TIMEOUT_S + 1.0
    until(lambda: sparing.ask().name == "shop", "its return", USED_AGAIN_WITHIN_S)


def test_a_request_is_refused_when_the_sidecar_stands_still_too_long(refusing: Gateway) -> None:
    """V6: 504, so that one can tell it from a sidecar that is not there."""
    until(lambda: refusing.ask().status == 200, "the sidecar's decisions")

    with _standing_still(refusing):
        replies = []
        took = _timed(lambda: replies.append(refusing.ask()))

    assert replies[0].status == 504
    assert MESSAGE_TIMEOUT_S * 0.9 <= took < MESSAGE_TIMEOUT_S + 1.0
    until(lambda: refusing.ask().status == 200, "its return", USED_AGAIN_WITHIN_S)


@pytest.mark.parametrize(("feedback", "end"), [("access_log", "lost"), ("response", "reported")])
def test_a_killed_envoy_leaves_no_tickets(transport: str, feedback: str, end: str, tmp_path: Path) -> None:
    """H1 V6: those of its requests in flight are over when their lease is, or at once where the sidecar waits
    for the response on their streams; nothing is held any more."""
    text = REFUSING.replace("admin: null", f"admin: null, feedback: {feedback}")
    with running_gateway(text, tmp_path, transport) as gateway:
        sidecar = gateway.sidecar

        def hold() -> None:
            with suppress(OSError, http.client.HTTPException):
                gateway.ask("/hold")

        waiting = [threading.Thread(target=hold) for _ in range(12)]
        for thread in waiting:
            thread.start()
        until(lambda: gateway.endpoints["shop"].held == 12, "requests in flight")
        assert sidecar.sample("sidecar_tickets_open") == 12
        before = sidecar.sample("sidecar_tickets_total", end=end)

        gateway.envoy.kill()

        for thread in waiting:
            thread.join()
        until(
            lambda: sidecar.sample("sidecar_tickets_open") == 0, "the ends of all tickets", 10.0 + 2 * LEASE_S
        )
        assert sidecar.sample("sidecar_tickets_total", end=end) == before + 12
        assert sidecar.sample("sidecar_tickets_total", end="unknown") == 0
