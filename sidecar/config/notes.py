"""What is sound and yet can't do what its author meant: an order of regions that no endpoint is in, prices to
go by where nothing has one. Told as notes, because each may be on its way to make sense.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.sections import Draft
from sidecar.core.endpoint import Endpoint
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.registry import STRATEGIES

_Placed = tuple[Where, str, Mapping[str, object], Sequence[Variant]]
"""Where a strategy is written, its name and options, and the pools in which it is to pick."""
_MOST_NAMED: Final = 4


def check_words(config: schema.Config, findings: Findings) -> None:
    """A word for another strategy than the one of that name would mean either, depending on who asks."""
    for word, written in config.strategies.items():
        if word in STRATEGIES and written not in (word, {word: {}}):
            findings.add(
                ("strategies", word), f"{word} is a strategy already, with its usual options", "rename it"
            )


def note_oddities(drawn: Draft, plan: Plan, places: Mapping[str, int], findings: Findings) -> None:
    """`places` are those of the plan's routes in the file."""
    listed = [each for cluster in drawn.clusters.values() for each in cluster.endpoints]
    _note_regions(drawn.config.regions, {each.region for each in listed}, findings)
    _note_zones(drawn, {each.zone for each in listed}, findings)
    strategies = list(_strategies(drawn, plan, places))
    for where, name, options, variants in strategies:
        _note_blind(where, name, options, variants, findings)
        if name == "geo_nearest" and drawn.config.regions.leave is not None:
            findings.note(
                where,
                "geo_nearest has one region to choose from, as regions.leave makes the others stand by",
                "leave one of the two out",
            )
    _note_reports(drawn, strategies, findings)
    _note_estimates(drawn, findings)
    for route in plan.routes:
        at = places[route.name]
        _note_links(drawn.routes[at], ("routes", at), route, findings)
    _note_patient(drawn, plan, places, findings)


def _strategies(drawn: Draft, plan: Plan, places: Mapping[str, int]) -> Iterator[_Placed]:
    every: list[Variant] = []
    for route in plan.routes:
        written = drawn.routes[places[route.name]]
        where = ("routes", places[route.name])
        if route.variants:
            yield ((*where, "strategy"), *_named(written.strategy), route.variants)
        links = _links(route)
        every += [*route.variants, *links.values()]
        for at, link in enumerate(written.failover or ()):
            variant = links.get(_pool(route, at))
            if isinstance(link, schema.Link) and variant is not None:
                yield ((*where, "failover", at, "strategy"), *_named(link.strategy), [variant])
    words = drawn.config.strategies
    for word, form in words.items():
        yield (("strategies", word), *_named(form), every)
    for tenant, told in drawn.config.tenants.items():
        own = told.strategy
        if own is not None and not (isinstance(own, str) and own in words):
            yield (("tenants", tenant, "strategy"), *_named(own), every)


def _named(form: schema.StrategyForm) -> tuple[str, Mapping[str, object]]:
    if isinstance(form, str):
        return (form, {})
    ((name, options),) = form.items()
    return (name, options)


def _links(route: Route) -> dict[str, Variant]:
    """By the names of their pools. All arms of a route have the same."""
    return {link.pool: link for variant in route.variants[:1] for link in variant.links}


def _pool(route: Route, at: int) -> str:
    """Of the link at this place; one to `any_for_model` has others, by model."""
    return f"{route.name}/failover/{at}"


def _note_regions(regions: schema.Regions, there: set[str], findings: Findings) -> None:
    named: list[tuple[Where, str]] = [
        (("regions", "order", at), region) for at, region in enumerate(regions.order)
    ]
    if regions.primary:
        named.insert(0, (("regions", "primary"), regions.primary))
    for where, region in named:
        if region not in there:
            findings.note(where, f"no endpoint is in {shown(region)}", _there("region", there))


def _note_zones(drawn: Draft, there: set[str], findings: Findings) -> None:
    zones = drawn.config.zones
    for zone in zones.capacity:
        if zone not in there:
            findings.note(("zones", zone), "no endpoint is in this zone", _there("zone", there))
    if zones.local and zones.local not in there:
        findings.note(("zones", "local"), f"no endpoint is in {shown(zones.local)}", _there("zone", there))
    told: set[str] = set()
    for name, cluster in drawn.clusters.items():
        for at, each in enumerate(cluster.endpoints):
            if zones.capacity and each.zone and each.zone not in zones.capacity and each.zone not in told:
                told.add(each.zone)
                findings.note(
                    ("clusters", name, "endpoints", at, "zone"),
                    f"zones says nothing of {shown(each.zone)}, so it has no capacity",
                    f"write {each.zone} under zones, or leave zones to the weights",
                )


