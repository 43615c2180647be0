"""Endpoints that are judged by rules, and engines that hear how their attempts ended."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.refusal import Refusal
from sidecar.core.registry import STRATEGIES
from sidecar.core.state.memory import State
from sidecar.core.state.standing import Roster, Standing
from sidecar.core.state.tickets import Ticket, Tickets
from sidecar.core.watch import RegionRule, Watch
from tests.builders import ALWAYS, a_request, decided, ticket_of

FAILED = Outcome(503, 0.01)
REFUSED = Outcome(0, 0.001, Failure.CONNECTION)
_TICKETS = Tickets(0)


def watched(
    ids: str,
    watch: Watch,
    *,
    cluster: str = "shop",
    region: str = "",
    slow_start_s: float = 0.0,
) -> list[Endpoint]:
    """One endpoint for each id."""
    offer = Offer(watch=watch, slow_start_s=slow_start_s)
    return [Endpoint(cluster, name, f"{name}.test:80", region=region, offer=offer) for name in ids.split()]


def a_ticket(endpoint: Endpoint, now: float) -> Ticket:
    return _TICKETS.open("main", "main", "main", endpoint, 1, now, 300.0)


def a_judged_plan(endpoints: Iterable[Endpoint], *, regions: RegionRule | None = None, want: int = 1) -> Plan:
    variant = Variant("main", "main", tuple(endpoints), STRATEGIES["round_robin"](), "round_robin")
    return Plan(1, [Route("main", ALWAYS, (variant,), want=want)], regions=regions)


def a_judged_engine(
    endpoints: Iterable[Endpoint], *, regions: RegionRule | None = None, want: int = 1
) -> Engine:
    """One route, by turns, to all of them."""
    return Engine(a_judged_plan(endpoints, regions=regions, want=want), State(), Random(1))


def asked(engine: Engine, now: float, answer: Callable[[Endpoint], Outcome]) -> Endpoint:
    """One request, which ends at once as its endpoint answers."""
    decision = decided(engine, now=now)
    engine.settle(ticket_of(decision), answer(decision.endpoint), now)
    return decision.endpoint


def who(engine: Engine, now: float, requests: int = 12) -> str:
    """Who may be picked, by requests that nobody hears of again."""
    found = set()
    for _ in range(requests):
        answer = engine.decide(a_request(), now)
        if isinstance(answer, Refusal):
            return answer.reason.name
        assert isinstance(answer, Decision)
        found.add(answer.endpoint.id)
    return " ".join(sorted(found))


def standing_of(endpoints: Sequence[Endpoint]) -> Standing:
    standing = Standing()
    adopt(standing, endpoints)
    return standing


def adopt(standing: Standing, endpoints: Sequence[Endpoint], now: float = 0.0) -> None:
    standing.adopt([Roster(tuple(endpoints))], now)
