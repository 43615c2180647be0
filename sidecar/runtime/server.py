"""The life of the process: listen, serve, reload, expire, and leave in good order."""

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from sidecar.runtime.admin import application
from sidecar.runtime.grpc_shell import GrpcShell
from sidecar.runtime.health import Health
from sidecar.runtime.http import bound, serving
from sidecar.runtime.methods import Methods
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
    grpc_addresses: Sequence[str]
    admin_address: str
    drain_s: float


@contextlib.asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[list[str]]:
    """Serves while the block runs, drains at its end; yields the gRPC addresses. May raise CannotListen."""
    begun = time.monotonic()
    shell = GrpcShell(parts.methods)
    addresses = [shell.listen(address) for address in parts.grpc_addresses]
    admin = None
    async with contextlib.AsyncExitStack() as stack:
        if parts.admin_address:
            listener = bound(parts.admin_address)
            admin = f"{parts.admin_address.rpartition(':')[0]}:{listener.getsockname()[1]}"
            await stack.enter_async_context(serving(application(parts.registry, parts.health), listener))
        await shell.start()
        for work in (parts.reloader.watch(), _expiry(parts.router)):
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


async def serve_until_told(parts: Parts) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(signal.SIGHUP, parts.reloader.tell)
    async with running(parts):
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
