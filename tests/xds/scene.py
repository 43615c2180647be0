"""What the traffic tests share: an Envoy, the stand-in that it asks, and three endpoints behind it."""

from dataclasses import dataclass
from typing import Final

from sidecar.config import schema
from tests.running.asking import Reply
from tests.running.endpoint import Endpoint
from tests.running.envoy import RunningEnvoy
from tests.running.ports import free_ports
from tests.xds.running import a_config
from tests.xds.stand_in import StandIn

NAMED: Final = {
    "name": "named",
    "to": "users",
    "headers": {
        "response": {
            "set": {"x-share": "100%", "x-replaced": "by the route", "x-empty": ""},
            "add": {"x-command": "%PROTOCOL%", "x-twice": "by the route"},
            "remove": ["x-secret"],
        }
    },
}


@dataclass
class Scene:
    envoy: RunningEnvoy
    sidecar: StandIn
    endpoints: dict[str, Endpoint]

    def at(self, name: str) -> str:
        return self.endpoints[name].address

    def ask(self, path: str = "/", headers: dict[str, str] | None = None) -> Reply:
        return self.envoy.ask(path, headers or {})


def a_cluster(*addresses: str, **first: object) -> dict[str, object]:
    endpoints: list[dict[str, object]] = [{"address": address} for address in addresses]
    endpoints[0].update(first)
    return {"endpoints": endpoints}


def a_routed_config(
    endpoints: dict[str, Endpoint], grpc: str, on_error: str = "refuse", feedback: str = "access_log"
) -> schema.Config:
    (listen,) = free_ports(1)
    a, b, c = (endpoints[name] for name in "abc")
    return a_config(
        listen={"grpc": grpc},
        envoy={"listen": f"127.0.0.1:{listen}", "admin": None, "feedback": feedback},
        on_error=on_error,
        clusters={
            "users": a_cluster(a.address, b.address),
            "other": a_cluster(c.address),
            "drained": a_cluster(a.address, b.address, c.address, weight=0),
            "all-drained": a_cluster(a.address, weight=0),
            "by-name": a_cluster(f"localhost:{a.port}", f"localhost:{b.port}", f"localhost:{c.port}"),
        },
        routes=[{"name": "all", "to": "users"}, NAMED],
    )
