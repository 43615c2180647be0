"""The last good answer to each question, for when nobody is left to answer it.

A route that wants so keeps copies of what its endpoints answered. They are bounded in age, in size, in number
and in bytes altogether; what was taken longest ago goes first. A question is the method GET with the host,
the target and the values of the headers that an answer may vary by. Who asks with credentials is given
nothing, and nothing of theirs is kept, unless the route names the header: then each has answers of their own.
Answers end with what they were kept under: a route that leads elsewhere has none of its former self.
"""

from collections.abc import Mapping
from typing import Final, final

from sidecar.core.request import Headers, Request
from sidecar.names import ENVOY_PREFIX, INTERNAL_PREFIX, LOAD_HEADERS

CREDENTIALS: Final = ("authorization", "cookie", "proxy-authorization")
_PER_ANSWER: Final = 512
"""Bytes, about, that an answer takes besides its texts."""
_OF_ONE_CONNECTION: Final = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_MADE_ANEW: Final = frozenset(("content-length", "date", "age"))
_LEFT_OUT: Final = _OF_ONE_CONNECTION | _MADE_ANEW | frozenset(LOAD_HEADERS)
"""Load reports are not for clients, and in feedback by the response they are still there."""
_NOT_TO_BE_KEPT: Final = frozenset(("no-store", "private", "no-cache", "must-revalidate", "proxy-revalidate"))
"""For one client alone, or never to be given without asking: RFC 9111, sections 4.2.4 and 5.2.2."""
_LIFETIMES: Final = frozenset(("max-age", "s-maxage"))


@final
class Keeping:
    """What a route keeps. Names of headers are lower-case; sizes are in bytes, `most_bytes` of all together.

    An answer that is younger than `refresh_s` is not taken again. `identity` are headers that count as
    credentials besides those that always do, and `verified` is metadata (namespace, path) that does.
    `leads_to` tells by what, and to whom, the route sends requests. `under_way` counts the bytes of copies
    that are not whole yet: all of them together take no more than what is kept may.
    """

    def __init__(
        self,
        max_age_s: float,
        max_size: int,
        entries: int,
        most_bytes: int,
        refresh_s: float,
        vary: tuple[str, ...],
        identity: tuple[str, ...] = (),
        verified: tuple[tuple[str, str], ...] = (),
        leads_to: str = "",
    ) -> None:
        self.max_age_s: Final = max_age_s
        self.max_size: Final = max_size
        self.entries: Final = entries
        self.most_bytes: Final = most_bytes
        self.refresh_s: Final = refresh_s
        self.vary: Final = vary
        self.under_way: int = 0
        self.refused: Final = tuple([name for name in (*CREDENTIALS, *identity) if name not in vary])
        self.verified: Final = verified
        self.leads_to: Final = leads_to

    def question(self, request: Request) -> str:
        """What the request asks; empty where nothing is kept for it."""
        if request.method not in {"GET", "HEAD"}:
            return ""
        headers = request.headers
        for name in self.refused:
            if headers.raw(name):
                return ""
        if not request.ends or _has_body(headers):  # an answer may be to what stands there
            return ""
        if self.verified and request.attached is not None:
            for namespace, path in self.verified:
                if request.attached.has_metadata(namespace, path):
                    return ""
        parts = [self.leads_to, request.authority.lower(), request.target]
        for name in self.vary:
            values = headers.values(name)
            parts.append("" if not values else "\x01" + "\x01".join(values))
        return "\x00".join(parts)

    def takes(self, status: int, headers: Headers) -> bool:
        """Whether an answer that begins so may be kept, and given to whoever asks the same."""
        if status != 200 or headers.raw("set-cookie"):
            return False
        if headers.raw("content-encoding") and "accept-encoding" not in self.vary:
            return False
        for control in headers.values("cache-control"):
            for directive in control.lower().split(","):
                name, _, value = directive.partition("=")
                name = name.strip()
                if name in _NOT_TO_BE_KEPT or (name in _LIFETIMES and not value.strip(' "0')):
                    return False
        for value in headers.values("vary"):
            for name in value.lower().split(","):
                if name.strip() and name.strip() not in self.vary:
                    return False
        written = headers.first("content-length")
        if written is None:
            return True
        return written.isascii() and written.isdigit() and len(written) < 16 and int(written) <= self.max_size

    def same(self, other: "Keeping") -> bool:
        """Whether what was kept under the other may be given under this one."""
        return (
            self.vary == other.vary
            and self.refused == other.refused
            and self.verified == other.verified
            and self.leads_to == other.leads_to
            and self.max_size == other.max_size
            and self.entries == other.entries
            and self.most_bytes == other.most_bytes
        )


