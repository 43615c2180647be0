"""Starts everything in one process and one Envoy, and stops everything again; checks file after file."""

import asyncio
import contextlib
import os
import shlex
import signal
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from rich.console import Console
from rich.markup import escape

from sidecar.cli.demo import envoy as envoy_process
from sidecar.cli.demo.endpoints import Endpoints, answering
from sidecar.cli.demo.report import Checked, files_table, stops_table
from sidecar.cli.demo.sidecar import deciding
from sidecar.cli.demo.stage import CannotStart, Stage, stage
from sidecar.cli.demo.tour import Stop, body_of, stops
from sidecar.config.load import load
from sidecar.config.schema import Ask
from sidecar.runtime import logs
from sidecar.runtime.addresses import CannotListen
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml

_CURLS_SHOWN: Final = 5
_WIDTH: Final = 120
"""Of the tables in a file or a log, where nobody says otherwise."""
_LONGEST_BODY_SHOWN: Final = 200


def run(path: Path, *, transport: str | None = None, envoy: Path | None = None) -> bool:
    """Run until Ctrl-C; False when Envoy ended by itself. May raise CannotStart.

    `transport` wins over the file's; `envoy` is the binary to run.
    """
    command = envoy_process.found(envoy)  # before anything is started
    console = _console()
    return _here(_run(_staged(path, console), console, command, transport))


def check(paths: list[Path], *, transport: str | None = None, envoy: Path | None = None) -> bool:
    """Send the tours of these files, each with an Envoy and a sidecar of its own; whether all held.

    May raise CannotStart.
    """
    command = envoy_process.found(envoy)
    console = _console()
    for path in paths:
        if not load(path, 1).config.demo.tour:
            raise CannotStart(f"{path} has no tour to check: add requests under demo.tour")
    return _here(_check_all(paths, console, command, transport))


def _console() -> Console:
    logs.set_up("text", "warning")
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH
    return console


def _here(running: Coroutine[Any, Any, bool]) -> bool:
    try:
        return uvloop.run(running)
    except CannotListen as error:
        raise CannotStart(str(error)) from error


def _staged(path: Path, console: Console) -> Stage:
    staged = stage(path)
    for line in staged.moved:
        console.print(f"[yellow]{escape(line)}[/]")
    return staged


def _told() -> asyncio.Event:
    """Set by SIGTERM and Ctrl-C."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    return told


@contextlib.asynccontextmanager
async def _standing(
    staged: Stage, command: str, transport: str | None, *, shown: bool
) -> AsyncIterator[tuple[Process, Endpoints]]:
    """Endpoints, sidecar and Envoy, while the block runs."""
    async with contextlib.AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sidecar-demo-")))
        endpoints = await stack.enter_async_context(answering(staged.places))
        transport = transport or staged.loaded.config.listen.transport
        await stack.enter_async_context(deciding(staged, transport, scratch, shown=shown))
        text = to_yaml(bootstrap(staged.loaded.config))
        process = await stack.enter_async_context(
            envoy_process.proxying(command, text, staged.envoy_admin, scratch)
        )
        yield process, endpoints


async def _run(staged: Stage, console: Console, command: str, transport: str | None) -> bool:
    told = _told()
    async with _standing(staged, command, transport, shown=True) as (process, _):
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


async def _check_all(paths: list[Path], console: Console, command: str, transport: str | None) -> bool:
    told = _told()
    alone = len(paths) == 1
    files: list[Checked] = []
    for number, path in enumerate(paths, 1):
        if not alone:
            console.print(f"{number}/{len(paths)} {escape(path.name)}", end=" ")
        checking = _check(path, console, command, transport, files, alone=alone)
        if not await _unless_told(checking, told, console):
            return False
        file = files[-1]
        if not alone:
            console.print(f"{file.held} held, {file.failed} did not, {file.seconds:.1f} s")
        if alone or file.failed:
            console.print(stops_table(file.stops))
    if not alone:
        console.print(files_table(files))
    held, failed = sum(file.held for file in files), sum(file.failed for file in files)
    console.print(f"{held} held, {failed} did not")
    return failed == 0


async def _check(
    path: Path, console: Console, command: str, transport: str | None, files: list[Checked], *, alone: bool
) -> bool:
    """Adds what came of the file's tour. Where it is not alone, not starting is a stop that did not hold."""
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        staged = _staged(path, console)
        async with _standing(staged, command, transport, shown=False) as (_, endpoints):
            seen = [stop async for stop in stops(staged.loaded.config.demo.tour, staged.envoy, endpoints)]
    except (CannotStart, CannotListen) as error:
        if alone:
            raise
        seen = [Stop("", "it starts", str(error), held=False)]
    files.append(Checked(path, seen, clock() - began))
    return True


async def _unless_told(checking: Coroutine[Any, Any, bool], told: asyncio.Event, console: Console) -> bool:
    """True at its end; False when it was stopped before."""
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
    for ask in [ask for ask in asks if (ask.body_bytes or 0) <= _LONGEST_BODY_SHOWN][:_CURLS_SHOWN]:
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
    body, kind = body_of(ask)
    if kind:
        words += ["-H", f"content-type: {kind}"]
    if ask.chunked:
        words += ["-H", "transfer-encoding: chunked"]
    if body:
        words += ["-d", body.decode()]
    if "/." in ask.path:
        words.append("--path-as-is")
    return shlex.join([*words, f"http://{envoy}{ask.path}"])
