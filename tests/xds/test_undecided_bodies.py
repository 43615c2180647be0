"""What Envoy does with requests whose body comes to the sidecar when the sidecar fails or stands still."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from sidecar.config import schema
from sidecar.xds import bodies
from tests.running.endpoint import Endpoint, endpoint
from tests.running.ports import free_ports
from tests.xds.running import a_config, running_envoy
from tests.xds.scene import a_cluster
from tests.xds.stand_in import StandIn, stand_in, to

pytestmark = pytest.mark.e2e

JSON: Final = {"content-type": "application/json"}
_LIMIT_S: Final = 0.5
_LONGER_S: Final = 3 * _LIMIT_S


def _process(_self: StandIn, requests: Iterator[Any], _context: object) -> Iterator[Any]:
    """Decides what has no body, breaks at a body that says so, and is silent about any other."""
    for request in requests:
        if request.request_headers.end_of_stream:
            yield to("users")
        elif request.request_body.body == b"break":
            raise ValueError("broken")


def _config(users: Endpoint, other: Endpoint, grpc: str, on_error: str) -> schema.Config:
    (listen,) = free_ports(1)
    return a_config(
        listen={"grpc": grpc},
        envoy={"listen": f"127.0.0.1:{listen}", "admin": None},
        on_error=on_error,
        clusters={"users": a_cluster(users.address), "other": a_cluster(other.address)},
        routes=[{"name": "item", "to": "users", "match": {"body": {"items.0": 1}}}],
    )


@pytest.mark.parametrize("on_error", ["refuse", "other"])
def test_a_body_that_the_sidecar_has_got_ends_with_a_stated_status(
    on_error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V6 M7: 503 where it breaks the stream, 504 where it does not answer, and no such limit after the
    decision."""
    monkeypatch.setattr(StandIn, "process", _process)
    monkeypatch.setattr(bodies, "LEAST_UNDECIDED_S", _LIMIT_S - 8)
    with ExitStack() as stack:
        users, other = (stack.enter_context(endpoint(name)) for name in ("users", "other"))
        sidecar = stack.enter_context(stand_in())
        config = _config(users, other, f"127.0.0.1:{sidecar.port}", on_error)
        envoy = stack.enter_context(running_envoy(config, tmp_path))

        assert envoy.ask("/", JSON, "POST", b"break").status == 503
        assert envoy.ask("/", JSON, "POST", b"hang").status == 504

        threading.Timer(_LONGER_S, users.released.set).start()
        assert envoy.ask("/hold", JSON).status == 200
        assert other.asked == 0
