"""The demo's sidecar: in this process, or inside an Envoy of its own, which needs a process of its own."""

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from sidecar import app
from sidecar.cli.decisions import show
from sidecar.cli.demo.children import child
from sidecar.cli.demo.stage import Stage
from sidecar.runtime.grpc_shell import GrpcShell
from sidecar.runtime.server import running


@contextlib.asynccontextmanager
async def deciding(staged: Stage, transport: str, scratch: Path, *, shown: bool) -> AsyncIterator[None]:
    """Serves while the block runs; `shown` prints each decision. May raise CannotListen or CannotStart."""
    config = scratch / "demo.yaml"
    config.write_text(staged.text, encoding="utf-8")
    if transport == "envoy":
        arguments = [sys.executable, "-m", "sidecar", "serve", str(config), "--transport", "envoy"]
        arguments += ["--log-format", "text", "--log-level", "warning"]
        arguments += ["--show-decisions"] if shown else []
        ready = f"http://{staged.admin}/readyz"
        async with child("the sidecar", arguments, ready, scratch / "sidecar.log", shown=True):
            yield
    else:
        parts = app.build(config, staged.loaded, [staged.grpc], staged.admin, show if shown else None)
        async with running(parts, GrpcShell(parts.methods)):
            yield
