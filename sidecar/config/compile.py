"""The checked file to the plan of the core, with every name resolved and everything superfluous left out.

What is odd is made plain here (a split with one arm is no split), so that no request meets an odd case.
"""

from functools import partial

from sidecar.config import schema
from sidecar.config.actions import compile_direct, compile_happening
from sidecar.config.bodies import note_claims
from sidecar.config.cache import check_cache, check_last_good, compile_keeping, keys_of
from sidecar.config.edits import compile_edits, compile_rewrite
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.facts import Facts
from sidecar.config.filters import Conditions, Made
from sidecar.config.gates import compile_gates
from sidecar.config.geoip import Databases
from sidecar.config.matches import compile_match
from sidecar.config.notes import check_words, note_oddities
from sidecar.config.otherwise import Ends
from sidecar.config.picker import check_picker
from sidecar.config.regions import check_regions, region_rule
from sidecar.config.retries import Orders, compile_failover, compile_retries
from sidecar.config.sections import Draft
from sidecar.config.sticky import Sessions
from sidecar.config.store import check_store
from sidecar.config.strategies import Options, compile_strategy
from sidecar.config.targets import Chosen, Targets
from sidecar.core.filters.subset import Subset
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.rules.logic import All
from sidecar.core.split import Split
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.names import SUBSET_KEY, SUBSET_NAMESPACE

_TARGETS = ("to", "pool", "split")
_DESTINATIONS = (*_TARGETS, "redirect", "respond", "reject", "set")
_LEAST_TIMEOUT_S = 0.001
_MOST_BODY = 64 * 1024 * 1024
_ON_THE_WAY = (
    "rewrite",
    "timeout",
    "idle_timeout",
    "buffer",
    "fault",
    "mirror",
    "retry",
    "failover",
    "needs",
    "cache",
    "last_good",
)


def compile_plan(drawn: Draft, generation: int, databases: Databases, findings: Findings) -> Plan | None:
    """The plan; None when there are problems. These stand in `findings`, and warnings too."""
    _check_listeners(drawn, findings)
    check_picker(drawn, findings)
    check_store(drawn.config, findings)
    targets = Targets(drawn, findings)
    facts = Facts(
        drawn.config.context,
        drawn.config.models,
        drawn.config.flags,
        databases,
        findings,
        unknown_bytes=drawn.config.envoy.body_limit,
    )
    gates = compile_gates(drawn, facts, findings)
    sessions = Sessions(drawn.config.cookies, databases, findings)
    orders = Orders(drawn.clusters)
    ends = Ends(drawn, targets, findings)
    options = Options(facts, drawn.config.regions, drawn.config.zones)
    conditions = Conditions(drawn, facts, options, findings)
    on_error = _on_error(drawn.config.on_error, targets, findings)
    _check_names(drawn, findings)
    routes: list[Route] = []
    places: dict[str, int] = {}
    for at, written in drawn.routes.items():
        route = _route(
            written,
            ("routes", at),
            drawn,
            targets,
            facts,
            orders,
            ends,
            options,
            sessions,
            conditions,
            findings,
        )
        if route is not None:
            routes.append(route)
            places[route.name] = at
    _check_demo(drawn, findings)
    check_words(drawn.config, findings)
    check_regions(drawn, findings)
    if findings.problems:
        return None
    cache = drawn.config.route_cache
    plan = Plan(
        generation,
        routes,
        drawn.config.tickets.lease,
        on_error,
        gates,
        cache.entries,
        cache.ttl,
        drawn.config.envoy.body_limit,
        cached_always=cache.always,
        tokens=facts.tokens,
        regions=region_rule(drawn.config.regions),
    )
    note_claims(drawn.config, findings)
    _note_unprotected(drawn.config, findings)
    _note_unused(drawn, targets, findings)
    _note_unreached(plan, places, findings)
    note_oddities(drawn, plan, places, findings)
    return plan


