"""The life of the process: listen, serve, reload, expire, and leave in good order."""

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry

from sidecar.runtime.admin import application
from sidecar.runtime.asking.asker import Asker
from sidecar.runtime.health import Health
from sidecar.runtime.http import bound, serving
from sidecar.runtime.keeping import Keeping
from sidecar.runtime.methods import Methods
from sidecar.runtime.notices import Notices
from sidecar.runtime.reload import Reloader
from sidecar.runtime.router import Router

log = structlog.get_logger("server")

_LONGEST_NAP_S: Final = 1.0


@dataclass(frozen=True)
class Parts:
    """What the composition root has made; `admin_address` empty is no admin page."""

    router: Router
    methods: Methods
    health: Health
    registry: CollectorRegistry
    reloader: Reloader
    asker: Asker
    grpc_addresses: Sequence[str]
    admin_address: str
    drain_s: float
    keeping: Keeping | None = None
    """None where nothing outlives the process."""


class Shell(Protocol):
    """A transport that hosts the services."""

    def listen(self, address: str) -> str:
        """Bind `host:port` or `unix:/path`; returns it with the port that it got. May raise CannotListen."""

    async def start(self) -> None:
        """Returns once calls are taken."""

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, let those in flight finish within the grace, end with OK those that wait."""


@contextlib.asynccontextmanager
async def running(parts: Parts, shell: Shell) -> AsyncIterator[list[str]]:
    """Serves while the block runs, drains at its end; yields the gRPC addresses. May raise CannotListen."""
    begun = time.monotonic()
    addresses = [shell.listen(address) for address in parts.grpc_addresses]
    admin = None
    async with contextlib.AsyncExitStack() as stack:
        if parts.keeping is not None:
            stack.push_async_callback(parts.keeping.close)  # the last of all: outcomes come until then
        if parts.admin_address:
            listener = bound(parts.admin_address)
            admin = f"{parts.admin_address.rpartition(':')[0]}:{listener.getsockname()[1]}"
            page = application(parts.registry, parts.health, parts.reloader)
            await stack.enter_async_context(serving(page, listener))
        await shell.start()
        works = [parts.reloader.watch(), _expiry(parts.router), parts.asker.run()]
        works.append(Notices(parts.router.engine).keep_telling())
        if parts.keeping is not None:
            works.append(parts.keeping.keep())
        for work in works:
            stack.push_async_callback(_cancelled, asyncio.create_task(work))
        # What lives as long as the process is not looked at again by every garbage collection.
        gc.collect()
        gc.freeze()
        gc.enable()
        parts.health.ready()
        log.info(
            "ready",
            grpc=addresses,
            admin=admin,
            generation=parts.router.engine.plan.generation,
            routes=len(parts.router.engine.plan.routes),
            took_ms=round((time.monotonic() - begun) * 1000),
        )
        try:
            yield addresses
        finally:
            log.info("draining", grace_s=parts.drain_s)
            parts.health.draining()
            await shell.stop(parts.drain_s)
    log.info("stopped")


OnSignals = Callable[[Mapping[signal.Signals, Callable[[], object]]], None]


def on_signals(handlers: Mapping[signal.Signals, Callable[[], object]]) -> None:
    """Call these in the running loop, which must be that of the main thread."""
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)


async def serve_until_told(parts: Parts, shell: Shell, on_signals: OnSignals = on_signals) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads."""
    told = asyncio.Event()
    on_signals({signal.SIGTERM: told.set, signal.SIGINT: told.set, signal.SIGHUP: parts.reloader.tell})
    async with running(parts, shell):
        await told.wait()


async def _expiry(router: Router) -> None:
    """Settle overdue tickets about when their leases end, at most a second late."""
    while True:
        wait_s = router.expire()
        await asyncio.sleep(_LONGEST_NAP_S if wait_s is None else min(max(wait_s, 0.01), _LONGEST_NAP_S))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
