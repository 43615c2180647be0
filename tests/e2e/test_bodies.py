"""Whatever is sent and answered passes as it is, however large, long or odd."""

import hashlib
import http.client
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from tests.e2e.gateway import Gateway
from tests.running.asking import ASK_WITHIN_S, Reply, ask_raw
from tests.running.endpoint import ECHO, PIECE
from tests.waiting import until

pytestmark = pytest.mark.e2e

_PIECES: Final = 320
_WHOLE: Final = PIECE * _PIECES
_SLOW: Final = 300


def _pieces() -> Iterator[bytes]:
    for _ in range(_PIECES):
        yield PIECE


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_an_upload_of_20_mb_arrives_whole(gateway: Gateway, chunked: bool) -> None:
    """A1"""
    reply = gateway.ask("/upload", method="POST", body=_pieces() if chunked else _WHOLE)

    assert (reply.status, reply.name) == (200, "hit")
    assert reply.seen["body_bytes"] == len(_WHOLE) > 20_000_000
    assert reply.seen["body_sha256"] == hashlib.sha256(_WHOLE).hexdigest()
    assert reply.arrived("transfer-encoding") == (["chunked"] if chunked else [])


@pytest.mark.parametrize("query", ["", "?chunked"], ids=["with its length", "in chunks"])
def test_a_download_of_20_mb_arrives_whole(gateway: Gateway, query: str) -> None:
    """A1"""
    reply = gateway.ask(f"/download/{_PIECES}{query}")

    assert reply.status == 200
    assert hashlib.sha256(reply.body).digest() == hashlib.sha256(_WHOLE).digest()


def test_a_websocket_passes(gateway: Gateway) -> None:
    """A1"""
    head = b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"

    with socket.create_connection(("127.0.0.1", gateway.envoy.port), timeout=ASK_WITHIN_S) as client:
        client.sendall(head)
        with client.makefile("rb") as received:
            status = received.readline()
            while received.readline().strip():
                pass
            client.sendall(b"hello\n")
            echoed = received.readline()

    assert b" 101 " in status
    assert echoed == ECHO + b"hello\n"


def test_head_is_answered_without_a_body(gateway: Gateway) -> None:
    """M6"""
    reply = gateway.ask("/upload", method="HEAD")

    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.all("content-length")[0]) > 0


def test_a_refused_head_has_no_body_either(gateway: Gateway) -> None:
    """M18"""
    reply = gateway.ask("/nothing/here", method="HEAD")

    assert (reply.status, reply.body) == (404, b"")


def test_a_request_for_the_whole_server_is_answered(gateway: Gateway) -> None:
    """M18: `OPTIONS *` has no path that a route could match."""
    reply = ask_raw(gateway.envoy.port, b"OPTIONS * HTTP/1.1\r\nhost: shop.test\r\n\r\n")

    assert reply.status == 404


def test_trailers_do_no_harm(gateway: Gateway) -> None:
    """A1"""
    reply = ask_raw(
        gateway.envoy.port,
        b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
        b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    )

    assert (reply.status, reply.seen["body_bytes"]) == (200, 5)


def test_a_body_that_waits_to_be_asked_for_passes(gateway: Gateway) -> None:
    """A1: `expect: 100-continue`."""
    head = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n"

    with socket.create_connection(("127.0.0.1", gateway.envoy.port), timeout=ASK_WITHIN_S) as client:
        client.sendall(head)
        response = http.client.HTTPResponse(client)
        threading.Timer(0, client.sendall, (b"hello",)).start()
        response.begin()
        reply = Reply(response.status, response.getheaders(), response.read())
        response.close()

    assert (reply.status, reply.seen["body_bytes"]) == (200, 5)


def test_300_slow_requests_do_not_stall_one_more(gateway: Gateway) -> None:
    """A1: nothing on the way counts to 100."""
    hit = gateway.endpoints["hit"]
    with ThreadPoolExecutor(_SLOW) as clients:
        slow = [clients.submit(gateway.ask, "/hold") for _ in range(_SLOW)]
        try:
            until(lambda: hit.held == _SLOW, f"{_SLOW} requests at the endpoint")
            assert gateway.ask("/exact").status == 200
            assert hit.held == _SLOW
        finally:
            hit.released.set()
        assert {one.result().status for one in slow} == {200}
