"""`sidecar simulate`: what strategies make of a scenario, as tables, as JSON and as a picture."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from sidecar.config.errors import ConfigError
from sidecar.config.load import Loaded, load
from sidecar.sim.comparison import with_strategy
from sidecar.sim.files import Written, load_scenario
from sidecar.sim.picture import FORMATS, draw, shown
from sidecar.sim.result import DIRECT, Played, Result
from sidecar.sim.simulation import Told, play

CONFIGURED: Final = "configured"
"""In place of a strategy: those that the routes have."""


class CannotSimulate(Exception):
    """Why, in words for whoever asked."""


@dataclass(frozen=True)
class Run:
    """One strategy's. What is counted begins when the scenario is warm."""

    strategy: str
    played: Played
    since_s: float

    @property
    def requests(self) -> Result:
        return self.played.requests.between(self.since_s)

    @property
    def attempts(self) -> Result:
        return self.played.attempts.between(self.since_s)


def simulated(
    config: Path, scenario: Path, strategies: Sequence[str], duration_s: float | None, seed: int | None
) -> tuple[Written, list[Run]]:
    """The scenario, played with each of the strategies, or as it is configured. May raise CannotSimulate."""
    try:
        loaded = load(config, 1)
        written = load_scenario(scenario, loaded.plan, duration_s=duration_s, seed=seed)
    except ConfigError as error:
        raise CannotSimulate(str(error)) from error
    names = list(dict.fromkeys(strategies)) or [CONFIGURED]
    plans = [(name, _plan(loaded, config, name)) for name in names]
    runs = []
    with _progress(names) as told:
        for name, plan in plans:
            try:
                played = play(plan, written.scenario, told[name])
            except ValueError as error:
                raise CannotSimulate(f"{scenario}: {error}") from error
            runs.append(Run(name, played, written.warm_up_s))
    return written, runs


def _plan(loaded: Loaded, config: Path, name: str) -> Any:
    if name == CONFIGURED:
        return loaded.plan
    try:
        return with_strategy(loaded, config, name)
    except ValueError as error:
        raise CannotSimulate(
            "\n".join(f"--strategy {name}: {line}" for line in str(error).splitlines())
        ) from error


@contextmanager
def _progress(names: Sequence[str]) -> Iterator[dict[str, Told | None]]:
    """Whom to tell how far each run is; nobody where nobody watches."""
    if not sys.stderr.isatty():
        yield dict.fromkeys(names)
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        tasks = {name: progress.add_task(name, total=1.0) for name in names}

        def teller(name: str) -> Told:
            return lambda done: progress.update(tasks[name], completed=done)

        yield {name: teller(name) for name in names}


