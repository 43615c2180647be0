"""All benchmarks in one run: the core, compiled and as plain Python, and the whole way through Envoy.

Prints tables and writes a list of {name, value, unit, goal, ok}. `make bench` calls it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # last, so that an installed (and compiled) package comes before the sources

from rich.console import Console  # noqa: E402

from tests.bench import bodies, contenders, envoy, outcomes, ranges, strategies  # noqa: E402
from tests.bench.rows import Row, row, show  # noqa: E402

STRATEGY_GOALS_US = {
    "round_robin": 0.5,
    "least_loaded": 1.2,
    "cache_aware": 1.5,
    "quota_aware": 1.3,
    "affinity": 0.7,
    "consistent_hash": 1.0,
    "adaptive": 5.0,
    "best_score": 3.0,
}
"""For a whole decision among three endpoints."""
DEARER = {"adaptive", "best_score", "learned"}
"""Look at each of up to 32 endpoints, so that they cost more among a thousand."""


def _measured(script: str, *, plain: bool = False) -> dict[str, Any]:
    """By this script, in a process of its own: the sources, or the installed package."""
    path = str(ROOT) if plain else os.environ.get("PYTHONPATH", "")
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "tests/bench" / script)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{script} ended with {done.returncode}:\n{done.stderr}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _core_rows(kind: str, measured: dict[str, Any], most_mean: float, most_p99: float | None) -> list[Row]:
    few, many, mixed = measured["10"], measured["10000"], measured["mixed"]
    start = f"core.{kind}"
    compiled = kind == "compiled"
    return [
        row(f"{start}.10_routes.mean", few["mean"], "us", at_most=most_mean),
        row(f"{start}.10_routes.p50", few["p50"], "us"),
        row(f"{start}.10_routes.p99", few["p99"], "us", at_most=most_p99),
        row(f"{start}.10000_routes.mean", many["mean"], "us"),
        row(f"{start}.10000_routes.p50", many["p50"], "us"),
        row(f"{start}.10000_routes.p99", many["p99"], "us"),
        row(f"{start}.ratio.10000_to_10", many["mean"] / few["mean"], "x", at_most=1.5),
        row(f"{start}.mixed_10000_routes.look_up", mixed["look_up"], "us", at_most=1.5 if compiled else None),
        row(f"{start}.mixed_10000_routes.match", mixed["match"], "us"),
        row(f"{start}.mixed_10000_routes.nothing", mixed["nothing"], "us", at_most=0.8 if compiled else None),
        row(f"{start}.bytes_kept", measured["bytes_kept"], "B/decision", at_most=0.01),
    ]


def _strategy_rows(measured: dict[str, Any]) -> list[Row]:
    """Goals for the time are those of the compiled core; as plain Python only the proportions have one."""
    rows: list[Row] = []
    compiled = measured["compiled"]
    for name, means in measured["means"].items():
        start = f"strategies.{name}"
        few, many = means["few"], means["many"]
        within = STRATEGY_GOALS_US.get(name) if compiled else None
        rows.append(row(f"{start}.{strategies.FEW}", few, "us", at_most=within))
        if name in DEARER:
            rows.append(row(f"{start}.{strategies.MANY}", many, "us", at_most=100.0 if compiled else None))
        else:
            rows.append(row(f"{start}.{strategies.MANY}", many, "us"))
            rows.append(row(f"{start}.ratio", many / few, "x", at_most=3.0))
        rows.append(row(f"{start}.{strategies.MANY}.with_fallbacks", means["fallbacks"], "us"))
    rows.append(row("strategies.switch", measured["switch"], "us", at_most=1.0 if compiled else None))
    rows.append(row("strategies.affinity.session", measured["bytes_a_session"], "B", at_most=250.0))
    return rows


def _outcome_rows(measured: dict[str, Any]) -> list[Row]:
    at_least = 50_000.0 if measured["compiled"] else None
    few, many, million = measured["few"], measured["many"], measured["million"]
    return [
        row(f"outcomes.{outcomes.FEW}.ingested", few, "1/s", at_least=at_least),
        row(f"outcomes.{outcomes.MANY}.ingested", many, "1/s", at_least=at_least),
        row(f"outcomes.{outcomes.TICKETS}_open.ticket", million["bytes_a_ticket"], "B"),
        row(f"outcomes.{outcomes.TICKETS}_open.growth", million["growth"], "share", at_most=0.02),
    ]


def _end(_signal: int, _frame: object) -> None:
    sys.exit(143)  # through every `finally`, so that no child stays behind


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--rounds", type=int, default=envoy.ROUNDS)
    parser.add_argument("--seconds", type=float, default=envoy.SECONDS, help="length of each step")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--core-only", action="store_true", help="leave out the way through Envoy")
    part.add_argument("--bodies-only", action="store_true", help="only what conditions on bodies cost")
    part.add_argument("--strategies-only", action="store_true", help="only decisions by each strategy")
    part.add_argument(
        "--outcomes-only", action="store_true", help="only learning, and what it costs the requests"
    )
    args = parser.parse_args()
    all_parts = not (args.core_only or args.bodies_only or args.strategies_only or args.outcomes_only)
    signal.signal(signal.SIGTERM, _end)
    console = Console()
    rows: list[Row] = []
    for plain in (False, True) if all_parts or args.core_only else ():
        console.print(f"core, {'plain sources' if plain else 'as installed'} …")
        measured = _measured("core.py", plain=plain)
        if plain:
            rows += _core_rows("pure", measured, 6.0, None)
        elif measured["compiled"]:
            rows += _core_rows("compiled", measured, 0.8, 3.2)
        else:
            console.print("the installed core is not compiled (no C compiler?): its rows are left out")
    if all_parts or args.core_only:
        show(rows, "Core, one decision", console)
        about_ranges = ranges.measure(compiled=ranges.COMPILED)
        show(about_ranges, f"{ranges.COUNT:,} ranges of addresses", console)
        rows += about_ranges
    if all_parts or args.core_only or args.strategies_only:
        console.print("strategies, as installed …")
        about_strategies = _strategy_rows(_measured("strategies.py"))
        show(about_strategies, "Strategies, one decision", console)
        rows += about_strategies
    if all_parts or args.outcomes_only:
        console.print("outcomes, as installed …")
        about_outcomes = _outcome_rows(_measured("outcomes.py"))
        show(about_outcomes, "Outcomes", console)
        rows += about_outcomes
    if all_parts or args.outcomes_only:
        few = {contenders.NOTHING_AIO, contenders.SIDECAR, contenders.SIDECAR_QUIET}
        without = set(contenders.LETTERS.values()) - few if args.outcomes_only else set()
        through = envoy.measure(rounds=args.rounds, seconds=args.seconds, without=without, say=console.print)
        envoy.show_side_by_side(through, console)
        rows += through
    if all_parts or args.bodies_only:
        about_bodies = bodies.measure(say=console.print)
        show(about_bodies, "Bodies", console)
        rows += about_bodies
    args.out.write_text(json.dumps(rows, indent=1) + "\n")
    missed = [one["name"] for one in rows if one["ok"] is False]
    console.print(
        f"{args.out}: {len(rows)} rows; "
        + (f"goals missed: {', '.join(missed)}" if missed else "all goals met")
    )


if __name__ == "__main__":
    main()
