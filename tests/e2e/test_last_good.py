"""What was answered last, for when nobody is left to answer, through a real Envoy."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from sidecar.names import LAST_GOOD_HEADER
from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.running.asking import ASK_WITHIN_S, Reply
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

_FILE: Final = (
    LISTEN
    + """\
context:
  user: [{header: x-own-user}]
  capabilities: [{header: x-wants}]
clusters:
  shop:
    endpoints: [{address: $shop, id: shop}]
    capabilities: {streaming: true}
    breaker: {failures: 2, open: 1h, max_open: 1h}
  other: {endpoints: [{address: $other, id: other}]}
  weak:
    endpoints: [{address: $weak, id: weak}]
    breaker: {failures: 2, open: 1h, max_open: 1h}
routes:
  - name: kept
    match: {path: {prefix: /kept}}
    to: shop
    last_good: {max_size: 300KB, refresh: 0s, vary: [accept, x-shop]}
  - name: download
    match: {path: {prefix: /download}}
    to: shop
    last_good: {max_size: 300KB, refresh: 0s, vary: []}
  - name: mine
    match: {path: {prefix: /mine}}
    to: shop
    last_good: {refresh: 0s, vary: [authorization]}
  - {name: plain, match: {path: {prefix: /plain}}, to: shop}
  - {name: other, to: other}
"""
)


_NOT_FOR_EVERYBODY: Final = (
    ("set-cookie", "a=b"),
    ("cache-control", "no-store"),
    ("cache-control", "max-age=60, Private"),
    ("cache-control", "max-age=60, must-revalidate"),
    ("cache-control", "no-cache"),
    ("vary", "accept, x-secret"),
    ("vary", "*"),
)


@pytest.fixture
def gateway(transport: str, tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(_FILE, tmp_path, transport) as gateway:
        yield gateway


def go_out(gateway: Gateway) -> None:
    """Until nobody is left."""
    gateway.endpoints["shop"].failing = True

    def refused() -> bool:
        reply = gateway.ask("/plain/x")
        return reply.status == 503 and json.loads(reply.body).get("reason") == "no_healthy_endpoint"

    until(refused, "the breaker to open")


def old(reply: Reply) -> bool:
    return len(reply.all(LAST_GOOD_HEADER)) == 1


def test_the_last_good_answer_is_given_while_nobody_is_left(gateway: Gateway) -> None:
    """H6: as it came, with its age; what was never asked is refused."""
    gateway.endpoints["shop"].headers = {"x-own": "1", "content-type": "application/json", "x-sidecar-a": "1"}
    first = gateway.ask("/kept/a?b=1", {"accept": "text/html"})
    assert (first.status, old(first)) == (200, False)
    go_out(gateway)
    asked = gateway.endpoints["shop"].asked

    again = gateway.ask("/kept/a?b=1", {"accept": "text/html"})

    assert (again.status, again.body) == (200, first.body)
    assert old(again)
    assert again.all("age") == again.all(LAST_GOOD_HEADER)
    assert again.all("x-own") == ["1"]
    assert again.all("content-type") == ["application/json"]
    assert [name for name, _ in again.headers if name.startswith(("x-envoy-", "x-sidecar-"))] == [
        LAST_GOOD_HEADER
    ]
    assert gateway.ask("/kept/a?b=2", {"accept": "text/html"}).status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/plain"}).status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/html", "host": "b.test"}).status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/html", "cookie": "a=b"}).status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/html", "authorization": "x"}).status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/html", "x-api-key": "x"}).status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/html", "x-tenant-id": "x"}).status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/html"}, "POST", b"").status == 503
    assert gateway.ask("/kept/a?b=1", {"accept": "text/html"}, "GET", b"x").status == 503
    assert gateway.endpoints["shop"].asked == asked


def test_head_is_answered_from_what_get_was(gateway: Gateway) -> None:
    """H6"""
    gateway.ask("/kept/a")
    gateway.ask("/kept/b", method="HEAD")
    go_out(gateway)

    head = gateway.ask("/kept/a", method="HEAD")

    assert (head.status, head.body, old(head)) == (200, b"", True)
    assert gateway.ask("/kept/b", method="HEAD").status == 503  # to keep that one would keep no body


def test_an_answer_that_is_not_for_everybody_is_not_kept(gateway: Gateway) -> None:
    """H6"""
    for at, (name, value) in enumerate(_NOT_FOR_EVERYBODY):
        gateway.endpoints["shop"].headers = {name: value}
        assert gateway.ask(f"/kept/{at}").status == 200
    go_out(gateway)

    given = [gateway.ask(f"/kept/{at}").status for at in range(len(_NOT_FOR_EVERYBODY))]
    assert given == [503] * len(_NOT_FOR_EVERYBODY)


def test_what_somebody_got_who_said_who_it_is_is_not_kept(gateway: Gateway) -> None:
    """H6: by the file's own words, by those that are common, by the body, and by what it may have."""
    asking: list[tuple[dict[str, str], bytes | None]] = [
        ({"x-own-user": "alice"}, None),
        ({"x-api-key": "alice"}, None),
        ({"x-tenant-id": "acme"}, None),
        ({"x-wants": "streaming"}, None),
        ({}, b"alice"),
    ]
    for at, (headers, body) in enumerate(asking):
        assert gateway.ask(f"/kept/{at}", headers, "GET", body).status == 200
    go_out(gateway)

    assert [gateway.ask(f"/kept/{at}").status for at in range(len(asking))] == [503] * len(asking)


