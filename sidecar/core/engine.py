"""Decides where each request goes, and learns how it ended. This is the program; everything else serves it.

request ─► gates ─► route (rule index) ─► variant (split) ─► candidates ─► strategy.rank ─► admit ─► Decision
             └ Refusal  ├ none: Refusal     │                 └ none: Refusal                └─ Ticket
                        └ direct: Reply     └── all before admit only reads: explain is the same without it
outcome ─► settle ─► learners
"""

from random import Random
from typing import Final, final

from sidecar.core.decision import Answer, Decision
from sidecar.core.endpoint import Candidates, Endpoint, eligible
from sidecar.core.explanation import (
    CandidateVerdict,
    ConditionVerdict,
    Explanation,
    GateVerdict,
    RouteVerdict,
)
from sidecar.core.outcome import LOST, Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Redirect
from sidecar.core.request import Request
from sidecar.core.rules.base import quoted
from sidecar.core.rules.cache import RouteCache
from sidecar.core.rules.logic import All
from sidecar.core.rules.path import climbs
from sidecar.core.split import unit_hash
from sidecar.core.state.memory import State
from sidecar.core.state.pools import Pool
from sidecar.core.state.tickets import Ticket
from sidecar.core.strategies.base import Turn

_NO_FALLBACKS: Final[list[Endpoint]] = []
_NO_ROUTE: Final = Refusal(Reason.NO_ROUTE)
_CLIMBS: Final = Refusal(
    Reason.INVALID_REQUEST,
    gate="path-parameters",
    message="no segment of the path may be . or .. with parameters",
)
"""By a gate that is always there, before those of the file."""
_NO_POOL: Final = Pool("", Candidates([]))


