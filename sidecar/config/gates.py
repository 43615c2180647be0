"""The `gates` of the file to those of the core: conditions that refuse."""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.facts import Facts
from sidecar.config.fields import header_field, listed
from sidecar.config.matches import path_condition
from sidecar.config.messages import NO_SUM
from sidecar.config.sections import Draft
from sidecar.core.gates import Gate
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.keys import Filled, KeyKnown
from sidecar.core.rules.logic import All, AnyOf, Not
from sidecar.core.rules.media import TypeIn
from sidecar.core.rules.size import SizeWithin

KINDS: Final = ("ip", "country", "require", "upload")
_COUNTRY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]")
"""A letter and a digit is what proxies write for what is no country, such as T1."""
_SUM: Final = re.compile(r"[0-9a-fA-F]{64}")
_NOTHING: Final = sha256(b"").hexdigest()
_TYPE: Final = re.compile(
    r"(\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126})/(\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126})"
)


def gate_name(name: str | None, kind: str, at: int) -> str:
    """The gate's own, else its kind and place in the list, from 1: `ip-1`."""
    return name or f"{kind}-{at + 1}"


def compile_gates(drawn: Draft, facts: Facts, findings: Findings) -> tuple[Gate, ...]:
    """In the order of the file; what is not sound stands in the findings."""
    gates: list[Gate] = []
    names: dict[str, int] = {}
    for at, written in enumerate(drawn.config.gates):
        where = ("gates", at)
        given = [kind for kind in KINDS if getattr(written, kind) is not None]
        if len(given) != 1:
            if where not in drawn.faulty:
                findings.add(where, f"needs exactly one of {', '.join(KINDS)}, got {listed(given)}")
            continue
        name = gate_name(written.name, given[0], at)
        if name in names:
            findings.add(
                (*where, "name"),
                f"{shown(name)} is the name of gates[{names[name]}] already",
                "rename one of them",
            )
        names.setdefault(name, at)
        gates.extend(_gates(name, written, (*where, given[0]), facts, findings))
    return tuple(gates)


def _gates(name: str, written: schema.Gate, where: Where, facts: Facts, findings: Findings) -> Sequence[Gate]:
    if written.ip is not None:
        return _ip(name, written.ip, where, facts, findings)
    if written.country is not None:
        return _country(name, written.country, where, facts, findings)
    if written.require is not None:
        return _require(name, written.require, where, findings)
    if written.upload is not None:
        return _upload(name, written.upload, where, findings)
    return ()


def _ip(name: str, gate: schema.IpGate, where: Where, facts: Facts, findings: Findings) -> Sequence[Gate]:
    refuses: list[Matcher] = []
    if gate.allow:
        allowed = facts.client_in(gate.allow, (*where, "allow"), findings)
        if allowed is not None:
            refuses.append(Not(allowed))
    if gate.block:
        blocked = facts.client_in(gate.block, (*where, "block"), findings)
        if blocked is not None:
            refuses.append(blocked)
    _must_refuse(gate.allow or gate.block, where, findings)
    refusal = Refusal(Reason.ADDRESS_NOT_ALLOWED, gate=name, status=gate.status)
    return (Gate(name, All((*_paths(gate.paths, where, findings), _any(refuses))), refusal),)


def _country(
    name: str, gate: schema.CountryGate, where: Where, facts: Facts, findings: Findings
) -> Sequence[Gate]:
    refuses: list[Matcher] = []
    for key, codes in (("allow", gate.allow), ("block", gate.block)):
        for at, code in enumerate(codes):
            if not _COUNTRY.fullmatch(code):
                findings.add(
                    (*where, key, at), f"{shown(code)} is no country", "write two letters, such as DE"
                )
        if codes and all(codes):
            condition = facts.one_of("country", codes, (*where, key), findings)
            if condition is not None:
                refuses.append(Not(condition) if key == "allow" else condition)
    _must_refuse(gate.allow or gate.block, where, findings)
    paths = _paths(gate.paths, where, findings)
    if gate.override:
        findings.note((*where, "override"), f"the gate {name} lets everybody pass")
        return ()
    refusal = Refusal(Reason.COUNTRY_NOT_ALLOWED, gate=name, status=gate.status)
    return (Gate(name, All((*paths, _any(refuses))), refusal),)


def _must_refuse(lists: list[str], where: Where, findings: Findings) -> None:
    if not lists:
        findings.add(where, "refuses nobody", "give allow or block")


def _require(name: str, gate: schema.RequireGate, where: Where, findings: Findings) -> Sequence[Gate]:
    paths = _paths(gate.paths, where, findings)
    header_field(gate.header, (*where, "header"), findings)
    for at, written in enumerate(gate.sha256):
        if not _SUM.fullmatch(written):  # not shown: it may be the key itself
            findings.add((*where, "sha256", at), *NO_SUM)
        elif written.lower() == _NOTHING:
            findings.add(
                (*where, "sha256", at),
                "is the sum of an empty text, which is no key",
                "write what `printf %s KEY | sha256sum` prints, with the key itself for KEY",
            )
    sums = tuple(written.lower() for written in gate.sha256)
    required = KeyKnown(gate.header, sums) if sums else Filled(gate.header)
    refusal = Refusal(Reason.HEADER_REQUIRED, gate=name, status=gate.status)
    return (Gate(name, All((*paths, Not(required))), refusal),)


def _upload(name: str, gate: schema.UploadGate, where: Where, findings: Findings) -> Sequence[Gate]:
    """One gate for the size and one for the type: they refuse with different statuses."""
    path = path_condition(gate.path, (*where, "path"), findings)
    paths = () if path is None else (path,)
    gates = []
    if gate.max_size is not None:
        larger = All((*paths, SizeWithin(gate.max_size + 1)))
        gates.append(Gate(name, larger, Refusal(Reason.TOO_LARGE, gate=name)))
    for at, each in enumerate(gate.types):
        if not _TYPE.fullmatch(each) or (each.startswith("*/") and each != "*/*"):
            findings.add(
                (*where, "types", at),
                f"{shown(each)} is no content type",
                "write such as image/png or image/*",
            )
    if gate.types:
        other = All((*paths, Not(TypeIn(tuple(gate.types)))))
        gates.append(Gate(name, other, Refusal(Reason.TYPE_NOT_ALLOWED, gate=name)))
    if not gates:
        findings.add(where, "refuses nothing", "give max_size or types")
    return gates


def _paths(paths: list[str], where: Where, findings: Findings) -> tuple[Matcher, ...]:
    """None where all paths are meant."""
    found = [path_condition(path, (*where, "paths", at), findings) for at, path in enumerate(paths)]
    usable = [path for path in found if path is not None]
    return (_any(usable),) if usable else ()


def _any(matchers: list[Matcher]) -> Matcher:
    return matchers[0] if len(matchers) == 1 else AnyOf(tuple(matchers))
