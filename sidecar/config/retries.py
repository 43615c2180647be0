"""A route's `retry` and `failover` to the plan: when to try again, and the chain of pools to go to.

Envoy sends the attempts of one request to several clusters only where a cluster of its own joins them in
just this order. So the orders that a route's decisions may have are found here, for the plan and for Envoy
alike.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, cycle, islice, product
from math import comb
from typing import Final, final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where
from sidecar.config.facts import Facts
from sidecar.config.health import otherwise_of
from sidecar.config.matches import method_names, path_condition
from sidecar.config.schema.retries import FAILURES
from sidecar.config.sticky import Session
from sidecar.config.strategies import Options, compile_strategy
from sidecar.config.targets import Chosen, Targets
from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure
from sidecar.core.plan import Variant
from sidecar.core.retries import EXPONENTIAL, FIBONACCI, LINEAR, NONE, USUAL, Backoff, Retries
from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.failover import Failover, Link
from sidecar.core.strategies.weighted_round_robin import WeightedRoundRobin

ANY_FOR_MODEL: Final = "any_for_model"
MOST_ORDERS: Final = 32
"""Of clusters, for one route: each is a cluster more for Envoy."""

_FAILURES: Final = dict(zip(FAILURES, (Failure.CONNECTION, Failure.TIMEOUT, Failure.RESET), strict=True))
_UNSAFE: Final = ("POST", "PATCH")
"""Sent twice, they may do twice what they do."""
_NO_WAIT: Final = Backoff(NONE, 0.0, 1.0, 0.0, jitter=False)


def retry_of(route: schema.Route) -> schema.Retry | None:
    """What the route says, or the usual where it says only where to go next; None when nothing is retried."""
    if route.retry is None and route.failover:
        return schema.Retry()
    return route.retry


def compile_retries(
    route: schema.Route, where: Where, orders: "Orders", findings: Findings
) -> Retries | None:
    """None when the route retries nothing; what is not sound stands in the findings."""
    retry = retry_of(route)
    if retry is None:
        return None
    place = (*where, "retry")
    if not retry.on:
        findings.add((*place, "on"), "must not be empty", "list what to try again for, or leave it out")
    methods = method_names(retry.methods, (*place, "methods"), findings) or ()
    for method in methods:
        if method in _UNSAFE:
            findings.note(
                (*place, "methods"),
                f"a {method} may be sent twice, and do twice what it does",
                "leave it out unless endpoints know a repeated request",
            )
    paths = [
        path_condition(path, (*place, "not_paths", at), findings) for at, path in enumerate(retry.not_paths)
    ]
    if "timeout" in retry.on and retry.per_try_timeout is None and route.idle_timeout is None:
        findings.note(
            (*place, "on"),
            "timeout: an attempt has no end of its own, so none fails by it",
            "give per_try_timeout",
        )
    if retry.per_try_timeout is not None and route.timeout and retry.per_try_timeout >= route.timeout:
        findings.note(
            (*place, "per_try_timeout"), "is no shorter than the route's timeout, so nothing is tried again"
        )
    if route.failover and len(route.failover) >= retry.attempts:
        findings.note(
            (*where, "failover"),
            f"{retry.attempts} attempts reach {retry.attempts - 1} of {len(route.failover)} links",
            "raise retry.attempts, or leave out the others",
        )
    if orders.too_many(route):
        findings.note(
            (*where, "failover" if route.retry is None else "retry"),
            f"there are more than {MOST_ORDERS} orders of clusters, and Envoy is given so many; where none "
            "fits, a request is tried again in its first cluster only",
            "name fewer clusters",
        )
    return Retries(
        retry.attempts,
        tuple(dict.fromkeys(cause for cause in retry.on if isinstance(cause, int))),
        tuple(dict.fromkeys(_FAILURES[cause] for cause in retry.on if isinstance(cause, str))),
        methods,
        tuple(path for path in paths if path is not None),
        -1.0 if retry.per_try_timeout is None else retry.per_try_timeout,
        _backoff(retry.backoff, (*place, "backoff"), findings),
        frozenset(orders.of(route)),
    )


def backoff_of(written: str | schema.Backoff | None) -> Backoff | None:
    """None when it is not exactly one kind."""
    if written is None:
        return USUAL
    if written == NONE:
        return _NO_WAIT
    if isinstance(written, str):
        written = schema.Backoff.model_validate({written: {}})
    given = written.model_fields_set
    if given == {EXPONENTIAL}:
        exponential = written.exponential or schema.Exponential()
        return Backoff(
            EXPONENTIAL,
            exponential.base,
            exponential.factor,
            max(exponential.max, exponential.base),
            jitter=exponential.jitter,
        )
    if given == {LINEAR}:
        steps: schema.Linear | schema.Fibonacci = written.linear or schema.Linear()
    elif given == {FIBONACCI}:
        steps = written.fibonacci or schema.Fibonacci()
    else:
        return None
    (kind,) = given
    return Backoff(kind, steps.base, 1.0, max(steps.max, steps.base), jitter=steps.jitter)


def _backoff(written: str | schema.Backoff | None, where: Where, findings: Findings) -> Backoff:
    made = backoff_of(written)
    if made is None:
        assert isinstance(written, schema.Backoff)
        given = " and ".join(sorted(written.model_fields_set)) or "none"
        findings.add(where, f"needs exactly one of exponential, linear, fibonacci, got {given}")
        return USUAL
    return made


@final
class Chain:
    """The links of a route, as pools of their own. All arms of the route share them, but for those that stand
    in for the clusters of an arm."""

    def __init__(self, variants: tuple[Variant, ...] = (), links: tuple[Link, ...] = ()) -> None:
        self.variants: Final = variants
        self.links: Final = links

    def then(self, other: "Chain") -> "Chain":
        """This one, and what the other has behind it."""
        return Chain(self.variants + other.variants, self.links + other.links) if other.variants else self

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Of all links, each once."""
        found = {each.key: each for variant in self.variants for each in variant.endpoints}
        return tuple(found.values())

    def around(self, strategy: Strategy, session: Session, arm: str) -> Strategy:
        """The strategy of this arm: clients stay where they are, in the arm and in each link."""
        first = session.around(strategy, arm)
        if not self.links:
            return first
        picks = [session.around(link.strategy, arm, linked=True) for link in self.links]
        return Failover(first, tuple(link.picking(by) for link, by in zip(self.links, picks, strict=True)))


