"""The client's address, and what depends on it: ranges that hold it, the country that it is in.

Envoy appends the address of its peer to x-forwarded-for. So the right-most address is true, and each one to
the left of it as true as the proxy is that wrote it. What stands further left than the trusted proxies
reach is a client's own word and never looked at.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Final, final

from sidecar.core.ranges import NO_ADDRESS, Ranges, address_of, address_text
from sidecar.core.request import NOT_LOOKED_AT, Request
from sidecar.core.rules.base import Field, Matcher

_HEADER: Final = "x-forwarded-for"
_LONGEST: Final = 80
"""Characters of an address with blanks, brackets, zone and port around it."""
_SHOWN: Final = 8


@final
class Client(Field):
    """The client's address, as text where it is read as a field.

    With `trusted_hops` proxies before Envoy it is that many addresses left of the right-most one. Where
    there are fewer it is the right-most, as for Envoy's `xff_num_trusted_hops`: such a request came past
    the proxies. Where no address stands at its place, it is unknown.
    """

    def __init__(self, trusted_hops: int = 0) -> None:
        self._hops: Final = trusted_hops

    def address(self, request: Request) -> int:
        """As `ranges.address_of` gives it; NO_ADDRESS when it is unknown. Found once for each request."""
        if request.client == NOT_LOOKED_AT:
            request.client = self._found(request)
        return request.client

    def read(self, request: Request) -> list[str]:
        address = self.address(request)
        return [] if address == NO_ADDRESS else [address_text(address)]

    def name(self) -> str:
        return "client_ip"

    def _found(self, request: Request) -> int:
        """Reads from the right end only: a client must not make it slow by what it sends itself."""
        lines = request.headers.raw(_HEADER)
        left = self._hops
        for line in reversed(lines):
            end = len(line)
            while True:
                comma = line.rfind(b",", 0, end)
                if left == 0:
                    return _address(line[comma + 1 : end]) if end - comma <= _LONGEST else NO_ADDRESS
                left -= 1
                if comma < 0:
                    break
                end = comma
        if self._hops == 0 or not lines:
            return NO_ADDRESS
        line = lines[-1]
        comma = line.rfind(b",")
        return _address(line[comma + 1 :]) if len(line) - comma <= _LONGEST else NO_ADDRESS


def _address(entry: bytes) -> int:
    """Of one entry of the header: an address alone, or with a port, in brackets, with a zone."""
    text = entry.decode("utf-8", "surrogateescape").strip(" \t")
    if text.startswith("["):
        end = text.find("]")
        after = text[end + 1 :]
        if end < 0 or not (after == "" or _is_port(after)):
            return NO_ADDRESS
        text = text[1:end]
    elif text.count(":") == 1:
        colon = text.find(":")
        if not _is_port(text[colon:]):
            return NO_ADDRESS
        text = text[:colon]
    zone = text.find("%")
    return address_of(text if zone < 0 else text[:zone])


def _is_port(text: str) -> bool:
    digits = text[1:]
    return text[0] == ":" and len(digits) <= 5 and digits.isascii() and digits.isdigit()


@final
class ClientIn(Matcher):
    """The client's address is within one of the ranges; an unknown one is within none."""

    def __init__(self, client: Client, cidrs: tuple[str, ...]) -> None:
        self._client: Final = client
        self._ranges: Final = Ranges(cidrs)
        more = f" and {len(cidrs) - _SHOWN} more" if len(cidrs) > _SHOWN else ""
        self._text: Final = f"client_ip is in {', '.join(cidrs[:_SHOWN])}{more}"
        self._reads: Final = (_Within(client, self._ranges, cidrs),)

    def matches(self, request: Request) -> bool:
        return self._ranges.holds(self._client.address(request))

    def text(self) -> str:
        return self._text

    def seen(self, request: Request) -> str:
        address = self._client.address(request)
        return "unknown" if address == NO_ADDRESS else address_text(address)

    def reads(self) -> tuple[Field, ...] | None:
        return self._reads


@final
class _Within(Field):
    """Whether the client is within the ranges: two values, where the address itself would have as many as
    there are clients."""

    def __init__(self, client: Client, ranges: Ranges, cidrs: tuple[str, ...]) -> None:
        self._client: Final = client
        self._ranges: Final = ranges
        # Equal for equal ranges only, and short however many there are.
        self._name: Final = f"client_ip in {sha256(' '.join(cidrs).encode()).hexdigest()}"

    def read(self, request: Request) -> list[str]:
        return ["in"] if self._ranges.holds(self._client.address(request)) else ["out"]

    def name(self) -> str:
        return self._name


@final
class CountryOf(Field):
    """The country of the client's address, by a look-up that is handed in: of an address as
    `ranges.address_of` gives it, the country's code, or the empty text."""

    def __init__(self, client: Client, database: str, lookup: Callable[[int], str]) -> None:
        self._client: Final = client
        self._database: Final = database
        self._lookup: Final = lookup

    def read(self, request: Request) -> list[str]:
        address = self._client.address(request)
        code = "" if address == NO_ADDRESS else self._lookup(address)
        return [code] if code else []

    def name(self) -> str:
        return f"geoip {self._database}"
