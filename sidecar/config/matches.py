"""A route's `match` to the matcher of the core: what is given must all hold; all, any and not nest."""

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote

from sidecar.config import schema
from sidecar.config.bodies import body_conditions
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.facts import Facts
from sidecar.config.fields import FieldOf, cookie_field, header_field, listed, query_field
from sidecar.config.patterns import searcher
from sidecar.config.sizes import size_condition
from sidecar.config.windows import window_condition
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.fields import MethodField
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import All, AnyOf, Not
from sidecar.core.rules.path import PathIs, PathPattern, PathRegex, PathStarts, PathUnder
from sidecar.core.rules.where import Contains, EndsWith, OneOf, Present, Regex, StartsWith
from sidecar.normal import normal

MOST_DEPTH: Final = 32
_KINDS: Final = ("exact", "prefix", "regex")
_TESTS: Final = ("exact", "prefix", "suffix", "contains", "regex", "present", "absent")
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")

_METHOD_FIELD: Final = MethodField()


def compile_match(match: schema.Match, where: Where, facts: Facts, findings: Findings) -> All:
    """The conditions in the order path, hosts, methods, headers, query, cookies, size, body, facts, any, all,
    not.

    What cannot be compiled stands in `findings` and is left out.
    """
    return All(tuple(_parts(match, where, facts, findings, 1)))


def _parts(match: schema.Match, where: Where, facts: Facts, findings: Findings, depth: int) -> list[Matcher]:
    if depth > MOST_DEPTH:
        findings.add(where, f"match is nested more than {MOST_DEPTH} deep", "say it with fewer levels")
        return []
    parts: list[Matcher] = []
    if match.path is not None:
        path = path_condition(match.path, (*where, "path"), findings)
        if path is not None:
            parts.append(path)
    if match.hosts is not None:
        hosts = _hosts(match.hosts, (*where, "hosts"), findings)
        if hosts is not None:
            parts.append(hosts)
    if match.methods is not None:
        methods = _methods(match.methods, (*where, "methods"), findings)
        if methods is not None:
            parts.append(methods)
    if match.headers:
        parts.extend(_texts(match.headers, (*where, "headers"), findings, header_field))
    if match.query:
        parts.extend(_texts(match.query, (*where, "query"), findings, query_field))
    if match.cookies:
        parts.extend(_texts(match.cookies, (*where, "cookies"), findings, cookie_field))
    if match.size is not None:
        size = size_condition(match.size, (*where, "size"), findings)
        if size is not None:
            parts.append(size)
    if match.body is not None:
        parts.extend(body_conditions(match.body, (*where, "body"), findings))
    parts.extend(facts.conditions(match, where, findings))
    window = window_condition(match, where, findings)
    if window is not None:
        parts.append(window)
    if match.any is not None:
        alternatives = _nested(match.any, (*where, "any"), facts, findings, depth)
        if alternatives:
            parts.append(alternatives[0] if len(alternatives) == 1 else AnyOf(tuple(alternatives)))
    if match.all is not None:
        parts.extend(_nested(match.all, (*where, "all"), facts, findings, depth))
    if match.not_ is not None:
        parts.append(Not(_one(_parts(match.not_, (*where, "not"), facts, findings, depth + 1))))
    return [single for part in parts for single in (part.parts if isinstance(part, All) else (part,))]


def _one(parts: list[Matcher]) -> Matcher:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _nested(
    matches: list[schema.Match], where: Where, facts: Facts, findings: Findings, depth: int
) -> list[Matcher]:
    if not matches:
        findings.add(where, "must not be empty", "list at least one match, or leave it out")
    return [_one(_parts(match, (*where, at), facts, findings, depth + 1)) for at, match in enumerate(matches)]


def path_condition(path: str | schema.Path, where: Where, findings: Findings) -> Matcher | None:
    """None when it is not sound, which then stands in the findings."""
    if isinstance(path, str):
        if not _is_path(path, where, findings):
            return None
        if "*" not in path:
            return PathIs(path)
        for segment in path.split("/"):
            if "**" in segment and segment != "**":
                findings.add(where, f"{shown(path)} has ** within a segment", "write * there, or /**/")
                return None
        return PathPattern(path)
    given = [kind for kind in _KINDS if getattr(path, kind) is not None]
    if len(given) != 1:
        findings.add(where, f"needs exactly one of {', '.join(_KINDS)}, got {listed(given)}")
        return None
    if not path.whole_segments and path.prefix is None:
        findings.add((*where, "whole_segments"), "says something of a prefix only", "leave it out")
    if path.exact is not None:
        return PathIs(path.exact) if _is_path(path.exact, (*where, "exact"), findings) else None
    if path.prefix is not None:
        return _prefix(path.prefix, path.whole_segments, (*where, "prefix"), findings)
    pattern = path.regex or ""
    search = searcher(pattern, (*where, "regex"), findings)
    return None if search is None else PathRegex(pattern, search)


