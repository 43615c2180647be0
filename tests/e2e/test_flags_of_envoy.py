"""What a real Envoy tells when requests fail in each way, and what the sidecar makes of it."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from sidecar import names
from sidecar.config import schema
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.verdict import Verdict, of_attempt
from sidecar.core.watch import USUAL_FAILURES
from sidecar.wire.access_log import reports
from sidecar.wire.response import response_of
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml
from tests.running.endpoint import endpoint
from tests.running.envoy import RunningEnvoy, running_envoy
from tests.running.ports import free_ports
from tests.waiting import until
from tests.wire.entries import batch
from tests.xds.running import a_config
from tests.xds.stand_in import StandIn, stand_in, to

pytestmark = pytest.mark.e2e

_LONGEST_S: Final = 30.0
Handler = Callable[[socket.socket, threading.Event], None]


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hangs_up(client: socket.socket, _done: threading.Event) -> None:
    client.recv(65536)


def resets(client: socket.socket, _done: threading.Event) -> None:
    client.recv(65536)
    _reset(client)


def breaks_off(client: socket.socket, done: threading.Event) -> None:
    client.recv(65536)
    client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc")
    done.wait(0.2)  # else Envoy may see the end before it has told of the beginning


def says_nothing(client: socket.socket, done: threading.Event) -> None:
    client.recv(65536)
    done.wait(_LONGEST_S)


def stands_still(client: socket.socket, done: threading.Event) -> None:
    client.recv(65536)
    client.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
    done.wait(_LONGEST_S)


def talks_nonsense(client: socket.socket, _done: threading.Event) -> None:
    client.recv(65536)
    client.sendall(b"\x00\x01 is no HTTP\r\n\r\n")


def is_busy(client: socket.socket, _done: threading.Event) -> None:
    client.recv(65536)
    client.sendall(b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")


HANDLERS: Final[dict[str, Handler]] = {
    one.__name__: one
    for one in (hangs_up, resets, breaks_off, says_nothing, stands_still, talks_nonsense, is_busy)
}


@contextmanager
def speaking(handler: Handler) -> Iterator[str]:
    """The address of an endpoint that treats each connection so."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def treat(client: socket.socket) -> None:
            with client, suppress(OSError):
                handler(client, done)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=treat, args=(listening.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            done.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def never_accepting() -> Iterator[str]:
    """An address whose backlog is full: connections to it are neither accepted nor refused."""
    with ExitStack() as stack:
        busy = stack.enter_context(socket.socket())
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(busy.getsockname())
        yield f"127.0.0.1:{busy.getsockname()[1]}"


@dataclass
class Scene:
    envoy: RunningEnvoy
    sidecar: StandIn
    by_log: bool

    def outcome(self, cluster: str, headers: dict[str, str], ask: Callable[[RunningEnvoy], None]) -> Outcome:
        """What the sidecar would make of one request that is sent there."""
        self.sidecar.answer = to(cluster, headers=headers)
        before = len(self.told())
        ask(self.envoy)
        until(lambda: len(self.told()) > before, "the outcome")
        return self.told()[before]

    def told(self) -> list[Outcome]:
        if self.by_log:
            return [report.outcome for report in reports(batch(*self.sidecar.logged))]
        messages = [ext_proc.ProcessingRequest.FromString(data) for data in list(self.sidecar.asked)]
        return [response_of(one)[0] for one in messages if one.WhichOneof("request") == "response_headers"]


def _config(clusters: dict[str, str], grpc: str, listen: str, feedback: str) -> schema.Config:
    return a_config(
        listen={"grpc": grpc},
        envoy={"listen": listen, "admin": None, "feedback": feedback, "message_timeout": "5s"},
        clusters={name: {"endpoints": [{"address": address}]} for name, address in clusters.items()},
        routes=[
            {"name": "all", "to": "well"},
            {
                "name": "faulty",
                "match": {"path": "/faulty"},
                "to": "well",
                "fault": {"abort": {"share": "1%", "status": 503}},
            },
        ],
    )


@pytest.fixture(scope="module", params=["access_log", "response"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        clusters = {name: stack.enter_context(speaking(one)) for name, one in HANDLERS.items()}
        clusters["well"] = stack.enter_context(endpoint("well")).address
        clusters["full"] = stack.enter_context(never_accepting())
        port, nobody = free_ports(2)
        clusters["refuses"] = f"127.0.0.1:{nobody}"
        clusters["unknown_name"] = "nobody.invalid:80"
        clusters["narrow"] = clusters["says_nothing"]
        sidecar = stack.enter_context(stand_in())
        config = _config(clusters, f"127.0.0.1:{sidecar.port}", f"127.0.0.1:{port}", request.param)
        made = bootstrap(config)
        (narrow,) = [one for one in made.static_resources.clusters if one.name == "narrow"]
        narrow.circuit_breakers.ClearField("thresholds")
        narrow.circuit_breakers.thresholds.add().max_requests.value = 0
        folder = tmp_path_factory.mktemp(request.param)
        envoy = stack.enter_context(running_envoy(to_yaml(made), port, folder))
        yield Scene(envoy, sidecar, request.param == "access_log")


def asks(envoy: RunningEnvoy) -> None:
    with suppress(HTTPException, OSError):
        envoy.ask("/x")


def leaves(envoy: RunningEnvoy) -> None:
    """As soon as the request is on its way to the endpoint, or after what it has said."""
    with socket.create_connection(("127.0.0.1", envoy.port)) as client:
        client.sendall(b"GET /x HTTP/1.1\r\nhost: shop.test\r\n\r\n")
        client.settimeout(0.3)
        with suppress(TimeoutError):
            while client.recv(65536):
                pass


ROUTE_LIMIT: Final = {names.TIMEOUT_HEADER: "300"}
TRY_LIMIT: Final = {names.TRY_TIMEOUT_HEADER: "200"}
THRICE: Final = {names.RETRY_ON_HEADER: "5xx,reset", names.RETRIES_HEADER: "2"}
NONE: Final[dict[str, str]] = {}
CASES: Final[dict[str, tuple[str, dict[str, str], int, Failure, int]]] = {
    "served": ("well", NONE, 200, Failure.NONE, 1),
    "connection refused": ("refuses", NONE, 503, Failure.CONNECTION, 1),
    "connection not accepted": ("full", NONE, 503, Failure.CONNECTION, 1),
    "the limit of an attempt": ("says_nothing", TRY_LIMIT, 504, Failure.TIMEOUT, 1),
    "the limit of the route": ("says_nothing", ROUTE_LIMIT, 504, Failure.TIMEOUT, 1),
    "hung up before the headers": ("hangs_up", NONE, 503, Failure.RESET, 1),
    "reset before the headers": ("resets", NONE, 503, Failure.RESET, 1),
    "no HTTP": ("talks_nonsense", NONE, 502, Failure.RESET, 1),
    "its own 503": ("is_busy", NONE, 503, Failure.NONE, 1),
    "its own 503 three times": ("is_busy", THRICE, 503, Failure.NONE, 3),
    "reset three times": ("resets", THRICE, 503, Failure.RESET, 3),
    "refused three times": ("refuses", THRICE, 503, Failure.CONNECTION, 3),
    "Envoy's limit on the cluster": ("narrow", NONE, 503, Failure.REFUSED, 1),
    "a fault that answers": ("well", {names.ABORT_HEADER: "503"}, 503, Failure.REFUSED, 1),
    "a fault that delays": ("well", {names.DELAY_HEADER: "50"}, 200, Failure.NONE, 1),
    "a delay, then refused": ("refuses", {names.DELAY_HEADER: "50"}, 503, Failure.CONNECTION, 1),
    "no address for the name": ("unknown_name", NONE, 503, Failure.REFUSED, 1),
    "no such cluster": ("nowhere", NONE, 503, Failure.REFUSED, 1),
}
"""Cluster, headers that the sidecar sets, and the status, failure and attempts that are told."""


@pytest.mark.parametrize("case", CASES)
def test_envoy_tells_how_a_request_failed(scene: Scene, case: str) -> None:
    """H1: over both ways by which Envoy tells."""
    cluster, headers, status, failure, attempts = CASES[case]

    told = scene.outcome(cluster, headers, asks)

    assert (told.status, told.failure, told.attempts) == (status, failure, attempts)


BrokenOff = tuple[str, dict[str, str], Callable[[RunningEnvoy], None], Failure, Verdict]
BROKEN_OFF: Final[dict[str, BrokenOff]] = {
    "by the endpoint": ("breaks_off", NONE, asks, Failure.RESET, Verdict.FAILED),
    "by the limit of the route": ("stands_still", ROUTE_LIMIT, asks, Failure.TIMEOUT, Verdict.SILENT),
    "by the client": ("stands_still", NONE, leaves, Failure.CANCELLED, Verdict.SERVED),
}


@pytest.mark.parametrize("case", BROKEN_OFF)
def test_an_answer_that_breaks_off_is_known_from_the_access_log_alone(scene: Scene, case: str) -> None:
    """H1: in the response phase it counts by its status. Judges blame nobody where it may be the client."""
    cluster, headers, ask, failure, judged = BROKEN_OFF[case]

    told = scene.outcome(cluster, headers, ask)

    assert (told.status, told.failure) == (200, failure if scene.by_log else Failure.NONE)
    assert of_attempt(told, USUAL_FAILURES) is (judged if scene.by_log else Verdict.SERVED)


def test_a_client_that_leaves_before_the_answer_has_gone_away(scene: Scene) -> None:
    """H1: the response phase never comes then."""
    if not scene.by_log:
        return
    told = scene.outcome("says_nothing", NONE, leaves)

    assert (told.status, told.failure) == (0, Failure.CANCELLED)


def test_the_access_log_tells_when_the_answer_began(scene: Scene) -> None:
    """H1: the rest of the time is not the endpoint's, if it is a stream."""
    begun = time.monotonic()
    told = scene.outcome("stands_still", {names.TIMEOUT_HEADER: "400"}, asks)

    if scene.by_log:
        assert 0.0 <= told.first_byte_s < 0.3 < told.duration_s < time.monotonic() - begun
    else:
        assert (told.first_byte_s, told.duration_s) == (-1.0, -1.0)


def test_no_address_is_told_where_nobody_was_asked(scene: Scene) -> None:
    """H1"""
    assert scene.outcome("well", {names.ABORT_HEADER: "503"}, asks).served == ""
    assert scene.outcome("well", NONE, asks).served != ""


def test_what_envoy_sends_is_usual() -> None:
    """H1: the bits of the attribute are those of Envoy's own flags."""
    message: Any = ext_proc.ProcessingRequest()
    message.attributes["a"].update({"response.flags": float(1 << 24), "response.code_details": ""})
    message.response_headers.SetInParent()

    assert response_of(message)[0].failure is Failure.REFUSED
