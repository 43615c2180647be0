"""A route's `sticky` to the plan: what a client is known by, and the cookie that it is given."""

import re
from collections.abc import Sequence
from secrets import token_bytes
from typing import Final, final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.facts import Facts
from sidecar.config.fields import field_of_source
from sidecar.config.geoip import Databases
from sidecar.config.sections import Draft
from sidecar.config.targets import Chosen
from sidecar.config.values import HEADER_NAME
from sidecar.core.cookie import SessionCookie
from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.base import Field
from sidecar.core.rules.fields import CookieField, HeaderField
from sidecar.core.seal import SHORTEST_SECRET, Seal
from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.sticky import Sticky

_OF_THIS_PROCESS: Final = token_bytes(32)
_MOST_SECRET_BYTES: Final = 4096
_TOKEN: Final = re.compile(HEADER_NAME)
"""RFC 6265 takes the same names for cookies as HTTP for headers."""
_NEEDS_TLS: Final = ("__host-", "__secure-")
_DESTINATIONS: Final = ("to", "pool", "split")
_DIRECT: Final = ("redirect", "respond", "reject", "set")


@final
class Session:
    """What a route knows its clients by. `key` are the fields that may hold it."""

    def __init__(
        self,
        key: tuple[Field, ...] = (),
        timeout_s: float = 0.0,
        cookie: SessionCookie | None = None,
        route: str = "",
    ) -> None:
        self.key: Final = key
        self.cookie: Final = cookie
        self._timeout_s: Final = timeout_s
        self._scope: Final = f"route {route}" if cookie is None else f"cookie {cookie.name}"

    def around(self, strategy: Strategy, arm: str, *, linked: bool = False) -> Strategy:
        """The strategy of this arm; as it is where clients are not known by anything.

        With `linked`, that of a link that the arm goes on to. Its sessions are its own: when the arm has
        somebody again, a client with a key goes back to where it was.
        """
        if not self.key and self.cookie is None:
            return strategy
        return Sticky(
            strategy,
            self.key,
            timeout_s=self._timeout_s,
            cookie=self.cookie,
            arm=arm,
            scope="" if linked else f"{self._scope}\x00{arm}",
        )


@final
class Sessions:
    """Those of one file. Routes with the same cookie share them."""

    def __init__(self, cookies: schema.Cookies, files: Databases, findings: Findings) -> None:
        self._own_secret: Final = not cookies.secrets
        self._seal: Final = _seal(cookies.secrets, files, findings)
        self._first: Final[dict[str, tuple[int | str, dict[str, set[str]]]]] = {}
        self._told = False

    def of(
        self,
        route: schema.Route,
        where: Where,
        drawn: Draft,
        facts: Facts,
        arms: Sequence[tuple[Chosen, float]] | None,
        links: Sequence[Endpoint],
        findings: Findings,
    ) -> Session:
        """None of the `arms` where the route asks no endpoint; each of them goes on to the `links`. What is
        not sound stands in the findings."""
        sticky = route.sticky
        if sticky is None:
            return Session()
        place = (*where, "sticky")
        if not drawn.unsure(where, *_DESTINATIONS, *_DIRECT):
            _check_use(route, sticky, place, findings)
        key = _key(sticky, place, drawn, facts, findings)
        if sticky.cookie is None:
            if sticky.by is None:
                findings.add(place, "needs by or cookie, got neither", "write such as by: session")
            if sticky.secure is not None:
                findings.add((*place, "secure"), "is for a cookie, and there is none", "leave it out")
            return Session(key, sticky.timeout, route=route.name)
        if not _is_name(sticky.cookie, sticky.secure, key, (*place, "cookie"), findings) or not arms:
            return Session(key, sticky.timeout, route=route.name)
        self._note(route, sticky, place, findings)
        endpoints = {chosen.name: chosen.endpoints for chosen, _ in arms}
        named = {name: {each.key for each in listed} for name, listed in endpoints.items()}
        first = self._first.setdefault(sticky.cookie, (where[-1], named))
        if first[1] != named:
            findings.add(
                (*place, "cookie"),
                f"{shown(sticky.cookie)} is the cookie of routes[{first[0]}], which goes to other endpoints",
                "give it another name",
            )
        leads_to = {name: (*listed, *links) for name, listed in endpoints.items()}
        cookie = SessionCookie(sticky.cookie, self._seal, sticky.timeout, leads_to, sticky.secure)
        return Session(key, sticky.timeout, cookie, route.name)

    def _note(self, route: schema.Route, sticky: schema.Sticky, where: Where, findings: Findings) -> None:
        if self._own_secret and not self._told:
            self._told = True
            findings.note(
                (*where, "cookie"),
                "cookies end with the process, and no other sidecar knows them",
                "give cookies.secrets a file",
            )
        if sticky.by is None and route.share is not None and route.share < 1:
            findings.note(
                (*where, "cookie"),
                "who is in the share is drawn for each request, as only those in it get the cookie",
                "give it by",
            )


