"""Plain data to the parts of the file, each checked by itself.

One call for each cluster and each route keeps every call short, so that requests are served in between
while a large file is read; and what is wrong in one part hides nothing in the others.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from sidecar.config.errors import Findings, Where, shown
from sidecar.config.messages import sentence, translate
from sidecar.config.schema import (
    Ask,
    Cluster,
    Config,
    Context,
    Cookies,
    Demo,
    Envoy,
    Gate,
    Listen,
    Regions,
    Route,
    RouteCache,
    Section,
    Store,
    Tenant,
    Tickets,
    Zones,
)
from sidecar.config.values import Name

S = TypeVar("S", bound=Section)

_BODIES: Final = frozenset({"body", "body_bytes", "json_"})
_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)
_WHOLE: Final[dict[str, type[Section]]] = {
    "listen": Listen,
    "envoy": Envoy,
    "tickets": Tickets,
    "context": Context,
    "cookies": Cookies,
    "route_cache": RouteCache,
    "regions": Regions,
    "zones": Zones,
}


@dataclass(slots=True)
class Draft:
    """What could be read of the file. `faulty` has the keys that could not, of clusters and routes.

    `lost_ids` are those of endpoints in clusters whose endpoints could not be read.
    """

    config: Config
    clusters: dict[str, Cluster] = field(default_factory=dict)
    routes: dict[int, Route] = field(default_factory=dict)
    faulty: dict[Where, set[str]] = field(default_factory=dict)
    lost_ids: set[str] = field(default_factory=set)

    def unsure(self, where: Where, *keys: str) -> bool:
        """Whether one of these keys is at fault, so that nothing can be said of it."""
        at_fault = self.faulty.get(where)
        return at_fault is not None and not at_fault.isdisjoint(keys)


def draft(top: dict[str, object], findings: Findings) -> Draft:
    """Everything that is readable; what is not stands in `findings`."""
    for key in top:
        if key not in Config.model_fields:
            findings.unknown((key,), "unknown key", key, Config.model_fields)
    drawn = Draft(Config())
    parts: dict[str, Any] = {
        key: _section(model, top[key], (key,), findings, drawn) for key, model in _WHOLE.items() if key in top
    }
    parts["on_error"] = _on_error(top, findings)
    parts["models"] = _mapping(top, "models", str, "a model's name", findings)
    parts["flags"] = _mapping(top, "flags", bool, "true or false", findings)
    parts["tenants"] = _tenants(top.get("tenants"), findings, drawn)
    parts["strategies"] = _strategies(top.get("strategies"), findings)
    parts["gates"] = _gates(top.get("gates", []), findings, drawn)
    parts["store"] = _store(top.get("store", "memory"), findings, drawn)
    parts["demo"] = _demo(top.get("demo", {}), findings, drawn)
    _clusters(top, findings, drawn)
    _routes(top, findings, drawn)
    known = {key: value for key, value in parts.items() if value is not None}
    drawn.config = Config.model_construct(
        **known, clusters=drawn.clusters, routes=list(drawn.routes.values())
    )
    return drawn


def _section(
    model: type[S],
    raw: object,
    where: Where,
    findings: Findings,
    drawn: Draft,
    stand_in: dict[str, object] | None = None,
) -> S | None:
    """The section; where keys are at fault, what it is without them or with their `stand_in`, if anything."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faulty = translate(error, model, raw, where, findings)
    if not isinstance(raw, dict):
        return None
    drawn.faulty[where] = faulty
    kept = {key: value for key, value in raw.items() if key not in faulty}
    for key in faulty & (stand_in or {}).keys():
        kept[key] = (stand_in or {})[key]
    try:
        return model.model_validate(kept)
    except ValidationError:
        return None


def _mapping(
    top: dict[str, object], key: str, kind: type, wanted: str, findings: Findings
) -> dict[str, Any] | None:
    """Of names to plain values, such as aliases of models."""
    raw = top.get(key)
    if raw is None:
        return None
    if not isinstance(raw, dict):
        findings.add((key,), f"must be a mapping of names, got {shown(raw)}")
        return None
    kept = {}
    for name, value in raw.items():
        if type(value) is kind and isinstance(name, str) and name and value != "":
            kept[name] = value
        else:
            findings.add((key, str(name)), f"must be {wanted}, got {shown(value)}")
    return kept


def _on_error(top: dict[str, object], findings: Findings) -> str | None:
    raw = top.get("on_error", "refuse")
    if isinstance(raw, str):
        return raw
    findings.add(("on_error",), f"must be refuse or a cluster's name, got {shown(raw)}")
    return None


def _store(raw: object, findings: Findings, drawn: Draft) -> Store | Literal["memory"] | None:
    if raw == "memory":
        return "memory"
    if isinstance(raw, dict):
        return _section(Store, raw, ("store",), findings, drawn)
    findings.add(("store",), f"must be memory, or {{sqlite: FILE}}, got {shown(raw)}")
    return None


_UNREADABLE: Final = Ask.model_validate({"path": "/", "expect": {}})
"""In the place of one that is at fault, so that the others keep theirs. Such a file is refused."""


