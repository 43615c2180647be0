"""What a route does with a request besides sending it on, through a real Envoy."""

import http.client
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from sidecar import names
from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.running.asking import ASK_WITHIN_S, Pairs, Reply
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

MANY: Final = 1000
_CLIENTS: Final = 16


@pytest.fixture(scope="module")
def acting(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    text = Path(__file__).with_name("actions.yaml").read_text()
    with running_gateway(text, tmp_path_factory.mktemp("actions"), transport) as gateway:
        yield gateway


@pytest.fixture
def gateway(acting: Gateway) -> Iterator[Gateway]:
    for one in acting.endpoints.values():
        one.usual()
    yield acting
    for one in acting.endpoints.values():
        one.released.set()


def asked_often(gateway: Gateway, path: str) -> list[tuple[int, float]]:
    """The status and the seconds of each of `MANY` requests, from clients that keep their connections."""
    answers: list[tuple[int, float]] = []
    counting = threading.Lock()

    def send(count: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", gateway.envoy.port, timeout=ASK_WITHIN_S)
        for _ in range(count):
            begun = time.monotonic()
            client.request("GET", path)
            response = client.getresponse()
            response.read()
            with counting:
                answers.append((response.status, time.monotonic() - begun))
        client.close()

    shares = [len(range(at, MANY, _CLIENTS)) for at in range(_CLIENTS)]
    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(send, shares))
    return answers


def timed(gateway: Gateway, path: str, headers: Pairs = ()) -> tuple[Reply, float]:
    begun = time.monotonic()
    reply = gateway.ask(path, headers)
    return reply, time.monotonic() - begun


def test_a_reason_of_ours_refuses_with_its_status(gateway: Gateway) -> None:
    """A2"""
    reply = gateway.ask("/limited")

    assert reply.status == 429
    assert reply.all("content-type") == ["application/json"]
    assert reply.seen == {"reason": "rate_limited", "message": "too many requests"}


def test_any_text_may_be_the_reason(gateway: Gateway) -> None:
    """A2"""
    reply = gateway.ask("/gone")

    assert reply.status == 410
    assert reply.seen == {"reason": "rejected", "message": "this shop has closed"}


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_refusal_may_have_a_text_of_its_own(gateway: Gateway, method: str) -> None:
    """A2"""
    reply = gateway.ask("/legacy/x", method=method, body=b"x" if method == "POST" else None)

    assert reply.status == 503
    assert reply.all("content-type") == ["text/plain; charset=utf-8"]
    assert reply.body == (b"" if method == "HEAD" else "back at noon: ü".encode())
    assert gateway.endpoints["shop"].asked == 0


def test_changes_of_several_routes_add_up(gateway: Gateway) -> None:
    """A3, A4"""
    reply = gateway.ask("/plain", {"x-mark": "1"})

    assert reply.arrived("x-mark") == []
    assert reply.arrived("x-step") == ["1"]
    assert reply.arrived("x-both") == ["route"]
    assert ",".join(reply.arrived("x-more")).replace(" ", "") == "step,route"
    assert gateway.ask("/plain").arrived("x-step") == []


def test_the_response_is_changed(gateway: Gateway) -> None:
    """A4"""
    gateway.endpoints["shop"].headers = {"x-set": "by-endpoint", "x-add": "by-endpoint", "x-remove": "1"}

    reply = gateway.ask("/edited")

    assert reply.all("x-set") == ["by-route"]
    assert ",".join(reply.all("x-add")).replace(" ", "") == "by-endpoint,by-route"
    assert reply.all("x-remove") == []


@pytest.mark.parametrize(
    ("asked", "arrived"),
    [("/strip/me", "/"), ("/strip/me/x?y=1", "/x?y=1"), ("/strip/me//x", "/x"), ("/strip/me/", "/")],
)
def test_a_path_arrives_without_its_prefix(gateway: Gateway, asked: str, arrived: str) -> None:
    """A4"""
    assert gateway.ask(asked).seen["path"] == arrived


def test_an_answer_that_takes_too_long_is_a_504(gateway: Gateway) -> None:
    """A5"""
    reply, took_s = timed(gateway, "/timeout")

    assert reply.status == 504
    assert 0.15 < took_s < 5.0


def test_an_endpoint_that_stands_still_is_a_504_after_the_idle_timeout(gateway: Gateway) -> None:
    """A5"""
    reply, took_s = timed(gateway, "/idle")

    assert reply.status == 504
    assert 0.15 < took_s < 5.0


def test_a_client_that_stands_still_is_ended_after_the_idle_timeout(gateway: Gateway) -> None:
    """A5"""
    client = http.client.HTTPConnection("127.0.0.1", gateway.envoy.port, timeout=ASK_WITHIN_S)
    client.putrequest("POST", "/drip")
    client.putheader("content-length", "10")
    client.endheaders(b"12345")

    response = client.getresponse()

    assert response.status == 408
    client.close()


def test_a_client_that_goes_on_is_not_ended_by_the_idle_timeout(gateway: Gateway) -> None:
    """A5"""
    paused = threading.Event()

    def dripping() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x"
            paused.wait(0.05)

    reply = gateway.ask("/drip", method="POST", body=dripping())

    assert reply.status == 200
    assert reply.seen["body_bytes"] == 10


@pytest.mark.parametrize(
    ("buffer", "size", "tries"),
    [("small", 50_000, 2), ("small", 500_000, 1), ("large", 500_000, 2), ("large", 5_000_000, 2)],
)
def test_a_body_within_the_buffer_can_be_sent_again(
    gateway: Gateway, buffer: str, size: int, tries: int
) -> None:
    """A5: a larger one has been let go, so a retry has nothing to send."""
    gateway.endpoints["shop"].failing = True

    reply = gateway.ask(f"/buffer/{buffer}", method="POST", body=bytes(size))

    assert reply.status == 503
    assert reply.seen["body_bytes"] == size
    assert gateway.endpoints["shop"].asked == tries


def test_the_high_class_gets_through_where_the_usual_one_is_full(gateway: Gateway) -> None:
    """A5"""
    endpoint = gateway.endpoints["narrow"]
    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(gateway.ask, "/hold")]
        until(lambda: endpoint.held == 1, "the first request to have the connection")
        held += [pool.submit(gateway.ask, "/hold") for _ in range(2)]  # room for one to wait
        until(lambda: any(one.done() for one in held), "the usual class to be full")

        high = [gateway.ask("/narrow/x").status for _ in range(5)]
        usual = gateway.ask("/narrow/usual")
        endpoint.released.set()

        assert high == [200] * 5
        assert usual.status == 503
        assert usual.all("x-envoy-overloaded") == ["true"]
        assert sorted(one.result().status for one in held) == [200, 200, 503]


