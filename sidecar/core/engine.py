"""Decides where each request goes, and learns how it ended. This is the program; everything else serves it.

request ─► route (rule index) ─► variant (split) ─► candidates ─► strategy.rank ─► admit ─► Decision
              └─ none: Refusal      │                  └─ none: Refusal               └─ Ticket
outcome ─► settle ─► learners       └── all before admit only reads: explain is the same way without it
"""

from random import Random
from typing import Final, final

from sidecar.core.decision import Decision, Reason, Refusal
from sidecar.core.endpoint import Candidates, Endpoint, eligible
from sidecar.core.explanation import CandidateVerdict, ConditionVerdict, Explanation, RouteVerdict
from sidecar.core.outcome import LOST, Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.request import Request
from sidecar.core.rules.logic import All
from sidecar.core.state.memory import State
from sidecar.core.state.pools import Pool
from sidecar.core.state.tickets import Ticket
from sidecar.core.strategies.base import Turn

_NO_FALLBACKS: Final[list[Endpoint]] = []
_NO_ROUTE: Final = Refusal(Reason.NO_ROUTE)


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
        self._adopt(plan)

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def state(self) -> State:
        return self._state

    def decide(self, request: Request, now: float) -> Decision | Refusal:
        """Where the request goes; a decision is admitted, and its ticket waits for the outcome."""
        answer = self._answer(request, self._rng, now)
        if isinstance(answer, Decision):
            self._admit(answer, request.method, now)
        return answer

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
        answer = self._answer(request, rng, now)
        chosen = answer.route.name if isinstance(answer, Decision) else answer.route
        routes = [_verdict(route, request, route.name == chosen) for route in self._plan.routes]
        if not isinstance(answer, Decision):
            return Explanation(answer, routes, "", [])
        rng.setstate(self._rng.getstate())
        return Explanation(
            answer, routes, _how_split(answer.route, request), self._ranking(answer, request, rng, now)
        )

    def _answer(self, request: Request, rng: Random, now: float) -> Decision | Refusal:
        plan = self._plan
        rank = plan.index.find(request)
        if rank < 0:
            return _NO_ROUTE
        route = plan.routes[rank]
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
        return Decision(route, variant, ranking[0], fallbacks, target, considered, plan.generation)

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
        self._first_pools = [pools.of(route.variants[0].pool) for route in plan.routes]
        self._plan = plan
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
