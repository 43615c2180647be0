"""What the rules may know of one request, whoever asked: Envoy, a RouteService caller, or a test.

Values stay bytes until a rule reads them, because most headers of most requests are never looked at.
"""

from collections.abc import Iterable
from typing import Final, final
from urllib.parse import unquote_plus

from mypy_extensions import mypyc_attr

_NOTHING: Final[list[str]] = []

NOT_LOOKED_AT: Final = -2
UNKNOWN_SIZE: Final = -1


@final
class Headers:
    """Header values by lower-case name.

    `first_raw` has the first value of each name; `repeated_raw` has all values of the names that came
    more than once. Bytes that are not UTF-8 decode to surrogates, and encode back to the same bytes.
    """

    def __init__(
        self, first_raw: dict[str, bytes], repeated_raw: dict[str, list[bytes]] | None = None
    ) -> None:
        self._first: Final = first_raw
        self._repeated: Final = repeated_raw

    def first(self, name: str) -> str | None:
        """The first value of the lower-case `name`."""
        raw = self._first.get(name)
        return None if raw is None else raw.decode("utf-8", "surrogateescape")

    def values(self, name: str) -> list[str]:
        """Every value of the lower-case `name`, in the order in which they came."""
        if self._repeated is not None:
            many = self._repeated.get(name)
            if many is not None:
                return [raw.decode("utf-8", "surrogateescape") for raw in many]
        raw = self._first.get(name)
        return _NOTHING if raw is None else [raw.decode("utf-8", "surrogateescape")]

    def raw(self, name: str) -> list[bytes]:
        """Every value of the lower-case `name` as it came."""
        if self._repeated is not None:
            many = self._repeated.get(name)
            if many is not None:
                return many
        raw = self._first.get(name)
        return [] if raw is None else [raw]

    def any_of(self, name: str, values: tuple[str, ...]) -> bool:
        """Whether some value of the lower-case `name` is one of these."""
        raw = self._first.get(name)
        if raw is None:
            return False
        if raw.decode("utf-8", "surrogateescape") in values:
            return True
        if self._repeated is not None and name in self._repeated:
            for value in self.values(name):
                if value in values:
                    return True
        return False

    def names(self) -> list[str]:
        return list(self._first)


def headers_of(pairs: Iterable[tuple[str, bytes]]) -> Headers:
    """Headers from (name, value) pairs; names may have any case and may repeat."""
    first: dict[str, bytes] = {}
    repeated: dict[str, list[bytes]] = {}
    for name, value in pairs:
        name = name.lower()
        if name not in first:
            first[name] = value
        elif name in repeated:
            repeated[name].append(value)
        else:
            repeated[name] = [first[name], value]
    return Headers(first, repeated or None)


@mypyc_attr(allow_interpreted_subclasses=True)
class Attached:
    """What comes with a request besides its head. Each call may take a while: rules ask when they must."""

    def body_json(self, path: str) -> str | None:
        """The value at the dotted path of a JSON body, as `rules.body.canonical` writes it, or None."""
        return None

    def body_size(self, enough: int, *, end: bool) -> int:
        """In bytes. Where the body goes on, any count of at least `enough` will do, and UNKNOWN_SIZE says
        that so many are not counted. `end` tells that the end is worth waiting for as well."""
        return UNKNOWN_SIZE

    def metadata(self, namespace: str, path: str) -> list[str]:
        """What a filter before the sidecar said of the request, as text; of a list, each value."""
        return _NOTHING

    def has_metadata(self, namespace: str, path: str) -> bool:
        """Whether there is anything at the path, be it an empty list."""
        return False

    def waits(self) -> bool:
        """Whether it was asked for something that is still to come."""
        return False

    def at_hand(self) -> bool:
        """Whether it may be asked for more than the rules need: without waiting, a refusal, or much work."""
        return True


@final
class Wishes:
    """What a trusted caller says of endpoints by itself: names of those that it excludes, and of those that
    it would rather have, in this order."""

    def __init__(self, exclude: tuple[str, ...] = (), prefer: tuple[str, ...] = ()) -> None:
        self.exclude: Final = exclude
        self.prefer: Final = prefer


@final
class Request:
    """One request. `target` is the path with its query, as `:path` has it; `authority` may carry a port.

    `ends` says that no body follows the head. What is resolved once for all rules is kept here: `facts` by
    name, and `client`, the client's address as a number. `priority` is what a route has set, empty for none.
    `received_at` is in seconds of the wall clock since 1970, for rules that ask the time of day. `wishes` is
    None for all that come through Envoy.
    """

    def __init__(
        self,
        method: str,
        authority: str,
        target: str,
        headers: Headers,
        attached: Attached | None = None,
        *,
        ends: bool = False,
    ) -> None:
        self.attached: Final = attached
        self.ends: Final = ends
        self.received_at = 0.0
        self.priority = ""
        self.wishes: Wishes | None = None
        self.client: int = NOT_LOOKED_AT
        self.facts: dict[str, list[str]] | None = None
        self.method: Final = method
        self.authority: Final = authority
        self.target: Final = target
        self.headers: Final = headers
        mark = target.find("?")
        self.path: Final = target if mark < 0 else target[:mark]
        self._query_at: Final = mark
        self._host: str | None = None
        self._query: dict[str, list[str]] | None = None
        self._cookies: dict[str, list[str]] | None = None

    @property
    def host(self) -> str:
        """The authority in lower case, without port and root dot; empty when it is too long for a name."""
        if self._host is None:
            self._host = _host_of(self.authority)
        return self._host

    @property
    def query(self) -> str:
        return "" if self._query_at < 0 else self.target[self._query_at + 1 :]

    def query_values(self, name: str) -> list[str]:
        """Decoded values of the query parameter `name`; a parameter without `=` has the empty value."""
        if self._query is None:
            self._query = _parsed_query(self.query)
        return self._query.get(name, _NOTHING)

    def cookie_values(self, name: str) -> list[str]:
        """Values of the cookie `name`, without the quotes that may surround them."""
        if self._cookies is None:
            self._cookies = _parsed_cookies(self.headers.values("cookie"))
        return self._cookies.get(name, _NOTHING)


def _host_of(authority: str) -> str:
    if len(authority) > 261:  # 253 of RFC 1035, brackets or a port; anything longer would only cost time
        return ""
    host = authority.lower()
    if host.startswith("["):  # an IPv6 literal keeps its colons
        end = host.find("]")
        return host[1:end] if end > 0 else host
    colon = host.find(":")
    if colon >= 0:
        host = host[:colon]
    return host.removesuffix(".")


def _parsed_query(query: str) -> dict[str, list[str]]:
    parsed: dict[str, list[str]] = {}
    escaped = "%" in query or "+" in query
    for part in query.split("&"):
        if part:
            equals = part.find("=")
            name = part if equals < 0 else part[:equals]
            value = "" if equals < 0 else part[equals + 1 :]
            if escaped:
                name = unquote_plus(name)
                value = unquote_plus(value)
            _append(parsed, name, value)
    return parsed


def _parsed_cookies(headers: list[str]) -> dict[str, list[str]]:
    parsed: dict[str, list[str]] = {}
    for header in headers:
        for part in header.split(";"):
            equals = part.find("=")
            if equals >= 0:
                value = part[equals + 1 :].strip()
                if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
                    value = value[1:-1]
                _append(parsed, part[:equals].strip(), value)
    return parsed


def _append(parsed: dict[str, list[str]], name: str, value: str) -> None:
    values = parsed.get(name)
    if values is None:
        parsed[name] = [value]
    else:
        values.append(value)
