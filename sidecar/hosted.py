"""The ASGI application that the hosting Envoy loads: the sidecar inside it. See `runtime/hosting`.

Importing it builds the sidecar that the command has described in the environment; whatever is wrong ends the
process as the command would have ended.
"""

import gc

gc.disable()  # until the server is ready: starting makes objects that stay

import asyncio
import atexit
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from sidecar.app import build
from sidecar.config.errors import ConfigError
from sidecar.config.load import load
from sidecar.runtime import logs
from sidecar.runtime.addresses import CannotListen
from sidecar.runtime.asgi_shell import AsgiShell, Receive, Send
from sidecar.runtime.hosting.host import Envoy, on_signals
from sidecar.runtime.hosting.launch import Hosted
from sidecar.runtime.server import Parts, serve_until_told
from sidecar.store.base import StoreError

_WRONG = 2


def _end(hosted: Hosted, message: str, code: int) -> NoReturn:
    """Before anything is served: Envoy has nothing to finish."""
    if message:
        sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    shutil.rmtree(hosted.folder, ignore_errors=True)
    os._exit(code)


def _parts(hosted: Hosted) -> Parts:
    path = Path(hosted.config)
    try:
        loaded = load(path, 1)
    except ConfigError as error:
        _end(hosted, str(error), _WRONG)
    observer = None
    if hosted.show_decisions:
        from sidecar.cli.decisions import show  # noqa: PLC0415 - rarely wanted

        observer = show
    try:
        return build(path, loaded, hosted.addresses, hosted.admin, observer)
    except StoreError as error:
        _end(hosted, str(error), _WRONG)


def _application() -> AsgiShell:
    hosted = Hosted.from_environment()
    if hosted.working_directory:
        os.chdir(hosted.working_directory)
    logs.set_up(hosted.log_format, hosted.log_level)
    parts = _parts(hosted)
    envoy = Envoy(hosted)

    def at_any_time(handlers: Mapping[signal.Signals, Callable[[], object]]) -> None:
        """Signals end a start at once, and a sidecar that takes calls in good order."""

        def leave() -> None:
            if envoy.is_accepting:
                handlers[signal.SIGTERM]()
            else:
                _end(hosted, "", 0)

        on_signals({**handlers, signal.SIGTERM: leave, signal.SIGINT: leave})

    async def live() -> None:
        try:
            await serve_until_told(parts, shell, at_any_time)
        except CannotListen as error:
            _end(hosted, str(error), _WRONG)
        except Exception:  # noqa: BLE001 - it is told
            _end(hosted, traceback.format_exc(), 1)
        envoy.leave()

    async def lifespan(receive: Receive, send: Send) -> None:
        await receive()
        life = asyncio.create_task(live())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        life.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    @atexit.register
    def judge() -> None:
        """Envoy ends by itself, and with another code, when it cannot bind what was free a moment ago."""
        if not envoy.is_accepting:
            _end(hosted, envoy.cannot_listen(), _WRONG)

    shell = AsgiShell(parts.methods, envoy, lifespan)
    return shell


app = _application()
