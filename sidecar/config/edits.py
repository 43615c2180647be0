"""Changes of headers, path and host, refused where Envoy or the sidecar itself needs the header."""

import re
from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.patterns import replacer
from sidecar.core.plan import NO_CHANGES, HeaderChanges, Rewrite

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_INTERNAL: Final = ("x-sidecar-", "x-gateway-destination-endpoint")
_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", re.ASCII)


def compile_edits(edits: schema.HeaderEdits, where: Where, findings: Findings) -> HeaderChanges:
    if not (edits.set or edits.add or edits.remove):
        return NO_CHANGES
    removed = tuple(
        dict.fromkeys(_name(name, (*where, "remove", at), findings) for at, name in enumerate(edits.remove))
    )
    return HeaderChanges(
        _values(edits.set, (*where, "set"), findings), _values(edits.add, (*where, "add"), findings), removed
    )


def _values(values: dict[str, str], where: Where, findings: Findings) -> tuple[tuple[str, str], ...]:
    lowered: dict[str, str] = {}
    for name, value in values.items():
        lower = _name(name, (*where, name), findings)
        if lower in lowered:
            findings.add(
                (*where, name), "this header is here twice", "header names ignore case; keep one of them"
            )
        lowered[lower] = value
    return tuple(lowered.items())


def _name(name: str, where: Where, findings: Findings) -> str:
    lower = name.lower()
    if lower == "host":
        findings.add(where, "host is not changed as a header", "use rewrite: {host: …}")
    elif lower in _HOP_BY_HOP:
        findings.add(where, f"{lower} belongs to the connection and is Envoy's", "leave it out")
    elif lower.startswith(_INTERNAL):
        findings.add(where, f"{lower} is used between Envoy and the sidecar", "choose another name")
    return lower


def compile_rewrite(rewrite: schema.Rewrite, where: Where, findings: Findings) -> Rewrite | None:
    strip = rewrite.strip_prefix
    if strip is None and rewrite.path is None and rewrite.host is None:
        findings.add(where, "changes nothing", "give strip_prefix, path or host, or leave it out")
        return None
    if strip is not None:
        _check_strip(strip, (*where, "strip_prefix"), findings)
    replace = None
    if rewrite.path is not None:
        replace = replacer(rewrite.path.regex, rewrite.path.replace, (*where, "path"), findings)
    host = rewrite.host
    if host is not None and not (len(host) <= 260 and _AUTHORITY.fullmatch(host)):
        findings.add(
            (*where, "host"), f"{shown(host)} is not a host", "write a name, with a port where it needs one"
        )
    return Rewrite(strip or "", replace, host or "")


def _check_strip(strip: str, where: Where, findings: Findings) -> None:
    if not strip.startswith("/"):
        findings.add(where, f"must start with /, got {shown(strip)}")
    elif "//" in strip:
        findings.add(where, f"must not hold //, got {shown(strip)}", "write one /")
    elif "*" in strip:
        findings.add(where, f"a prefix takes no wildcards, got {shown(strip)}", "use path: {regex, replace}")
    elif not strip.strip("/"):
        findings.add(where, f"{shown(strip)} strips nothing", "leave it out")
