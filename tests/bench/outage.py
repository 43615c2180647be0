"""The fault run: one of three endpoints breaks in three ways behind a real Envoy, under a steady load.

It answers 500 on everything, hangs, and refuses connections, each after a time in which all was well, so that
the sidecar knows of nothing each time. What clients see is measured for each GET; what an endpoint gets, by
its own log. Run as `python -m tests.bench.outage` from the root of the repository; it ends with 1 where a
goal is missed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import FrameType
from typing import Final

import httpx
from rich.console import Console

from sidecar import __version__
from tests.bench.children import Child, answers_200, command, free_addresses, listens, running, wait_for
from tests.bench.failing import DOWN, ERROR, HANG, USUAL
from tests.bench.outage_report import BROKEN, Phase, Played, Rules, draw, rows, table
from tests.bench.rows import show
from tests.bench.steady import Steady

_CONFIG: Final = Path(__file__).with_name("outage.yaml")
_ROOT: Final = Path(__file__).parents[2]
_NAMES: Final = ("a", BROKEN, "c")
_RULES: Final = Rules(open_s=2.0, half_open=3, per_try_s=0.5, slow_start_s=10.0)
_LOOKS_EACH_S: Final = 0.1
_PRINT_WITHIN_S: Final = 30.0
_WARM_S: Final = 2.0
_IN_DOCS: Final = re.compile(r"(?<=<!-- run -->\n).*(?=<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds: `well` before the first fault, `fault` each, `between` two of them, `back` after the last."""

    per_s: float = 500.0
    well_s: float = 10.0
    fault_s: float = 15.0
    between_s: float = 15.0
    back_s: float = 30.0
    faults: tuple[str, ...] = (ERROR, HANG, DOWN)
    transport: str = "grpc"
    feedback: str = "access_log"
    strategy: str = "weighted_round_robin"
    rules: Rules = _RULES


class _Broken:
    """The endpoint that is told what to do."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process: Final = process

    async def become(self, word: str) -> float:
        """When it was so."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n".encode("ascii"))
        said = (await self._process.stdout.readline()).decode("ascii").split()
        assert said[0] == word, said
        return float(said[1])


@contextlib.asynccontextmanager
async def _endpoints(addresses: dict[str, str], folder: Path) -> AsyncIterator[_Broken]:
    processes = {}
    try:
        for name, address in addresses.items():
            arguments = ["-m", "tests.bench.failing", name, address, str(_log(folder, name))]
            processes[name] = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=_ROOT,
                start_new_session=True,
            )
        for address in addresses.values():
            wait_for(lambda address=address: listens(address), [])  # type: ignore[misc]
        yield _Broken(processes[BROKEN])
    finally:
        for process in processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in processes.values():
            await process.wait()


def _log(folder: Path, name: str) -> Path:
    return folder / f"{name}.came"


def _gateway(stack: ExitStack, plan: Plan, own: dict[str, str], folder: Path) -> list[Child]:
    """The sidecar and Envoy, once they take requests."""
    config = folder / "outage.yaml"
    config.write_text(Template(_CONFIG.read_text()).substitute(own))
    try:
        me = [command("sidecar")]
    except FileNotFoundError:
        me = [sys.executable, "-m", "sidecar"]
    printed = subprocess.run(
        [*me, "envoy", str(config)], check=False, capture_output=True, text=True, timeout=_PRINT_WITHIN_S
    )
    if printed.returncode != 0:
        raise RuntimeError(printed.stderr)
    bootstrap = folder / "envoy.yaml"
    bootstrap.write_text(printed.stdout)
    serve = [*me, "serve", str(config), "--transport", plan.transport, "--log-format", "json"]
    server = stack.enter_context(running("sidecar", serve, folder))
    wait_for(lambda: answers_200(f"http://{own['admin']}/readyz", {}), [server])
    arguments = [command("envoy"), "-c", str(bootstrap), "--use-dynamic-base-id", "--concurrency", "1"]
    envoy = stack.enter_context(running("envoy", [*arguments, "-l", "warn"], folder))
    wait_for(lambda: answers_200(f"http://{own['envoy']}/", {}), [server, envoy])
    return [server, envoy]


async def _watch_refused(admin: str, address: str, refused: list[float]) -> None:
    """Adds when Envoy is seen to have failed to connect to this endpoint, once for each time that it did."""
    counter = re.compile(rf"^shop::{re.escape(address)}::cx_connect_fail::(\d+)$", re.MULTILINE)
    known = 0
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            text = (await client.get(f"http://{admin}/clusters")).text
            found = counter.search(text)
            now = time.monotonic()
            count = int(found.group(1)) if found else known
            refused.extend([now] * (count - known))
            known = count
            await asyncio.sleep(_LOOKS_EACH_S)