def compile_failover(
    route: schema.Route,
    where: Where,
    clusters: Mapping[str, schema.Cluster],
    targets: Targets,
    facts: Facts,
    options: Options,
    findings: Findings,
) -> Chain:
    """What is not sound stands in the findings and is left out. The last link is where requests end, if
    nobody stands in for the clusters of the route: it recovers and panics as a route without links would."""
    if route.failover is None:
        return Chain()
    place = (*where, "failover")
    if not route.failover:
        findings.add(place, "must not be empty", "list where to go next, or leave it out")
    variants: list[Variant] = []
    links: list[Link] = []
    orders = Orders(clusters)
    named = orders.named(route)
    reached = {*orders.linked(route), *(named if route.split is None else ())}
    ends = all(_adds_nobody(otherwise_of(clusters.get(name)), reached) for name in named)
    for at, written in enumerate(route.failover):
        spot = (*place, at)
        last = ends and at == len(route.failover) - 1
        pool = f"{route.name}/failover/{at}"
        if written == ANY_FOR_MODEL:
            by_model = _by_model(pool, clusters, targets, facts, last, spot, findings)
            if by_model:
                pools = {model: variant.pool for model, variant in by_model.items()}
                variants.extend(by_model.values())
                links.append(Link(WeightedRoundRobin(), by=facts.field("model"), pools=pools))
            continue
        if isinstance(written, str):
            written = schema.Link(to=written)
        strategy = compile_strategy(written.strategy, (*spot, "strategy"), findings, options=options)
        chosen = _chosen(written, spot, targets, findings)
        if strategy is None or chosen is None:
            continue
        name, make = strategy
        panic = panic_of(chosen.endpoints, clusters) if last else 0.0
        variants.append(
            Variant(chosen.name, pool, chosen.endpoints, make(), name, panic=panic, linked=not last)
        )
        links.append(Link(variants[-1].strategy, pool))
    return Chain(tuple(variants), tuple(links))