@final
class Engine:
    """One plan at a time over one state. Not safe for threads: one event loop owns it.

    `now` is in seconds of one monotonic clock. Random strategies and splits without a key draw from `rng`.
    """

    def __init__(self, plan: Plan, state: State, rng: Random) -> None:
        self._state: Final = state
        self._rng: Final = rng
        self._plan = plan
        self._first_pools: list[Pool] = []
        self._cache: RouteCache | None = None
        self._adopt(plan)

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def cache(self) -> RouteCache | None:
        return self._cache

    @property
    def state(self) -> State:
        return self._state

    def decide(self, request: Request, now: float) -> Answer:
        """Where the request goes; a decision is admitted, and its ticket waits for the outcome."""
        answer = self._answer(request, self._cache, self._rng, now)
        if isinstance(answer, Decision):
            self._admit(answer, request.method, now)
        return answer

    def attempt(self, request: Request, now: float) -> Answer | None:
        """As `decide`. None, and nothing admitted, when a rule asked for what is still to come."""
        answer = self._answer(request, None, self._rng, now)
        if request.attached is not None and request.attached.waits():
            return None
        if isinstance(answer, Decision):
            self._admit(answer, request.method, now)
        return answer

    def refusal(self, request: Request) -> Refusal | None:
        """What the gates say alone, of a request that may be on its way already."""
        gates = self._plan.gates
        return None if gates is None else gates.refusal(request)

    def settle(self, ticket_id: int, outcome: Outcome, now: float) -> Ticket | None:
        """Learn how a request ended. None, and nothing learnt, when the ticket is unknown or settled."""
        ticket = self._state.tickets.close(ticket_id)
        if ticket is not None:
            self._settled(ticket, outcome, now)
        return ticket

    def expire(self, now: float) -> float | None:
        """Settle as lost what is overdue. Returns when to call again; None when no ticket is open."""
        for ticket in self._state.tickets.overdue(now):
            self._settled(ticket, LOST, now)
        return self._state.tickets.next_expiry()

    def swap(self, plan: Plan) -> None:
        """From now on every request sees `plan`. What is remembered stays, by name."""
        self._adopt(plan)

    def explain(self, request: Request, now: float) -> Explanation:
        """What `decide` would answer now and why, without any effect. Visits every route: not for traffic."""
        rng = Random()
        rng.setstate(self._rng.getstate())
        answer = self._answer(request, None, rng, now)
        gates = []
        if answer is _CLIMBS:
            told = "a segment of the path is . or .. with parameters"
            gates.append(GateVerdict(_CLIMBS.gate, told, quoted(request.path), True))
        gates += [
            GateVerdict(
                gate.name, gate.refuses.text(), gate.refuses.seen(request), gate.refuses.matches(request)
            )
            for gate in (() if self._plan.gates is None else self._plan.gates.gates)
        ]
        chosen = answer.route.name if isinstance(answer, Decision) else answer.route
        steps = answer.steps if isinstance(answer, Decision) else ()
        request.priority = ""  # as it was when the first route was asked
        routes: list[RouteVerdict] = []
        for route in self._plan.routes:
            routes.append(_verdict(route, request, route.name == chosen))
            if route in steps and route.set_priority:
                request.priority = route.set_priority
        if not isinstance(answer, Decision):
            return Explanation(answer, gates, routes, "", [])
        rng.setstate(self._rng.getstate())
        return Explanation(
            answer, gates, routes, _how_split(answer.route, request), self._ranking(answer, request, rng, now)
        )

    def _answer(self, request: Request, cache: RouteCache | None, rng: Random, now: float) -> Answer:
        plan = self._plan
        if climbs(request.path):
            return _CLIMBS
        if plan.gates is not None:
            refusal = plan.gates.refusal(request)
            if refusal is not None:
                return refusal
        rank = plan.index.find(request) if cache is None else cache.find(plan.index, request, now)
        if rank < 0:
            return _NO_ROUTE
        route = plan.routes[rank]
        if route.usual:
            return self._to_an_endpoint(rank, route, request, (), rng, now)
        steps: list[Route] = []
        while True:
            if route.share >= 1.0 or _taken(route, request, rng):
                if route.direct is not None:
                    direct = route.direct
                    return direct.reply(request) if isinstance(direct, Redirect) else direct
                if not route.step:
                    return self._to_an_endpoint(rank, route, request, tuple(steps), rng, now)
                steps.append(route)
                if route.set_priority:
                    request.priority = route.set_priority
            rank = plan.index.find(request, rank)
            if rank < 0:
                return _NO_ROUTE
            route = plan.routes[rank]

    def _to_an_endpoint(
        self, rank: int, route: Route, request: Request, steps: tuple[Route, ...], rng: Random, now: float
    ) -> Decision | Refusal:
        if route.split is None:
            variant = route.variants[0]
            pool = self._first_pools[rank]
        else:
            variant = _choose(route, request, rng)
            pool = self._state.pools.of(variant.pool)
        candidates = pool.candidates
        considered = len(candidates.endpoints)
        if considered == 0:
            return Refusal(Reason.NO_ENDPOINT, route.name)
        turn = Turn(request, pool, candidates, self._state, rng, now)
        ranking = variant.strategy.rank(turn, route.want)
        if not ranking:
            return Refusal(Reason.NO_ENDPOINT, route.name)
        target = None if route.rewrite is None else route.rewrite.target(request)
        fallbacks = ranking[1:] if route.want > 1 else _NO_FALLBACKS
        drawn = None if route.happening is None else route.happening.draw(rng)
        generation = self._plan.generation
        return Decision(route, variant, ranking[0], fallbacks, target, considered, generation, drawn, steps)

    def _admit(self, decision: Decision, method: str, now: float) -> None:
        tickets = self._state.tickets
        if tickets.crowded():
            for oldest in tickets.oldest():
                self._settled(oldest, LOST, now)
        variant = decision.variant
        ticket = tickets.open(
            decision.route.name,
            variant.name,
            variant.pool,
            decision.endpoint,
            decision.generation,
            now,
            self._plan.lease_s,
            method,
        )
        decision.ticket = ticket
        for learner in self._state.learners:
            learner.admitted(ticket, now)

    def _settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        for learner in self._state.learners:
            learner.settled(ticket, outcome, now)

    def _adopt(self, plan: Plan) -> None:
        """Where a strategy fails to prepare its pool, the plan that was in force stays in force."""
        variants = plan.variants()
        pools = self._state.pools
        shared: dict[tuple[Endpoint, ...], Candidates] = {}
        for variant in variants:
            if variant.endpoints not in shared:
                shared[variant.endpoints] = eligible(variant.endpoints)
            variant.strategy.arrange(pools.arrange(variant.pool, shared[variant.endpoints]))
        self._first_pools = [
            pools.of(route.variants[0].pool) if route.variants else _NO_POOL for route in plan.routes
        ]
        self._plan = plan
        if not plan.cached:
            self._cache = None
        elif (
            self._cache is None
            or (plan.cached, plan.cached_s) != self._cache.limits
            or plan.cached_always != self._cache.always
        ):
            self._cache = RouteCache(plan.cached, plan.cached_s, always=plan.cached_always)
        # One that stays forgets by itself what it knows of another plan's index.
        pools.keep_only({variant.pool for variant in variants})

    def _ranking(
        self, decision: Decision, request: Request, rng: Random, now: float
    ) -> list[CandidateVerdict]:
        route = decision.route
        if route.split is not None:
            _choose(route, request, rng)  # draws what the decision drew before it ranked
        variant = decision.variant
        pool = self._state.pools.of(variant.pool)
        candidates = pool.candidates
        turn = Turn(request, pool, candidates, self._state, rng, now)
        ranking = variant.strategy.rank(turn, len(candidates.endpoints))
        # A random strategy may order all of them otherwise than it picked one: what is picked comes first.
        named = [decision.endpoint, *decision.fallbacks]
        places = named + [endpoint for endpoint in ranking if endpoint not in named]
        verdicts = [CandidateVerdict(endpoint, at + 1, "") for at, endpoint in enumerate(places)]
        for endpoint in variant.endpoints:
            if endpoint not in places:
                why = "its weight is 0" if endpoint.weight == 0 else "the strategy left it out"
                verdicts.append(CandidateVerdict(endpoint, 0, why))
        return verdicts


def _taken(route: Route, request: Request, rng: Random) -> bool:
    """Whether this request is in the route's share; by its key, if it has one, so that a client stays."""
    for field in route.sticky:
        for value in field.read(request):
            if value:
                return unit_hash(f"{route.name}\x00{value}") < route.share
    return rng.random() < route.share


def _choose(route: Route, request: Request, rng: Random) -> Variant:
    split = route.split
    assert split is not None
    for field in route.sticky:
        for value in field.read(request):
            if value:  # an empty key would send everybody without one to the same arm
                return route.variants[split.by_key(value)]
    return route.variants[split.by_chance(rng.random())]


def _how_split(route: Route, request: Request) -> str:
    if route.split is None:
        return ""
    for field in route.sticky:
        if any(field.read(request)):
            return f"by {field.name()}"
    return "by chance"


def _verdict(route: Route, request: Request, chosen: bool) -> RouteVerdict:
    matcher = route.matcher
    parts = matcher.parts if isinstance(matcher, All) else (matcher,)
    conditions = [ConditionVerdict(part.text(), part.seen(request), part.matches(request)) for part in parts]
    matched = route.enabled and all(condition.held for condition in conditions)
    return RouteVerdict(route.name, route.priority, route.enabled, matched, chosen, conditions)
