"""Small real HTTP endpoints that answer every request with who they are and what they saw."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sidecar.cli.demo.stage import Place
from sidecar.config import schema
from sidecar.runtime.http import bound, serving

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


COUNTED: Final = "x-demo-counted"
"""A header; what comes with it is counted by its value, so that late copies of other requests are not."""

Arrived = Counter[tuple[str, str]]
"""How many requests came to an endpoint's id with a value of COUNTED, copies among them."""


@contextlib.asynccontextmanager
async def answering(places: list[Place]) -> AsyncIterator[Arrived]:
    """All of them, while the block runs."""
    arrived: Arrived = Counter()
    async with contextlib.AsyncExitStack() as stack:
        for place in places:
            await stack.enter_async_context(serving(_application(place, arrived), bound(place.address)))
        yield arrived


def _application(place: Place, arrived: Arrived) -> Starlette:
    behaviour = place.behaviour
    reports = _reports(behaviour.reports)

    async def answer(request: Request) -> Response:
        if COUNTED in request.headers:
            arrived[place.id, request.headers[COUNTED]] += 1
        query = f"?{request.url.query}" if request.url.query else ""
        body = await request.body()
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
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
            reports,
        )

    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])


def _reports(said: schema.Reports) -> dict[str, str]:
    """The header of ORCA, where there is anything to say."""
    numbers = {
        "application_utilization": said.utilisation,
        "named_metrics.quota_used": said.quota_used,
        "named_metrics.cache_hit_rate": said.cache_hit_rate,
    }
    told = ", ".join(f"{name}={number:g}" for name, number in numbers.items() if number is not None)
    return {"endpoint-load-metrics": f"TEXT {told}"} if told else {}