def _prefix(prefix: str, whole_segments: bool, where: Where, findings: Findings) -> Matcher | None:
    if "*" in prefix:
        findings.add(
            where,
            f"a prefix takes no wildcards, got {shown(prefix)}",
            f"write path: {prefix}" if prefix.isprintable() and len(prefix) <= 60 else "write it as path: …",
        )
        return None
    if not _is_path(prefix, where, findings, whole_segments=whole_segments):
        return None
    return PathUnder(prefix) if whole_segments else PathStarts(prefix)


def _is_path(path: str, where: Where, findings: Findings, *, whole_segments: bool = True) -> bool:
    """Without `whole_segments` the last one may go on."""
    if not path.startswith("/"):
        findings.add(where, f"must start with /, got {shown(path)}", "paths are matched from their beginning")
    elif "//" in path:
        findings.add(where, f"must not hold //, got {shown(path)}", "write one /")
    elif "?" in path or "#" in path:
        findings.add(where, f"{shown(path)} holds more than a path", "ask for parameters with query:")
    elif " " in path or not path.isprintable():
        findings.add(
            where, f"{shown(path)} holds a space or control character", "percent-encode it, as in %20"
        )
    elif not path.isascii():  # Envoy answers such a path with 400, so this would never match
        findings.add(where, f"{shown(path)} holds a letter outside ASCII", f"write {quote(path, '/*%')}")
    else:
        return _is_normal(path, "" if whole_segments else "x", where, findings)
    return False


def _is_normal(path: str, rest: str, where: Where, findings: Findings) -> bool:
    """No request has another path than a normal one. `rest` is what a path may go on with."""
    try:
        seen = normal(path + rest)
    except ValueError as error:
        findings.add(where, str(error), "no request has such a path")
        return False
    if seen == path + rest:
        return True
    spelling = seen.replace("//", "/").removesuffix(rest)
    findings.add(
        where, f"no request has the path {shown(path)}, as paths are made normal", f"write {spelling}"
    )
    return False


def _hosts(hosts: list[str], where: Where, findings: Findings) -> Matcher | None:
    if not hosts:
        findings.add(where, "must not be empty", "list at least one host, or leave it out")
    usable: list[str] = []
    for at, host in enumerate(hosts):
        name = _host_name(host)
        if name is None:
            findings.add(
                (*where, at),
                f"{shown(host)} is not a host",
                "write a name without a port, or *.name for all names below it",
            )
        else:
            usable.append(name)
    return HostIs(tuple(dict.fromkeys(usable))) if usable else None


def _host_name(host: str) -> str | None:
    """The host as a request has it: lower case, IPv6 without brackets; None when no request can have it."""
    name = host.lower()
    if len(name) <= 253 and _HOST.fullmatch(name):
        return name
    try:
        return str(IPv6Address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None


def _methods(methods: list[str], where: Where, findings: Findings) -> Matcher | None:
    usable = method_names(methods, where, findings)
    return OneOf(_METHOD_FIELD, usable) if usable else None


def method_names(methods: list[str], where: Where, findings: Findings) -> tuple[str, ...]:
    """In capitals, each once; what is no method stands in the findings and is left out."""
    if not methods:
        findings.add(where, "must not be empty", "list at least one method, or leave it out")
    usable: list[str] = []
    for at, method in enumerate(methods):
        if _METHOD.fullmatch(method):
            usable.append(method.upper())
        else:
            findings.add((*where, at), f"{shown(method)} is not a method", "write one such as GET or POST")
    return tuple(dict.fromkeys(usable))


def _texts(tests: list[schema.Text], where: Where, findings: Findings, field_of: FieldOf) -> list[Matcher]:
    matchers: list[Matcher] = []
    for at, test in enumerate(tests):
        field = field_of(test.name, (*where, at, "name"), findings)
        matcher = _text(test, field or _METHOD_FIELD, (*where, at), findings)
        if matcher is not None and field is not None:
            matchers.append(matcher)
    return matchers


def _text(test: schema.Text, field: Field, where: Where, findings: Findings) -> Matcher | None:
    given = [kind for kind in _TESTS if getattr(test, kind) is not None]
    if len(given) != 1:
        findings.add(where, f"needs exactly one of {', '.join(_TESTS)}, got {listed(given)}")
        return None
    if test.exact is not None:
        return OneOf(field, (test.exact,))
    if test.present is not None:
        return Present(field)
    if test.absent is not None:
        return Not(Present(field))
    if not (test.prefix or test.suffix or test.contains or test.regex):
        findings.add((*where, given[0]), "must not be empty", "write present: true for any value")
        return None
    if test.prefix is not None:
        return StartsWith(field, test.prefix)
    if test.suffix is not None:
        return EndsWith(field, test.suffix)
    if test.contains is not None:
        return Contains(field, test.contains)
    pattern = test.regex or ""
    search = searcher(pattern, (*where, "regex"), findings)
    return None if search is None else Regex(field, pattern, search)
