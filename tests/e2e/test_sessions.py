"""Clients stay with their endpoint, by a key or by a cookie, while much else changes."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.running.asking import Reply
from tests.waiting import until

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

THREE = "[{address: $a, id: a}, {address: $b, id: b}, {address: $c, id: c}]"
ROUTES = """
cookies: {secrets: [one.secret]}
clusters:
  shop: {endpoints: ENDPOINTS}
routes:
  - {name: by-key, match: {path: /key}, to: shop, strategy: STRATEGY, sticky: {by: session}}
  - {name: plain, match: {path: /plain}, to: shop}
  - {name: by-cookie, to: shop, strategy: STRATEGY, sticky: {cookie: route-session, timeout: 100s}}
"""


def a_file(endpoints: str = THREE, strategy: str = "round_robin") -> str:
    return LISTEN + ROUTES.replace("ENDPOINTS", endpoints).replace("STRATEGY", strategy)


@pytest.fixture(scope="module")
def shop(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "one.secret").write_text("a secret of the test, and long enough\n")
    with running_gateway(a_file(), folder, transport) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def _as_at_first(shop: Gateway) -> None:
    for one in shop.endpoints.values():
        one.usual()
    change(shop, a_file())


def change(shop: Gateway, text: str) -> None:
    """Written and in force."""
    before = shop.config.read_text()
    generation = shop.generation
    shop.write(text)
    if shop.config.read_text() != before:
        until(lambda: shop.generation > generation, "the change")


def cookie_of(reply: Reply) -> str:
    """What the client sends back. Empty when it was given none."""
    told = reply.all("set-cookie")
    assert len(told) <= 1
    return told[0].partition(";")[0] if told else ""


def with_cookie(shop: Gateway, cookie: str) -> Reply:
    return shop.ask("/", {"cookie": cookie})


def test_ten_requests_of_a_session_stay(shop: Gateway) -> None:
    """S16: for each of three sessions, and no cookie is written where none is asked for."""
    for session in ("one", "two", "three"):
        replies = [shop.ask("/key", {"x-session-id": session}) for _ in range(10)]
        assert len({reply.name for reply in replies}) == 1
        assert not any(cookie_of(reply) for reply in replies)
    assert set(shop.names("/key", 3)) == {"a", "b", "c"}


def test_a_client_stays_by_its_cookie_also_after_a_restart(shop: Gateway) -> None:
    """S16: three clients at once; they are told once only."""
    first = [shop.ask() for _ in range(3)]
    assert {reply.name for reply in first} == {"a", "b", "c"}

    def stay() -> None:
        for reply in first:
            again = [with_cookie(shop, cookie_of(reply)) for _ in range(4)]
            assert {each.name for each in again} == {reply.name}
            assert not any(cookie_of(each) for each in again)

    stay()
    assert shop.sidecar.stop() == 0
    shop.sidecar.start()
    stay()


def test_the_cookie_says_nothing_of_the_endpoint_and_is_for_no_script(shop: Gateway) -> None:
    """S16"""
    shop.endpoints["a"].headers = shop.endpoints["b"].headers = shop.endpoints["c"].headers = {
        "set-cookie": "own=1"
    }
    reply = shop.ask("/", {"x-forwarded-proto": "https"})  # which is not the client's to say
    own, ours = sorted(reply.all("set-cookie"))

    assert own == "own=1"
    assert ours.split("; ")[1:] == ["Max-Age=150", "Path=/", "HttpOnly", "SameSite=Lax"]
    assert shop.endpoints[reply.name].address not in ours


@pytest.mark.parametrize(
    "forged", ["x", "AAAAAAAAAAAA.ffffffff.AAAAAAAAAAAAAAAAAAAAAA", "%00", '"', "a" * 9000]
)
def test_a_forged_cookie_is_as_if_there_were_none(shop: Gateway, forged: str) -> None:
    """S16: the client gets a good one."""
    reply = with_cookie(shop, f"route-session={forged}")

    assert reply.status == 200
    assert with_cookie(shop, cookie_of(reply)).name == reply.name


def test_a_cookie_whose_endpoint_was_changed_by_the_client_is_none(shop: Gateway) -> None:
    """S16: the mark of another's cookie, with one's own code."""
    one, other = cookie_of(shop.ask()), cookie_of(shop.ask())
    swapped = ".".join([other.split(".")[0], *one.split(".")[1:]])

    reply = with_cookie(shop, swapped)

    assert reply.status == 200
    assert cookie_of(reply)


def test_a_client_whose_endpoint_is_gone_gets_another_and_its_cookie(shop: Gateway) -> None:
    """S16: by a reload, both for the cookie and for the key."""
    left = "[{address: $a, id: a}, {address: $b, id: b}]"
    first = [shop.ask() for _ in range(3)]
    sessions = [str(number) for number in range(3)]
    before = {session: shop.ask("/key", {"x-session-id": session}).name for session in sessions}
    (lost,) = [reply for reply in first if reply.name == "c"]

    change(shop, a_file(left))

    again = with_cookie(shop, cookie_of(lost))
    assert again.name in {"a", "b"}
    assert {with_cookie(shop, cookie_of(again)).name for _ in range(4)} == {again.name}
    for session, name in before.items():
        now = [shop.ask("/key", {"x-session-id": session}).name for _ in range(3)]
        assert len(set(now)) == 1
        assert now[0] == name or name == "c"


def test_a_new_secret_makes_new_cookies(shop: Gateway) -> None:
    """S16: the file alone is changed, and the sidecar sees it; the client is moved, and no request fails."""
    secret = Path(shop.config.parent / "one.secret")
    before = secret.read_text()
    old = cookie_of(shop.ask())
    generation = shop.generation
    secret.write_text("another secret of the test, and as long\n")
    until(lambda: shop.generation > generation, "the new secret")

    reply = with_cookie(shop, old)
    assert reply.status == 200
    assert cookie_of(reply)
    assert not cookie_of(with_cookie(shop, cookie_of(reply)))

    generation = shop.generation
    secret.write_text(before)
    until(lambda: shop.generation > generation, "the old secret")
    assert not cookie_of(with_cookie(shop, old))


def _all_above(numbers: list[int], bound: int) -> bool:
    return min(numbers) > bound


def test_changing_the_strategy_under_load_fails_no_request_and_moves_no_session(shop: Gateway) -> None:
    """S16, S18: three clients ask all the while, half of it by key and half by cookie."""
    stop = threading.Event()
    failed: list[int] = []
    moved: list[str] = []
    asked = [0, 0, 0]

    def client(number: int) -> None:
        key = {"x-session-id": f"load-{number}"}
        by_key = shop.ask("/key", key).name
        by_cookie = shop.ask()
        while not stop.is_set():
            one, other = shop.ask("/key", key), with_cookie(shop, cookie_of(by_cookie))
            failed.extend(reply.status for reply in (one, other) if reply.status != 200)
            if (one.name, other.name) != (by_key, by_cookie.name):
                moved.append(f"{one.name} {other.name}")
            asked[number] += 1

    clients = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for each in clients:
        each.start()
    try:
        for strategy in ("least_loaded", "consistent_hash", "random"):
            before = min(asked)
            change(shop, a_file(strategy=strategy))
            until(partial(_all_above, asked, before + 2), "requests by the new strategy")
    finally:
        stop.set()
        for each in clients:
            each.join()

    assert (failed, moved) == ([], [])
