"""What the file asks of bodies and of metadata: conditions, sources of facts, and which requests need them.

Envoy reads fields of JSON itself and tells only their values; what it cannot tell (a place in a list, null,
the size of a body without content-length) needs the body. Either is switched on for just those requests that
some route asks for it: `needs` says which, by conditions that are at least as wide as the route's own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.body import LONGEST_TEXT, BodyField, BodyIs, BodyText, MetadataField, canonical
from sidecar.names import ENVOY_PREFIX, JWT_CLAIMS, JWT_NAMESPACE

_LONGEST_PATH: Final = 512
_INDEX: Final = re.compile(r"[0-9]{1,9}")
_NEGATIVE: Final = re.compile(r"(.*\[)?-[0-9]{1,9}\]?")
_BRACKETS: Final = re.compile(r"""\[(?:([0-9]{1,9})|["']([^"'\[\]]+)["'])\]""")
_MOST_ALTERNATIVES: Final = 64
_PLACES: Final = ("by", "prompt")
"""Options of strategies that name places in the request."""
_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "consistent_hash": ("session",),
    "geo_nearest": ("region",),
    "learned": ("region",),
    "zone_aware": ("zone",),
}
_FOR_ENDPOINTS: Final = (
    *("prompt", "input_tokens", "max_tokens", "capabilities", "max_price"),
    *("exclude", "prefer", "strategy", "latency_target", "deadline", "zone"),
)
"""Facts that have no source unless the file names one, so that one is meant to be read."""


def body_conditions(body: Mapping[str, object], where: Where, findings: Findings) -> list[Matcher]:
    """A condition for each field; what is not sound stands in the findings."""
    if not body:
        findings.add(where, "must not be empty", "list at least one field, or leave it out")
    conditions: list[Matcher] = []
    for path, wanted in body.items():
        place = (*where, path)
        sound = _is_path(path, place, findings)
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values:
            findings.add(place, "must not be empty", "list at least one value, or leave it out")
        told: list[str] = []
        for at, value in enumerate(values):
            text = canonical(value)
            if text is None:
                spot = (*place, at) if isinstance(wanted, list) else place
                findings.add(spot, *_no_value(value))
            else:
                told.append(text)
        if sound and told:
            conditions.append(BodyIs(BodyField(path), tuple(dict.fromkeys(told))))
    return conditions


def _no_value(value: object) -> tuple[str, str]:
    if isinstance(value, str):
        return f"is a text of more than {LONGEST_TEXT} bytes", "Envoy tells no longer ones"
    if isinstance(value, dict | list):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"is a {kind} where a value should be", "write the dotted path down to one value"
    return f"{shown(value)} is no value that JSON has", "write a text, a number, true, false or null"


def _is_path(path: str, where: Where, findings: Findings) -> bool:
    if len(path) > _LONGEST_PATH:
        findings.add(
            where, f"{shown(path)} is longer than {_LONGEST_PATH} characters", "no body needs such a path"
        )
    elif not all(path.split(".")) or not path.isprintable():
        findings.add(
            where,
            f"{shown(path)} is no path into a body",
            "write keys and places with dots between, such as messages.0.role",
        )
    elif any(_NEGATIVE.fullmatch(part) for part in path.split(".")):
        findings.add(where, f"{shown(path)} has a place before the first", "places are counted from 0")
    elif (plain := _plain(path)) != path:
        findings.add(where, f"{shown(path)} is in another notation than paths here", f"write {plain}")
    else:
        return True
    return False


def _plain(path: str) -> str:
    """What JSONPath (`$.items[0]`), a pointer (`/items/0`) or code (`items[0]`) means, as written here."""
    if path.startswith("/") and len(path) > 1:
        return path[1:].replace("/", ".")
    plain = _BRACKETS.sub(lambda found: f".{found[1] or found[2]}", path)
    if plain != path:
        plain = plain.removeprefix("$").removeprefix(".")
    return plain.removeprefix("$.")


def _body_source(path: str, where: Where, findings: Findings) -> Field | None:
    return BodyText(path) if _is_path(path, where, findings) else None


def _claim_source(claim: str, where: Where, findings: Findings) -> Field | None:
    if not claim:
        findings.add(where, "must not be empty", "write the claim's name")
        return None
    return MetadataField(JWT_NAMESPACE, f"{JWT_CLAIMS}.{claim}", f"claim {claim}")


def _metadata_source(metadata: schema.Metadata, where: Where, findings: Findings) -> Field | None:
    for key, text in (("namespace", metadata.namespace), ("path", metadata.path)):
        if not text:
            findings.add((*where, key), "must not be empty", "write what the filter of Envoy uses")
            return None
    return MetadataField(metadata.namespace, metadata.path)


SOURCES: Final[Mapping[str, Any]] = {
    "body": _body_source,
    "claim": _claim_source,
    "metadata": _metadata_source,
}
"""What makes the field of each of these kinds of sources."""


@dataclass(frozen=True)
class Place:
    """Requests, by conditions of which each may be None for any. `headers` are names that must be there."""

    path: str | schema.Path | None = None
    hosts: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    headers: frozenset[str] = frozenset()

    @property
    def prefix(self) -> str:
        """What every path here begins with; empty where nothing can be told."""
        match self.path:
            case str() if "*" in self.path:
                begin = self.path[: self.path.index("*")]
                # `/a/**` is `/a` too.
                return begin.rstrip("/") if self.path.startswith("**", len(begin)) else begin
            case str():
                return self.path
            case schema.Path(exact=str(exact)):
                return exact
            case schema.Path(prefix=str(prefix)):
                return prefix.rstrip("/") if self.path.whole_segments else prefix
        return ""


@dataclass(frozen=True)
class Need:
    """What requests at a place may be asked for: `fields` that Envoy can tell, the `whole` of a JSON body,
    the size where there is no content-length. `answer` is what may be kept of them."""

    place: Place = field(default_factory=Place)
    fields: frozenset[str] = frozenset()
    whole: bool = False
    counted: bool = False
    answer: bool = False

    @property
    def something(self) -> bool:
        return self.of_the_body or self.answer

    @property
    def of_the_body(self) -> bool:
        return bool(self.fields) or self.whole or self.counted


def needs(config: schema.Config) -> list[Need]:
    """Of all routes and gates, each once, in the order of the file; also of what is switched off."""
    by_fact = {
        fact: need for fact, sources in _sources(config.context) if (need := _of_sources(sources)).something
    }
    found: dict[Need, None] = {}
    of_endpoints = _of_endpoints(config, by_fact)
    for route in config.routes:
        own = Need(answer=route.last_good is not None)
        if route.sticky is not None and isinstance(route.sticky.by, str):
            own = _both(own, by_fact.get(route.sticky.by, Need()))
        if route.to is not None or route.pool is not None or route.split is not None:
            own = _both(
                own,
                _both(
                    of_endpoints,
                    _of_strategies([route.strategy, *(link.strategy for link in _links(route))], by_fact),
                ),
            )
        if own.something or _asks(route.match, by_fact):  # most files have many routes, and few that do
            for need in _alternatives(route.match, by_fact):
                found[_both(need, own)] = None
    for gate in config.gates:
        if gate.upload is not None and gate.upload.max_size is not None:
            found[Need(Place(gate.upload.path), counted=True)] = None
        if gate.country is not None and "country" in by_fact:
            places = [Place(path) for path in gate.country.paths] or [Place()]
            for place in places:
                found[replace(by_fact["country"], place=place)] = None
    return [need for need in found if need.something]


def _of_endpoints(config: schema.Config, by_fact: Mapping[str, Need]) -> Need:
    """What is asked of every request that goes to an endpoint, to know which may get it and what it costs."""
    need = Need()
    for fact in _FOR_ENDPOINTS:
        need = _both(need, by_fact.get(fact, Need()))
    if any(cluster.models for cluster in config.clusters.values()):
        need = _both(need, by_fact.get("model", Need()))
    if config.tenants:
        need = _both(need, by_fact.get("tenant", Need()))
    own = [tenant.strategy for tenant in config.tenants.values() if tenant.strategy is not None]
    return _both(need, _of_strategies([*config.strategies.values(), *own], by_fact))


def _of_strategies(strategies: Iterable[schema.StrategyForm], by_fact: Mapping[str, Need]) -> Need:
    """What their options name, and the facts that they go by where no option does."""
    need = Need()
    for strategy in strategies:
        named = {strategy: {}} if isinstance(strategy, str) else strategy
        for name, options in named.items():
            for fact in _BY.get(name, ()):
                need = _both(need, by_fact.get(fact, Need()))
            for option in _PLACES:
                need = _both(need, _of_places(options.get(option), by_fact))
    return need


def _of_places(written: object, by_fact: Mapping[str, Need]) -> Need:
    if isinstance(written, str):
        return by_fact.get(written, Need())
    need = Need()
    if isinstance(written, list):
        for each in written:
            need = _both(need, _of_places(each, by_fact))
    elif isinstance(written, dict) and isinstance(written.get("body"), str):
        need = _of_field(written["body"])
    return need


def _links(route: schema.Route) -> list[schema.Link]:
    return [link for link in route.failover or () if isinstance(link, schema.Link)]


def namespaces(config: schema.Config) -> list[str]:
    """Of the metadata that facts come from, the body's not among them."""
    found: dict[str, None] = {}
    for _, sources in _sources(config.context):
        for source in sources:
            if source.claim is not None:
                found[JWT_NAMESPACE] = None
            elif source.metadata is not None:
                found[source.metadata.namespace] = None
    return list(found)


