"""Child processes that end with the benchmark, whatever ends it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from shutil import which
from typing import Final

START_WITHIN_S: Final = 20.0
STOP_WITHIN_S: Final = 3.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def command(name: str) -> str:
    """Where `name` is: put apart, as the Envoy that proxies is, or beside the interpreter, or on PATH."""
    known = (Path(sys.prefix) / f"proxy/{name}/_bin/{name}", Path(sys.executable).parent / name)
    found = next((str(path) for path in known if path.exists()), which(name))
    if found is None:
        raise FileNotFoundError(f"{name} is neither beside {sys.executable} nor on PATH")
    return found


def free_addresses(count: int) -> list[str]:
    """`count` different addresses of this machine that nothing listened at a moment ago."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


class Child:
    """A running process, the leader of its own process group."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._name: Final = name
        self._process: Final = process
        self._log: Final = log

    def cpu_s(self) -> float:
        """User and system time that the process has used so far, in steps of a kernel tick (10 ms)."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()  # the command's name may hold spaces
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def rss_mb(self) -> float:
        """The memory that it holds now, shared pages included, in MB (10^6 bytes)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024 / 1e6

    def descriptors(self) -> int:
        """How many are open."""
        return sum(1 for _ in Path(f"/proc/{self._process.pid}/fd").iterdir())

    def said(self) -> str:
        """The last lines of its output."""
        return "\n".join([f"{self._name}:", *self._log.read_text(errors="replace").splitlines()[-15:]])

    def must_live(self) -> None:
        if self._process.poll() is not None:
            raise RuntimeError(f"ended with {self._process.returncode}: {self.said()}")

    def stop(self) -> None:
        for step in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, step)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_WITHIN_S)
                return


@contextlib.contextmanager
def running(name: str, arguments: Sequence[str], folder: Path) -> Iterator[Child]:
    """Run `arguments` with their output in `folder`/`name`.log until the block ends."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        child = Child(name, process, log)
        try:
            yield child
        finally:
            child.stop()


def wait_for(ready: Callable[[], bool], children: Sequence[Child]) -> None:
    """Return once `ready` says so; raise when one of `children` ends first or `START_WITHIN_S` is over."""
    until = time.monotonic() + START_WITHIN_S
    while not ready():
        for child in children:
            child.must_live()
        if time.monotonic() > until:
            said = "\n".join(child.said() for child in children)
            raise TimeoutError(f"not ready after {START_WITHIN_S:.0f} s; {said}")
        time.sleep(0.02)  # between two polls


def listens(address: str) -> bool:
    """Whether a connection to `address`, `host:port` or `unix:path`, is accepted."""
    host, _, port = address.rpartition(":")
    family = socket.AF_UNIX if host == "unix" else socket.AF_INET
    with socket.socket(family) as one:
        one.settimeout(1.0)
        return one.connect_ex(port if host == "unix" else (host, int(port))) == 0


def answers_200(url: str, headers: dict[str, str]) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=1.0) as reply:
            return bool(reply.status == HTTPStatus.OK)
    except OSError:  # of which every error of urllib is one
        return False
