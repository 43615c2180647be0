"""What a configuration compiles to: frozen, shared by all requests of its generation, replaced whole."""

from collections.abc import Callable, Mapping
from typing import Final, final

from sidecar.core.cookie import SessionCookie
from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.base import Filter
from sidecar.core.gates import Gate, Gates
from sidecar.core.happening import Happening
from sidecar.core.refusal import Refusal
from sidecar.core.reply import Redirect, Reply
from sidecar.core.request import Request
from sidecar.core.retries import Retries
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.index import RuleIndex
from sidecar.core.rules.logic import All, AnyOf
from sidecar.core.rules.path import ANYWHERE, PathMatcher
from sidecar.core.rules.tokens import Tokens
from sidecar.core.split import Split
from sidecar.core.state.answers import Keeping
from sidecar.core.strategies.base import Strategy
from sidecar.core.watch import RegionRule

_NONE: Final[Mapping[str, str]] = {}


@final
class Variant:
    """One arm of a route: a pool of endpoints and the strategy that picks among them.

    `pool` is its name in the state, unique in the plan and the same after a reload. `share` is its share of
    the route's requests, 0 to 1. `links` are the pools that a `strategy` which chains pools goes on to.
    `panic` is the share of healthy and degraded endpoints under which health does not count. `others` are the
    same arm with another strategy each, by the word that a request chooses it with. `otherwise` is the answer
    where every endpoint is out. Where there is neither that nor a link, and it is `linked` to no arm itself,
    an arm `recovers` by trying who is out.
    """

    def __init__(
        self,
        name: str,
        pool: str,
        endpoints: tuple[Endpoint, ...],
        strategy: Strategy,
        strategy_name: str,
        share: float = 1.0,
        links: "tuple[Variant, ...]" = (),
        panic: float = 0.0,
        others: "dict[str, Variant] | None" = None,
        otherwise: Reply | None = None,
        *,
        linked: bool = False,
    ) -> None:
        self.name: Final = name
        self.pool: Final = pool
        self.endpoints: Final = endpoints
        self.strategy: Final = strategy
        self.strategy_name: Final = strategy_name
        self.share: Final = share
        self.links: Final[tuple[Variant, ...]] = links
        self.panic: Final = panic
        self.others: Final[dict[str, Variant] | None] = others
        self.otherwise: Final = otherwise
        self.recovers: Final = not links and otherwise is None and not linked


@final
class StrategyChooser:
    """By which strategy a request goes: by the one that it names, else by that of its tenant.

    Both are words that the configuration knows (`Variant.others`); any other counts for nothing. A request
    may name those that are `offered`.
    """

    def __init__(
        self,
        named_by: tuple[Field, ...] = (),
        tenant: tuple[Field, ...] = (),
        by_tenant: Mapping[str, str] = _NONE,
        offered: frozenset[str] = frozenset(),
    ) -> None:
        self._offered: Final = offered
        self._named_by: Final = named_by
        self._tenant: Final = tenant
        self._by_tenant: Final = dict(by_tenant)

    def choose(self, variant: Variant, request: Request) -> Variant:
        others = variant.others
        if others is None:
            return variant
        for field in self._named_by:
            for value in field.read(request):
                if value in self._offered and value in others:
                    return others[value]
        if self._by_tenant:
            for field in self._tenant:
                for value in field.read(request):
                    if value:
                        return others.get(self._by_tenant.get(value, ""), variant)
        return variant


@final
class HeaderChanges:
    """Header names are lower-case. `set` replaces, `add` appends; removal comes first."""

    def __init__(
        self,
        set: tuple[tuple[str, str], ...] = (),
        add: tuple[tuple[str, str], ...] = (),
        remove: tuple[str, ...] = (),
    ) -> None:
        self.set: Final = set
        self.add: Final = add
        self.remove: Final = remove


@final
class Rewrite:
    """How the path and host are changed before the request goes on.

    `strip_prefix` is taken off at a segment border, where it stands; then `replace` maps the path (without
    its query). `host` empty leaves the host.
    """

    def __init__(
        self, strip_prefix: str = "", replace: Callable[[str], str] | None = None, host: str = ""
    ) -> None:
        self._strip: Final = strip_prefix.rstrip("/")
        self._replace: Final = replace
        self.host: Final = host

    def target(self, request: Request) -> str | None:
        """The new path with the request's query, or None when it stays as it is."""
        path = request.path
        strip = self._strip
        if strip and path.startswith(strip) and (len(path) == len(strip) or path[len(strip)] == "/"):
            path = path[len(strip) :] or "/"
        if self._replace is not None:
            path = self._replace(path)
        return None if path == request.path else path + request.target[len(request.path) :]


NO_CHANGES: Final = HeaderChanges()