def _adds_nobody(otherwise: schema.Otherwise | None, reached: set[str]) -> bool:
    """Whether requests end no further on for it: who stands in may be on their way already."""
    return otherwise is None or (otherwise.respond is None and otherwise.to in reached)


def _chosen(link: schema.Link, where: Where, targets: Targets, findings: Findings) -> Chosen | None:
    if (link.to is None) == (link.pool is None):
        findings.add(
            where, f"needs exactly one of to, pool, got {'none' if link.to is None else 'to and pool'}"
        )
        return None
    if link.to is not None:
        key, chosen = "to", targets.choose(link.to, (*where, "to"))
    else:
        key, chosen = "pool", targets.pool(link.pool or [], (*where, "pool"))
    if chosen is not None and not any(endpoint.weight for endpoint in chosen.endpoints):
        findings.add(
            (*where, key),
            "every endpoint here has weight 0",
            "give one a weight, as none could ever be picked",
        )
    return chosen


def _by_model(
    pool: str,
    clusters: Mapping[str, schema.Cluster],
    targets: Targets,
    facts: Facts,
    last: bool,
    where: Where,
    findings: Findings,
) -> dict[str, Variant]:
    """For each model, all that says that it serves it."""
    names: dict[str, list[str | schema.Target]] = {}
    field = facts.field("model")
    for name, cluster in clusters.items():
        for model in cluster.models:
            names.setdefault(field.meant(model), []).append(name)
    if not facts.has_source("model"):
        findings.add(where, "context.model has no source", "give it one")
    elif not names:
        findings.add(where, "no cluster says which models it serves", "give one models: [name]")
    found: dict[str, Variant] = {}
    for model, serving in names.items():
        chosen = targets.pool(list(dict.fromkeys(serving)), where)
        if chosen is not None:
            found[model] = Variant(
                chosen.name,
                f"{pool}/{model}",
                chosen.endpoints,
                WeightedRoundRobin(),
                "weighted_round_robin",
                panic=panic_of(chosen.endpoints, clusters) if last else 0.0,
                linked=not last,
            )
    return found


def panic_of(endpoints: Iterable[Endpoint], clusters: Mapping[str, schema.Cluster]) -> float:
    """Of a pool of these: the largest of its clusters."""
    named = {endpoint.cluster for endpoint in endpoints}
    return max((clusters[name].health.panic for name in named), default=0.0)


def stand_ins(named: Iterable[str], clusters: Mapping[str, schema.Cluster]) -> list[str]:
    """The clusters that stand in for these, while nobody in them may be picked, each once."""
    found: dict[str, None] = {}
    for name in named:
        otherwise = otherwise_of(clusters.get(name))
        if otherwise is not None and otherwise.to is not None:
            found[otherwise.to] = None
    return list(found)