def _check_listeners(drawn: Draft, findings: Findings) -> None:
    listen = drawn.config.listen
    grpc = [listen.grpc] if isinstance(listen.grpc, str) else listen.grpc
    if not grpc:
        findings.add(("listen", "grpc"), "must not be empty", "list at least one address")
    taken: set[str] = set()
    for at, address in enumerate(grpc):
        if address in taken:
            findings.add(("listen", "grpc", at), f"{shown(address)} is listed twice", "keep one of them")
        taken.add(address)
    if listen.admin in taken and not listen.admin.endswith(":0"):
        findings.add(
            ("listen", "admin"), f"{shown(listen.admin)} is listened on for grpc already", "use another port"
        )
    places = dict.fromkeys(grpc, "listen.grpc")
    if listen.admin is not None:
        places.setdefault(listen.admin, "listen.admin")
    envoy = drawn.config.envoy
    for key, written in (("listen", envoy.listen), ("admin", envoy.admin)):
        if written is None or written.endswith(":0"):
            continue
        if written in places:
            findings.add(("envoy", key), f"{shown(written)} is {places[written]} already", "use another port")
        places.setdefault(written, f"envoy.{key}")
    if envoy.body_limit > _MOST_BODY:
        findings.add(
            ("envoy", "body_limit"),
            "must be at most 64MB",
            "bodies are held in memory until rules know enough",
        )


def _check_names(drawn: Draft, findings: Findings) -> None:
    first: dict[str, int] = {}
    for at, route in drawn.routes.items():
        if drawn.unsure(("routes", at), "name"):
            continue
        where = ("routes", at, "name")
        if route.name in first:
            findings.add(
                where,
                f"{shown(route.name)} is the name of routes[{first[route.name]}] already",
                "rename one of them",
            )
        elif route.name == "on_error":
            findings.add(where, '"on_error" is reserved', "rename the route")
        first.setdefault(route.name, at)


def _check_demo(drawn: Draft, findings: Findings) -> None:
    """Behaviour is told of endpoints that are there. A cluster without any has one of its own name."""
    ids: dict[str, None] = {}
    for name, cluster in drawn.clusters.items():
        ids.update({each.id or each.address: None for each in cluster.endpoints} or {name: None})
    demo = drawn.config.demo
    places: list[Where] = [("demo", "endpoints", told) for told in demo.endpoints]
    for at, ask in enumerate(demo.tour):
        places.extend(("demo", "tour", at, "become", told) for told in ask.become)
    for place in places:
        told = str(place[-1])
        if told not in ids and told not in drawn.lost_ids and not drawn.unsure((), "clusters"):
            findings.unknown(place, f"there is no endpoint {shown(told)}", told, ids)


def _on_error(written: str, targets: Targets, findings: Findings) -> Variant | None:
    if written == "refuse":
        return None
    endpoints = targets.cluster(written, ("on_error",))
    if endpoints is None:
        return None
    if not any(endpoint.weight for endpoint in endpoints):
        findings.add(("on_error",), f"every endpoint of {written} has weight 0", "none could ever be picked")
    return Variant(written, f"on_error/{written}", endpoints, RoundRobin(), "round_robin")


