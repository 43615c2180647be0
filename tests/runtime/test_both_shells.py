"""The two shells answer bad input alike: over `grpc.aio`, and as an application within an Envoy.

A caller cannot tell which one it talks to. Where gRPC itself resets a stream instead of giving a status,
compared is what a gRPC client would report.
"""

import contextlib
import gzip
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.runtime.bad_input import (
    ANNOUNCED,
    CASES,
    EVERY,
    MOST_BYTES,
    NO_HTTP2,
    PROCESS,
    UNARY,
    Case,
    Method,
    padded,
)
from tests.runtime.raw import Connection, Stream, framed, spoken, status
from tests.runtime.sidecars import SMALL, Process, process
from tests.waiting import until
from tests.wire.messages import response_headers

MOST_TAKEN_BYTES = 256 << 20
"""So much a shell may take of a caller that never reads: gRPC's window grows to half of it."""
MOST_GROWTH_KB = 200_000
RESETS = 10_000

Shells = dict[str, Process]


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shells]:
    with contextlib.ExitStack() as stack:
        yield {
            transport: stack.enter_context(
                process(tmp_path_factory.mktemp(transport), SMALL, "--transport", transport)
            )
            for transport in ("grpc", "envoy")
        }


@pytest.fixture(params=["grpc", "envoy"])
def shell(request: pytest.FixtureRequest, shells: Shells) -> Process:
    """Each in turn."""
    return shells[request.param]


@dataclass(frozen=True)
class Answer:
    """How a stream ended, and whether the next one on its connection is answered."""

    status: int
    messages: int
    survived: bool


def answered(connection: Connection) -> bool:
    """Whether a good call is."""
    if connection.gone:
        return False
    stream = connection.open(UNARY.path)
    connection.send(stream, framed(UNARY.message), end=True)
    connection.wait_over(stream)
    return status(stream) == 0


def begun(connection: Connection, case: Case, method: Method) -> Stream:
    stream = connection.open(method.path, {**method.fields, **case.fields})
    for piece in case.pieces(method.message):
        connection.send(stream, piece)
    if case.half_close:
        connection.send(stream, b"", end=True)
    return stream


def ended(connection: Connection, stream: Stream) -> Answer:
    connection.wait_over(stream)
    connection.ping()
    return Answer(status(stream), len(stream.messages), answered(connection))


@pytest.mark.parametrize("case", [case for case in CASES if case.hosted is None], ids=lambda case: case.name)
def test_both_answer_alike(shells: Shells, case: Case) -> None:
    """V6"""
    with contextlib.ExitStack() as stack:
        streams = {
            (method.name, transport): (connection, begun(connection, case, method))
            for method in case.methods
            for transport, one in shells.items()
            for connection in [stack.enter_context(Connection(one.address))]
        }
        answers = {key: ended(*each) for key, each in streams.items()}
    names = [method.name for method in case.methods]
    assert {name: answers[name, "envoy"] for name in names} == {name: answers[name, "grpc"] for name in names}
    assert all(answer.survived for answer in answers.values())


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.hosted is not None], ids=lambda case: case.name
)
def test_where_grpc_gives_no_example_there_is_a_status_too(shells: Shells, case: Case) -> None:
    """V6"""
    for method in case.methods:
        with Connection(shells["envoy"].address) as connection:
            answer = ended(connection, begun(connection, case, method))
            assert (answer.status, answer.survived) == (case.hosted, True), (method.name, case.because)


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.name)
def test_both_say_alike_what_they_answer_with(shells: Shells, method: Method) -> None:
    """V6: the type of the answer, and how a request may be compressed."""
    told = []
    for one in shells.values():
        with Connection(one.address) as connection:
            stream = begun(connection, Case(""), method)
            connection.wait_over(stream)
            told.append((stream.headers["content-type"], stream.headers["grpc-accept-encoding"]))
    assert told[0] == told[1]


def test_what_is_no_http2_is_hung_up_on(shell: Process) -> None:
    """V6: nobody gets an answer that he could take for one of HTTP/1."""
    address = shell.address
    with ThreadPoolExecutor(len(NO_HTTP2)) as pool:
        for said, (answer, closed) in zip(
            NO_HTTP2, pool.map(lambda said: spoken(address, said), NO_HTTP2), strict=True
        ):
            assert closed, said
            assert not answer.startswith(b"HTTP/"), said
    with Connection(address) as connection:
        assert answered(connection)


@pytest.mark.parametrize("reads", [True, False], ids=["window shut", "socket not read"])
def test_a_caller_that_never_reads_is_not_listened_to_for_ever(shell: Process, reads: bool) -> None:
    """V6, checklist 15: the answers that it does not take do not pile up, and others do not wait for it."""
    before_kb = shell.rss_kb()
    messages = framed(response_headers().SerializeToString()) * 40_000
    with (
        Connection(shell.address, window=0 if reads else 65_535) as shut,
        Connection(shell.address) as other,
    ):
        shut.ping()
        shut.reads = reads
        stream = shut.open(PROCESS.path)
        shut.send(stream, framed(PROCESS.message))
        taken = 0
        while taken < MOST_TAKEN_BYTES:
            sent = shut.send(stream, messages, within_s=0.5)
            taken += sent
            if sent < len(messages):
                break
        assert taken < MOST_TAKEN_BYTES
        assert not stream.over
        assert shell.rss_kb() - before_kb < MOST_GROWTH_KB
        assert answered(other)
    with Connection(shell.address) as next_one:
        assert answered(next_one)


def test_messages_are_inflated_one_at_a_time(shell: Process) -> None:
    """V6: each is as large as it may be, and came in 4 KB."""

    def most_kb() -> int:
        (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{shell.popen.pid}/status").read_text())
        return int(line)

    before_kb = most_kb()
    zipped = gzip.compress(padded(response_headers().SerializeToString(), MOST_BYTES))
    with Connection(shell.address) as connection:
        stream = connection.open(PROCESS.path, {"grpc-encoding": "gzip"})
        connection.send(stream, framed(PROCESS.message) + framed(zipped, 1) * 100, end=True)
        connection.wait_over(stream)
        assert (status(stream), len(stream.messages)) == (0, 101)
    assert most_kb() - before_kb < MOST_GROWTH_KB


@pytest.mark.parametrize("method", [PROCESS, ANNOUNCED, UNARY], ids=lambda method: method.name)
@pytest.mark.parametrize("speaks", [True, False], ids=["with message", "without"])
def test_thousands_of_streams_that_are_reset_at_once_harm_nobody(
    shell: Process, method: Method, speaks: bool
) -> None:
    """V6, checklist 15: Envoy resets the streams of the requests whose callers left."""
    told_before = len(shell.events("call_failed"))
    with Connection(shell.address) as connection, Connection(shell.address) as other:
        for _ in range(RESETS):
            stream = connection.open(method.path, method.fields)
            if speaks:
                connection.send(stream, framed(method.message))
            connection.reset(stream)
        # gRPC cancels calls while thousands of others wait for their turn.
        until(lambda: answered(connection), "an answer on the same connection", 20.0)
        until(lambda: answered(other), "an answer on another connection", 20.0)
        assert not connection.gone
    assert len(shell.events("call_failed")) == told_before
