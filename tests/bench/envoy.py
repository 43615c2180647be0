"""What a request costs through a real Envoy: asking nobody, servers that do nothing, or the sidecar.

The contenders take turns on one machine within one run, and ratios are taken between neighbours in
time, because absolute figures move with the machine far more than the contenders differ. Run as
`python -m tests.bench.envoy --out envoy.json` from the root of the repository.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.bench import cpp
from tests.bench.contenders import (
    LETTERS,
    NOTHING_AIO,
    NOTHING_ASGI,
    NOTHING_CPP,
    NOTHING_THREADS,
    PLAIN,
    SIDECAR,
    SIDECAR_ENVOY,
    SIDECAR_QUIET,
    Contender,
    Running,
    nothing,
    nothing_cpp,
    plain,
    quiet,
    sidecar,
    started,
    upstream,
)
from tests.bench.load import Seen, load
from tests.bench.rows import Row, row, show

CONNECTIONS: Final = (1, 16, 64)
ROUNDS: Final = 22  # many short ones: a shared machine's speed may double or halve within a second
SECONDS: Final = 0.4
_WARM_S: Final = 0.5
_WARM_CONNECTIONS: Final = 16
_MOST_MB: Final = {SIDECAR: 90.0, SIDECAR_ENVOY: 140.0}


@dataclass(frozen=True, slots=True)
class Step:
    """One contender under one load; CPU in µs per request, of the server None where there is none."""

    seen: Seen
    envoy_us: float
    server_us: float | None


Steps = dict[tuple[str, int], list[Step]]  # by contender and connections, one a round


def _step(running: Running, connections: int, seconds: float, folder: Path) -> Step:
    envoy_s = running.envoy.cpu_s()
    server_s = running.server.cpu_s() if running.server else 0.0
    seen = load(running.contender.listen, connections, seconds, folder)
    running.envoy.must_live()
    envoy_us = (running.envoy.cpu_s() - envoy_s) / seen.requests * 1e6
    if running.server is None:
        return Step(seen, envoy_us, None)
    running.server.must_live()
    return Step(seen, envoy_us, (running.server.cpu_s() - server_s) / seen.requests * 1e6)


def _contenders(
    without: Collection[str], endpoints: list[str], folder: Path, say: Callable[[str], None]
) -> list[Contender]:
    makers: dict[str, Callable[[], Contender]] = {
        PLAIN: lambda: plain(endpoints),
        NOTHING_THREADS: lambda: nothing(NOTHING_THREADS, "threads", endpoints),
        NOTHING_AIO: lambda: nothing(NOTHING_AIO, "aio", endpoints),  # beside the one it is compared with
        SIDECAR: lambda: sidecar(endpoints, folder),
        SIDECAR_QUIET: lambda: quiet(sidecar(endpoints, _within(folder, SIDECAR_QUIET))),
        NOTHING_ASGI: lambda: nothing(NOTHING_ASGI, "asgi", endpoints),
        SIDECAR_ENVOY: lambda: sidecar(endpoints, folder, "envoy"),
    }
    binary = None if NOTHING_CPP in without else _built_cpp(say)
    if binary is not None:
        makers[NOTHING_CPP] = lambda: nothing_cpp(binary, endpoints)  # the other neighbour
    return [make() for name, make in makers.items() if name not in without]


def _within(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _built_cpp(say: Callable[[str], None]) -> Path | None:
    """The server in C++; None, after saying why, where it cannot be built, as the others do without it."""
    if packages := cpp.missing():
        say(f"{NOTHING_CPP} needs Debian's packages {', '.join(packages)}: its rows are left out")
        return None
    try:
        return cpp.built(cpp.FOLDER, say)
    except cpp.NotBuilt as error:
        say(f"{NOTHING_CPP} was not built: its rows are left out; {escape(str(error))}")
        return None


def _rows(steps: Steps) -> list[Row]:
    rows: list[Row] = []
    for (name, connections), rounds in steps.items():
        start = f"envoy.{connections}.{name}."
        rows.append(row(start + "requests_per_s", median(s.seen.requests_per_s for s in rounds), "1/s"))
        rows.append(row(start + "p50", median(s.seen.p50_ms for s in rounds), "ms"))
        rows.append(row(start + "p99", median(s.seen.p99_ms for s in rounds), "ms"))
        cpu_us = [s.server_us for s in rounds if s.server_us is not None]
        if cpu_us:
            rows.append(row(start + "cpu", median(cpu_us), "us/request"))
        rows.append(row(start + "envoy_cpu", median(s.envoy_us for s in rounds), "us/request"))
        rows.append(row(start + "failed", sum(s.seen.failed for s in rounds), "requests", at_most=0))
    return rows


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Of `mine` to `other`, with the least throughput and the most p50 and p99 by number of connections."""

    mine: str
    other: str
    throughput: dict[int, float]
    p50: dict[int, float]
    p99: dict[int, float]