def _has_body(headers: Headers) -> bool:
    return bool(headers.raw("transfer-encoding")) or (headers.first("content-length") or "0").strip() != "0"


@final
class Kept:
    """An answer with status 200, as it came at `at`. `made_at` is earlier where a cache had it before."""

    def __init__(self, headers: tuple[tuple[str, str], ...], body: bytes, at: float, made_at: float) -> None:
        self.headers: Final = headers
        self.body: Final = body
        self.at: Final = at
        self.made_at: Final = made_at


def _age_s(headers: Headers) -> int:
    """As a cache on the way says; 0 where none does."""
    written = headers.first("age") or ""
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0


def _lasting(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Those that may be said again, by name in lower case. UnicodeDecodeError where one is no text."""
    found: list[tuple[str, str]] = []
    for name in headers.names():
        if not name.startswith((":", INTERNAL_PREFIX, ENVOY_PREFIX)) and name not in _LEFT_OUT:
            found.extend([(name, value.decode("utf-8")) for value in headers.raw(name)])
    return tuple(found)


@final
class _Shelf:
    """Of one route."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self.by_question: Final[dict[str, Kept]] = {}
        self.size = 0

    def put(self, question: str, kept: Kept) -> None:
        self.drop(question)
        size = _size(question, kept)
        if size > self.keeping.most_bytes:
            return
        self.by_question[question] = kept
        self.size += size
        while self.size > self.keeping.most_bytes or len(self.by_question) > self.keeping.entries:
            self.drop(next(iter(self.by_question)))

    def drop(self, question: str) -> None:
        old = self.by_question.pop(question, None)
        if old is not None:
            self.size -= _size(question, old)


def _size(question: str, kept: Kept) -> int:
    size = _PER_ANSWER + len(question) + len(kept.body)
    for name, value in kept.headers:
        size += len(name) + len(value)
    return size


@final
class LastGood:
    """The answers of all routes that keep some, by the route's name."""

    def __init__(self) -> None:
        self._shelves: Final[dict[str, _Shelf]] = {}

    def __len__(self) -> int:
        return sum([len(shelf.by_question) for shelf in self._shelves.values()])

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum([shelf.size for shelf in self._shelves.values()])

    def of(self, route: str, question: str, now: float) -> Kept | None:
        """The answer that may be given now. Reading takes nothing away."""
        shelf = self._shelves.get(route)
        if shelf is None or not question:
            return None
        kept = shelf.by_question.get(question)
        return None if kept is None or now - kept.made_at > shelf.keeping.max_age_s else kept

    def wanted(self, route: str, question: str, now: float) -> bool:
        """Whether a copy of the answer to this is worth taking."""
        shelf = self._shelves.get(route)
        if shelf is None or not question:
            return False
        kept = shelf.by_question.get(question)
        return kept is None or now - kept.at >= shelf.keeping.refresh_s

    def keep(self, route: str, question: str, headers: Headers, body: bytes, now: float) -> None:
        """A whole answer that the route's `Keeping` takes; one that is none, by what its headers say, is
        left out."""
        shelf = self._shelves.get(route)
        if shelf is None or len(body) > shelf.keeping.max_size:
            return
        written = headers.first("content-length")
        if written is not None and int(written) != len(body):
            return
        try:
            shelf.put(question, Kept(_lasting(headers), body, now, now - _age_s(headers)))
        except UnicodeDecodeError:
            return

    def adopt(self, keeping: Mapping[str, Keeping]) -> None:
        """A new plan has these routes that keep answers, by name, and no others."""
        for route in [route for route in self._shelves if route not in keeping]:
            del self._shelves[route]
        for route, rule in keeping.items():
            shelf = self._shelves.get(route)
            if shelf is None or not shelf.keeping.same(rule):
                self._shelves[route] = _Shelf(rule)
            else:
                shelf.keeping = rule