def check_picture(path: Path) -> None:
    """CannotSimulate where no picture could be drawn, before a long run is lost."""
    if path.suffix.removeprefix(".").lower() not in FORMATS:
        raise CannotSimulate(f"--plot {path}: write a name that ends in .{' or .'.join(FORMATS)}")
    if not path.parent.is_dir():
        raise CannotSimulate(f"--plot {path}: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401, ICN001, PLC0415 - whether it is there
    except ImportError:
        raise CannotSimulate(
            "--plot needs matplotlib, which is not installed; "
            "install it with the extra `plot`: pip install 'envoy-routing-sidecar[plot]'"
        ) from None


def write_picture(path: Path, title: str, runs: Sequence[Run]) -> None:
    try:
        draw(title, [(run.strategy, run.played) for run in runs], path)
    except OSError as error:
        raise CannotSimulate(f"--plot {path}: {error.strerror}") from error


def title_of(config: Path, scenario: Path, written: Written) -> str:
    return written.title or f"{scenario.name} on {config.name}"


def print_as_json(config: Path, scenario: Path, written: Written, runs: Sequence[Run]) -> None:
    """Times are in seconds, shares 0 to 1."""
    click.echo(
        json.dumps(
            {
                "config": str(config),
                "scenario": str(scenario),
                "title": written.title,
                "seed": written.scenario.seed,
                "duration_s": written.scenario.duration_s,
                "warm_up_s": written.warm_up_s,
                "rate": written.scenario.rate,
                "runs": [_data(run) for run in runs],
            },
            indent=2,
        )
    )


def _data(run: Run) -> dict[str, Any]:
    requests, attempts = run.requests, run.attempts
    shares = attempts.shares()
    return {
        "strategy": run.strategy,
        "total": {
            **_numbers(requests),
            "attempts": len(attempts),
            "cache_hit_rate": attempts.hit_rate(),
            "refused": requests.by_reason(),
            "answered": requests.by_reason(DIRECT),
        },
        "endpoints": {
            endpoint: {
                **_numbers(part),
                "share": shares[endpoint],
                "busy_share": run.played.busy_share(endpoint, run.since_s),
                "cache_hit_rate": part.hit_rate(),
            }
            for endpoint in attempts.endpoints
            for part in (attempts.of(endpoint),)
        },
    }


def _numbers(part: Result) -> dict[str, Any]:
    return {
        "requests": len(part),
        "failures": part.failures(),
        "p50_s": part.latency_s(0.50),
        "p95_s": part.latency_s(0.95),
        "p99_s": part.latency_s(0.99),
    }


def print_as_text(config: Path, scenario: Path, written: Written, runs: Sequence[Run]) -> None:
    if sys.stdout.isatty():
        _print(config, scenario, written, runs, Console(highlight=False))
        return
    # Into a pipe or a file: wide, and without the blanks that a table ends its lines with.
    console = Console(highlight=False, width=200)
    with console.capture() as captured:
        _print(config, scenario, written, runs, console)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _print(config: Path, scenario: Path, written: Written, runs: Sequence[Run], console: Console) -> None:
    told = written.scenario
    warm = f", counted from {written.warm_up_s:g} s on" if written.warm_up_s else ""
    console.print(
        f"{title_of(config, scenario, written)}: {told.rate:.4g} requests/s for {told.duration_s:g} s{warm}, "
        f"seed {told.seed}",
        markup=False,
    )
    for run in runs:
        console.print()
        _print_run(run, console)
    if len(runs) > 1:
        console.print()
        console.print("Compared:", style="bold")
        _print_summary(runs, console)


def _print_run(run: Run, console: Console) -> None:
    requests, attempts = run.requests, run.attempts
    shares = attempts.shares()
    hits = attempts.hit_rate() is not None
    console.print(Text(run.strategy, style="bold"))
    table = _table(["endpoint", "requests", "share", "failed", "p50", "p95", "p99", "busy"] + ["hits"] * hits)
    for endpoint in shown(run.played):
        part = attempts.of(endpoint)
        busy = _percent(run.played.busy_share(endpoint, run.since_s))
        row = [endpoint, str(len(part)), _percent(shares[endpoint]), *_row(part), busy]
        table.add_row(*row, *[_percent(part.hit_rate())] * hits)
    table.add_section()
    total = ["clients", str(len(requests)), "", *_row(requests), ""]
    table.add_row(*total, *[_percent(attempts.hit_rate())] * hits, style="bold")
    console.print(table)
    for what, reasons in (("refused", requests.by_reason()), ("answered", requests.by_reason(DIRECT))):
        if reasons:
            counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            console.print(f"  {what} without an endpoint: {counts}", markup=False)
    again = len(attempts) - sum(to >= 0 for to in requests.went_to)
    if again > 0:
        console.print(f"  sent again to a fallback: {again} times", markup=False)


def _print_summary(runs: Sequence[Run], console: Console) -> None:
    rates = [run.attempts.hit_rate() for run in runs]
    hits = any(rate is not None for rate in rates)
    table = _table(["strategy", "requests", "failed", "p50", "p95", "p99", "largest share"] + ["hits"] * hits)
    for run, rate in zip(runs, rates, strict=True):
        largest = max(run.attempts.shares().values())
        row = [run.strategy, str(len(run.requests)), *_row(run.requests), _percent(largest)]
        table.add_row(*row, *[_percent(rate)] * hits)
    console.print(table)


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2), show_edge=False)
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", header_style="dim")
    return table


def _row(part: Result) -> list[str]:
    return [str(part.failures()), *(_time(part.latency_s(share)) for share in (0.50, 0.95, 0.99))]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _time(seconds: float) -> str:
    if seconds < 0.9995:
        milliseconds = seconds * 1000
        return f"{milliseconds:.1f} ms" if milliseconds < 99.95 else f"{milliseconds:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 99.995 else f"{seconds:.0f} s"
