"""Moments that an ordinary test run does not meet: a successor, a pipe, a signal before the start is over."""

import asyncio
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from sidecar.runtime.addresses import CannotListen, clear_the_way
from tests.runtime.caller import Caller
from tests.runtime.sidecars import SMALL, Process, process
from tests.waiting import until
from tests.wire.messages import phase_of, request_headers

pytestmark = pytest.mark.usefixtures("each_transport")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: that of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def test_a_sidecar_that_drains_leaves_the_socket_of_its_successor(folder: Path) -> None:
    """V6: the old one still has a request in flight when the new one listens on the same path."""
    path = folder / "s.sock"

    async def overlap(old: Process) -> None:
        async with Caller(old.address) as caller:
            in_flight = caller.process()
            assert phase_of(await in_flight.ask(request_headers())) != ""
            old.tell(signal.SIGTERM)
            await asyncio.to_thread(until, lambda: not path.exists(), "the socket's removal")
            with process(folder / "new", SMALL, "--listen", f"unix:{path}") as new:
                new.wait_ready()
                assert path.is_socket()
                await in_flight.finish()
                assert await asyncio.to_thread(old.ended) == 0
                assert path.is_socket()

    (folder / "new").mkdir()
    with process(folder, SMALL, "--listen", f"unix:{path}") as old:
        asyncio.run(overlap(old))


def test_a_socket_that_does_not_answer_in_time_is_not_taken_for_dead(folder: Path) -> None:
    """V6: its owner may only be busy; a full backlog looks like this."""
    path = folder / "s.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(str(path))
            with pytest.raises(CannotListen):
                clear_the_way(path)
        finally:
            for one in waiting:
                one.close()
    assert path.is_socket()


def test_a_pipe_in_place_of_the_file_is_refused_and_holds_up_nothing(tmp_path: Path) -> None:
    """V4"""
    with process(tmp_path) as one:
        one.wait_ready()
        (config,) = tmp_path.glob("*.yaml")
        config.unlink()
        os.mkfifo(config)
        until(lambda: bool(one.events("config_refused")), "the refusal")
        assert one.events("config_refused")[0]["problem"] == (
            f"{config}: is no regular file; put the configuration in a file"
        )
        config.unlink()
        config.write_text(SMALL.replace("routes:", "routes: # new\n"))
        until(lambda: bool(one.events("config_unchanged")), "the next look at the file")
        one.tell(signal.SIGTERM)
        assert one.ended() == 0


def test_a_stream_that_has_said_nothing_does_not_hold_up_the_drain(tmp_path: Path) -> None:
    """V6, checklist 22: nothing is in flight on it."""

    async def leave(one: Process) -> None:
        async with Caller(one.address) as caller:
            silent = caller.process()
            other = caller.process()
            assert phase_of(await other.ask(request_headers())) != ""
            await other.finish()
            one.tell(signal.SIGTERM)
            assert await silent.answer() is None
            assert await silent.status() is grpc.StatusCode.OK

    with process(tmp_path) as one:
        one.wait_ready()
        asyncio.run(leave(one))
        assert one.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_start_is_over_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """V6: it reads a pipe, which nobody fills, when the signal comes."""
    pipe = tmp_path / "gateway.yaml"
    os.mkfifo(pipe)
    one = Process(pipe, "--listen", "127.0.0.1:0", "--admin", "none")
    try:
        opened = threading.Event()

        def fill() -> None:
            with pipe.open("w"):  # returns when the sidecar has opened its end
                opened.set()
                one.popen.wait(20)

        writer = threading.Thread(target=fill)
        writer.start()
        assert opened.wait(20)
        # Python runs its handlers between two instructions: not while a read that has just begun goes on.
        asleep_in = Path(f"/proc/{one.popen.pid}/wchan")
        until(lambda: "pipe_read" in asleep_in.read_text(), "the read that nobody answers")
        one.tell(signal.SIGHUP)
        one.tell(number)
        assert one.ended() == 0
        writer.join()
    finally:
        one.close()


def test_a_first_message_on_its_way_is_answered_when_the_drain_has_begun(tmp_path: Path) -> None:
    """V6, checklist 22: the stream was opened before, so its request counts on an answer."""

    async def leave(one: Process) -> None:
        async with Caller(one.address) as caller:
            late = caller.process()
            other = caller.process()
            assert phase_of(await other.ask(request_headers())) != ""
            await other.finish()
            one.tell(signal.SIGTERM)
            await asyncio.to_thread(until, lambda: bool(one.events("draining")), "the drain")
            assert phase_of(await late.ask(request_headers())) != ""
            assert await late.finish() is grpc.StatusCode.OK

    with process(tmp_path) as one:
        one.wait_ready()
        asyncio.run(leave(one))
        assert one.ended() == 0