_COMPARISONS: Final = (
    _Comparison(SIDECAR, NOTHING_AIO, {64: 0.85}, {1: 1.15}, {}),
    _Comparison(SIDECAR, PLAIN, {}, {}, {}),
    _Comparison(SIDECAR_ENVOY, NOTHING_CPP, {16: 0.80, 64: 0.85}, {}, {64: 1.2}),
    _Comparison(SIDECAR_ENVOY, NOTHING_ASGI, {}, {}, {}),
    _Comparison(SIDECAR_ENVOY, SIDECAR, {}, {}, {}),
)


def _ratios(steps: Steps) -> list[Row]:
    rows: list[Row] = []
    for connections in CONNECTIONS:
        for one in _COMPARISONS:
            ours = [step.seen for step in steps.get((one.mine, connections), [])]
            theirs = [step.seen for step in steps.get((one.other, connections), [])]
            if not ours or not theirs:
                continue
            pairs = list(zip(ours, theirs, strict=True))
            start, name = f"envoy.{connections}.ratio.", f"{one.mine}_to_{one.other}"
            faster = median(our.requests_per_s / their.requests_per_s for our, their in pairs)
            rows.append(row(f"{start}{name}", faster, "x", at_least=one.throughput.get(connections)))
            if connections in one.p50:
                slower = median(our.p50_ms / their.p50_ms for our, their in pairs)
                rows.append(row(f"{start}p50_{name}", slower, "x", at_most=one.p50[connections]))
            if connections in one.p99:
                slower = median(our.p99_ms / their.p99_ms for our, their in pairs)
                rows.append(row(f"{start}p99_{name}", slower, "x", at_most=one.p99[connections]))
    return rows


def _learning(steps: Steps) -> list[Row]:
    """By how much the throughput, as a share of that of a server that does nothing, falls with the access log
    coming in."""
    rows: list[Row] = []
    for connections in CONNECTIONS:
        told, untold, nothing_ = (
            [step.seen.requests_per_s for step in steps.get((name, connections), [])]
            for name in (SIDECAR, SIDECAR_QUIET, NOTHING_AIO)
        )
        if told and untold and nothing_:
            falls = median((u - t) / n for t, u, n in zip(told, untold, nothing_, strict=True))
            rows.append(row(f"envoy.{connections}.ratio.learning_costs", falls, "x", at_most=0.05))
    return rows


def _memory(ready: list[Running]) -> list[Row]:
    """Of the sidecars, after all that load."""
    return [
        row(
            f"envoy.{one.contender.name}.rss", one.server.rss_mb(), "MB", at_most=_MOST_MB[one.contender.name]
        )
        for one in ready
        if one.server is not None and one.contender.name in _MOST_MB
    ]


def measure(
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    without: Collection[str] = (),
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Run all contenders but those named in `without`; `seconds` is the length of one of the many steps."""
    steps: Steps = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-envoy-")))
        endpoints = stack.enter_context(upstream(folder))
        chosen = _contenders(without, endpoints, folder, say)
        ready = [stack.enter_context(started(contender, folder)) for contender in chosen]
        for one in ready:
            load(one.contender.listen, _WARM_CONNECTIONS, _WARM_S, folder)
        for number in range(1, rounds + 1):
            for connections in CONNECTIONS:
                # There and back, so that no contender gains by its place in the round.
                for one in ready if number % 2 else reversed(ready):
                    name = one.contender.name
                    step = _step(one, connections, seconds, folder)
                    steps.setdefault((name, connections), []).append(step)
                    rate, p50 = step.seen.requests_per_s, step.seen.p50_ms
                    where = f"round {number:>2}/{rounds}  {connections:>2} x {name:<16}"
                    say(f"{where}{rate:>8.0f}/s  p50 {p50:.3f} ms")
        memory = _memory(ready)
    return _rows(steps) + _ratios(steps) + _learning(steps) + memory


def show_side_by_side(rows: list[Row], console: Console) -> None:
    """Print one line a contender and number of connections, then the rows that have no contender."""
    columns = ("requests_per_s", "p50", "p99", "cpu", "envoy_cpu", "failed")
    table = Table("", "contender", title="Through Envoy, by connections (medians; ms; µs/request)")
    for column in columns:
        table.add_column(column.replace("requests_per_s", "req/s"), justify="right")
    values = {one["name"]: one["value"] for one in rows}
    for connections in CONNECTIONS:
        for name in LETTERS.values():
            found = [values.get(f"envoy.{connections}.{name}.{column}") for column in columns]
            if any(value is not None for value in found):
                cells = ("" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in found)
                table.add_row(str(connections), name, *cells)
        table.add_section()
    console.print(table)
    rest = [one for one in rows if ".ratio." in one["name"] or one["name"].endswith(".rss")]
    if rest:
        show(rest, "Ratios (medians of pairs), and memory after the load", console)


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # through every `finally`, so that no child stays behind


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file for the rows, as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each step")
    names = ", ".join(map(" ".join, LETTERS.items()))
    parser.add_argument("--without", nargs="*", default=[], choices=sorted(LETTERS), help=names)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    console = Console()
    without = {LETTERS[letter] for letter in args.without}
    rows = measure(rounds=args.rounds, seconds=args.seconds, without=without, say=console.print)
    args.out.write_text(json.dumps(rows, indent=1) + "\n")
    show_side_by_side(rows, console)


if __name__ == "__main__":
    main()
