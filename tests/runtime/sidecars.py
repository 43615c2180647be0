"""A sidecar to talk to: in this process, or as a process of its own; over either transport."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from sidecar.app import build
from sidecar.config.load import Loaded, load
from sidecar.runtime.grpc_shell import GrpcShell
from sidecar.runtime.server import Parts, running
from tests.runtime.caller import Caller
from tests.waiting import until

SMALL: Final = """\
listen: {grpc: '127.0.0.1:0', admin: '127.0.0.1:0', drain: 1s}
clusters: {shop: {endpoints: [{address: '10.0.0.1:80', id: a}]}}
routes: [{name: shop, match: {path: {prefix: /shop}}, to: shop, rewrite: {strip_prefix: /shop}}]
"""
PATHS: Final = [*filter(None, sys.path), str(Path(__file__).parents[2])]


TRANSPORT: Final = ContextVar("TRANSPORT", default="grpc")
"""What the tests run over, empty for what the file says; see the fixture `each_transport`."""


@dataclass
class Sidecar:
    """One to ask, and a caller that is connected to it."""

    caller: Caller
    _sample: Callable[[str, dict[str, str]], float | None]
    _parts: Parts | None = None

    @property
    def parts(self) -> Parts:
        """Of one that runs in this process, over gRPC's own server."""
        assert self._parts is not None, "a sidecar within an Envoy is another process"
        return self._parts

    def sample(self, name: str, **labels: str) -> float | None:
        """What `/metrics` says."""
        return self._sample(name, labels)


def with_sidecar(
    ask: Callable[[Sidecar], Awaitable[None]],
    text: str = SMALL,
    change: Callable[[Loaded], Loaded] | None = None,
    address: str = "127.0.0.1:0",
) -> None:
    """Run `ask` against a sidecar with this file, or with what `change` makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        if TRANSPORT.get() == "grpc":
            asyncio.run(_here(ask, Path(folder), text, change, address))
        else:
            assert change is None, "a sidecar within an Envoy reads its own file"
            with process(Path(folder), text, "--listen", address) as one:
                asyncio.run(_there(ask, one))
                one.tell(signal.SIGTERM)
                assert one.ended() == 0


async def _here(
    ask: Callable[[Sidecar], Awaitable[None]],
    folder: Path,
    text: str,
    change: Callable[[Loaded], Loaded] | None,
    address: str,
) -> None:
    path = folder / "gateway.yaml"
    path.write_text(text)
    loaded = load(path, 1)
    parts = build(path, loaded if change is None else change(loaded), [address], "")
    async with running(parts, GrpcShell(parts.methods)) as addresses, Caller(addresses[0]) as caller:
        await ask(Sidecar(caller, parts.registry.get_sample_value, parts))


async def _there(ask: Callable[[Sidecar], Awaitable[None]], one: "Process") -> None:
    async with Caller(one.address) as caller:
        await ask(Sidecar(caller, one.value))


class Process:
    """`python -m sidecar serve`."""

    def __init__(self, config: Path, *arguments: str, **environment: str) -> None:
        self.begun: Final = time.monotonic()
        self.lines: Final[list[str]] = []
        self.popen: Final = subprocess.Popen(
            [
                *(sys.executable, "-m", "sidecar", "serve", str(config), "--log-format", "json"),
                *(["--transport", TRANSPORT.get()] if TRANSPORT.get() else []),
                *arguments,
            ],
            cwd=config.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS), **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._reader: Final = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(line.decode())

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log with this event."""
        found = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [line for line in found if line["event"] == name]

    def wait_ready(self) -> dict[str, Any]:
        def ready() -> bool:
            if self.popen.poll() is not None:
                raise RuntimeError("".join(self.lines))
            return bool(self.events("ready"))

        until(ready, "the sidecar's start")
        return self.events("ready")[0]

    @property
    def address(self) -> str:
        return str(self.wait_ready()["grpc"][0])

    def get(self, path: str) -> tuple[int, str]:
        """Status and body from the admin address."""
        try:
            with urllib.request.urlopen(f"http://{self.wait_ready()['admin']}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def sample(self, line: str) -> float | None:
        """The value of the line that begins with this name and labels."""
        for each in self.get("/metrics")[1].splitlines():
            if each.startswith(f"{line} "):
                return float(each.rpartition(" ")[2])
        return None

    def value(self, name: str, labels: dict[str, str]) -> float | None:
        """The metric's, with exactly these labels; None where there is none."""
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def rss_kb(self) -> int:
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1])

    def tell(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def ended(self) -> int:
        """The exit code, once it is there and the log is read."""
        code = self.popen.wait(10)
        self._reader.join(10)
        return code

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self._reader.join()
        assert self.popen.stderr is not None
        self.popen.stderr.close()


@contextmanager
def process(folder: Path, text: str = SMALL, *arguments: str, **environment: str) -> Iterator[Process]:
    """One with this file, not yet ready; gone when the block ends."""
    config = folder / "gateway.yaml"
    config.write_text(text)
    one = Process(config, *arguments, **environment)
    try:
        yield one
    finally:
        one.close()
