"""Decides where each request goes, and learns how it ended. This is the program; everything else serves it.

request ─► gates ─► route (rules) ─► variant (split) ─► candidates (filters) ─► strategy ─► admit ─► Decision
             └ Refusal  ├ none: Refusal     │                 └ none: Refusal                └─ Ticket
                        └ direct: Reply     └── all before admit only reads: explain is the same without it
outcome ─► settle ─► learners
"""

from random import Random
from typing import Final, final

from sidecar.core.decision import Answer, Decision
from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.explanation import (
    CandidateVerdict,
    ConditionVerdict,
    Explanation,
    GateVerdict,
    RouteVerdict,
    marks_of,
    note_of,
    note_of_regions,
    state_of,
    told,
)
from sidecar.core.fallbacks import filled
from sidecar.core.filters.base import Sieve, hard_and_soft
from sidecar.core.filters.named import wished
from sidecar.core.nobody import nobody
from sidecar.core.outcome import LOST, Failure, Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Redirect, Reply, reply_of
from sidecar.core.report import Report
from sidecar.core.request import Request
from sidecar.core.rules.base import quoted
from sidecar.core.rules.cache import RouteCache
from sidecar.core.rules.logic import All
from sidecar.core.rules.path import climbs
from sidecar.core.split import unit_hash
from sidecar.core.state.answers import Keeping
from sidecar.core.state.memory import State
from sidecar.core.state.pools import Pool
from sidecar.core.state.standing import Roster
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.tried import tried
from sidecar.core.state.verdict import of_attempt
from sidecar.core.strategies.base import Turn, candidates_now, narrowed

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

    def __init__(self, plan: Plan, state: State, rng: Random, now: float = 0.0) -> None:
        self._state: Final = state
        self._rng: Final = rng
        self._plan = plan
        self._first_pools: list[Pool] = []
        self._cache: RouteCache | None = None
        self._adopt(plan, now)

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
            self._admit(answer, request, now)
        return answer

    def attempt(self, request: Request, now: float) -> Answer | None:
        """As `decide`. None, and nothing admitted, when a rule asked for what is still to come."""
        answer = self._answer(request, None, self._rng, now)
        if request.attached is not None and request.attached.waits():
            return None
        if isinstance(answer, Decision):
            self._admit(answer, request, now)
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

    def told(self, endpoint_key: str, report: Report, now: float) -> None:
        """An endpoint of the plan said this of itself."""
        self._state.reports.told(
            endpoint_key,
            now,
            utilisation=report.utilisation,
            quota_used=report.quota_used,
            cache_hit_rate=report.cache_hit_rate,
        )

    def checked(self, endpoint_key: str, good: bool, why: str, now: float, *, degraded: bool = False) -> bool:
        """An endpoint was asked by a probe. Returns whether it is healthy now and was not, or the other way
        round."""
        return self._state.probes.checked(endpoint_key, good, why, now, degraded=degraded)

    def expire(self, now: float) -> float | None:
        """Settle as lost what is overdue, and end the marks whose time is over. Returns when to call again;
        None when no ticket is open."""
        if now >= self._state.standing.due:
            self._state.standing.pass_time(now)
        for ticket in self._state.tickets.overdue(now):
            self._settled(ticket, LOST, now)
        return self._state.tickets.next_expiry()

    def swap(self, plan: Plan, now: float = 0.0) -> None:
        """From now on every request sees `plan`. What is remembered stays, by name."""
        self._adopt(plan, now)

    def explain(self, request: Request, now: float) -> Explanation:
        """What `decide` would answer now and why, without any effect. Visits every route: not for traffic."""
        self._state.pools.look_only()
        try:
            return self._explained(request, now)
        finally:
            self._state.pools.looked()

    def _explained(self, request: Request, now: float) -> Explanation:
        rng = Random()
        rng.setstate(self._rng.getstate())
        turns: list[tuple[Route, Variant, Turn]] = []
        answer = self._answer(request, None, rng, now, turns)
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
            if not turns:
                return Explanation(answer, gates, routes, "", [])
            route, variant, turn = turns[0]
            split = _how_split(route, request)
            passed_over = self._passed_over(variant, turn, [], now)
            return Explanation(answer, gates, routes, split, passed_over, self._notes(variant, now))
        rng.setstate(self._rng.getstate())
        split = _how_split(answer.route, request)
        ranking = self._ranking(answer, request, rng, now)
        return Explanation(answer, gates, routes, split, ranking, self._notes(answer.variant, now))

    def _answer(
        self,
        request: Request,
        cache: RouteCache | None,
        rng: Random,
        now: float,
        turns: list[tuple[Route, Variant, Turn]] | None = None,
    ) -> Answer:
        """Whoever wants to know why gets the turn in which an endpoint was looked for, in `turns`."""
        plan = self._plan
        standing = self._state.standing
        if now >= standing.due:
            standing.pass_time(now)
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
            return self._to_an_endpoint(rank, route, request, (), rng, now, turns)
        steps: list[Route] = []
        while True:
            if route.share >= 1.0 or _taken(route, request, rng):
                if route.direct is not None:
                    direct = route.direct
                    return direct.reply(request) if isinstance(direct, Redirect) else direct
                if not route.step:
                    return self._to_an_endpoint(rank, route, request, tuple(steps), rng, now, turns)
                steps.append(route)
                if route.set_priority:
                    request.priority = route.set_priority
            rank = plan.index.find(request, rank)
            if rank < 0:
                return _NO_ROUTE
            route = plan.routes[rank]

    def _to_an_endpoint(
        self,
        rank: int,
        route: Route,
        request: Request,
        steps: tuple[Route, ...],
        rng: Random,
        now: float,
        turns: list[tuple[Route, Variant, Turn]] | None,
    ) -> Answer:
        if route.split is None:
            variant = route.variants[0]
            pool = self._first_pools[rank]
        else:
            variant = _choose(route, request, rng)
            pool = self._state.pools.of(variant.pool)
        if route.chooser is not None:
            other = route.chooser.choose(variant, request)
            if other is not variant:
                variant = other
                pool = self._state.pools.of(other.pool)
        candidates = candidates_now(pool, variant.strategy)
        sieves: list[Sieve] | None = None
        if route.filters or request.wishes is not None:
            sieves = _sieves(route, request, self._state, now)
            if sieves is not None:
                pool, candidates = narrowed(pool, variant.strategy, self._state, sieves)
        considered = len(candidates.endpoints)
        turn = Turn(request, pool, candidates, self._state, rng, now, sieves)
        if turns is not None:
            turns.append((route, variant, turn))
        if route.keeping is not None and self._tries(variant):
            kept = self._last_good(route, route.keeping, sieves, request, now)
            if kept is not None:
                return kept
        if considered == 0 and not variant.links:
            return self._nobody(route, variant, sieves, request, now)
        ranking = variant.strategy.rank(turn, route.want)
        if sieves is not None and len(ranking) < route.want:
            ranking = filled(ranking, turn, variant, route.want)
        if not ranking:
            return self._nobody(route, variant, sieves, request, now)
        target = None if route.rewrite is None else route.rewrite.target(request)
        fallbacks = ranking[1:] if route.want > 1 else _NO_FALLBACKS
        drawn = None if route.happening is None else route.happening.draw(rng)
        generation = self._plan.generation
        first = ranking[0]
        decision = Decision(route, variant, first, fallbacks, target, considered, generation, drawn, steps)
        decision.turn = turn
        if route.retries is not None and route.retries.allow(request):
            decision.retries = route.retries
        return decision

    def _nobody(
        self, route: Route, variant: Variant, sieves: list[Sieve] | None, request: Request, now: float
    ) -> Refusal | Reply:
        answer = nobody(route, variant, sieves, self._state)
        if route.keeping is None:
            return answer
        if isinstance(answer, Refusal) and answer.reason is not Reason.NO_HEALTHY_ENDPOINT:
            return answer
        return self._last_good(route, route.keeping, sieves, request, now) or answer

    def _tries(self, variant: Variant) -> bool:
        """Whether everybody is out, and some are tried all the same, for want of others."""
        roster = self._state.pools.of(variant.pool).roster
        return roster is not None and roster.trying

    def _last_good(
        self, route: Route, keeping: Keeping, sieves: list[Sieve] | None, request: Request, now: float
    ) -> Reply | None:
        """What was answered to the same question, unless the request asks more than just any endpoint."""
        if sieves:
            return None
        kept = self._state.last_good.of(route.name, keeping.question(request), now)
        return None if kept is None else reply_of(route.name, kept, now)

    def _admit(self, decision: Decision, request: Request, now: float) -> None:
        tickets = self._state.tickets
        if tickets.crowded():
            for oldest in tickets.oldest():
                self._settled(oldest, LOST, now)
        variant = decision.variant
        turn = decision.turn
        ticket = tickets.open(
            decision.route.name,
            variant.name,
            variant.pool if turn is None else variant.strategy.source(turn).name,
            decision.endpoint,
            decision.generation,
            now,
            self._plan.lease_s,
            request.method,
            decision.fallbacks,
            self._tokens(decision, request),
        )
        decision.ticket = ticket
        if decision.retries is not None:
            ticket.again_for = decision.retries.statuses
        for learner in self._state.learners:
            learner.admitted(ticket, now)
        if self._state.breakers.not_closed:
            self._state.breakers.admitted(ticket, now)
        if turn is not None:
            for each in decision.route.filters:
                each.admitted(request, ticket, self._state)
            variant.strategy.admitted(turn, decision.endpoint)
            if decision.route.cookie is not None:
                decision.cookie = variant.strategy.cookie(turn, decision.endpoint)

    def _tokens(self, decision: Decision, request: Request) -> int:
        """What the request is likely to take, 0 where none of its endpoints counts tokens."""
        if decision.endpoint.offer.tokens_per_minute > 0:
            return self._plan.tokens.total(request)
        for endpoint in decision.fallbacks:
            if endpoint.offer.tokens_per_minute > 0:
                return self._plan.tokens.total(request)
        return 0

    def _settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        for learner in self._state.learners:
            learner.settled(ticket, outcome, now)
        if outcome.attempts > 1:
            server = ticket.server(outcome.served) if outcome.served else ticket.attempt(outcome.attempts)
            if server is not None and server is not ticket.endpoint:
                for learner in self._state.learners:
                    learner.took_over(server, outcome, now)
            for endpoint, judged in tried(ticket, outcome):
                for judge in self._state.judges:
                    judge.ended(endpoint, judged, -1.0, ticket, now)
            return
        only = of_attempt(outcome, ticket.endpoint.offer.watch.failures)
        # How long a client stayed that left says nothing of who answered it.
        latency_s = outcome.first_byte_s if outcome.failure is Failure.CANCELLED else outcome.latency_s()
        for judge in self._state.judges:
            judge.ended(ticket.endpoint, only, latency_s, ticket, now)

    def _adopt(self, plan: Plan, now: float) -> None:
        """Where a strategy fails to prepare its pool, the plan that was in force stays in force."""
        variants = plan.variants()
        pools = self._state.pools
        rosters: dict[tuple[tuple[Endpoint, ...], float, bool], Roster] = {}
        for variant in variants:
            who = (variant.endpoints, variant.panic, variant.recovers)
            rosters.setdefault(who, Roster(variant.endpoints, variant.panic, recovers=variant.recovers))
        listed = list(rosters.values())
        self._state.standing.renew(listed)
        for variant in variants:
            roster = rosters[(variant.endpoints, variant.panic, variant.recovers)]
            pool = pools.arrange(
                variant.pool, roster.candidates, variant.endpoints, roster, variant.strategy_name
            )
            variant.strategy.arrange(pool)
        self._state.standing.adopt(listed, now)
        self._state.region_failover.adopt(
            plan.regions, [endpoint for endpoints, _, _ in rosters for endpoint in endpoints]
        )
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
        self._state.last_good.adopt(
            {route.name: route.keeping for route in plan.routes if route.keeping is not None}
        )
        # One that stays forgets by itself what it knows of another plan's index.
        pools.keep_only({variant.pool for variant in variants})
        keys = {endpoint.key for endpoints, _, _ in rosters for endpoint in endpoints}
        self._state.regions.keep_only(
            {endpoint.region for endpoints, _, _ in rosters for endpoint in endpoints}
        )
        for learner in self._state.learners:
            learner.keep_endpoints(keys)
        for judge in self._state.judges:
            judge.keep_endpoints(keys)
        self._state.probes.keep_endpoints(keys)
        for learner in self._state.learners:
            learner.plan_changed(now)
        for judge in self._state.judges:
            judge.plan_changed(now)
        self._state.probes.plan_changed(now)

    def _ranking(
        self, decision: Decision, request: Request, rng: Random, now: float
    ) -> list[CandidateVerdict]:
        route = decision.route
        if route.split is not None:
            _choose(route, request, rng)  # draws what the decision drew before it ranked
        variant = decision.variant
        taken = decision.turn
        assert taken is not None
        turn = Turn(request, taken.pool, taken.candidates, self._state, rng, now, taken.sieves)
        want = len(turn.candidates.endpoints)
        for link in variant.links:
            want += len(self._state.pools.of(link.pool).candidates.endpoints)
        ranking = variant.strategy.rank(turn, want)
        # A random strategy may order all of them otherwise than it picked one: what is picked comes first.
        named = [decision.endpoint, *decision.fallbacks]
        places = named + [endpoint for endpoint in ranking if endpoint not in named]
        scores = dict(variant.strategy.scores(turn))
        parts = dict(variant.strategy.parts(turn))
        verdicts = [
            self._candidate(endpoint, at + 1, "", now, scores.get(endpoint), parts.get(endpoint))
            for at, endpoint in enumerate(places)
        ]
        return verdicts + self._passed_over(variant, turn, places, now, scores, parts)

    def _passed_over(
        self,
        variant: Variant,
        turn: Turn,
        places: list[Endpoint],
        now: float,
        scores: dict[Endpoint, float] | None = None,
        parts: dict[Endpoint, list[tuple[str, float]]] | None = None,
    ) -> list[CandidateVerdict]:
        """Every endpoint of the variant, and of those that it is linked to, that has no place."""
        verdicts: list[CandidateVerdict] = []
        listed = set(places)
        for arm in (variant, *variant.links):
            for endpoint in arm.endpoints:
                if endpoint not in listed:
                    listed.add(endpoint)
                    why = self._why_not(endpoint, turn, arm, now)
                    score = None if scores is None else scores.get(endpoint)
                    made_of = None if parts is None else parts.get(endpoint)
                    verdicts.append(self._candidate(endpoint, 0, why, now, score, made_of))
        return verdicts

    def _candidate(
        self,
        endpoint: Endpoint,
        place: int,
        why: str,
        now: float,
        score: float | None,
        parts: list[tuple[str, float]] | None,
    ) -> CandidateVerdict:
        level = self._state.standing.level(endpoint.key)
        marks = marks_of(self._state.standing.marks(endpoint.key), now)
        state = "" if why else state_of(endpoint, marks, self._state, now)
        health = self._state.scores.of(endpoint.key, now)
        return CandidateVerdict(endpoint, place, why, score, parts, level, marks, state, health)

    def _why_not(self, endpoint: Endpoint, turn: Turn, variant: Variant, now: float) -> str:
        """Why this endpoint of the variant is not in the ranking."""
        if endpoint.weight == 0:
            return "its weight is 0"
        whole = self._state.pools.of(variant.pool)
        if endpoint.key not in whole.candidates.by_key:
            marks = marks_of(self._state.standing.marks(endpoint.key), now)
            return told(endpoint, marks, self._state, now) or "it may not be picked now"
        for sieve in turn.sieves or ():
            why = sieve.why_not(endpoint)
            if why:
                return why
        return "the strategy left it out"

    def _notes(self, variant: Variant, now: float) -> list[str]:
        notes: list[str] = []
        for arm in (variant, *variant.links):
            for told_of in note_of_regions(arm.endpoints, self._state, now):
                if told_of not in notes:
                    notes.append(told_of)
            note = note_of(self._state.pools.of(arm.pool), self._state)
            if note:
                notes.append(f"{arm.name}: {note}" if variant.links else note)
        return notes


