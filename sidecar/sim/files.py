"""A scenario's file to a scenario, in the manner of the configuration: all that is wrong, with its line.

Which servers there must be, and how many requests keep them busy, depends on the configuration that is to be
tried, so a file is read together with a plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from random import Random
from typing import Any, Final, final

from pydantic import ValidationError

from sidecar.config.document import read
from sidecar.config.errors import ConfigError, Findings, Where, choice, one_of, shown
from sidecar.config.load import text_of, with_lines
from sidecar.config.messages import translate
from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.plan import Plan, Variant
from sidecar.core.request import Request
from sidecar.core.rules.size import UNKNOWN, size_of
from sidecar.core.state.memory import State
from sidecar.normal import normal
from sidecar.sim import schema
from sidecar.sim.clients import PLACEHOLDER, Clients, Kind, Values
from sidecar.sim.scenario import Cache, Change, Scenario, Server, Service

DEFAULT: Final = "default"
_SAMPLES: Final = 200
"""Requests of each kind that are sent ahead, to see which endpoints they can reach."""


@dataclass(frozen=True)
class Written:
    """A scenario as its file has it. What counts in the end begins at `warm_up_s`."""

    scenario: Scenario
    warm_up_s: float
    title: str = ""


def load_scenario(
    path: Path, plan: Plan, *, duration_s: float | None = None, seed: int | None = None
) -> Written:
    """The scenario in the file at `path`, for the endpoints of `plan`. ConfigError with all that is wrong.

    `duration_s` and `seed` are in place of those in the file.
    """
    return loads_scenario(text_of(path), str(path), plan, duration_s=duration_s, seed=seed)


def loads_scenario(
    text: str, name: str, plan: Plan, *, duration_s: float | None = None, seed: int | None = None
) -> Written:
    """The same in `text`; messages call it `name`."""
    document = read(text)
    if document.top is None:
        raise ConfigError(name, [replace(each, remedy="") for each in document.problems])
    findings = Findings()
    written = _shape(document.top, findings)
    if written is not None:
        if duration_s is not None:
            written = written.model_copy(update={"duration": duration_s})
        if seed is not None:
            written = written.model_copy(update={"seed": seed})
        made = _Reader(written, plan, findings).written()
        if made is not None and not document.problems:
            return made
    raise ConfigError(name, document.problems + with_lines(text, findings.problems))


def _shape(top: dict[str, object], findings: Findings) -> schema.Scenario | None:
    try:
        return schema.Scenario.model_validate(top)
    except ValidationError as error:
        translate(error, schema.Scenario, top, (), findings)
        return None


@final
class _Reader:
    """One file that has the right shape."""

    def __init__(self, written: schema.Scenario, plan: Plan, findings: Findings) -> None:
        self._written: Final = written
        self._plan: Final = plan
        self._findings: Final = findings
        self._endpoints: Final = _endpoints(plan.variants())

    def written(self) -> Written | None:
        """None when there are problems."""
        written, findings = self._written, self._findings
        values = {name: self._values(name, each) for name, each in written.values.items()}
        kinds = tuple(self._kind(at, each, values) for at, each in enumerate(written.clients))
        servers = self._servers()
        changes = self._changes(servers)
        if written.warm_up >= written.duration:
            findings.add(("warm_up",), "must be shorter than the duration", "else nothing is left to count")
        given = [key for key in ("rate", "utilisation") if getattr(written, key) is not None]
        if len(given) != 1:
            got = " and ".join(given) if given else "none"
            findings.add((), f"needs exactly one of rate and utilisation, got {got}")
        elif written.utilisation == 0.0:
            findings.add(("utilisation",), "must be above 0", "no request would ever come")
        if findings.problems:
            return None
        clients = Clients(kinds, values)
        reached = self._reached(clients)
        missing = sorted(key for key in reached if key not in servers)
        if missing:
            listed = ", ".join(missing[:5]) + (" and more" if len(missing) > 5 else "")
            findings.add(
                ("servers",),
                f"has none for {listed}, which requests reach",
                f"add {DEFAULT} for all the others",
            )
            return None
        scenario = Scenario(
            servers,
            written.rate or 1.0,
            written.duration,
            changes,
            written.sidecars,
            written.reports_every or 0.0,
            written.feedback_delay,
            written.feedback_lost,
            inf if written.timeout is None else written.timeout,
            clients,
            written.seed,
            written.starts_at,
        )
        if written.utilisation is not None:
            able = sum(servers[key].rate() for key in reached)
            if not able:
                findings.add(("utilisation",), "no request reaches a server", "give a rate")
                return None
            scenario = replace(scenario, rate=written.utilisation * able)
        return Written(scenario, written.warm_up, written.title)

    def _values(self, name: str, each: schema.Values) -> Values:
        where: Where = ("values", name)
        if (each.count is None) == (each.of is None):
            got = "none" if each.count is None else "count and of"
            self._findings.add(where, f"needs exactly one of count and of, got {got}")
        if each.letters is not None and each.of is not None:
            self._findings.add(
                (*where, "letters"), "makes up texts, and these are given by of", "leave it out"
            )
        if each.exponent is not None and each.spread != "zipf":
            self._findings.add((*where, "exponent"), "is for spread: zipf", "leave it out")
        exponent = (each.exponent or 1.0) if each.spread == "zipf" else 0.0
        listed = tuple(each.of or ())
        return Values(name, each.count or len(listed) or 1, listed, exponent, each.letters or 0)

    def _kind(self, at: int, each: schema.Client, values: Mapping[str, Values]) -> Kind:
        where: Where = ("clients", at)
        if each.body is not None and each.json_ is not None:
            self._findings.add(where, "body and json are both the request's body", "keep one of them")
        size = None
        if isinstance(each.body, schema.Body):
            size = self._service(each.body, (*where, "body"))
        elif each.body:
            size = Service(float(each.body), "constant")
        elif each.body == 0:
            self._findings.add((*where, "body"), "must be above 0", "leave it out for none")
        headers = tuple((name.lower(), value) for name, value in each.headers.items())
        kind = Kind(each.weight, each.method, each.host, each.path, headers, size, each.json_)
        self._check_path(each.path, (*where, "path"))
        for place, text in _placed(each, where):
            for name in PLACEHOLDER.findall(text):
                if name not in values:
                    known = list(values)
                    remedy = (
                        choice(name, known)
                        if known
                        else f"give it under values, such as {name}: {{count: 100}}"
                    )
                    self._findings.add(place, f"there are no values {shown(name)}", remedy)
        return kind

    def _check_path(self, path: str, where: Where) -> None:
        """Rules see paths as Envoy spells them."""
        plain = PLACEHOLDER.sub("0", path)
        if not plain.startswith("/"):
            self._findings.add(where, f"must begin with /, got {shown(path)}")
            return
        try:
            seen = normal(plain)
        except ValueError as error:
            self._findings.add(where, str(error).removeprefix("path "))
            return
        if seen != plain:
            self._findings.add(where, f"Envoy would make {shown(seen)} of {shown(plain)}", "write it so")

    def _service(self, each: schema.Takes | schema.Body, where: Where) -> Service:
        if (each.mean is None) == (each.median is None):
            got = "none" if each.mean is None else "both"
            self._findings.add(where, f"needs exactly one of mean and median, got {got}")
        elif not (each.mean or each.median):
            self._findings.add(where, "must be above 0", "leave it out for none")
        if each.sigma is not None and each.spread != "lognormal":
            self._findings.add((*where, "sigma"), "is for spread: lognormal", "leave it out")
        sigma = each.sigma or 1.0
        if each.median:
            return Service.of_median(float(each.median), each.spread, sigma)
        return Service(float(each.mean or 1.0), each.spread, sigma)

    def _server(self, each: schema.Server, where: Where) -> Server:
        if isinstance(each.takes, schema.Takes):
            service = self._service(each.takes, (*where, "takes"))
        else:
            service = Service(each.takes)
        cache = None
        if each.cache is not None:
            cache = Cache(
                each.cache.by.lower(), each.cache.keys, each.cache.hit_takes, each.cache.prefix or 0
            )
        if each.doubled_by == 0:
            self._findings.add(
                (*where, "doubled_by"), "must be above 0", "leave it out where size is no matter"
            )
        return Server(
            service,
            each.capacity,
            each.queue,
            each.failures,
            -1.0 if each.failures_take is None else each.failures_take,
            _Larger(each.doubled_by) if each.doubled_by else None,
            cache,
            each.requests_per_minute or 0,
        )

    def _servers(self) -> dict[str, Server]:
        """By endpoint, in the order of the plan: its own, that of its cluster, or the default one."""
        made: dict[str, Server] = {}
        for name, each in self._written.servers.items():
            made[name] = self._server(each, ("servers", name))
            if name != DEFAULT and not self._meant(name):
                self._unknown(("servers", name), name, [DEFAULT])
        servers: dict[str, Server] = {}
        for key, endpoint in self._endpoints.items():
            for name in (key, endpoint.cluster, DEFAULT):
                if name in made:
                    servers[key] = made[name]
                    break
        if not servers and not self._findings.problems:
            self._findings.add(("servers",), "must hold at least one", f"add {DEFAULT} for all endpoints")
        return servers

    def _changes(self, servers: Mapping[str, Server]) -> tuple[Change, ...]:
        changes: list[Change] = []
        for at, each in enumerate(self._written.changes):
            where: Where = ("changes", at)
            meant = self._meant(each.server)
            if not meant:
                self._unknown((*where, "server"), each.server, [])
            elif not servers.keys() & set(meant):
                self._findings.add((*where, "server"), f"servers has none for {each.server}", "add one")
            if each.slower is None and each.failures is None and each.down is None:
                self._findings.add(where, "changes nothing", "give it one of slower, failures and down")
            changes += [
                Change(each.at, key, each.slower, each.failures, each.down) for key in meant if key in servers
            ]
        return tuple(changes)

    def _meant(self, name: str) -> list[str]:
        """The endpoints that a name stands for: one, or all of a cluster."""
        if name in self._endpoints:
            return [name]
        return [key for key, endpoint in self._endpoints.items() if endpoint.cluster == name]

    def _unknown(self, where: Where, name: str, besides: list[str]) -> None:
        clusters = {endpoint.cluster for endpoint in self._endpoints.values()}
        known = [*self._endpoints, *sorted(clusters), *besides]
        remedy = choice(name, known) or f"write {one_of([*besides, *sorted(clusters)][:8])}"
        self._findings.add(where, f"no route leads to an endpoint or cluster {shown(name)}", remedy)

    def _reached(self, clients: Clients) -> list[str]:
        """The endpoints that can get the requests: all those of the routes that some of them take."""
        engine = Engine(self._plan, State(), Random("reached"))
        rng = Random("clients")
        reached: dict[str, Endpoint] = {}
        for at in range(len(clients.kinds)):
            for _ in range(_SAMPLES):
                request = clients.of_kind(at, rng)
                request.received_at = self._written.starts_at
                answer = engine.decide(request, 0.0)
                if isinstance(answer, Decision):
                    variants = [
                        each for variant in answer.route.variants for each in (variant, *variant.links)
                    ]
                    reached.update(_endpoints(variants))
        return [key for key in self._endpoints if key in reached and reached[key].weight > 0]


@final
class _Larger:
    """How much longer a request takes for its body."""

    def __init__(self, doubled_by: int) -> None:
        self._doubled_by: Final = doubled_by

    def __call__(self, request: Request) -> float:
        size = size_of(request)
        return 1.0 if size == UNKNOWN else 1.0 + size / self._doubled_by


def _endpoints(variants: list[Variant]) -> dict[str, Endpoint]:
    return {endpoint.key: endpoint for variant in variants for endpoint in variant.endpoints}


def _placed(each: schema.Client, where: Where) -> list[tuple[Where, str]]:
    """All texts that may hold placeholders, with their places."""
    placed: list[tuple[Where, str]] = [((*where, "path"), each.path), ((*where, "host"), each.host)]
    placed += [((*where, "headers", name), value) for name, value in each.headers.items()]
    return placed + _inside(each.json_, (*where, "json"))


def _inside(data: Any, where: Where) -> list[tuple[Where, str]]:
    if isinstance(data, str):
        return [(where, data)]
    if isinstance(data, dict):
        return [found for key, each in data.items() for found in _inside(each, (*where, key))]
    if isinstance(data, list):
        return [found for at, each in enumerate(data) for found in _inside(each, (*where, at))]
    return []