def _seal(names: list[str], files: Databases, findings: Findings) -> Seal:
    found: list[bytes] = []
    for at, name in enumerate(names):
        where = ("cookies", "secrets", at)
        secret = files.content(name, _MOST_SECRET_BYTES, where, findings)
        if secret is None:
            continue
        secret = secret.strip(b"\r\n")  # editors end a file with a line
        if len(secret) < SHORTEST_SECRET:
            findings.add(
                where,
                f"{shown(name)} holds {len(secret)} bytes, and a secret needs {SHORTEST_SECRET}",
                "make one with head -c 32 /dev/urandom | base64",
            )
        elif secret in found:
            findings.add(where, f"{shown(name)} holds a secret that is there already", "keep one of them")
        else:
            found.append(secret)
    return Seal(tuple(found) or (_OF_THIS_PROCESS,))


def _check_use(route: schema.Route, sticky: schema.Sticky, where: Where, findings: Findings) -> None:
    """A route that asks no endpoint has clients to keep in its share only."""
    given = [key for key in _DIRECT if getattr(route, key) is not None]
    if not given or any(getattr(route, key) is not None for key in _DESTINATIONS):
        return
    if route.share is None:
        findings.add(where, f"keeps clients at an endpoint, and {given[0]} asks none", "leave it out")
    else:
        for key in ("timeout", "cookie"):
            if key in sticky.model_fields_set:
                findings.add((*where, key), f"is for an endpoint, and {given[0]} asks none", "leave it out")


def _key(
    sticky: schema.Sticky, where: Where, drawn: Draft, facts: Facts, findings: Findings
) -> tuple[Field, ...]:
    by = sticky.by
    place = (*where, "by")
    if by is None:
        return ()
    if isinstance(by, schema.StickyHeader):
        return (HeaderField(by.header.lower()),)
    if isinstance(by, schema.StickyCookie):
        field = field_of_source(schema.Source(cookie=by.cookie), place, findings)
        return () if field is None else (field,)
    fields = facts.key(by)
    if not fields and not drawn.unsure(("context",), by):
        findings.add(place, f"context.{by} has no source", "give it one")
    return fields


def _is_name(
    name: str, secure: bool | None, key: tuple[Field, ...], where: Where, findings: Findings
) -> bool:
    before = len(findings.problems)
    if not _TOKEN.fullmatch(name):
        findings.add(where, f"{shown(name)} is not a cookie's name", "use letters, digits, '-' and '_'")
    elif name.lower().startswith(_NEEDS_TLS) and not secure:
        findings.add(
            where, f"browsers take {shown(name)} over TLS only", "write secure: true, or give it another name"
        )
    elif any(isinstance(field, CookieField) and field.name() == CookieField(name).name() for field in key):
        findings.add(
            where,
            f"{shown(name)} is the cookie that the client is known by, and would be written over",
            "give it another name",
        )
    return len(findings.problems) == before