def _route(
    written: schema.Route,
    where: Where,
    drawn: Draft,
    targets: Targets,
    facts: Facts,
    orders: Orders,
    ends: Ends,
    options: Options,
    sessions: Sessions,
    conditions: Conditions,
    findings: Findings,
) -> Route | None:
    matcher = compile_match(written.match, (*where, "match"), facts, findings)
    arms = _arms(written, where, drawn, targets, findings)
    direct = compile_direct(written, where, findings)
    happening = compile_happening(written, where, targets, findings)
    chain = compile_failover(written, where, drawn.clusters, targets, facts, options, findings)
    end_of = {chosen.name: ends.of(written.name, chosen, chain, where, findings) for chosen, _ in arms or ()}
    reached = {each.key: each for end in end_of.values() for each in end.chain.endpoints()}
    session = sessions.of(written, where, drawn, facts, arms, tuple(reached.values()), findings)
    strategy = compile_strategy(written.strategy, (*where, "strategy"), findings, options=options)
    check_last_good(written, where, findings)
    check_cache(written, where, findings)
    retries = compile_retries(written, where, orders, findings)
    request_headers = compile_edits(written.headers.request, (*where, "headers", "request"), findings)
    response_headers = compile_edits(written.headers.response, (*where, "headers", "response"), findings)
    rewrite = None
    if written.rewrite is not None:
        rewrite = compile_rewrite(written.rewrite, (*where, "rewrite"), findings)
    if written.timeout is not None and 0 < written.timeout < _LEAST_TIMEOUT_S:
        findings.add((*where, "timeout"), "must be at least 1ms, or 0s for none", "Envoy counts milliseconds")
    if written.share == 0:
        findings.add((*where, "share"), "a share of 0 takes no request", "use enabled: false")
    if arms is None or strategy is None:
        return None
    total = sum(weight for _, weight in arms)

    def arm(chosen: Chosen, share: float, pool: str, by: Made, others: dict[str, Variant] | None) -> Variant:
        end = end_of[chosen.name]
        picks = end.chain.around(by[1](), session, chosen.name)
        return Variant(
            chosen.name,
            pool,
            chosen.endpoints,
            picks,
            by[0],
            share,
            end.chain.variants,
            end.panic,
            others,
            end.reply,
        )

    variants: list[Variant] = []
    for chosen, weight in arms:
        pool = f"{written.name}/{chosen.name}"
        others = conditions.others(pool, partial(arm, chosen, weight / total, others=None))
        variants.append(arm(chosen, weight / total, pool, strategy, others))
    links = {link.pool: link for each in variants for link in each.links}
    filters = conditions.filters(written, variants, tuple(links.values()), where, findings)
    if drawn.config.envoy.endpoint_picker and variants:
        filters = (*filters, Subset(SUBSET_NAMESPACE, SUBSET_KEY))
    keys = keys_of(drawn.config.gates)
    keeping = compile_keeping(written, keys, drawn.config.context, (*variants, *links.values()))
    split = None
    if len(variants) > 1:
        split = Split(written.name, [variant.name for variant in variants], [weight for _, weight in arms])
    share = 1.0 if written.share is None else written.share
    return Route(
        written.name,
        matcher,
        tuple(variants),
        split,
        session.key if split is not None or share < 1.0 else (),
        written.priority,
        written.enabled,
        request_headers,
        response_headers,
        rewrite,
        tuple(written.labels.items()),
        direct=direct,
        set_priority="" if written.set is None else written.set.priority or "",
        share=share,
        happening=happening,
        want=1 if retries is None else retries.attempts,
        retries=retries,
        timeout_s=-1.0 if written.timeout is None else written.timeout,
        filters=filters,
        chooser=conditions.chooser if variants else None,
        cookie=session.cookie,
        keeping=keeping,
    )


def _arms(
    written: schema.Route, where: Where, drawn: Draft, targets: Targets, findings: Findings
) -> list[tuple[Chosen, float]] | None:
    """The targets with weights above 0 and their weights; None when there are problems."""
    before = len(findings.problems)
    given = [key for key in _DESTINATIONS if getattr(written, key) is not None]
    if len(given) != 1:
        if not drawn.unsure(where, *_DESTINATIONS):
            got = " and ".join(given) if given else "none"
            findings.add(where, f"needs exactly one of {', '.join(_DESTINATIONS)}, got {got}")
        return None
    if given[0] not in _TARGETS:
        _check_direct(written, given[0], where, findings)
        return [] if len(findings.problems) == before else None
    if written.split is not None:
        arms = _split(written.split, (*where, "split"), targets, findings)
    elif written.pool is not None:
        arms = [(targets.pool(written.pool, (*where, "pool")), 1.0, (*where, "pool"))]
    else:
        arms = [(targets.choose(written.to or "", (*where, "to")), 1.0, (*where, "to"))]
    for chosen, _, place in arms:
        if chosen is not None and not any(endpoint.weight for endpoint in chosen.endpoints):
            findings.add(
                place, "every endpoint here has weight 0", "give one a weight, as none could ever be picked"
            )
    # A target may be unknown without a problem, where the clusters themselves could not be read.
    if len(findings.problems) > before or any(chosen is None for chosen, _, _ in arms):
        return None
    return [(chosen, weight) for chosen, weight, _ in arms if chosen is not None and weight > 0]