def test_about_the_share_of_requests_is_delayed(gateway: Gateway) -> None:
    """A6: 1,000 at 10 %, within 5 standard deviations of 9.5 each; the others take far less than 400 ms."""
    answers = asked_often(gateway, "/delays")

    assert {status for status, _ in answers} == {200}
    assert 53 <= sum(took_s >= 0.39 for _, took_s in answers) <= 147


def test_about_the_share_of_requests_fails(gateway: Gateway) -> None:
    """A6: 1,000 at 10 %, within 5 standard deviations of 9.5 each; what fails asks no endpoint."""
    statuses = [status for status, _ in asked_often(gateway, "/aborts")]

    failed = statuses.count(418)
    assert 53 <= failed <= 147
    assert statuses.count(200) == MANY - failed
    assert gateway.endpoints["shop"].asked == MANY - failed


def test_a_request_may_be_delayed_and_then_fail(gateway: Gateway) -> None:
    """A6"""
    reply, took_s = timed(gateway, "/both")

    assert reply.status == 502
    assert took_s >= 0.19


def test_a_share_of_nothing_does_nothing(gateway: Gateway) -> None:
    """A6"""
    assert [gateway.ask("/calm").status for _ in range(20)] == [200] * 20


def test_the_endpoint_does_not_see_that_a_request_was_delayed(gateway: Gateway) -> None:
    """A6"""
    seen = gateway.ask("/waits").seen["headers"]

    assert not [name for name in seen if "fault" in name or name.startswith(names.INTERNAL_PREFIX)]


