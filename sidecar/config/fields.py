"""The places in a request that a file names: headers, query parameters, cookies, parts of the path."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sidecar.config import schema
from sidecar.config.bodies import SOURCES
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.patterns import capturer
from sidecar.config.values import HEADER_NAME
from sidecar.core.rules.base import Field
from sidecar.core.rules.fields import CookieField, HeaderField, PathField, QueryField
from sidecar.names import ENVOY_PREFIX, INTERNAL_PREFIX

_HEADER: Final = re.compile(HEADER_NAME)

_SET_BY_ENVOY: Final = "x-envoy-external-address"
"""After it has taken off what a client sent under such names."""

FieldOf = Callable[[Any, Where, Findings], Field | None]
"""From what the file says of the place, most often its name."""

_NO_MORE: Final[Mapping[str, FieldOf]] = {}


def header_field(name: str, where: Where, findings: Findings) -> Field | None:
    lower = name.lower()
    if lower == "host" or lower.startswith(":"):
        findings.add(where, f"{shown(name)} is not asked for as a header", "use path, methods or hosts")
    elif not _HEADER.fullmatch(name):
        findings.add(where, f"{shown(name)} is not a header name", "use letters, digits and '-'")
    elif lower.startswith((INTERNAL_PREFIX, ENVOY_PREFIX)) and lower != _SET_BY_ENVOY:
        findings.add(
            where, f"Envoy lets no client send {shown(name)}", "give it a name that begins in another way"
        )
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


def path_field(pattern: str, where: Where, findings: Findings) -> Field | None:
    capture = capturer(pattern, where, findings)
    return None if capture is None else PathField(pattern, capture)


def listed(given: list[str]) -> str:
    return " and ".join(given) if given else "none"


def field_of_source(
    source: schema.Source, where: Where, findings: Findings, more: Mapping[str, FieldOf] = _NO_MORE
) -> Field | None:
    """The field that a source of a fact names. `more` makes those of the kinds that need more than a name."""
    forms: dict[str, FieldOf] = {
        "header": header_field,
        "cookie": cookie_field,
        "query": query_field,
        "path": path_field,
        **SOURCES,
        **more,
    }
    given = [kind for kind in schema.Source.model_fields if getattr(source, kind) is not None]
    if len(given) != 1 or given[0] not in forms:
        kinds = ", ".join(schema.Source.model_fields)
        findings.add(where, f"needs exactly one of {kinds}, got {listed(given)}")
        return None
    return forms[given[0]](getattr(source, given[0]), (*where, given[0]), findings)
