"""What `context`, `models` and `flags` say of facts, to the fields and conditions of the core."""

import re
from typing import Final

from sidecar.config import schema
from sidecar.config.countries import COUNTRIES, MEANT
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.fields import FieldOf, field_of_source
from sidecar.config.geoip import Databases
from sidecar.core.ranges import Ranges
from sidecar.core.rules.address import Client, ClientIn, CountryOf
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.facts import ON, PRIORITIES, Fact, Flag, Priority
from sidecar.core.rules.tokens import Tokens
from sidecar.core.rules.where import OneOf

_VALUED: Final = ("model", "tenant", "user", "organization", "tier", "segment", "region", "country")
_PRIORITY: Final = re.compile(r"(>=|<=|>|<|)\s*(\w+)")


class Facts:
    """The facts of one file."""

    def __init__(
        self,
        context: schema.Context,
        models: dict[str, str],
        flags: dict[str, bool],
        databases: Databases,
        findings: Findings,
        *,
        unknown_bytes: int = 1024 * 1024,
    ) -> None:
        """`unknown_bytes` are what a body is taken for of which nobody says how long it is."""
        self._client: Final = Client(context.client_ip.trusted_hops)
        self._databases: Final = databases
        more: dict[str, FieldOf] = {"geoip": self._geoip}
        self._sources: Final = {
            fact: _fields(fact, context, more, findings)
            for fact in schema.Context.model_fields
            if fact != "client_ip"
        }
        # Where a source is there and not sound, that alone is told.
        self._sourced: Final = {fact for fact in self._sources if getattr(context, fact)}
        aliases = _flattened(models, findings)
        self._facts: Final = {
            fact: Fact(
                fact,
                self._sources[fact],
                aliases if fact == "model" and aliases else None,
                upper=fact == "country",
            )
            for fact in _VALUED
        }
        self._priority: Final = Priority(self._sources["priority"])
        self._flags: Final = flags
        self.tokens: Final = Tokens(
            self._sources["prompt"],
            self._sources["max_tokens"],
            counted=self._sources["input_tokens"],
            unknown_bytes=unknown_bytes,
        )

    def names(self) -> list[str]:
        return [*self._sources, "client_ip"]

    def key(self, fact: str) -> tuple[Field, ...]:
        """The fields that may hold the fact, for one that names a client."""
        return (self._client,) if fact == "client_ip" else self._sources[fact]

    def field(self, fact: str) -> Fact:
        """The fact's value, as routes compare it."""
        return self._facts[fact]

    def has_source(self, fact: str) -> bool:
        return fact in self._sourced

    def client_in(self, ranges: list[str], where: Where, findings: Findings) -> ClientIn | None:
        """The client's address is in one of these; None when they are not sound."""
        if not ranges:
            findings.add(where, "must not be empty", "list at least one range, or leave it out")
            return None
        try:
            return ClientIn(self._client, tuple(ranges))
        except ValueError:
            for at, written in enumerate(ranges):
                try:
                    Ranges((written,))
                except ValueError as error:
                    message, _, remedy = str(error).partition(": write ")
                    findings.add((*where, at), message, f"write {remedy}" if remedy else "")
            return None

    def one_of(self, fact: str, values: list[str], where: Where, findings: Findings) -> Matcher | None:
        """The fact is one of these; None when they are not sound."""
        self._must_have_source(fact, where, findings)
        if not values or "" in values:
            findings.add(where, "must not be empty", "list at least one value, or leave it out")
            return None
        if fact == "country":
            _note_countries(values, where, findings)
        field = self._facts[fact]
        return OneOf(field, tuple(dict.fromkeys(field.meant(value) for value in values)))

    def conditions(self, match: schema.Match, where: Where, findings: Findings) -> list[Matcher]:
        """What this match asks of facts."""
        parts: list[Matcher] = []
        for fact in _VALUED:
            values: list[str] | None = getattr(match, fact)
            if values is None:
                continue
            condition = self.one_of(fact, values, (*where, fact), findings)
            if condition is not None:
                parts.append(condition)
        if match.client_ip is not None:
            client_in = self.client_in(match.client_ip, (*where, "client_ip"), findings)
            if client_in is not None:
                parts.append(client_in)
        if match.priority is not None:
            levels = _levels(match.priority, (*where, "priority"), findings)
            self._must_have_source("priority", (*where, "priority"), findings)
            if levels:
                parts.append(OneOf(self._priority, levels))
        if match.flag is not None:
            if not re.fullmatch(r"[\w.-]+", match.flag):
                findings.add(
                    (*where, "flag"),
                    f"{shown(match.flag)} is no name of a flag",
                    "use letters, digits, . - _",
                )
            else:
                held = self._flags.get(match.flag, False)
                parts.append(OneOf(Flag(match.flag, self._sources["flag"], held=held), (ON,)))
        return parts

    def _geoip(self, name: str, where: Where, findings: Findings) -> Field | None:
        countries = self._databases.countries(name, where, findings)
        return None if countries is None else CountryOf(self._client, name, countries)

    def _must_have_source(self, fact: str, where: Where, findings: Findings) -> None:
        if fact not in self._sourced:
            findings.add(where, f"context.{fact} has no source", "give it one")


def _fields(
    fact: str, context: schema.Context, more: dict[str, FieldOf], findings: Findings
) -> tuple[Field, ...]:
    sources: list[schema.Source] = getattr(context, fact)
    read = [
        field_of_source(source, ("context", fact, at), findings, more) for at, source in enumerate(sources)
    ]
    return tuple(field for field in read if field is not None)


def _note_countries(values: list[str], where: Where, findings: Findings) -> None:
    for at, value in enumerate(values):
        if value.upper() not in COUNTRIES:
            meant = MEANT.get(value.upper())
            findings.note(
                (*where, at),
                f"{shown(value)} is the code of no country",
                f"write {meant}" if meant else "write two letters of ISO 3166, such as DE",
            )


def _flattened(models: dict[str, str], findings: Findings) -> dict[str, str]:
    """Each alias with the model at the end of its chain."""
    flat: dict[str, str] = {}
    for alias in models:
        chain = [alias]
        while chain[-1] in models:
            following = models[chain[-1]]
            if following in chain:
                cycle = " to ".join([*chain[chain.index(following) :], following])
                findings.add(("models", alias), f"is an alias of itself: {cycle}", "end the chain at a model")
                break
            chain.append(following)
        flat[alias] = chain[-1]
    return flat


def _levels(text: str, where: Where, findings: Findings) -> tuple[str, ...]:
    found = _PRIORITY.fullmatch(text.strip())
    if found is None or found[2] not in PRIORITIES:
        findings.add(
            where,
            f"{shown(text)} is not a priority",
            f'write one of {", ".join(PRIORITIES)}, or a bound such as ">= high"',
        )
        return ()
    at = PRIORITIES.index(found[2])
    levels = {
        "": PRIORITIES[at : at + 1],
        ">=": PRIORITIES[at:],
        ">": PRIORITIES[at + 1 :],
        "<=": PRIORITIES[: at + 1],
        "<": PRIORITIES[:at],
    }[found[1]]
    if not levels:
        findings.add(where, f"no priority is {shown(text)}", f"they are {', '.join(PRIORITIES)}")
    return levels
