"""Changes by command, over HTTP at the admin address: country gates are overridden, routes put and deleted.

    POST   /v1/override/country   {"on": true, "gate": NAME}   all country gates, without a gate's name
    PUT    /v1/routes/NAME        the route, as in the file
    POST   /v1/routes/NAME        {"enabled": false}
    DELETE /v1/routes/NAME

Each is loaded like the file and is a new generation. It lasts until the file is read again. Only who is on
the same machine may ask, as the address may be open to whoever reads metrics. No web page may: browsers send
`origin` with each of these, and ask first whether they may send JSON.
"""

import json
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sidecar.config.changes import (
    Edit,
    NotThere,
    delete_route,
    override_countries,
    put_route,
    switch_route,
)
from sidecar.config.errors import ConfigError, shown
from sidecar.runtime.reload import Reloader

log = structlog.get_logger("config")

MOST_BYTES: Final = 1024 * 1024
LASTS: Final = "until the file is changed or read again"

_Asked = Callable[[Request, dict[str, Any]], Edit]


class _Refused(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status: Final = status


def changes(reloader: Reloader) -> list[Route]:
    """What the admin page serves below /v1/."""

    def at(path: str, method: str, asked: _Asked, *, unsound: int) -> Route:
        """`unsound` is the status where the configuration would not be sound with the change."""

        async def change(request: Request) -> Response:
            try:
                edit = asked(request, await _body(request, method))
                by = request.client.host if request.client else "unknown"
                done, generation, notes = await reloader.change(edit, by)
            except _Refused as refused:
                return JSONResponse({"error": str(refused)}, refused.status)
            except NotThere as error:
                return JSONResponse({"error": str(error)}, 404)
            except ConfigError as error:
                problems = str(error).splitlines()
                return JSONResponse(
                    {"error": "the configuration stays as it is", "problems": problems}, unsound
                )
            except Exception as bug:
                log.exception("change_failed", error=repr(bug))
                return JSONResponse({"error": "a bug; the sidecar's log says more"}, 500)
            return JSONResponse({"done": done, "generation": generation, "lasts": LASTS, "notes": notes})

        return Route(path, change, methods=[method])

    return [
        at("/v1/override/country", "POST", _override, unsound=409),
        at("/v1/routes/{name}", "PUT", _put, unsound=400),
        at("/v1/routes/{name}", "POST", _switch, unsound=409),
        at("/v1/routes/{name}", "DELETE", _delete, unsound=409),
    ]


def _override(_request: Request, body: dict[str, Any]) -> Edit:
    _only(body, "on", "gate")
    gate = body.get("gate") or ""
    if not isinstance(gate, str):
        raise _Refused(400, f"gate must be the name of a gate, got {shown(gate)}")
    return override_countries(gate, on=_switched(body, "on"))


def _put(request: Request, body: dict[str, Any]) -> Edit:
    name = request.path_params["name"]
    if body.setdefault("name", name) != name:
        raise _Refused(400, f"name must be {shown(name)} as in the path, got {shown(body['name'])}")
    return put_route(body)


def _switch(request: Request, body: dict[str, Any]) -> Edit:
    _only(body, "enabled")
    return switch_route(request.path_params["name"], on=_switched(body, "enabled"))


def _delete(request: Request, body: dict[str, Any]) -> Edit:
    _only(body)
    return delete_route(request.path_params["name"])


def _only(body: dict[str, Any], *keys: str) -> None:
    for key in body:
        if key not in keys:
            raise _Refused(400, f"unknown key {shown(key)}; known: {', '.join(keys) or 'none'}")


def _switched(body: dict[str, Any], key: str) -> bool:
    value = body.get(key)
    if not isinstance(value, bool):
        raise _Refused(400, f"{key} must be true or false, got {shown(value)}")
    return value


def _is_here(request: Request) -> bool:
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


async def _body(request: Request, method: str) -> dict[str, Any]:
    """The JSON mapping that was sent; none is an empty one for DELETE."""
    if not _is_here(request):
        raise _Refused(403, "changes are taken from this machine only")
    if "origin" in request.headers:
        raise _Refused(403, "web pages may not change anything")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(415, "content-type must be application/json")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise _Refused(413, f"the body must have at most {MOST_BYTES} bytes")
    if not data and method == "DELETE":
        return {}
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise _Refused(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise _Refused(400, f"the body must be a JSON mapping, got {shown(body)}")
    return body