def _demo(raw: object, findings: Findings, drawn: Draft) -> Demo | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("tour"), list):
        return _section(Demo, raw, ("demo",), findings, drawn)
    whole = _section(Demo, {**raw, "tour": []}, ("demo",), findings, drawn)
    asks = [_section(Ask, each, ("demo", "tour", at), findings, drawn) for at, each in enumerate(raw["tour"])]
    for at, ask in enumerate(asks):
        given = sorted(_BODIES & ask.model_fields_set) if ask is not None else []
        if len(given) > 1:
            first, second = (key.rstrip("_") for key in given[:2])
            findings.add(
                ("demo", "tour", at), f"{first} and {second} are both the request's body", "keep one of them"
            )
        if ask is not None and ask.until is not None and not ask.expect.counts:
            findings.add(
                ("demo", "tour", at, "until"),
                "no number is expected that could come",
                "expect statuses, endpoints, asked, mirrored or slower_than, or leave it out",
            )
    behaviours = {} if whole is None else whole.endpoints
    return Demo(endpoints=behaviours, tour=[ask or _UNREADABLE for ask in asks])


def _tenants(raw: object, findings: Findings, drawn: Draft) -> dict[str, Tenant] | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        findings.add(("tenants",), f"must be a mapping of names to tenants, got {shown(raw)}")
        return None
    if "" in raw:
        findings.add(("tenants", ""), "a tenant must have a name", "write it as context.tenant finds it")
    read = {
        name: _section(Tenant, {} if each is None else each, ("tenants", name), findings, drawn)
        for name, each in raw.items()
    }
    return {name: tenant for name, tenant in read.items() if tenant is not None}


def _strategies(raw: object, findings: Findings) -> dict[str, str | dict[str, dict[str, object]]] | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        findings.add(("strategies",), f"must be a mapping of words to strategies, got {shown(raw)}")
        return None
    kept = {}
    for word, form in raw.items():
        where = ("strategies", word)
        try:
            _NAME.validate_python(word)
        except ValidationError as error:
            findings.add(where, *sentence(error.errors()[0]))
            continue
        if isinstance(form, str) or (
            isinstance(form, dict) and all(isinstance(options, dict) for options in form.values())
        ):
            kept[word] = form
        else:
            findings.add(
                where, f"must be a strategy's name, or {{name: {{option: value}}}}, got {shown(form)}"
            )
    return kept


def _gates(raw: object, findings: Findings, drawn: Draft) -> list[Gate]:
    if not isinstance(raw, list):
        findings.add(("gates",), f"must be a list of gates, got {shown(raw)}", "begin each with a dash")
        return []
    gates = [_section(Gate, each, ("gates", at), findings, drawn) for at, each in enumerate(raw)]
    drawn.faulty.update({("gates", at): set() for at, gate in enumerate(gates) if gate is None})
    # One that could not be read keeps its place, so that what is said of the others names theirs.
    return [Gate() if gate is None else gate for gate in gates]


def _clusters(top: dict[str, object], findings: Findings, drawn: Draft) -> None:
    raw = top.get("clusters")
    if raw is None or raw == {}:
        findings.add(("clusters",), "there are no clusters", "give at least one")
        drawn.faulty[()] = {"clusters"}
        return
    if not isinstance(raw, dict):
        findings.add(("clusters",), f"must be a mapping of names to clusters, got {shown(raw)}")
        drawn.faulty[()] = {"clusters"}
        return
    for name, each in raw.items():
        where = ("clusters", name)
        try:
            _NAME.validate_python(name)
        except ValidationError as error:
            findings.add(where, *sentence(error.errors()[0]))
        if name == "refuse":
            findings.add(where, "a cluster must not be named refuse", "on_error means something else by it")
        cluster = _section(Cluster, {} if each is None else each, where, findings, drawn)
        if cluster is None:
            drawn.faulty[where] = {"endpoints"}
            cluster = Cluster()
        if drawn.unsure(where, "endpoints"):
            drawn.lost_ids.update(_ids(each))
        drawn.clusters[name] = cluster


def _ids(cluster: object) -> list[str]:
    """The ids of endpoints that could not be read, so that a route to one is not called wrong as well."""
    endpoints = cluster.get("endpoints") if isinstance(cluster, dict) else None
    ids = (
        [each.get("id") for each in endpoints if isinstance(each, dict)]
        if isinstance(endpoints, list)
        else []
    )
    return [each for each in ids if isinstance(each, str)]


def _routes(top: dict[str, object], findings: Findings, drawn: Draft) -> None:
    raw = top.get("routes")
    if raw is None or raw == []:
        findings.add(("routes",), "there are no routes", "give at least one, such as {name: default, to: …}")
        return
    if not isinstance(raw, list):
        findings.add(("routes",), f"must be a list of routes, got {shown(raw)}", "begin each with - name:")
        return
    for at, each in enumerate(raw):
        route = _section(Route, each, ("routes", at), findings, drawn, {"name": f"route-{at}"})
        if route is not None:
            drawn.routes[at] = route