def test_a_mirror_gets_about_its_share(gateway: Gateway) -> None:
    """A7: 1,000 at 30 %, within 5 standard deviations of 14.5 each."""
    answers = asked_often(gateway, "/mirrored/some")
    shadow = gateway.endpoints["shadow"]

    until(lambda: shadow.asked >= 228, "the copies")
    gateway.ask("/mirrored/all/last")
    until(lambda: shadow.last.get("path") == "/all/last", "the last copy")

    assert [status for status, _ in answers] == [200] * MANY
    assert 228 <= shadow.asked - 1 <= 372
    assert gateway.endpoints["shop"].asked == MANY + 1


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_copy_is_the_whole_request_as_the_endpoint_gets_it(
    gateway: Gateway, size: int, chunked: bool
) -> None:
    """A7: with its changes, in every size; and nothing of ours."""
    body = os.urandom(size)
    pieces = [body[at : at + 50_000] for at in range(0, size, 50_000)]
    shadow = gateway.endpoints["shadow"]

    reply = gateway.ask(
        "/mirrored/all/x?y=1", {"host": "shop.test"}, "POST", iter(pieces) if chunked else body
    )
    until(lambda: shadow.asked == 1 and shadow.last, "the copy")

    copy = shadow.last
    for key in ("method", "path", "host", "body_bytes"):
        assert copy[key] == reply.seen[key], key
    assert (copy["path"], copy["host"]) == ("/all/x?y=1", "shop.test")
    assert copy["body_sha256"] == sha256(body).hexdigest()
    assert copy["headers"]["x-for"] == "both"
    assert not [name for name in copy["headers"] if name.startswith(names.INTERNAL_PREFIX)]
    assert not [name for name in reply.seen["headers"] if name.startswith(names.INTERNAL_PREFIX)]
    assert reply.all("x-route") == ["all-mirrored"]


def test_each_route_has_its_own_mirror(gateway: Gateway) -> None:
    """A7"""
    gateway.ask("/mirrored/other")
    until(lambda: gateway.endpoints["other"].asked == 1, "the copy")

    assert gateway.endpoints["shadow"].asked == 0


def test_a_request_that_is_made_to_fail_is_not_copied(gateway: Gateway) -> None:
    """A6, A7"""
    assert gateway.ask("/mirrored/aborted").status == 418
    gateway.ask("/mirrored/other")
    until(lambda: gateway.endpoints["other"].last.get("path") == "/mirrored/other", "a later copy")

    assert gateway.endpoints["other"].asked == 1


