"""A small HTTP server on a socket that is already bound, beside whatever else the process does."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette

from sidecar.runtime.addresses import CannotListen, cannot_listen


def bound(address: str) -> socket.socket:
    """A listening socket on `host:port`. May raise CannotListen."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise CannotListen(cannot_listen(address, error)) from error
    listener.listen(128)
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """Leaves the signals to the sidecar."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def configured(app: Starlette) -> uvicorn.Config:
    """How it is served. The peer's address decides who may change something: no header may say another."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        forwarded_allow_ips="",
    )
    config.load()
    return config


@contextlib.asynccontextmanager
async def serving(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Serve while the block runs."""
    server = _Server(configured(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