@final
class Orders:
    """Sequences of clusters, one for each attempt and not all one, that Envoy is to follow."""

    def __init__(self, clusters: Mapping[str, schema.Cluster]) -> None:
        self._clusters: Final = clusters
        self._by_id: Final[dict[str, list[str]]] = {}
        for name, cluster in clusters.items():
            for each in cluster.endpoints:
                self._by_id.setdefault(each.id or each.address, []).append(name)

    def of(self, route: schema.Route) -> list[tuple[str, ...]]:
        """All that are possible for this route; where these are more than 32, the best of them."""
        return self._wanted(route)[:MOST_ORDERS]

    def too_many(self, route: schema.Route) -> bool:
        """Whether some decisions may find no order that fits, and be tried again in one cluster only."""
        return len(self._wanted(route)) > MOST_ORDERS

    def named(self, route: schema.Route) -> list[str]:
        """The clusters that the route itself names, each once."""
        return self._named(_targets(route))

    def linked(self, route: schema.Route) -> list[str]:
        """The clusters that its links name."""
        return [name for link in route.failover or () for name in self._linked(link)]

    def _wanted(self, route: schema.Route) -> list[tuple[str, ...]]:
        retry = retry_of(route)
        if retry is None or retry.attempts == 1:
            return []
        own = self.named(route)
        links = [names for names in (self._linked(link) for link in route.failover or ()) if names]
        last = stand_ins(own, self._clusters)
        every = list(dict.fromkeys(name for names in (own, *links, last) for name in names))
        if len(every) < 2:
            return []
        if len(every) ** retry.attempts <= MOST_ORDERS:
            found: Iterable[tuple[str, ...]] = product(every, repeat=retry.attempts)
        else:
            found = (
                *_along([own, *links], retry.attempts),
                *_at_last(own, last, retry.attempts),
                *_around(own, retry.attempts),
            )
        return list(islice((order for order in dict.fromkeys(found) if len(set(order)) > 1), MOST_ORDERS + 1))

    def _linked(self, link: str | schema.Link) -> list[str]:
        if link == ANY_FOR_MODEL:
            return [name for name, cluster in self._clusters.items() if cluster.models]
        if isinstance(link, str):
            return self._named([link])
        return self._named(link.pool or [] if link.to is None else [link.to])

    def _named(self, targets: list[str | schema.Target]) -> list[str]:
        """The clusters of these targets, each once."""
        found: dict[str, None] = {}
        for target in targets:
            if isinstance(target, schema.Target):
                found[target.cluster] = None
            elif target in self._clusters:
                found[target] = None
            else:  # an endpoint by its id
                found.update(dict.fromkeys(self._by_id.get(target, ())))
        return list(found)


def _targets(route: schema.Route) -> list[str | schema.Target]:
    if route.split is not None:
        return [arm.to for arm in route.split]
    if route.pool is not None:
        return route.pool
    return [] if route.to is None else [route.to]


def _along(stages: list[list[str]], attempts: int) -> Iterator[tuple[str, ...]]:
    """From the first choice along the links, and back to where it began: of the whole chain, then where its
    first ones have nobody, then where others have nobody. Those that begin alike take turns."""
    if len(stages) == 1:
        return
    suffixes = [stages[at:] for at in range(len(stages) - 1)]
    parts = (list(part) for count in range(len(stages) - 1, 1, -1) for part in combinations(stages, count))
    for part in (*suffixes, *parts):
        first, rest = part[0], part[1:]
        for links in product(*rest):
            for name in first:
                others = [each for each in _from(first, name)[1:] if each not in links]
                yield _filled((name, *links, *others), attempts)
        for links in product(*rest):
            for name in first:
                yield _filled((name, *links), attempts)


def _around(pool: list[str], attempts: int) -> Iterator[tuple[str, ...]]:
    """Of a pool: each in its turn with those behind it, as `round_robin` has them. Then each with any others,
    once for those that differ by their order only; where these would be too many, each with one other."""
    for name in pool:
        yield _filled(tuple(_from(pool, name)), attempts)
    others = min(attempts, len(pool)) - 1
    if len(pool) * comb(len(pool) - 1, others) > MOST_ORDERS:
        others = 1
    for at in range(comb(len(pool) - 1, others)):
        for name in pool:
            chosen = next(islice(combinations(_from(pool, name)[1:], others), at, None))
            yield _filled((name, *chosen), attempts)


def _at_last(pool: list[str], last: list[str], attempts: int) -> Iterator[tuple[str, ...]]:
    """As around the pool, and then to those that stand in for it: after as many of the pool as it can."""
    for own in range(attempts - 1, 0, -1):
        for other in last:
            for name in pool:
                yield (*_filled(tuple(_from(pool, name)), own), *_filled((other,), attempts - own))


def _from(pool: list[str], name: str) -> list[str]:
    at = pool.index(name)
    return pool[at:] + pool[:at]


def _filled(order: tuple[str, ...], attempts: int) -> tuple[str, ...]:
    return tuple(islice(cycle(order), attempts))