def _sieves(route: Route, request: Request, state: State, now: float) -> list[Sieve] | None:
    """What the request asks of endpoints; None when it asks nothing, as most."""
    found: list[Sieve] | None = None if request.wishes is None else wished(request.wishes)
    for each in route.filters:
        sieve = each.sieve(request, state, now)
        if sieve is not None:
            if found is None:
                found = []
            found.append(sieve)
    return hard_and_soft(found) if found else None


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
    if route.cookie is not None:
        shown = route.cookie.shown(request)
        if shown is not None:
            for variant in route.variants:
                if variant.name == shown.arm:
                    return variant
    return route.variants[split.by_chance(rng.random())]


def _how_split(route: Route, request: Request) -> str:
    if route.split is None:
        return ""
    for field in route.sticky:
        if any(field.read(request)):
            return f"by {field.name()}"
    if route.cookie is not None and route.cookie.shown(request) is not None:
        return f"by the cookie {route.cookie.name}"
    return "by chance"


def _verdict(route: Route, request: Request, chosen: bool) -> RouteVerdict:
    matcher = route.matcher
    parts = matcher.parts if isinstance(matcher, All) else (matcher,)
    conditions = [ConditionVerdict(part.text(), part.seen(request), part.matches(request)) for part in parts]
    matched = route.enabled and all(condition.held for condition in conditions)
    return RouteVerdict(route.name, route.priority, route.enabled, matched, chosen, conditions)