def _check_direct(written: schema.Route, kind: str, where: Where, findings: Findings) -> None:
    """A route that sends nothing to an endpoint must not say how."""
    for key in _ON_THE_WAY:
        if getattr(written, key) is not None:
            findings.add(
                (*where, key), f"says how requests reach an endpoint, and {kind} sends none", "leave it out"
            )
    edits = written.headers
    if written.set is not None:
        if written.set.priority is None and edits.request == schema.HeaderEdits():
            findings.add(
                (*where, "set"), "changes nothing", "give it a priority, or the route request headers"
            )
    elif edits.request != schema.HeaderEdits():
        findings.add(
            (*where, "headers", "request"), f"are for an endpoint, and {kind} asks none", "leave them out"
        )
    if edits.response != schema.HeaderEdits():
        remedy = "write them under respond" if kind == "respond" else "leave them out"
        findings.add(
            (*where, "headers", "response"), f"are for an endpoint's answer, and {kind} asks none", remedy
        )


def _split(
    split: list[schema.Arm], where: Where, targets: Targets, findings: Findings
) -> list[tuple[Chosen | None, float, Where]]:
    if not split:
        findings.add(where, "must not be empty", "list at least one arm")
        return []
    arms: list[tuple[Chosen | None, float, Where]] = []
    first: dict[str, int] = {}
    for at, arm in enumerate(split):
        place = (*where, at)
        chosen = targets.choose(arm.to, (*place, "to"))
        if chosen is not None:
            name = arm.name or chosen.name
            if name in first:
                findings.add(
                    (*place, "name"),
                    f"{shown(name)} is the name of split[{first[name]}] already",
                    "give it another",
                )
            first.setdefault(name, at)
            chosen = Chosen(name, chosen.endpoints)
        arms.append((chosen, arm.weight, (*place, "to")))
    if not any(weight for _, weight, _ in arms):
        findings.add(where, "every weight is 0", "give one arm a weight above 0")
    return arms


def _note_unprotected(config: schema.Config, findings: Findings) -> None:
    """Rules that protect something do so only while they are asked."""
    passed = ["gates"] if config.gates else []
    if any(route.reject is not None and route.enabled for route in config.routes):
        passed.append("routes that reject")
    if passed and config.on_error != "refuse":
        findings.note(
            ("on_error",),
            f"where the sidecar fails or is too slow, requests go past the {' and the '.join(passed)} "
            f"to {config.on_error}",
            "write refuse where one of them protects something",
        )


def _note_unused(drawn: Draft, targets: Targets, findings: Findings) -> None:
    for name in drawn.clusters:
        if name not in targets.used:
            findings.note(("clusters", name), "no route uses this cluster")


def _note_unreached(plan: Plan, places: dict[str, int], findings: Findings) -> None:
    """Routes that are switched off, and those behind one that matches everything."""
    catch_all = ""
    for route in plan.routes:
        where = ("routes", places[route.name])
        if not route.enabled:
            findings.note(where, f"the route {route.name} is switched off")
        elif catch_all:
            findings.note(
                where, f"the route {route.name} is never reached: {catch_all} before it matches everything"
            )
        elif (
            isinstance(route.matcher, All)
            and not route.matcher.parts
            and not route.step
            and route.share >= 1.0
        ):
            catch_all = route.name
