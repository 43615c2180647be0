"""Small real HTTP endpoints that answer every request with who they are and what they saw."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sidecar.cli.demo.stage import Place
from sidecar.runtime.http import bound, serving

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@contextlib.asynccontextmanager
async def answering(places: list[Place]) -> AsyncIterator[None]:
    """All of them, while the block runs."""
    async with contextlib.AsyncExitStack() as stack:
        for place in places:
            await stack.enter_async_context(serving(_application(place), bound(place.address)))
        yield


def _application(place: Place) -> Starlette:
    async def answer(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        body = await request.body()
        return JSONResponse(
            {
                "cluster": place.cluster,
                "endpoint": place.id,
                "method": request.method,
                "path": request.scope["raw_path"].decode("latin-1") + query,
                "host": request.headers.get("host", ""),
                "headers": dict(request.headers),
                "body_bytes": len(body),
            }
        )

    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])