def note_claims(config: schema.Config, findings: Findings) -> None:
    """Claims of tokens that Envoy is not told to verify."""
    if config.envoy.jwt is not None:
        return
    for fact, sources in _sources(config.context):
        for at, source in enumerate(sources):
            if source.claim is not None:
                findings.note(
                    ("context", fact, at, "claim"),
                    "without envoy.jwt, Envoy verifies no token: only callers of RouteService have claims",
                )


def _sources(context: schema.Context) -> Iterator[tuple[str, list[schema.Source]]]:
    for fact in schema.Context.model_fields:
        sources = getattr(context, fact)
        if isinstance(sources, list):
            yield fact, sources


def _asks(match: schema.Match, by_fact: Mapping[str, Need]) -> bool:
    """Whether it asks for anything of a body, at whatever depth."""
    if match.body is not None or match.size is not None:
        return True
    if by_fact and any(getattr(match, fact, None) is not None for fact in by_fact):
        return True
    nested = [*(match.all or ()), *(match.any or ())]
    if match.not_ is not None:
        nested.append(match.not_)
    return any(_asks(each, by_fact) for each in nested)


def _of_sources(sources: list[schema.Source]) -> Need:
    need = Need()
    for source in sources:
        if source.body is not None:
            need = _both(need, _of_field(source.body))
    return need


