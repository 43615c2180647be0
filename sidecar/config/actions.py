"""What a route does besides sending requests to endpoints: answers, refusals, redirects, faults, mirrors."""

import re
from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.patterns import replacer
from sidecar.config.targets import Targets
from sidecar.core.happening import Happening
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Redirect, Reply

_KNOWN: Final = {
    reason.value: reason
    for reason in (
        Reason.RATE_LIMITED,
        Reason.MODEL_NOT_ALLOWED,
        Reason.INVALID_REQUEST,
        Reason.MAINTENANCE,
    )
}
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(:\d{1,5})?", re.ASCII)
_NO_BODY: Final = (204, 304)
_LONGEST_BODY: Final = 65536


def compile_direct(
    route: schema.Route, where: Where, findings: Findings
) -> Refusal | Reply | Redirect | None:
    """The answer of a route that needs no endpoint; None when it has none, or not a sound one."""
    if route.reject is not None:
        return _reject(route.name, route.reject, (*where, "reject"), findings)
    if route.respond is not None:
        return compile_respond(route.name, route.respond, (*where, "respond"), findings)
    if route.redirect is not None:
        return _redirect(route.name, route.redirect, (*where, "redirect"), findings)
    return None


def compile_happening(
    route: schema.Route, where: Where, targets: Targets, findings: Findings
) -> Happening | None:
    """Faults and mirrors; None when the route has none."""
    fault, mirror = route.fault, route.mirror
    if fault is None and mirror is None:
        return None
    delay = abort = None
    if fault is not None:
        delay, abort = fault.delay, fault.abort
        if delay is None and abort is None:
            findings.add((*where, "fault"), "does nothing", "give delay or abort, or leave it out")
    to = ""
    if mirror is not None and targets.cluster(mirror.to, (*where, "mirror", "to")) is not None:
        to = mirror.to
    return Happening(
        0 if delay is None else max(round(delay.for_ * 1000), 1),
        0.0 if delay is None else delay.share,
        0 if abort is None else abort.status,
        0.0 if abort is None else abort.share,
        to,
        0.0 if mirror is None else mirror.share,
    )


def _reject(name: str, reject: schema.Reject, where: Where, findings: Findings) -> Refusal | None:
    reason = reject.reason
    if not reason.strip() or len(reason) > 200 or not reason.isprintable():
        findings.add(
            (*where, "reason"),
            f"{shown(reason)} is no reason",
            f"write {', '.join(sorted(_KNOWN))}, or a short text for the client",
        )
        return None
    _check_body(reject.body or "", reject.status or 0, (*where, "body"), findings)
    status = reject.status or 0
    known = _KNOWN.get(reason)
    if known is not None:
        return Refusal(known, name, status=status, body=reject.body)
    return Refusal(Reason.REJECTED, name, status=status, message=reason, body=reject.body)


def compile_respond(name: str, respond: schema.Respond, where: Where, findings: Findings) -> Reply:
    _check_body(respond.body, respond.status, (*where, "body"), findings)
    headers = {key.lower(): value for key, value in respond.headers.items()}
    for given in respond.headers:
        if given.lower() in {"content-length", "transfer-encoding", "connection", "content-type"}:
            findings.add(
                (*where, "headers", given),
                f"{given} is Envoy's to write",
                "use content_type" if given.lower() == "content-type" else "leave it out",
            )
    if respond.body:
        headers["content-type"] = respond.content_type
    return Reply(name, respond.status, tuple(headers.items()), respond.body)


def _check_body(body: str, status: int, where: Where, findings: Findings) -> None:
    if body and status in _NO_BODY:
        findings.add(where, f"a {status} has no body", "leave it out")
    if len(body.encode()) > _LONGEST_BODY:
        findings.add(where, f"is longer than {_LONGEST_BODY} bytes", "let an endpoint answer")


def _redirect(name: str, redirect: schema.Redirect, where: Where, findings: Findings) -> Redirect | None:
    if redirect.path is None and redirect.host is None and redirect.scheme is None:
        findings.add(where, "leads to where it came from", "give path, host or scheme")
        return None
    if redirect.host is not None and not _HOST.fullmatch(redirect.host):
        findings.add((*where, "host"), f"{shown(redirect.host)} is not a host", "write a name or address")
    path = redirect.path
    if isinstance(path, schema.Replace):
        change = replacer(path.regex, path.replace, (*where, "path"), findings)
    elif path is None:
        change = None
    elif not path.startswith("/") or any(not "\x21" <= c <= "\x7e" or c == "#" for c in path):
        findings.add(
            (*where, "path"),
            f"{shown(path)} is not a path",
            "begin with /, and percent-encode what is not plain",
        )
        return None
    else:
        change = _Always(path)
    return Redirect(
        name,
        redirect.status,
        change,
        redirect.host or "",
        redirect.scheme or "",
        keep_query=redirect.keep_query,
    )


class _Always:
    def __init__(self, path: str) -> None:
        self._path: Final = path

    def __call__(self, path: str) -> str:  # noqa: ARG002
        return self._path
