"""The server that does nothing, as an ASGI application inside an Envoy: the floor under that transport.

Loaded by the Envoy that `tests.bench.nothing asgi` becomes.
"""

import signal
from typing import Any, Final

from sidecar.runtime.framing import framed
from sidecar.runtime.hosting.host import Envoy, on_signals
from sidecar.runtime.hosting.launch import Hosted
from tests.bench.bootstraps import UPSTREAM
from tests.bench.nothing import routed_to

_ANSWER: Final = framed(routed_to(UPSTREAM))
_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/grpc")],
    "trailers": True,
}
_BODY: Final = {"type": "http.response.body", "body": _ANSWER, "more_body": True}
_END: Final = {"type": "http.response.body", "body": b""}
_OK: Final = {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]}
_ENVOY: Final = Envoy(Hosted.from_environment())


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        on_signals({signal.SIGTERM: _ENVOY.leave})
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(_START)
    while (event := await receive()).get("more_body"):
        if event["body"]:  # a whole message: they are small, and come one at a time
            await send(_BODY)
    if event["type"] == "http.request":
        await send(_END)
        await send(_OK)