def _of_field(path: str, *, null: bool = False) -> Need:
    """Envoy's selectors are keys, and it tells null no better than a field that is not there."""
    if null or any(_INDEX.fullmatch(part) for part in path.split(".")):
        return Need(whole=True)
    return Need(fields=frozenset((path,)))


def _both(one: Need, other: Need) -> Need:
    return Need(
        _narrowed(one.place, other.place),
        one.fields | other.fields,
        one.whole or other.whole,
        one.counted or other.counted,
        one.answer or other.answer,
    )


def _narrowed(one: Place, other: Place) -> Place:
    """Both hold; of two conditions of a kind one is enough, which is the wider way."""
    return Place(
        max(one.path, other.path, key=_exactness),
        one.hosts or other.hosts,
        one.methods or other.methods,
        one.headers | other.headers,
    )


def _exactness(path: str | schema.Path | None) -> tuple[int, int]:
    match path:
        case None:
            return (0, 0)
        case str():
            return (4 if "*" not in path else 3, len(path))
        case schema.Path(exact=str(exact)):
            return (4, len(exact))
        case schema.Path(prefix=str(prefix)):
            return (2, len(prefix))
    return (1, 0)


def _alternatives(match: schema.Match, by_fact: Mapping[str, Need]) -> list[Need]:
    """Ways in which the match may hold, each with what it asks of the body then."""
    ways = [_own(match, by_fact)]
    for each in match.all or ():
        ways = _product(ways, _alternatives(each, by_fact))
    if match.any:
        ways = _product(ways, [way for each in match.any for way in _alternatives(each, by_fact)])
    if match.not_ is not None:
        for way in _alternatives(match.not_, by_fact):
            ways = [_both(each, replace(way, place=Place())) for each in ways]
    return ways


def _product(ways: list[Need], others: list[Need]) -> list[Need]:
    if len(ways) * len(others) <= _MOST_ALTERNATIVES:
        return [_both(way, other) for way in ways for other in others]
    for other in others:
        ways = [_both(way, replace(other, place=Place())) for way in ways]
    return ways


def _own(match: schema.Match, by_fact: Mapping[str, Need]) -> Need:
    need = Need(
        Place(
            match.path,
            tuple(match.hosts) if match.hosts else None,
            tuple(match.methods) if match.methods else None,
            frozenset(
                test.name.lower()
                for test in match.headers or ()
                if test.absent is None and not test.name.lower().startswith(ENVOY_PREFIX)
            ),
        ),
        counted=match.size is not None,
    )
    for path, wanted in (match.body or {}).items():
        null = wanted is None or (isinstance(wanted, list) and None in wanted)
        need = _both(need, _of_field(path, null=null))
    for fact, of_fact in by_fact.items():
        if getattr(match, fact, None) is not None:
            need = _both(need, of_fact)
    return need
