"""A route's `strategy` to what makes it: the class that the registry has under its name, with its options.

It is made once to try the options, and then once for each variant. An option is written as people say it, and
given as the class takes it: `by: user` becomes the fields that hold the user, `target: 200ms` the seconds of
`target_s`, `full: 90%` a share. What the file says elsewhere (regions, zones, where tokens are told) stands
in for options that are left out.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, get_args

from sidecar.config import schema, values
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.facts import Facts
from sidecar.config.fields import field_of_source
from sidecar.core.registry import SCORERS, STRATEGIES
from sidecar.core.rules.base import Field
from sidecar.core.rules.fields import PathField
from sidecar.core.strategies.base import Strategy

_FIELDS: Final = frozenset({"by", "prompt"})
"""Options that name places in the request."""
_SECONDS: Final = "_s"
NOT_WRITTEN: Final[Mapping[str, str]] = {
    "places": "regions.places",
    "order": "regions.order",
    "tokens": "context",
    "capacity": "zones",
    "local": "zones.local",
    "penalty": "zones.cross_zone.penalty",
    "most_across": "zones.cross_zone.max_share",
    "zone_by": "context.zone",
}
"""What a class takes from other sections than the route's, and from which."""
_SHARES: Final[Mapping[str, tuple[str, ...]]] = {
    "adaptive": ("cost",),
    "cache_aware": ("least_hits",),
    "least_connections_response_time": ("response_time", "connections"),
    "least_loaded": ("full",),
    "quota_aware": ("nearly_used", "trickle"),
}
"""Options that are parts of a whole, by strategy: 90 there is meant for 90 %."""
_PATH: Final = "path"
_NUMBERLIKE: Final = frozenset({"", "float"})
_LARGEST: Final = 1e15


class Options:
    """What options mean in one file."""

    def __init__(
        self,
        facts: Facts | None = None,
        regions: schema.Regions | None = None,
        zones: schema.Zones | None = None,
    ) -> None:
        self._facts: Final = facts
        self._regions: Final = schema.Regions() if regions is None else regions
        self._zones: Final = schema.Zones() if zones is None else zones

    def meant(
        self,
        written: Mapping[str, object],
        takes: Mapping[str, str] | None,
        where: Where,
        findings: Findings,
        shares: tuple[str, ...] = (),
    ) -> dict[str, Any] | None:
        """The options as the class takes them; None when one of them is not sound. `shares` are parts of a
        whole."""
        before = len(findings.problems)
        given: dict[str, Any] = {}
        for option, value in written.items():
            place = (*where, option)
            if option in _FIELDS and (takes is None or (takes.get(option) or "tuple") == "tuple"):
                given[option] = self._fields(value, place, findings)
            elif takes is not None and option + _SECONDS in takes:
                given[option + _SECONDS] = _converted(values.seconds, value, place, findings)
            elif option in shares:
                given[option] = _share(value, place, findings)
            else:
                kind = "" if takes is None else takes.get(option, "")
                if kind in _NUMBERLIKE and isinstance(value, str) and value.strip().endswith("%"):
                    value = _converted(values.share, value, place, findings)
                given[option] = value
                _check_kind(kind, value, place, findings)
        return None if len(findings.problems) > before else given

    def usual(self, name: str) -> dict[str, Any]:
        """What stands in for options of this strategy that are not written."""
        regions, zones, facts = self._regions, self._zones, self._facts
        match name:
            case "geo_nearest":
                order = regions.all_in_order
                return {
                    "by": self._fact("region"),
                    "places": {place: (at[0], at[1]) for place, at in regions.places.items()},
                    "order": tuple(order),
                    "threshold_s": regions.latency_threshold,
                }
            case "zone_aware":
                return {
                    "by": self._fact("zone"),
                    "capacity": zones.capacity,
                    "local": zones.local,
                    "penalty": zones.cross_zone.penalty,
                    "most_across": zones.cross_zone.max_share,
                }
            case "consistent_hash":
                return {"by": (*self._fact("session"), *self._fact("client_ip"))}
            case "learned":
                return {"by": self._fact("region")}
            case "cache_aware":
                return {"by": self._fact("prompt")}
            case "best_score":
                tokens = {} if facts is None else {"tokens": facts.tokens}
                places = {"zone_by": self._fact("zone"), "local": zones.local}
                return {**tokens, **places, "prompt": self._fact("prompt")}
            case "cost_optimized":
                return {} if facts is None else {"tokens": facts.tokens}
        return {}

    def _fact(self, fact: str) -> tuple[Field, ...]:
        return () if self._facts is None else self._facts.key(fact)

    def _fields(self, value: object, where: Where, findings: Findings) -> tuple[Field, ...]:
        """The places that hold it: a fact, the path, `{header: x}` and the like, or a list of these."""
        if isinstance(value, list) and value:
            return tuple(
                field for at, each in enumerate(value) for field in self._fields(each, (*where, at), findings)
            )
        if value == _PATH:
            return (PathField(_PATH, lambda path: path),)
        if isinstance(value, str) and self._facts is not None:
            if value in self._facts.names():
                fields = self._facts.key(value)
                if not fields:
                    findings.add(where, f"context.{value} has no source", "give it one")
                return fields
            findings.unknown(where, f"there is no fact {shown(value)}", value, [*self._facts.names(), _PATH])
            return ()
        if isinstance(value, dict) and len(value) == 1:
            ((kind, told),) = value.items()
            if kind in schema.Source.model_fields and isinstance(told, str):
                named: dict[str, Any] = {kind: told}
                field = field_of_source(schema.Source.model_construct(**named), where, findings)
                return () if field is None else (field,)
        findings.add(
            where,
            f"{shown(value)} names no place in a request",
            "write user, session, tenant, client_ip, path, or a mapping such as {header: x-key}",
        )
        return ()


