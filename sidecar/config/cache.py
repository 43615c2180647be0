"""What a route says of answers that are given again, to the rules of the core; and what cannot be meant.

An answer to somebody who says who it is may be for that one alone. How that is said, the file tells itself:
by the sources of facts that name somebody, and by the headers that its gates require.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.core.plan import Variant
from sidecar.core.state.answers import CREDENTIALS, Keeping
from sidecar.names import JWT_CLAIMS, JWT_NAMESPACE

_USUAL: Final = (
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-auth-token",
    "x-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-user",
)
"""Headers by which clients, or proxies before Envoy, commonly say who asks."""
_WHO: Final = ("session", "user", "tenant", "organization", "tier", "segment")
"""The facts that name somebody, or those to whom somebody belongs."""
_ASKED: Final = (
    "model",
    "capabilities",
    "input_tokens",
    "max_tokens",
    "max_price",
    "latency_target",
    "deadline",
    "exclude",
    "prefer",
)
"""By these a request may ask something of endpoints. Where the sidecar answers, it asks the decision."""
_LARGEST: Final = 8 * 1024 * 1024
_MOST: Final = 1024 * 1024 * 1024


def keys_of(gates: list[schema.Gate]) -> tuple[str, ...]:
    """The headers that gates require, which may tell clients apart: an answer to one key is not for another.
    What are credentials anyhow has rules of its own."""
    required = [gate.require.header.lower() for gate in gates if gate.require is not None]
    return tuple(dict.fromkeys(name for name in required if name not in CREDENTIALS))


def identity_of(context: schema.Context, *, asking: bool = False) -> tuple[str, ...]:
    """The headers that count as credentials besides those that always do; with `asking`, those too by which
    requests ask something of endpoints."""
    sources = _sources(context, asking=asking)
    named = [source.header.lower() for source in sources if source.header is not None]
    return tuple(dict.fromkeys(name for name in (*_USUAL, *named) if name not in CREDENTIALS))


def verified_of(context: schema.Context, *, asking: bool = False) -> tuple[tuple[str, str], ...]:
    """The metadata, by namespace and path, that says so. Claims come with `authorization`."""
    found: list[tuple[str, str]] = []
    for source in _sources(context, asking=asking):
        if source.metadata is not None:
            found.append((source.metadata.namespace, source.metadata.path))
        elif source.claim is not None:
            found.append((JWT_NAMESPACE, JWT_CLAIMS))
    return tuple(dict.fromkeys(found))


def _sources(context: schema.Context, *, asking: bool) -> Iterator[schema.Source]:
    for fact in (*_WHO, *_ASKED) if asking else _WHO:
        yield from getattr(context, fact)


def compile_keeping(
    written: schema.Route, keys: tuple[str, ...], context: schema.Context, reached: Iterable[Variant]
) -> Keeping | None:
    """Which answers a route keeps that leads to those who are `reached`, for each of the `keys` its own; None
    for none."""
    told = written.last_good
    if told is None:
        return None
    vary = _vary(told.vary, keys)
    verified = verified_of(context)
    if "authorization" in vary:
        verified = tuple(each for each in verified if each[0] != JWT_NAMESPACE)
    return Keeping(
        told.max_age,
        told.max_size,
        told.entries,
        told.memory,
        told.refresh,
        vary,
        identity_of(context),
        verified,
        _way(written, reached),
    )


def check_last_good(written: schema.Route, where: Where, findings: Findings) -> None:
    told = written.last_good
    if told is None:
        return
    place = (*where, "last_good")
    check_vary(told.vary, (*place, "vary"), findings)
    for key, size, most, remedy in (
        ("max_size", told.max_size, _LARGEST, "Envoy takes an answer from the sidecar in one message"),
        ("memory", told.memory, _MOST, "it is the sidecar's own memory"),
    ):
        if size > most:
            findings.add((*place, key), f"must be at most {most >> 20}MB", remedy)
    if told.max_size > told.memory:
        findings.add(
            (*place, "max_size"), "one answer would take more than memory allows", "write at most memory"
        )
    if told.refresh >= told.max_age:
        findings.add(
            (*place, "refresh"),
            "an answer would be too old to be given before it is taken anew",
            "write less than max_age",
        )
    sticky = written.sticky
    if sticky is not None and sticky.cookie is not None and "cookie" not in _vary(told.vary):
        findings.note(
            place,
            "keeps next to nothing: answers that set the cookie of sticky are for one client, and so is what "
            "is asked with it",
            "leave out sticky.cookie, or write a route for what is the same for everybody",
        )


def _vary(names: list[str], keys: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(name.lower() for name in names), *keys)))


def _way(written: schema.Route, reached: Iterable[Variant]) -> str:
    """Tells this route from one of the same name that takes other requests, or sends them elsewhere, or
    otherwise than they came."""
    clusters = sorted({endpoint.cluster for variant in reached for endpoint in variant.endpoints})
    told = repr((clusters, written.match, written.rewrite, written.headers))
    return blake2b(told.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def check_cache(written: schema.Route, where: Where, findings: Findings) -> None:
    """What a route with a cache cannot have besides."""
    told = written.cache
    if told is None:
        return
    place = (*where, "cache")
    check_vary(told.vary, (*place, "vary"), findings)
    if told.ttl < 1:
        findings.add((*place, "ttl"), "must be at least 1s", "Envoy counts seconds")
    if written.split is not None:
        findings.add(
            place, "would give clients of one arm what another arm answered", "write a route for each arm"
        )
    if written.sticky is not None and written.sticky.cookie is not None:
        findings.add(
            place, "would give one client's cookie to others", "leave out sticky.cookie, or the cache"
        )


def check_vary(names: list[str], where: Where, findings: Findings) -> None:
    first: dict[str, int] = {}
    for at, name in enumerate(names):
        lower = name.lower()
        if lower in first:
            findings.add((*where, at), f"{shown(name)} is listed twice", "keep one of them")
        elif lower == "host":
            findings.add((*where, at), "answers differ by host in any case", "leave it out")
        elif name == "*":
            findings.add((*where, at), "nothing could ever be given again", "name the headers")
        first.setdefault(lower, at)
