"""Where the sidecar listens, and what it says when it cannot."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from sidecar.runtime.addresses import CannotListen, clear_the_way, probe
from tests.runtime.caller import SERVING, Caller
from tests.runtime.sidecars import PATHS, SMALL, Process, Sidecar, process, with_sidecar
from tests.wire.messages import phase_of, request_headers

pytestmark = pytest.mark.usefixtures("each_transport")

AS_SOMEBODY_ELSE = """\
import os, sys
from pathlib import Path
from sidecar.runtime.addresses import CannotListen, clear_the_way

if os.getuid() == 0:
    os.setuid(65534)
try:
    clear_the_way(Path(sys.argv[1]))
except CannotListen as error:
    print(error)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: that of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def why_not(path: Path) -> str:
    with pytest.raises(CannotListen) as told:
        clear_the_way(path)
    return str(told.value)


def answers(address: str) -> None:
    async def ask() -> None:
        async with Caller(address) as caller:
            assert await caller.check("") == SERVING

    asyncio.run(ask())


def left_behind(path: Path) -> None:
    """A socket file as a process leaves it that was killed."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def test_answers_on_a_unix_socket_and_takes_it_away_at_the_end(folder: Path) -> None:
    """V6"""
    path = folder / "sidecar.sock"

    async def ask(sidecar: Sidecar) -> None:
        assert path.is_socket()
        exchange = sidecar.caller.process()
        assert phase_of(await exchange.ask(request_headers("/shop"))) == "request_headers"
        assert await exchange.finish() is grpc.StatusCode.OK

    with_sidecar(ask, address=f"unix:{path}")
    assert not path.exists()


def test_replaces_the_socket_that_a_dead_process_left(folder: Path) -> None:
    """V6"""
    path = folder / "sidecar.sock"
    left_behind(path)

    async def ask(sidecar: Sidecar) -> None:
        assert await sidecar.caller.check("") == SERVING

    with_sidecar(ask, address=f"unix:{path}")


def test_clears_away_nothing_but_the_socket_of_the_dead(folder: Path) -> None:
    """V6"""
    left_behind(folder / "dead.sock")
    (folder / "notes.txt").write_text("keep me")
    clear_the_way(folder / "dead.sock")
    clear_the_way(folder / "not-there.sock")

    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_needs_no_admin_address(folder: Path) -> None:
    """V6"""
    with process(folder, SMALL, "--admin", "none") as one:
        assert one.wait_ready()["admin"] is None
        answers(one.address)


def test_answers_on_several_addresses(folder: Path) -> None:
    """V6"""
    path = folder / "sidecar.sock"
    with process(folder, SMALL, "--listen", f"unix:{path}", "--listen", "127.0.0.1:0") as one:
        ready = one.wait_ready()
        assert ready["grpc"][0] == f"unix:{path}"
        assert len(ready["grpc"]) == 2
        for address in ready["grpc"]:
            answers(address)


def test_refuses_the_socket_of_a_process_that_lives(folder: Path) -> None:
    """V6: taking it over would leave the other one without requests, in silence."""
    path = folder / "sidecar.sock"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()

        assert why_not(path) == (
            f"cannot listen on unix:{path}: address already in use; stop what uses it or choose another path"
        )
    assert path.is_socket()


def test_refuses_a_file_that_is_no_socket(folder: Path) -> None:
    """V6: it may be somebody's data."""
    path = folder / "notes.txt"
    path.write_text("keep me")

    assert why_not(path) == (
        f"cannot listen on unix:{path}: a file is there that is no socket; remove it or choose another"
    )
    assert path.read_text() == "keep me"


def test_refuses_a_link_to_a_socket(folder: Path) -> None:
    """V6: whoever may write the link could have it point anywhere."""
    left_behind(folder / "real.sock")
    (folder / "link.sock").symlink_to(folder / "real.sock")

    assert "a file is there that is no socket" in why_not(folder / "link.sock")
    assert (folder / "real.sock").is_socket()


def test_refuses_a_directory_that_is_not_there(folder: Path) -> None:
    """V6"""
    path = folder / "gone" / "sidecar.sock"

    assert why_not(path) == (
        f"cannot listen on unix:{path}: no directory {path.parent}; make it or choose another path"
    )


def test_refuses_a_directory_that_is_not_writable(folder: Path) -> None:
    """V6: asked as another user, because root may write anywhere."""
    folder.chmod(0o555)
    path = folder / "sidecar.sock"
    told = subprocess.run(
        [sys.executable, "-c", AS_SOMEBODY_ELSE, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    folder.chmod(0o755)

    assert told.stdout == (
        f"cannot listen on unix:{path}: {folder} is not writable; change its owner or choose another path\n"
    )


def test_refuses_a_socket_path_that_is_too_long(folder: Path) -> None:
    """V6"""
    path = folder / ("s" * 107)

    assert why_not(path) == (
        f"cannot listen on unix:{path}: a socket path has at most 107 bytes; choose a shorter one"
    )


@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_a_port_in_use_is_told_and_ends_with_2(folder: Path, option: str) -> None:
    """V6"""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with process(folder, SMALL, option, address) as one:
            assert one.ended() == 2

        assert "".join(one.lines) == (
            f"cannot listen on {address}: address already in use; "
            "stop what uses it or choose another with --listen or --admin\n"
        )


def test_a_second_sidecar_never_shares_a_port(folder: Path) -> None:
    """V6: the kernel would split the requests between two plans, in silence."""
    with process(folder) as first:
        second = Process(folder / "gateway.yaml", "--listen", first.address)
        try:
            assert second.ended() == 2
            assert "address already in use" in "".join(second.lines)
        finally:
            second.close()
        answers(first.address)


def test_a_host_that_is_not_here_is_told() -> None:
    """V6"""
    with pytest.raises(
        CannotListen, match=r"^cannot listen on 203\.0\.113\.7:5: cannot assign requested address"
    ):
        probe("203.0.113.7:5")
    with pytest.raises(CannotListen, match=r"^cannot listen on no-such-host\.invalid:5: "):
        probe("no-such-host.invalid:5")