def _there(kind: str, there: set[str]) -> str:
    names = sorted(name for name in there if name)
    return f"the {kind}s are {_some(names)}" if names else f"give endpoints their {kind}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _note_blind(
    where: Where, name: str, options: Mapping[str, object], variants: Sequence[Variant], findings: Findings
) -> None:
    """Strategies that go by what none of their endpoints has."""
    if name == "cost_optimized" or (name == "best_score" and options.get("cost")):
        if all(each.input_micro_usd < 0 for each in _endpoints(variants)):
            findings.note(
                where, f"{name} goes by prices, and no cluster here has one", "give clusters a price"
            )
    elif name == "zone_aware" and not any(each.zone for each in _endpoints(variants)):
        findings.note(
            where, "zone_aware goes by zones, and no endpoint here has one", "give endpoints their zone"
        )


def _endpoints(variants: Sequence[Variant]) -> Iterator[Endpoint]:
    return (endpoint for variant in variants for endpoint in variant.endpoints)


def _note_reports(drawn: Draft, strategies: Sequence[_Placed], findings: Findings) -> None:
    """What goes by reports of endpoints where nobody reads them."""
    config = drawn.config
    if config.envoy.load_reports:
        return
    users: dict[str, None] = {}
    for name, cluster in drawn.clusters.items():
        if cluster.limits.load is not None and cluster.scrape is None:
            users[f"limits.load of {name}"] = None
    scraped = any(cluster.scrape is not None for cluster in drawn.clusters.values())
    for _, strategy, options, _ in () if scraped else strategies:
        by_prompt = options.get("by") or config.context.prompt
        if strategy == "least_loaded" or (strategy == "cache_aware" and not by_prompt):
            users[strategy] = None
    if users:
        findings.note(
            ("envoy", "load_reports"),
            f"what endpoints say of their load is not read, and {_some(list(users))} would go by it",
            "leave it out, unless somebody calls RouteService.ReportLoad",
        )


def _note_estimates(drawn: Draft, findings: Findings) -> None:
    """Token limits and budgets that have only the length of bodies to go by."""
    context = drawn.config.context
    if context.prompt or context.input_tokens:
        return
    users = [
        f"{key} of {name}"
        for name, cluster in drawn.clusters.items()
        for key, held in (
            ("context_window", cluster.capabilities.context_window),
            ("tokens_per_minute", cluster.limits.tokens_per_minute),
        )
        if held
    ]
    if any(cluster.price is not None for cluster in drawn.clusters.values()):
        users += [
            f"the budget of {name}"
            for name, tenant in drawn.config.tenants.items()
            if tenant.budget is not None
        ]
        users += ["context.max_price"] if context.max_price else []
    if users:
        findings.note(
            ("context",),
            f"neither prompt nor input_tokens has a source, so {_some(users)} can only go by the length of "
            "bodies, and one without content-length counts as envoy.body_limit",
            "give one of them a source",
        )


def _note_patient(drawn: Draft, plan: Plan, places: Mapping[str, int], findings: Findings) -> None:
    """Clusters whose endpoints are judged by how requests end, where one that hangs ends none."""
    patient: dict[str, None] = {}
    hung: dict[str, None] = {}
    place: Where = ()
    for route in plan.routes:
        if _has_an_end(drawn.routes[places[route.name]]):
            continue
        arms = [*route.variants, *_links(route).values()]
        for name in dict.fromkeys(endpoint.cluster for endpoint in _endpoints(arms)):
            judged = _judged_by(drawn.clusters.get(name))
            if judged:
                place = place or ("clusters", name, *judged)
                hung[name] = None
                patient[route.name] = None
    if hung:
        findings.note(
            place,
            f"that an endpoint of {_some(list(hung))} hangs is not found out: {_some(list(patient))} "
            f"{'has' if len(patient) == 1 else 'have'} no timeout, so clients give up first",
            "give the route retry.per_try_timeout, timeout or idle_timeout, or the cluster a probe",
        )


def _judged_by(cluster: schema.Cluster | None) -> Where:
    """What judges its endpoints, where that needs requests that end."""
    if cluster is None or cluster.health.probe is not None:
        return ()
    if cluster.breaker is not None:
        return ("breaker",)
    if cluster.health.outliers is not None:
        return ("health", "outliers")
    return () if cluster.health.score is None else ("health", "score")


def _has_an_end(route: schema.Route) -> bool:
    """Whether one who waits for an answer is told at some time that there is none."""
    retry = route.retry
    per_try = retry is not None and retry.per_try_timeout is not None
    return per_try or bool(route.timeout) or route.idle_timeout is not None


def _note_links(written: schema.Route, where: Where, route: Route, findings: Findings) -> None:
    """Retries that try nothing, and links that lead nowhere new."""
    if written.retry is not None and written.retry.attempts == 1:
        findings.note(
            (*where, "retry", "attempts"),
            "the first attempt is the only one, so nothing is tried again",
            "write at least 2, or leave retry out",
        )
    links = _links(route)
    if not links:
        return
    known = [({each.key for each in _endpoints(route.variants)}, "the route goes")]
    for at in range(len(written.failover or ())):
        link = links.get(_pool(route, at))
        if link is None:
            continue
        keys = {each.key for each in link.endpoints}
        for others, who in known:
            if keys == others:
                findings.note(
                    (*where, "failover", at), f"leads where {who} already", "name another, or leave it out"
                )
                break
        known.append((keys, f"failover[{at}] leads"))
