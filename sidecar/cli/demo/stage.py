"""The user's configuration moved to this machine: each address becomes one that is free here."""

import copy
import json
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sidecar.config import document, schema
from sidecar.config.load import Loaded, loads

_HERE: Final = "127.0.0.1"
_USUAL: Final = schema.Behaviour()


class CannotStart(Exception):
    """The demo cannot run here; the text says why and what to do."""


@dataclass(frozen=True)
class Place:
    """One small endpoint to start."""

    cluster: str
    id: str
    address: str
    behaviour: schema.Behaviour = _USUAL


@dataclass(frozen=True)
class Stage:
    """`moved` says, in sentences, which addresses are others than the file's."""

    loaded: Loaded
    text: str
    places: list[Place]
    grpc: str
    admin: str
    envoy: str
    envoy_admin: str
    moved: list[str]


def stage(path: Path) -> Stage:
    """Choose an address for everything that listens; the file's own where it is free."""
    ports = _Ports()
    top = document.read(path.read_text(encoding="utf-8")).top
    assert top is not None  # the file has just been loaded
    data: dict[str, Any] = copy.deepcopy(top)
    listen = data["listen"] = dict(data.get("listen") or {})
    envoy = data["envoy"] = dict(data.get("envoy") or {})
    grpc = listen.get("grpc", "127.0.0.1:50051")
    first = grpc[0] if isinstance(grpc, list) else grpc
    listen["grpc"] = ports.take("the sidecar", "127.0.0.1:50051" if first.startswith("unix:") else first)
    listen["admin"] = ports.take("the sidecar's admin page", listen.get("admin") or "127.0.0.1:9900")
    envoy["listen"] = ports.take("Envoy", envoy.get("listen", "0.0.0.0:10000"))
    envoy["admin"] = ports.take("Envoy's admin page", envoy.get("admin") or "127.0.0.1:9901")
    places = []
    named_by_address: dict[str, str] = {}
    for cluster, section in data["clusters"].items():
        section = data["clusters"][cluster] = dict(section or {})
        section["endpoints"] = section.get("endpoints") or [{"address": f"{_HERE}:8080", "id": cluster}]
        for endpoint in section["endpoints"]:
            wanted = endpoint["address"]
            name = str(endpoint.get("id") or wanted)
            endpoint["address"] = ports.take(f"{cluster}/{name}", wanted)
            if name == wanted:
                named_by_address[wanted] = endpoint["address"]
            places.append(Place(cluster, name, endpoint["address"]))
    data["routes"] = _renamed(data["routes"], named_by_address)
    folder = path.parent.absolute()
    data["context"] = _found_from(folder, data.get("context") or {})
    if isinstance(envoy.get("jwt"), dict) and isinstance(envoy["jwt"].get("jwks_file"), str):
        envoy["jwt"] = {**envoy["jwt"], "jwks_file": str(folder / envoy["jwt"]["jwks_file"])}
    cookies = data.get("cookies") or {}
    data["cookies"] = {**cookies, "secrets": [str(folder / name) for name in cookies.get("secrets") or ()]}
    data.pop("store", None)  # what a demo teaches is not to be kept among what was learnt of the real ones
    text = json.dumps(data, indent=1, ensure_ascii=False)  # every JSON is YAML, and quotes what is text
    loaded = loads(text, path.name, 1, folder)
    behaviours = loaded.config.demo.endpoints
    return Stage(
        loaded,
        text,
        [replace(place, behaviour=behaviours.get(place.id, _USUAL)) for place in places],
        listen["grpc"],
        listen["admin"],
        envoy["listen"],
        envoy["admin"],
        ports.moved,
    )


def _found_from(folder: Path, context: dict[str, Any]) -> dict[str, Any]:
    """With files by their whole path: the demo's copy of the configuration lies in another folder."""
    return {
        fact: [
            {**source, "geoip": str(folder / source["geoip"])}
            if isinstance(source, dict) and source.get("geoip") is not None
            else source
            for source in sources
        ]
        if isinstance(sources, list)
        else sources
        for fact, sources in context.items()
    }


def _renamed(routes: Any, names: dict[str, str]) -> Any:
    """The routes, with targets that are endpoints without an id, and so go by their address, moved too."""
    if isinstance(routes, list):
        return [_renamed(each, names) for each in routes]
    if not isinstance(routes, dict):
        return routes
    moved = {key: _renamed(value, names) for key, value in routes.items()}
    for key in ("to", "endpoint"):
        if isinstance(moved.get(key), str):
            moved[key] = names.get(moved[key], moved[key])
    for key in ("pool", "failover"):
        if isinstance(moved.get(key), list):
            moved[key] = [names.get(each, each) if isinstance(each, str) else each for each in moved[key]]
    return moved


class _Ports:
    """Hands out addresses on the loopback that nobody else listens on."""

    def __init__(self) -> None:
        self.moved: Final[list[str]] = []
        self._taken: Final[set[int]] = set()

    def take(self, what: str, wanted: str) -> str:
        """The wanted port where it is free, else any; told when it is another."""
        port = int(wanted.rpartition(":")[2])
        got = self._bindable(port) if port not in self._taken else None
        while got is None or got in self._taken:
            got = self._bindable(0)
        if got != port:
            self.moved.append(f"{what}: port {port} is taken, using {got}")
        self._taken.add(got)
        return f"{_HERE}:{got}"

    @staticmethod
    def _bindable(port: int) -> int | None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HERE, port))
            except OSError:
                return None
            return int(probe.getsockname()[1])