PLAIN: Final = Options()


def compile_strategy(
    written: str | dict[str, dict[str, object]],
    where: Where,
    findings: Findings,
    known: Mapping[str, type[Strategy]] = STRATEGIES,
    *,
    options: Options = PLAIN,
) -> tuple[str, Callable[[], Strategy]] | None:
    """(name, what makes it) of `name` or `{name: {option: value}}`; None with its reason in the findings."""
    if isinstance(written, str):
        name = written
        chosen: dict[str, object] = {}
    elif len(written) == 1:
        name, chosen = next(iter(written.items()))
        where = (*where, name)
    else:
        findings.add(
            where, f"needs exactly one strategy, got {len(written)}", "write {name: {option: value}}"
        )
        return None
    made = known.get(name)
    if made is None:
        findings.unknown(where, f"unknown strategy {shown(name)}", name, known)
        return None
    takes = _options(made)
    names = {} if takes is None else {written_name(option): kind for option, kind in takes.items()}
    strange = [] if takes is None else [option for option in chosen if option not in names]
    for option in strange:
        if option in NOT_WRITTEN and option in options.usual(name):
            section = NOT_WRITTEN[option]
            findings.add((*where, option), f"counts for all routes and stands in {section}", "write it there")
        elif names:
            findings.unknown((*where, option), "unknown option", option, names)
        else:
            findings.add((*where, option), "unknown option", f"{name} takes no options")
    if strange:
        return None
    own = made is STRATEGIES.get(name)
    given = options.meant(chosen, takes, where, findings, _SHARES.get(name, ()) if own else ())
    if given is None:
        return None
    given = {**options.usual(name), **given} if own else given
    try:
        made(**given)
    except ValueError as error:
        _refuse(str(error), chosen, where, findings)
        return None
    except TypeError:  # its text speaks of Python
        told = ", ".join(f"{option} ({kind})" if kind else option for option, kind in names.items())
        findings.add(
            where, "an option is missing or of the wrong kind", f"{name} takes {told}" if told else ""
        )
        return None
    return name, partial(made, **given)


def _refuse(said: str, options: Mapping[str, object], where: Where, findings: Findings) -> None:
    """A class names the option first, `draw must be at least 2, got 1`: that becomes the place."""
    option, _, rest = said.partition(" ")
    option = written_name(option)
    if option in options and rest:
        findings.add((*where, option), rest)
    else:
        findings.add(where, f"its options are not usable: {said}")


def _converted(convert: Callable[[object], float], value: object, where: Where, findings: Findings) -> float:
    try:
        return convert(value)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        findings.add(where, message, remedy)
        return 0.0


def _share(value: object, where: Where, findings: Findings) -> float:
    """0 to 1."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        findings.add(where, f"{shown(value)} is no share of 0 to 1", f"write {value:g}%")
        return 0.0
    return _converted(values.share, value, where, findings)


def _check_kind(kind: str, value: object, where: Where, findings: Findings) -> None:
    """Whether the value is of this kind. Compiled classes refuse what is not, plain ones may use it."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "int" and not (number and isinstance(value, int)):
        near = f"write {value:.0f}" if isinstance(value, float) and isfinite(value) else "write one such as 8"
        findings.add(where, f"{shown(value)} is not a whole number", near)
    elif kind == "float" and not (number and -_LARGEST <= value <= _LARGEST):  # type: ignore[operator]
        findings.add(where, f"{shown(value)} is not a number", "write one such as 1.5")
    elif kind == "str" and not isinstance(value, str):
        findings.add(where, f"{shown(value)} is not text", "write a word")
    elif kind == "bool" and not isinstance(value, bool):
        findings.add(where, f"{shown(value)} is neither true nor false", "write true or false")


def written_name(option: str) -> str:
    """A duration is written with its unit, so its name needs none."""
    return option.removesuffix(_SECONDS)


def _options(made: type[Strategy]) -> dict[str, str] | None:
    """The class's options with their types, but what other sections say; None when it does not say, as a
    compiled class may not."""
    if made.__init__ is object.__init__:
        return {}
    try:
        parameters = inspect.signature(made).parameters.values()
    except ValueError:
        return None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return {each.name: _kind(each) for each in parameters if each.name not in NOT_WRITTEN}


def _kind(parameter: inspect.Parameter) -> str:
    """The name of its type; empty where nothing tells. Compiled classes say only what it is by default."""
    annotation: object = parameter.annotation
    if annotation is not parameter.empty:
        some = [each for each in get_args(annotation) if each is not NoneType]
        if isinstance(annotation, UnionType) and len(some) == 1:
            annotation = some[0]
        return getattr(annotation, "__name__", "")
    if parameter.default is None and parameter.name in SCORERS:
        return "float"
    if parameter.default is None or parameter.default is parameter.empty:
        return ""
    return type(parameter.default).__name__
