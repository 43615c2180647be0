"""The admin address: metrics, liveness and readiness for whatever starts the sidecar, changes by command."""

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sidecar.runtime.changes import changes
from sidecar.runtime.health import Health
from sidecar.runtime.reload import Reloader

_INDEX: Final = """\
/metrics  for Prometheus
/livez    200 while the process answers
/readyz   200 while it takes requests
/v1/      changes, for `sidecar routes` and `sidecar override`
"""


def application(registry: CollectorRegistry, health: Health, reloader: Reloader) -> Starlette:
    async def index(_request: Request) -> Response:
        return PlainTextResponse(_INDEX)

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # In a thread: thousands of routes take longer to print than Envoy waits for a decision.
        text = await asyncio.to_thread(encode, registry)
        return Response(text, headers={"content-type": content_type})

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        return (
            PlainTextResponse("ok\n")
            if health.is_ready
            else PlainTextResponse("not ready\n", status_code=503)
        )

    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/livez", livez),
            Route("/readyz", readyz),
            *changes(reloader),
        ]
    )
