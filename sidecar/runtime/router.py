"""The engine with a clock: what every service asks, and the one place where a bug becomes an answer."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from sidecar.core.decision import Answer, Decision
from sidecar.core.endpoint import Endpoint, canonical, names_an_ip
from sidecar.core.engine import Engine
from sidecar.core.explanation import Explanation
from sidecar.core.outcome import LEFT, Outcome
from sidecar.core.plan import Plan, Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Reply
from sidecar.core.report import Report
from sidecar.core.request import Headers, Request
from sidecar.core.rules.logic import All
from sidecar.core.state.tickets import Ticket
from sidecar.runtime.measures import Measures
from sidecar.wire.orca import report_of

log = structlog.get_logger("router")

_BUGS_TOLD: Final = 10
"""So many are logged one by one, later ones by the thousand: a bug may hit every request."""

Observer = Callable[[Request, Answer], None]


class Router:
    """Not safe for threads: one event loop owns it, and no call of it waits."""

    def __init__(self, engine: Engine, measures: Measures, observer: Observer | None = None) -> None:
        """`observer` sees each answer; for a demo or a debugger, not for traffic."""
        self.engine: Final = engine
        self._measures: Final = measures
        self._observer: Final = observer
        self._way_out: Decision | Refusal = _way_out(engine.plan)
        self._endpoints: dict[tuple[str, str, str], Endpoint] | None = None

    def answer(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes:
        """The encoded answer. Whatever fails on the way, the caller gets the plan's `on_error` answer."""
        encoded = self._answered(request, self.engine.decide, encode)
        assert encoded is not None
        return encoded

    def attempt(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes | None:
        """As `answer`. None, without any effect, when a rule waits for more of the request."""
        return self._answered(request, self.engine.attempt, encode)

    def refuse(self, refusal: Refusal, encode: Callable[[Answer], bytes]) -> bytes:
        """The encoded refusal of a request that no rule is asked about."""
        self._measures.refused(refusal.reason)
        return encode(refusal)

    def refusal(self, request: Request, encode: Callable[[Answer], bytes]) -> bytes | None:
        """What the gates say to a request that was let in, by what is known of it now."""
        request.received_at = time.time()
        try:
            refusal = self.engine.refusal(request)
        except Exception as bug:  # noqa: BLE001 - it is told
            self._tell(bug, "decision_failed")
            return None
        return None if refusal is None else self.refuse(refusal, encode)

    def _answered(
        self,
        request: Request,
        decide: Callable[[Request, float], Answer | None],
        encode: Callable[[Answer], bytes],
    ) -> bytes | None:
        begun = time.monotonic()
        request.received_at = time.time()
        try:
            answer = decide(request, begun)
            if answer is None:
                return None
            encoded = encode(answer)
            if self._observer is not None:
                self._observer(request, answer)
        except Exception as bug:  # noqa: BLE001 - it is told
            self._tell(bug, "decision_failed")
            answer = self._way_out
            encoded = encode(answer)
        self._measures.decisions.observe(time.monotonic() - begun)
        if isinstance(answer, Refusal):
            self._measures.refused(answer.reason)
        elif isinstance(answer, Reply):
            self._measures.replied(answer.route, request.method, answer.status)
        return encoded

    @property
    def body_limit(self) -> int:
        """Bytes of a body that rules may look into."""
        return self.engine.plan.body_limit

    def explain(self, request: Request) -> Explanation:
        request.received_at = time.time()
        return self.engine.explain(request, time.monotonic())

    def settle(self, ticket_id: int, outcome: Outcome) -> Ticket | None:
        """Learn from an outcome, once; None when there is no such ticket any more, or learning failed."""
        now = time.monotonic()
        try:
            ticket = self.engine.settle(ticket_id, outcome, now)
        except Exception as bug:  # noqa: BLE001 - it is told
            self._tell(bug, "learning_failed")
            return None
        if ticket is not None:
            duration = outcome.duration_s if outcome.duration_s >= 0 else now - ticket.admitted_at
            self._measures.ended(ticket, outcome, duration)
        return ticket

    def wants(self, route: str, question: str) -> bool:
        """Whether a copy of what is answered to this is worth taking."""
        return self.engine.state.last_good.wanted(route, question, time.monotonic())

    def keep(self, route: str, question: str, headers: Headers, body: bytes) -> None:
        """The whole answer, for when nobody is left."""
        self.engine.state.last_good.keep(route, question, headers, body, time.monotonic())

    def responded(self, ticket_id: int, outcome: Outcome, load: str = "") -> None:
        """As `reported`, of a response that begins now: how long that took is told by our own clock."""
        ticket = self.engine.state.tickets.waiting(ticket_id)
        if ticket is not None:
            outcome = outcome.begun_after(time.monotonic() - ticket.admitted_at)
        self.reported(ticket_id, outcome, load)

    def left(self, ticket_id: int) -> None:
        """The client went away, unless somebody has told how it ended."""
        if self.engine.state.tickets.waiting(ticket_id) is not None:
            self.settle(ticket_id, LEFT)

    def reported(self, ticket_id: int, outcome: Outcome, load: str = "") -> None:
        """The outcome, and what the endpoint that served said of itself, in its header."""
        ticket = self.settle(ticket_id, outcome)
        if not load or ticket is None:
            return
        server = ticket.server(outcome.served)
        if server is None and outcome.attempts == 1 and not names_an_ip(ticket.endpoint.address):
            server = ticket.endpoint  # Envoy has resolved its name
        self.told(server, report_of(load))

    def endpoint(self, cluster: str, id: str = "", address: str = "") -> Endpoint | None:
        """The one of the plan with this id or this address; None when there is none."""
        if self._endpoints is None:  # few ever ask, and then often
            self._endpoints = {}
            for variant in self.engine.plan.variants():
                for each in variant.endpoints:
                    self._endpoints[each.cluster, each.id, ""] = each
                    self._endpoints[each.cluster, "", each.address] = each
        return self._endpoints.get((cluster, id, canonical(address)))

    def told(self, endpoint: Endpoint | None, report: Report) -> None:
        """Learn from what the endpoint says of itself; None is somebody unknown."""
        counts = self._measures.load_reports
        counts["ignored"] += report.ignored
        if not report.says_something():
            return
        if endpoint is None:
            counts["foreign"] += 1
            return
        counts["taken"] += 1
        try:
            self.engine.told(endpoint.key, report, time.monotonic())
        except Exception as bug:  # noqa: BLE001 - it is told
            self._tell(bug, "learning_failed")

    def checked(self, endpoint: Endpoint, good: bool, why: str, *, degraded: bool = False) -> bool:
        """Learn from a probe. Returns whether the endpoint is healthy now and was not, or the other way
        round."""
        try:
            return self.engine.checked(endpoint.key, good, why, time.monotonic(), degraded=degraded)
        except Exception as bug:  # noqa: BLE001 - it is told
            self._tell(bug, "learning_failed")
            return False

    def failed(self, bug: Exception) -> None:
        """Something that is done beside the requests raised."""
        self._tell(bug, "asking_failed")

    def expire(self) -> float | None:
        """Give up what is overdue. Returns in how many seconds to call again; None when nothing is open."""
        now = time.monotonic()
        try:
            wake_at = self.engine.expire(now)
        except Exception as bug:  # noqa: BLE001 - it is told
            self._tell(bug, "learning_failed")
            return 0.0
        return None if wake_at is None else max(wake_at - now, 0.0)

    def swap(self, plan: Plan) -> None:
        self.engine.swap(plan, time.monotonic())
        self._way_out = _way_out(plan)
        self._endpoints = None

    def _tell(self, bug: Exception, event: str) -> None:
        self._measures.bugs += 1
        if self._measures.bugs <= _BUGS_TOLD or self._measures.bugs % 1000 == 0:
            log.error(event, exc_info=bug, error=repr(bug), failures=self._measures.bugs)


def _way_out(plan: Plan) -> Decision | Refusal:
    """The answer when the decision itself fails: the whole `on_error` cluster, or a refusal."""
    variant = plan.on_error
    if variant is None:
        return Refusal(Reason.INTERNAL)
    cluster = variant.endpoints[0].cluster
    anywhere = Endpoint(cluster, cluster, "")
    route = Route("on_error", All(()), (variant,))
    return Decision(route, variant, anywhere, [], None, len(variant.endpoints), plan.generation)