def test_a_client_does_not_wait_for_a_mirror_nor_sees_it_fail(gateway: Gateway) -> None:
    """A7"""
    shadow = gateway.endpoints["shadow"]
    shadow.failing = True
    gateway.endpoints["shop"].released.set()

    reply = gateway.ask("/mirrored/hold")
    until(lambda: shadow.held == 1, "the copy to be held")

    assert (reply.status, reply.name) == (200, "shop")
    assert shadow.held == 1
    shadow.released.set()


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/old", 301, "/new"),
        ("/old/x?y=1&z", 301, "/new?y=1&z"),
        ("/renamed/a/b?c", 308, "http://www.shop.test/named/a/b?c"),
        ("/safe/x?secret=1", 302, "https://shop.test/safe/x"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_client_is_sent_elsewhere(
    gateway: Gateway, method: str, path: str, status: int, location: str
) -> None:
    """A7"""
    reply = gateway.ask(path, {"host": "shop.test"}, method)

    assert (reply.status, reply.all("location"), reply.body) == (status, [location], b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_fixed_answer_needs_no_endpoint(gateway: Gateway, method: str) -> None:
    """A7"""
    reply = gateway.ask("/robots.txt", method=method, body=b"1" * 100 if method == "POST" else None)

    assert reply.status == 200
    assert reply.all("content-type") == ["text/plain"]
    assert reply.all("cache-control") == ["max-age=60"]
    assert reply.all("content-length") == ["13"]
    assert reply.body == (b"" if method == "HEAD" else b"User-agent: *")
    assert gateway.endpoints["shop"].asked == 0


def test_a_fixed_answer_may_be_empty(gateway: Gateway) -> None:
    """A7"""
    reply = gateway.ask("/nothing")

    assert (reply.status, reply.body, reply.all("content-type")) == (204, b"", [])


_LEVERS: Final[list[dict[str, str]]] = [
    {names.ABORT_HEADER: "418"},
    {names.ABORT_HEADER.upper(): "418"},
    {"x-envoy-fault-abort-grpc-request": "5"},
    {names.DELAY_HEADER: "8000"},
    {names.DELAY_HEADER: "8000", f"{names.DELAY_HEADER}-percentage": "100"},
    {"x-envoy-fault-throughput-response": "1"},
    {names.TIMEOUT_HEADER: "1"},
    {"x-envoy-upstream-rq-per-try-timeout-ms": "1"},
    {"x-envoy-upstream-stream-duration-ms": "1"},
    {"x-envoy-upstream-alt-stat-name": "mine"},
    {"x-envoy-decorator-operation": "mine"},
    {"x-envoy-original-dst-host": "192.0.2.1:80"},
    {"x-envoy-ip-tags": "mine"},
    {"x-envoy-internal": "true"},
    {"x-envoy-what-comes-next": "1"},
    {names.MIRROR_HEADER: "shadow"},
    {names.MIRROR_HEADER: "shadow", names.ROUTE_HEADER: "all-mirrored"},
    {names.CLUSTER_HEADER: "shadow"},
    {f"{names.INTERNAL_PREFIX}what-comes-next": "1"},
]


@pytest.mark.parametrize("levers", _LEVERS, ids=lambda levers: next(iter(levers)))
def test_a_client_cannot_pull_envoys_levers(gateway: Gateway, levers: dict[str, str]) -> None:
    """X4: nothing happens, and neither the endpoint nor anybody else hears of it."""
    reply, took_s = timed(gateway, "/levers", list(levers.items()))

    assert (reply.status, reply.name) == (200, "shop")
    assert took_s < 7.0
    arrived = {name.lower(): value for name, value in reply.seen["pairs"]}
    assert not {name.lower() for name in levers} & arrived.keys()
    assert arrived["x-envoy-external-address"] == "127.0.0.1"  # what Envoy says itself is still there
    gateway.ask("/mirrored/all/last")
    until(lambda: gateway.endpoints["shadow"].last.get("path") == "/all/last", "a copy that is meant")
    assert gateway.endpoints["shadow"].asked == 1


def test_a_client_cannot_have_its_request_sent_again(gateway: Gateway) -> None:
    """X4"""
    gateway.endpoints["shop"].failing = True

    reply = gateway.ask("/levers", {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"})

    assert reply.status == 503
    assert gateway.endpoints["shop"].asked == 1


@pytest.mark.parametrize("name", [names.DELAY_HEADER, names.ABORT_HEADER])
def test_a_client_cannot_get_around_a_fault(gateway: Gateway, name: str) -> None:
    """X4"""
    reply, took_s = timed(gateway, "/both", [(f"{name}-percentage", "0"), (name, "0")])

    assert reply.status == 502
    assert took_s >= 0.19


def test_faults_and_shares_change_without_a_new_envoy(tmp_path: Path, transport: str) -> None:
    """A6, A7, V4"""
    text = LISTEN + (
        "clusters: {shop: {endpoints: [{address: $shop}]}, shadow: {endpoints: [{address: $shadow}]}}\n"
        "routes: [{name: r, to: shop, timeout: 9s, fault: {abort: {share: %s, status: 418}},"
        " mirror: {to: shadow, share: %s}}]\n"
    )
    with running_gateway(text % ("0%", "0%"), tmp_path, transport) as gateway:
        assert gateway.ask("/").status == 200

        gateway.write(text % ("100%", "0%"))
        until(lambda: gateway.ask("/").status == 418, "the fault")
        gateway.write(text % ("0%", "100%"))
        until(lambda: gateway.ask("/").status == 200, "the end of the fault")
        until(lambda: gateway.endpoints["shadow"].asked > 0, "a copy")

        assert gateway.sidecar.events("envoy_outdated") == []
