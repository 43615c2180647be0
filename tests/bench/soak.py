"""Both transports of the sidecar for minutes at a steady part of what the machine can do.

First each is measured alone; then both run at the same time, each at half of the wanted share of its own
throughput. Every second memory and open descriptors are noted. What grows with time is seen as a slope.
Run as `python -m tests.bench.soak --minutes 5` from the root of the repository.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from types import FrameType
from typing import Final

from rich.console import Console

from tests.bench.children import Child
from tests.bench.contenders import Running, sidecar, started, upstream
from tests.bench.load import Seen, load, steady
from tests.bench.rows import Row, row, show

SHARE: Final = 0.7
_CONNECTIONS: Final = 16
_ALONE_S: Final = 3.0
_SETTLED_SHARE: Final = 0.4  # of the time: pools and caches fill in the beginning
_MOST_GROWTH_MB: Final = 1.0  # a minute, once settled


@dataclass
class _Watch:
    """What was seen of one server, each second."""

    child: Child
    at_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def look(self, now: float) -> None:
        self.at_s.append(now)
        self.rss_mb.append(self.child.rss_mb())
        self.descriptors.append(self.child.descriptors())

    def rows(self, name: str) -> list[Row]:
        settled = int(len(self.at_s) * _SETTLED_SHARE)
        slope = linear_regression(self.at_s[settled:], self.rss_mb[settled:]).slope * 60
        return [
            row(f"soak.{name}.rss_begin", self.rss_mb[0], "MB"),
            row(f"soak.{name}.rss_end", self.rss_mb[-1], "MB"),
            row(f"soak.{name}.rss_growth", slope, "MB/minute", at_most=_MOST_GROWTH_MB),
            row(f"soak.{name}.descriptors_least", min(self.descriptors[settled:]), "open"),
            row(f"soak.{name}.descriptors_most", max(self.descriptors[settled:]), "open"),
        ]


def measure(*, minutes: float, share: float = SHARE, say: Callable[[str], None] = print) -> list[Row]:
    """Rows for both transports."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-soak-")))
        endpoints = stack.enter_context(upstream(folder))
        both = [
            stack.enter_context(started(sidecar(endpoints, folder, transport), folder))
            for transport in ("grpc", "envoy")
        ]
        rates = []
        for one in both:
            alone = load(one.contender.listen, _CONNECTIONS, _ALONE_S, folder).requests_per_s
            rates.append(alone * share / len(both))
            say(f"{one.contender.name}: {alone:.0f} requests/s alone, soaked at {rates[-1]:.0f}")
        return _soaked(both, rates, minutes, folder, say)


def _soaked(
    both: list[Running], rates: list[float], minutes: float, folder: Path, say: Callable[[str], None]
) -> list[Row]:
    watches = [_Watch(one.server) for one in both if one.server is not None]
    loads = []
    for one, rate in zip(both, rates, strict=True):
        place = folder / f"{one.contender.name}.load"
        place.mkdir()
        loads.append(steady(one.contender.listen, _CONNECTIONS, rate, minutes * 60, place))
    begun = time.monotonic()
    try:
        while any(one.process.poll() is None for one in loads):
            now = time.monotonic() - begun
            for watch in watches:
                watch.look(now)
                watch.child.must_live()
            if len(watches[0].at_s) % 30 == 0:
                told = ", ".join(f"{watch.rss_mb[-1]:.1f} MB" for watch in watches)
                say(f"{now:4.0f} s of {minutes * 60:.0f}: {told}")
            time.sleep(1.0)  # between two looks
    finally:
        for one_load in loads:
            one_load.process.kill()
    rows: list[Row] = []
    for one, watch, one_load in zip(both, watches, loads, strict=True):
        name = one.contender.name
        seen: Seen = one_load.seen()
        rows += [
            row(f"soak.{name}.requests", seen.requests, "requests"),
            row(f"soak.{name}.failed", seen.failed, "requests", at_most=0),
            row(f"soak.{name}.p50", seen.p50_ms, "ms"),
            row(f"soak.{name}.p99", seen.p99_ms, "ms"),
            *watch.rows(name),
        ]
    return rows


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # through every `finally`, so that no child stays behind


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--share", type=float, default=SHARE, help="of the throughput, of both together")
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    console = Console()
    rows = measure(minutes=args.minutes, share=args.share, say=console.print)
    args.out.write_text(json.dumps(rows, indent=1) + "\n")
    show(rows, f"{args.minutes:g} minutes at {args.share:.0%}", console)


if __name__ == "__main__":
    main()
