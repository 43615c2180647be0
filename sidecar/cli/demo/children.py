"""Child processes that live as long as a block, which begins when they answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import httpx

from sidecar.cli.demo.stage import CannotStart

_STARTS_WITHIN_S: Final = 30.0
_STOPS_WITHIN_S: Final = 5.0


@contextlib.asynccontextmanager
async def child(
    name: str, arguments: Sequence[str], ready: str, log: Path, *, shown: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs while the block does; the block starts when `ready`, a URL, answers 200. May raise CannotStart.

    What it says on standard error goes to `log`, and so does the rest unless it is to be `shown`.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdout=None if shown else output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its children in order
        )
    try:
        await _ready(name, process, ready, log)
        yield process
    finally:
        await _stopped(process)


async def _ready(name: str, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _STARTS_WITHIN_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while loop.time() < deadline:
            if process.returncode is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise CannotStart(f"{name} did not start (exit code {process.returncode}); it says:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOPS_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
