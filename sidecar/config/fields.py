"""The places in a request that a file names: headers, query parameters, cookies."""

import re
from collections.abc import Callable
from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.values import HEADER_NAME
from sidecar.core.rules.base import Field
from sidecar.core.rules.fields import CookieField, HeaderField, QueryField

_HEADER: Final = re.compile(HEADER_NAME)

FieldOf = Callable[[str, Where, Findings], Field | None]


def header_field(name: str, where: Where, findings: Findings) -> Field | None:
    lower = name.lower()
    if lower == "host" or lower.startswith(":"):
        findings.add(where, f"{shown(name)} is not asked for as a header", "use path, methods or hosts")
    elif not _HEADER.fullmatch(name):
        findings.add(where, f"{shown(name)} is not a header name", "use letters, digits and '-'")
    else:
        return HeaderField(lower)
    return None


def query_field(name: str, where: Where, findings: Findings) -> Field | None:
    if not name:
        findings.add(where, "must not be empty", "write the parameter's name")
        return None
    return QueryField(name)


def cookie_field(name: str, where: Where, findings: Findings) -> Field | None:
    if not name or any(c in '=;," \t' or not c.isprintable() for c in name):
        findings.add(where, f"{shown(name)} is not a cookie's name", "use letters, digits, '-' and '_'")
        return None
    return CookieField(name)


def listed(given: list[str]) -> str:
    return " and ".join(given) if given else "none"


def field_of_source(source: schema.Source, where: Where, findings: Findings) -> Field | None:
    """The field that a source of a fact names."""
    forms: dict[str, tuple[str | None, FieldOf]] = {
        "header": (source.header, header_field),
        "cookie": (source.cookie, cookie_field),
        "query": (source.query, query_field),
    }
    given = [kind for kind, (name, _) in forms.items() if name is not None]
    if len(given) != 1:
        findings.add(where, f"needs exactly one of {', '.join(forms)}, got {listed(given)}")
        return None
    name, field_of = forms[given[0]]
    return field_of(name or "", (*where, given[0]), findings)
