"""Small real HTTP endpoints that answer every request with who they are and what they saw.

A tour may change how they behave. One that is down keeps its port, so that nobody else can take it meanwhile.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sidecar.cli.demo.stage import Place
from sidecar.config import schema
from sidecar.runtime.addresses import CannotListen
from sidecar.runtime.asking.get import PROBE, SCRAPE
from sidecar.runtime.http import bound, serving

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


COUNTED: Final = "x-demo-counted"
"""A header; what comes with it is counted by its value, so that late copies of other requests are not."""

Arrived = Counter[tuple[str, str]]
"""How many requests came to an endpoint's id with a value of COUNTED, copies and repetitions among them."""


class Endpoints:
    """Those that run, and what came to them."""

    def __init__(self) -> None:
        self.arrived: Final[Arrived] = Counter()
        self._running: Final[list[_Endpoint]] = []

    async def start(self, places: list[Place]) -> None:
        """May raise CannotListen."""
        for place in places:
            one = _Endpoint(place, self.arrived)
            self._running.append(one)
            await one.become(place.behaviour)

    async def become(self, id_: str, behaviour: schema.Behaviour) -> None:
        """From now on those with this id behave so, also towards requests that they have already."""
        for one in self._running:
            if one.place.id == id_:
                await one.become(behaviour)

    async def stop(self) -> None:
        for one in self._running:
            await one.stop()


@contextlib.asynccontextmanager
async def answering(places: list[Place]) -> AsyncIterator[Endpoints]:
    """All of them, while the block runs."""
    endpoints = Endpoints()
    try:
        await endpoints.start(places)
        yield endpoints
    finally:
        await endpoints.stop()


class _Endpoint:
    """`changed` is set, and replaced, when it begins to behave otherwise."""

    def __init__(self, place: Place, arrived: Arrived) -> None:
        self.place: Final = place
        self._arrived: Final = arrived
        self._behaviour = place.behaviour
        self._changed = asyncio.Event()
        self._serving: contextlib.AsyncExitStack | None = None
        self._held: socket.socket | None = None

    async def become(self, behaviour: schema.Behaviour) -> None:
        self._behaviour = behaviour
        self._release()
        if behaviour.down:
            await self._leave()
            self._held = self._held or _holding(self.place.address)
        elif self._serving is None:
            self._let_go()
            self._serving = contextlib.AsyncExitStack()
            application = Starlette(routes=[Route("/{path:path}", self._answer, methods=_METHODS)])
            await self._serving.enter_async_context(serving(application, bound(self.place.address)))

    async def stop(self) -> None:
        self._release()
        await self._leave()
        self._let_go()

    def _release(self) -> None:
        """What waits goes on."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _leave(self) -> None:
        """Hang up, and take no connection any more."""
        if self._serving is not None:
            await self._serving.aclose()
            self._serving = None

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    async def _answer(self, request: Request) -> Response:
        place, behaviour, changed = self.place, self._behaviour, self._changed
        if COUNTED in request.headers:
            self._arrived[place.id, request.headers[COUNTED]] += 1
        query = f"?{request.url.query}" if request.url.query else ""
        body = await request.body()
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if behaviour.hang:
            await _until_either(changed, request)
        agent = request.headers.get("user-agent")
        if agent == PROBE:
            return Response(status_code=behaviour.health or behaviour.status)
        if agent == SCRAPE:
            return PlainTextResponse(behaviour.metrics, behaviour.status)
        return JSONResponse(
            {
                "cluster": place.cluster,
                "endpoint": place.id,
                "method": request.method,
                "path": request.scope["raw_path"].decode("latin-1") + query,
                "host": request.headers.get("host", ""),
                "headers": dict(request.headers),
                "body_bytes": len(body),
            },
            behaviour.status,
            _reports(behaviour.reports),
        )


async def _until_either(changed: asyncio.Event, request: Request) -> None:
    """The endpoint changes, or who asked goes away."""
    gone = asyncio.ensure_future(request.receive())  # the body has been read: what comes next is the end
    change = asyncio.ensure_future(changed.wait())
    try:
        await asyncio.wait({gone, change}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        change.cancel()


def _holding(address: str) -> socket.socket:
    """A socket that has the port and does not listen. May raise CannotListen."""
    host, _, port = address.rpartition(":")
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, int(port)))
    except OSError as error:
        held.close()
        raise CannotListen(f"cannot hold {address}: {error.strerror}") from error
    return held


def _reports(said: schema.Reports) -> dict[str, str]:
    """The header of ORCA, where there is anything to say."""
    numbers = {
        "application_utilization": said.utilisation,
        "named_metrics.quota_used": said.quota_used,
        "named_metrics.cache_hit_rate": said.cache_hit_rate,
    }
    told = ", ".join(f"{name}={number:g}" for name, number in numbers.items() if number is not None)
    return {"endpoint-load-metrics": f"TEXT {told}"} if told else {}
