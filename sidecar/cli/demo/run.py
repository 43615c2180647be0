"""Starts everything in one process and one Envoy, and stops everything again."""

import asyncio
import contextlib
import shlex
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sidecar.cli.demo import envoy as envoy_process
from sidecar.cli.demo.endpoints import answering
from sidecar.cli.demo.sidecar import deciding
from sidecar.cli.demo.stage import CannotStart, Stage, stage
from sidecar.cli.demo.tour import stops
from sidecar.config.schema import Ask
from sidecar.runtime import logs
from sidecar.runtime.addresses import CannotListen
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml

_CURLS_SHOWN = 5


def run(path: Path, *, check: bool, transport: str | None = None, envoy: Path | None = None) -> bool:
    """Run until Ctrl-C; with `check`, send the tour and return whether all held. May raise CannotStart.

    `transport` wins over the file's; `envoy` is the binary to run.
    """
    command = envoy_process.found(envoy)  # before anything is started
    console = Console(highlight=False)
    logs.set_up("text", "warning")
    staged = stage(path)
    if check and not staged.loaded.config.demo.tour:
        raise CannotStart(f"{path} has no tour to check: add requests under demo.tour")
    for line in staged.moved:
        console.print(f"[yellow]{escape(line)}[/]")
    try:
        return uvloop.run(
            _run(staged, console, command, transport or staged.loaded.config.listen.transport, check=check)
        )
    except CannotListen as error:
        raise CannotStart(str(error)) from error


async def _run(staged: Stage, console: Console, command: str, transport: str, *, check: bool) -> bool:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)

    async with contextlib.AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sidecar-demo-")))
        await stack.enter_async_context(answering(staged.places))
        await stack.enter_async_context(deciding(staged, transport, scratch, shown=not check))
        text = to_yaml(bootstrap(staged.loaded.config))
        process = await stack.enter_async_context(
            envoy_process.proxying(command, text, staged.envoy_admin, scratch)
        )
        if check:
            return await _unless_told(_check(staged, console), told, console)
        _welcome(staged, console)
        waits = {asyncio.ensure_future(told.wait()), asyncio.ensure_future(process.wait())}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if process.returncode is not None:
            structlog.get_logger("demo").error("envoy_stopped", exit_code=process.returncode)
            return False
        console.print("Stopping.")
    return True


async def _unless_told(checking: Coroutine[Any, Any, bool], told: asyncio.Event, console: Console) -> bool:
    """What the check says; False when it was stopped before its end."""
    check, stop = asyncio.ensure_future(checking), asyncio.ensure_future(told.wait())
    await asyncio.wait({check, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if check.done():
        return check.result()
    check.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await check
    console.print("Stopped before the end of the tour.")
    return False


async def _check(staged: Stage, console: Console) -> bool:
    table = Table("", "asked", "expected", "happened", show_lines=True)
    held = failed = 0
    async for stop in stops(staged.loaded.config.demo.tour, staged.envoy):
        sign = "[green]ok[/]" if stop.held else "[bold red]NO[/]"
        table.add_row(sign, escape(stop.asked), escape(stop.expected), escape(stop.happened))
        held += stop.held
        failed += not stop.held
    console.print(table)
    console.print(f"{held} held, {failed} did not")
    return failed == 0


def _welcome(staged: Stage, console: Console) -> None:
    config = staged.loaded.config
    console.print(
        f"[bold]Envoy takes requests at http://{staged.envoy}[/] and asks the sidecar where they go."
    )
    console.print(f"Envoy's admin page: http://{staged.envoy_admin}")
    console.print(f"The sidecar's metrics: http://{staged.admin}/metrics")
    for place in staged.places:
        console.print(f"  endpoint {place.cluster}/{place.id} at {place.address}")
    console.print("\nTry, in another terminal:")
    asks = config.demo.tour or [Ask.model_validate({"path": "/", "expect": {}})]
    for ask in asks[:_CURLS_SHOWN]:
        console.print(f"  {escape(_curl(ask, staged.envoy))}", soft_wrap=True)
    console.print("\nEach decision shows here. Ctrl-C stops everything.\n")


def _curl(ask: Ask, envoy: str) -> str:
    words = ["curl", "-s"]
    if ask.method != "GET":
        words += ["-X", ask.method]
    headers = dict(ask.headers)
    if ask.host:
        headers["host"] = ask.host
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}"]
    if ask.body is not None:
        words += ["-d", ask.body]
    return shlex.join([*words, f"http://{envoy}{ask.path}"])