async def play(plan: Plan, folder: Path) -> Played:
    """The whole run."""
    keys = ("grpc", "admin", "envoy", "envoy_admin")
    addresses = free_addresses(len(keys) + len(_NAMES))
    own = dict(zip((*keys, *_NAMES), addresses, strict=True))
    rules = plan.rules
    own |= {
        "feedback": plan.feedback,
        "strategy": plan.strategy,
        "open": f"{rules.open_s}s",
        "max_open": f"{2 * rules.open_s}s",
        "half_open": str(rules.half_open),
        "per_try": f"{rules.per_try_s}s",
        "slow_start": f"{rules.slow_start_s}s",
    }
    refused: list[float] = []
    async with AsyncExitStack() as stack:
        broken = await stack.enter_async_context(_endpoints({name: own[name] for name in _NAMES}, folder))
        children = stack.enter_context(ExitStack())
        processes = _gateway(children, plan, own, folder)
        watching = asyncio.ensure_future(_watch_refused(own["envoy_admin"], own[BROKEN], refused))
        load = await stack.enter_async_context(Steady(own["envoy"], plan.per_s))
        phases = await _phases(plan, broken, processes)
        watching.cancel()
    came = {name: _came(folder, name) for name in _NAMES}
    return Played(phases, load.got, came, refused, rules, _others_out(folder))


def _others_out(folder: Path) -> int:
    """By the sidecar's log."""
    lines = [line for line in (folder / "sidecar.log").read_text().splitlines() if line.startswith("{")]
    told = [json.loads(line) for line in lines]
    return sum(each["event"] == "endpoint_out" and each["endpoint"] != BROKEN for each in told)


async def _phases(plan: Plan, broken: _Broken, processes: list[Child]) -> list[Phase]:
    await asyncio.sleep(_WARM_S)  # the load goes on meanwhile, here and below: what is measured is a time
    steps = [(USUAL, plan.well_s)]
    for fault in plan.faults:
        steps += [(fault, plan.fault_s), (USUAL, plan.between_s)]
    steps[-1] = (USUAL, plan.back_s)
    phases: list[Phase] = []
    for word, seconds in steps:
        if not seconds:
            continue
        began = await broken.become(word)
        await asyncio.sleep(seconds)
        for process in processes:
            process.must_live()
        after = phases[-1].word if phases else USUAL
        phases.append(Phase(word, after, began, time.monotonic()))
    return phases


def _came(folder: Path, name: str) -> list[tuple[float, str]]:
    pairs = [line.split() for line in _log(folder, name).read_text().splitlines()]
    return [(float(at), word) for at, word in pairs]


def into_docs(played: Played, plan: Plan, docs: Path) -> None:
    """Table and picture, in the place of those of the run before."""
    page = docs / "outage.md"
    said = (
        f"{plan.per_s:g} GETs a second, transport `{plan.transport}`, feedback `{plan.feedback}`, "
        f"{os.cpu_count()} processors, version {__version__}:\n\n"
    )
    whole = f"{said}{table(played)}\n![Share, errors and latency over time](outage.svg)\n"
    page.write_text(_IN_DOCS.sub(lambda _: whole, page.read_text()))
    draw(played, docs / "outage.svg")


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # through every `finally`, so that no child stays behind


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    usual = Plan()
    parser.add_argument("--per-s", type=float, default=usual.per_s, help="GETs a second")
    parser.add_argument("--well", type=float, default=usual.well_s, help="seconds before the first fault")
    parser.add_argument("--fault", type=float, default=usual.fault_s, help="seconds of each fault")
    parser.add_argument(
        "--between", type=float, default=usual.between_s, help="seconds between; 0: fault after fault"
    )
    parser.add_argument("--back", type=float, default=usual.back_s, help="seconds after the last fault")
    parser.add_argument("--faults", nargs="+", choices=usual.faults, default=usual.faults)
    parser.add_argument("--transport", choices=("grpc", "envoy"), default=usual.transport)
    parser.add_argument("--feedback", choices=("access_log", "response"), default=usual.feedback)
    parser.add_argument("--strategy", default=usual.strategy)
    parser.add_argument("--out", type=Path, default=Path("outage.json"))
    parser.add_argument("--docs", action="store_true", help="write docs/outage.md and docs/outage.svg")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    plan = Plan(
        *(args.per_s, args.well, args.fault, args.between, args.back),
        tuple(args.faults),
        *(args.transport, args.feedback, args.strategy),
    )
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bench-outage-") as folder:
        played = asyncio.run(play(plan, Path(folder)))
    found = rows(played)
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    show(found, f"{plan.per_s:g} GETs a second, {plan.transport}, {plan.feedback}", console)
    console.print(table(played), soft_wrap=True)
    if args.docs:
        into_docs(played, plan, _ROOT / "docs")
    return 0 if all(one["ok"] is not False for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