def test_each_has_answers_of_its_own_where_the_route_varies_by_authorization(gateway: Gateway) -> None:
    """H6"""
    mine = gateway.ask("/mine/a", {"authorization": "me"})
    go_out(gateway)

    assert gateway.ask("/mine/a", {"authorization": "me"}).body == mine.body
    assert gateway.ask("/mine/a", {"authorization": "you"}).status == 503
    assert gateway.ask("/mine/a").status == 503


def test_a_body_passes_whole_whether_it_is_kept_or_too_large(gateway: Gateway) -> None:
    """H6: 64 KB each, and 300 KB are kept; with a content-length and without."""
    paths = [f"/download/{pieces}{how}" for pieces in (1, 4, 8, 200) for how in ("", "?chunked")]
    whole = {path: gateway.ask(path) for path in paths}
    for path, reply in whole.items():
        size = int(path.partition("?")[0].rpartition("/")[2]) * 65536
        assert (reply.status, len(reply.body)) == (200, size), path
    go_out(gateway)

    given = {path: gateway.ask(path) for path in paths}

    assert [reply.status for reply in given.values()] == [200] * 4 + [503] * 4
    assert all(given[path].body == whole[path].body for path in paths[:4])


def test_what_the_client_breaks_off_is_not_kept(gateway: Gateway) -> None:
    """H6"""
    client = http.client.HTTPConnection("127.0.0.1", gateway.envoy.port, timeout=ASK_WITHIN_S)
    client.request("GET", "/download/100000?chunked")
    response = client.getresponse()
    response.read(1000)
    client.sock.close()
    response.close()
    client.close()
    go_out(gateway)

    assert gateway.ask("/download/100000?chunked").status == 503


def test_a_reload_keeps_answers(gateway: Gateway) -> None:
    """H6: by the name of the route, unless it says otherwise of what is kept."""
    first = gateway.ask("/kept/a")
    mine = gateway.ask("/mine/a", {"authorization": "me"})
    go_out(gateway)
    before = gateway.generation
    gateway.write(
        _FILE.replace("[authorization]", "[authorization, accept]").replace(
            "300KB, refresh: 0s", "300KB, refresh: 1s"
        )
    )
    until(lambda: gateway.generation > before, "the new file")

    assert gateway.ask("/kept/a").body == first.body
    assert mine.status == 200
    assert gateway.ask("/mine/a", {"authorization": "me"}).status == 503


def test_a_route_that_leads_elsewhere_has_no_answers_of_where_it_led(gateway: Gateway) -> None:
    """H6"""
    assert gateway.ask("/kept/a").status == 200
    before = gateway.generation
    gateway.write(
        _FILE.replace(
            "to: shop\n    last_good: {max_size: 300KB, refresh: 0s, vary: [a",
            "to: weak\n    last_good: {max_size: 300KB, refresh: 0s, vary: [a",
        )
    )
    until(lambda: gateway.generation > before, "the new file")
    gateway.endpoints["weak"].failing = True

    def refused() -> bool:
        reply = gateway.ask("/kept/x", method="POST", body=b"")
        return reply.status == 503 and json.loads(reply.body).get("reason") == "no_healthy_endpoint"

    until(refused, "the breaker to open")

    assert gateway.ask("/kept/a").status == 503


def test_a_response_goes_on_when_the_sidecar_is_gone(gateway: Gateway) -> None:
    """H6: Envoy waits for the sidecar with no part of a response."""
    client = http.client.HTTPConnection("127.0.0.1", gateway.envoy.port, timeout=ASK_WITHIN_S)
    client.request("GET", "/download/2000?chunked")
    response = client.getresponse()
    begun = response.read(1000)
    gateway.sidecar.kill()

    assert len(begun) + len(response.read()) == 2000 * 65536
    client.close()
