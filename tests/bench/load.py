"""One load step: h2load in HTTP/1.1 mode for a few seconds, and what it saw."""

import math
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.children import command

PATH: Final = "/api/v1/ai/chat/completions"
HEADERS: Final = {
    "user-agent": "bench/1.0",
    "accept": "application/json",
    "accept-language": "en",
    "content-type": "application/json",
    "x-request-id": "3f2b8c1e-5d0a-4c7e-9f61-2a7b90c4d815",
    "x-user-id": "user-42",
    "x-session-id": "session-4711",
    "x-ai-model": "gpt-4",
}
_GRACE_S: Final = 10.0
_REQUESTS: Final = re.compile(r"requests: .* (\d+) failed, (\d+) errored, (\d+) timeout")
_RATE: Final = re.compile(r"finished in [\d.]+\w+, ([\d.]+) req/s")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one load step saw; latencies in milliseconds over the answered requests."""

    requests: int
    failed: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float


def quantile(ordered: list[int], share: float) -> float:
    """The smallest of `ordered` that at least `share` of them do not exceed."""
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])


def load(
    address: str,
    connections: int,
    seconds: float,
    folder: Path,
    path: str = PATH,
    body: Path | None = None,
) -> Seen:
    """Send requests to Envoy at `address`, one at a time on each connection, for `seconds`. With a body they
    are POSTs."""
    how = [f"--duration={seconds * 1000:.0f}ms", *([] if body is None else [f"--data={body}"])]
    begun = _begun(address, connections, how, folder, path)
    begun.process.wait(seconds + _GRACE_S)
    return begun.seen()


def steady(address: str, connections: int, rate: float, seconds: float, folder: Path) -> "Load":
    """Begin to send `rate` requests a second over all connections, for `seconds`; returns at once."""
    each = max(round(rate / connections), 1)
    return _begun(address, connections, [f"--duration={seconds:.0f}", f"--rps={each}"], folder)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests that are being sent; `seen` once the process has ended."""

    process: subprocess.Popen[str]
    log: Path

    def seen(self) -> Seen:
        stdout, stderr = self.process.communicate()
        counts, rate = _REQUESTS.search(stdout), _RATE.search(stdout)
        if self.process.returncode != 0 or counts is None or rate is None:
            raise RuntimeError(f"h2load said nothing that can be read:\n{stdout}\n{stderr}")
        micros: list[int] = []
        not_2xx = 0
        with self.log.open() as lines:
            for line in lines:
                _started_us, status, took_us = line.split("\t")
                micros.append(int(took_us))
                not_2xx += not status.startswith("2")
        if not micros:
            raise RuntimeError(f"no request was answered:\n{stdout}")
        micros.sort()
        return Seen(
            requests=len(micros),
            failed=max(not_2xx, *map(int, counts.groups())),  # one failure may be in several of these counts
            requests_per_s=float(rate.group(1)),
            p50_ms=quantile(micros, 0.50) / 1000,
            p99_ms=quantile(micros, 0.99) / 1000,
        )


def _begun(address: str, connections: int, how: list[str], folder: Path, path: str = PATH) -> Load:
    log = folder / "requests.tsv"
    log.unlink(missing_ok=True)
    arguments = [command("h2load"), "--h1", f"--clients={connections}", "--threads=1", *how]
    arguments += [f"--log-file={log}"]
    arguments += [f"--header={name}: {value}" for name, value in HEADERS.items()]
    process = subprocess.Popen(
        [*arguments, f"http://{address}{path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return Load(process, log)