@final
class Route:
    """A match and what to do with it.

    It sends requests to its `variants`, or gives a `direct` answer, or is a step: it sets the request's
    priority or headers, and the search goes on. `sticky` are the fields that may hold the key by which a
    client keeps its variant; the first that has a value counts. `want` is how many endpoints a decision
    names: one and its fallbacks. `share` is the part of the matching requests that it takes, 0 to 1; the
    others go on to the next route. `timeout_s` is for the whole answer; 0 is none, negative leaves it.
    `filters` are the conditions that its requests may set on endpoints; `chooser` says by which strategy of
    its arms a request goes, where requests may go by several. `retries` say what is tried again, None for
    nothing. `keeping` says which answers are kept for when nobody is left, None for none. `cookie` is what
    its strategies write for clients, and by which one without a key keeps its variant.
    """

    def __init__(
        self,
        name: str,
        matcher: Matcher,
        variants: tuple[Variant, ...],
        split: Split | None = None,
        sticky: tuple[Field, ...] = (),
        priority: int = 0,
        enabled: bool = True,
        request_headers: HeaderChanges = NO_CHANGES,
        response_headers: HeaderChanges = NO_CHANGES,
        rewrite: Rewrite | None = None,
        labels: tuple[tuple[str, str], ...] = (),
        want: int = 1,
        direct: Refusal | Reply | Redirect | None = None,
        set_priority: str = "",
        share: float = 1.0,
        happening: Happening | None = None,
        timeout_s: float = -1.0,
        filters: tuple[Filter, ...] = (),
        chooser: StrategyChooser | None = None,
        retries: Retries | None = None,
        cookie: SessionCookie | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        if split is None and len(variants) > 1:
            raise ValueError("a route has one variant, or several and a split")
        if direct is not None and variants:
            raise ValueError("a route has variants or a direct answer")
        self.name: Final = name
        self.matcher: Final = matcher
        self.variants: Final = variants
        self.split: Final = split
        self.sticky: Final = sticky
        self.priority: Final = priority
        self.enabled: Final = enabled
        self.request_headers: Final = request_headers
        self.response_headers: Final = response_headers
        self.rewrite: Final = rewrite
        self.labels: Final = labels
        self.want: Final = want
        self.direct: Final = direct
        self.set_priority: Final = set_priority
        self.share: Final = share
        self.happening: Final = happening
        self.timeout_s: Final = timeout_s
        self.filters: Final = filters
        self.chooser: Final = chooser
        self.retries: Final = retries
        self.cookie: Final = cookie
        self.keeping: Final = keeping
        self.step: Final = not variants and direct is None
        self.usual: Final = bool(variants) and share >= 1.0
        """Whether a request that matches goes to an endpoint, and nothing else is to be asked."""


@final
class Plan:
    """`routes` stand in the order of precedence, whatever order they were given in.

    `lease_s` is how long a ticket waits for its outcome. `on_error` is where requests go when the sidecar
    itself fails; None refuses them. `cached` is how many found routes may be remembered, each for
    `cached_s` seconds; `cached_always`, even where that does not pay. `body_limit` is in bytes: rules look
    into no larger body. `tokens` says how many a request is likely to take, where endpoints have a limit.
    `regions` is which region has the traffic; None is all.
    """

    def __init__(
        self,
        generation: int,
        routes: list[Route],
        lease_s: float = 300.0,
        on_error: Variant | None = None,
        gates: tuple[Gate, ...] = (),
        cached: int = 0,
        cached_s: float = 3600.0,
        body_limit: int = 1 << 20,
        *,
        cached_always: bool = False,
        tokens: Tokens | None = None,
        regions: RegionRule | None = None,
    ) -> None:
        if lease_s <= 0:
            raise ValueError(f"lease_s must be above 0, got {lease_s}")
        ranked = sorted(enumerate(routes), key=lambda pair: precedence(pair[1], pair[0]))
        self.generation: Final = generation
        self.routes: Final = [route for _, route in ranked]
        self.lease_s: Final = lease_s
        self.on_error: Final = on_error
        self.gates: Final = Gates(gates) if gates else None
        self.cached: Final = cached
        self.cached_s: Final = cached_s
        self.cached_always: Final = cached_always
        self.body_limit: Final = body_limit
        self.tokens: Final = Tokens() if tokens is None else tokens
        self.regions: Final = regions
        self.index: Final = RuleIndex([route.matcher if route.enabled else None for route in self.routes])

    def variants(self) -> list[Variant]:
        """Of all routes, and what they are linked to."""
        found: list[Variant] = []
        for route in self.routes:
            for variant in route.variants:
                arms = [variant] if variant.others is None else [variant, *variant.others.values()]
                for arm in arms:
                    found.append(arm)
                    found.extend(arm.links)
        return found


def precedence(route: Route, order: int) -> tuple[int, int, int, int, int]:
    """The sort key of routes: the higher priority, then the more specific, then the earlier in the file.

    More specific is the kind of path condition (exact, pattern, regex, prefix, none), then more literal
    characters in it, then more conditions. Of alternatives the least specific counts, because it is what
    the route is sure to ask for.
    """
    kind, literal, conditions = specificity(route.matcher)
    return (-route.priority, -kind, -literal, -conditions, order)


def specificity(matcher: Matcher) -> tuple[int, int, int]:
    """(kind of path, literal characters in it, conditions) that the matcher is sure to ask for."""
    if isinstance(matcher, PathMatcher):
        return (matcher.kind, matcher.literal, 1)
    if isinstance(matcher, All):
        parts = [specificity(part) for part in matcher.parts]
        kind, literal = max([(part[0], part[1]) for part in parts], default=(ANYWHERE, 0))
        return (kind, literal, sum(part[2] for part in parts))
    if isinstance(matcher, AnyOf):
        return min([specificity(part) for part in matcher.parts], default=(ANYWHERE, 0, 0))
    return (ANYWHERE, 0, 1)
