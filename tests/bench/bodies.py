"""What conditions on bodies cost: the requests that have none, those with JSON, and large uploads.

Two gateways take turns in one run, which differ in the routes with a condition on a body alone. Run as
`python -m tests.bench.bodies --out bodies.json` from the root of the repository.
"""

import argparse
import json
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Final

import yaml
from rich.console import Console

from tests.bench.children import Child
from tests.bench.contenders import Running, sidecar, started, upstream
from tests.bench.load import load
from tests.bench.rows import Row, row, show
from tests.running.endpoint import endpoint

CONFIG: Final = Path(__file__).with_name("bodies.yaml")
ROUNDS: Final = 16
SECONDS: Final = 0.5
UPLOADS: Final = 16
UPLOAD_BYTES: Final = 10_000_000
_JSON_BYTES: Final = 10_000
_CONNECTIONS: Final = 16
_PIECE: Final = b"x" * 100_000
_POLL_S: Final = 0.005


def _gateway(stack: ExitStack, endpoints: list[str], folder: Path, *, bodies: bool) -> Running:
    """The sidecar and an Envoy, with or without the routes that ask for bodies."""
    document = yaml.safe_load(CONFIG.read_text())
    if not bodies:
        document["routes"] = [
            route for route in document["routes"] if not {"body", "size"} & route["match"].keys()
        ]
    here = folder / ("with" if bodies else "without")
    here.mkdir()
    config = here / "config.yaml"
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    return stack.enter_context(started(sidecar(endpoints, here, config=config), here))


def _pairs(
    one: Callable[[], float], other: Callable[[], float], rounds: int, what: str, say: Callable[[str], None]
) -> float:
    """The median of what `one` reaches of `other`, taken in turns."""
    ratios: list[float] = []
    for number in range(rounds):
        first, second = (one, other) if number % 2 else (other, one)
        reached = first(), second()
        ours, theirs = reached if number % 2 else reached[::-1]
        ratios.append(ours / theirs)
        say(f"{what} {number + 1:>2}/{rounds}  {ours:>7.0f}/s to {theirs:>7.0f}/s")
    return median(ratios)


def _rates(
    within: Running, without: Running, folder: Path, rounds: int, seconds: float, say: Callable[[str], None]
) -> list[Row]:
    body = folder / "body.json"
    text = {"data": {"priority": "high"}, "items": [{"priority": "high"}], "text": ["word"] * 1000}
    text["text"] = ["word " * 10] * ((_JSON_BYTES - len(json.dumps(text | {"text": []}))) // 54)
    body.write_text(json.dumps(text))

    def others(running: Running) -> Callable[[], float]:
        return lambda: load(running.contender.listen, _CONNECTIONS, seconds / 2, folder).requests_per_s

    def posts(path: str) -> Callable[[], float]:
        def rate() -> float:
            seen = load(within.contender.listen, _CONNECTIONS, seconds, folder, path, body)
            if seen.failed:
                raise RuntimeError(f"{seen.failed} requests to {path} failed")
            return seen.requests_per_s

        return rate

    for warm in (others(within), others(without), posts("/header"), posts("/field"), posts("/item")):
        warm()
    # More and shorter steps: a goal so near to 1 needs them on a machine whose speed moves.
    ratio = _pairs(others(within), others(without), 4 * rounds, "others", say)
    rows = [row("bodies.ratio.others_with_to_without", ratio, "x", at_least=0.97)]
    ratio = _pairs(posts("/field"), posts("/header"), rounds, "field ", say)
    rows.append(row("bodies.ratio.field_to_header", ratio, "x", at_least=0.8))
    ratio = _pairs(posts("/item"), posts("/header"), rounds, "item  ", say)
    rows.append(row("bodies.ratio.item_to_header", ratio, "x"))
    return rows


def _upload(address: str, size: int) -> float:
    """How long an upload without its length took, in seconds."""
    host, _, port = address.rpartition(":")
    head = b"POST /sized HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    begun = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=60.0) as client:
        client.sendall(head)
        for _ in range(size // len(_PIECE)):
            client.sendall(b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE))
        client.sendall(b"0\r\n\r\n")
        answer = client.makefile("rb").readline()
    if b" 200 " not in answer:
        raise RuntimeError(f"an upload was answered with {answer!r}")
    return time.monotonic() - begun


def _most_mb(server: Child, work: Callable[[], None]) -> float:
    """The most memory that the server held while the work lasted."""
    most = server.rss_mb()
    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        most = max(most, server.rss_mb())
        worker.join(_POLL_S)
    return most


def _uploads(running: Running, say: Callable[[str], None]) -> list[Row]:
    assert running.server is not None
    address = running.contender.listen

    def at_once() -> None:
        threads = [threading.Thread(target=_upload, args=(address, UPLOAD_BYTES)) for _ in range(UPLOADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    times: dict[int, list[float]] = {}
    for _ in range(5):
        for factor in (1, 2):
            times.setdefault(factor, []).append(_upload(address, factor * UPLOAD_BYTES))
    before = running.server.rss_mb()
    most = max(_most_mb(running.server, at_once) for _ in range(3))
    say(f"uploads: {before:.1f} MB before, at most {most:.1f} MB while {UPLOADS} passed")
    return [
        row("bodies.upload.rss", (most - before) / UPLOADS, "MB/upload", at_most=1.0),
        row("bodies.upload.time", median(times[1]), "s/10 MB"),
        row("bodies.upload.ratio.twice_as_large", median(times[2]) / median(times[1]), "x", at_most=2.5),
    ]


def measure(
    *, rounds: int = ROUNDS, seconds: float = SECONDS, say: Callable[[str], None] = print
) -> list[Row]:
    """All of it; `seconds` is the length of one of the many steps."""
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-bodies-")))
        endpoints = stack.enter_context(upstream(folder))
        within = _gateway(stack, endpoints, folder, bodies=True)
        without = _gateway(stack, endpoints, folder, bodies=False)
        rows += _rates(within, without, folder, rounds, seconds, say)
    with ExitStack() as stack:  # an endpoint that takes the whole of a body
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-bodies-")))
        sinks = [stack.enter_context(endpoint(name)).address for name in ("one", "two", "three")]
        rows += _uploads(_gateway(stack, sinks, folder, bodies=True), say)
    return rows


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # through every `finally`, so that no child stays behind


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file for the rows, as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each step")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    console = Console()
    rows = measure(rounds=args.rounds, seconds=args.seconds, say=console.print)
    args.out.write_text(json.dumps(rows, indent=1) + "\n")
    show(rows, "Bodies", console)


if __name__ == "__main__":
    main()
