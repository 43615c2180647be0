"""Whatever happens in whatever order, tickets, load and decisions stay true."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Plan, Route
from sidecar.core.refusal import Refusal
from sidecar.core.registry import STRATEGIES
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.path import PathUnder
from sidecar.core.split import Split
from sidecar.core.state.base import Learner
from sidecar.core.state.tickets import Ticket
from tests.builders import OK, a_plan, a_request, a_route, a_variant, an_endpoint, an_engine, ticket_of

MOST_TICKETS = 12

endpoints = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), max_size=4).map(
    lambda weights: [an_endpoint(name, weight) for name, weight in weights.items()]
)
strategies = st.sampled_from(sorted(STRATEGIES))


@st.composite
def drawn_route(draw: st.DrawFn, name: str) -> Route:
    matcher = PathUnder(f"/{name}")
    if draw(st.booleans()):
        return a_route(
            name,
            matcher,
            draw(endpoints),
            strategy=draw(strategies),
            enabled=draw(st.sampled_from([True, True, False])),
            want=draw(st.integers(1, 3)),
        )
    variants = tuple(
        a_variant(arm, draw(endpoints), strategy=draw(strategies), pool=f"{name}/{arm}") for arm in ("x", "y")
    )
    split = Split(name, ["x", "y"], draw(st.sampled_from([[1.0, 1.0], [9.0, 1.0], [0.0, 1.0]])))
    return Route(name, matcher, variants, split, (HeaderField("x-user"),))


drawn_plans = st.builds(
    lambda routes, lease_s: a_plan(*routes, lease_s=lease_s),
    st.sets(st.sampled_from("rst"), min_size=1).flatmap(
        lambda names: st.tuples(*(drawn_route(name) for name in sorted(names)))
    ),
    st.sampled_from([2.0, 10.0, 50.0]),
)


class _Endings(Learner):
    """How often each ticket began and ended."""

    def __init__(self) -> None:
        self.admissions: Counter[int] = Counter()
        self.endings: Counter[int] = Counter()

    def admitted(self, ticket: Ticket, now: float) -> None:
        self.admissions[ticket.id] += 1

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        self.endings[ticket.id] += 1


def places_of(plan: Plan, route: str) -> set[str]:
    """Endpoints that the plan allows for the route."""
    return {
        endpoint.key
        for each in plan.routes
        if each.name == route and each.enabled
        for variant in each.variants
        for endpoint in variant.endpoints
        if endpoint.weight > 0
    }


class EngineStates(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = an_engine(a_route("r", PathUnder("/r")), most_tickets=MOST_TICKETS)
        self.told = _Endings()
        self.engine.state.learners.append(self.told)
        self.now = 0.0
        self.open: dict[int, Ticket] = {}
        self.closed: list[int] = []
        self.opened = 0
        self.reported = 0
        self.lost = 0
        self.unknown = 0

    @rule(route=st.sampled_from("rst"), user=st.sampled_from(["", "ann", "bob", "eve"]))
    def decide(self, route: str, user: str) -> None:
        headers = [("x-user", user)] if user else []
        answer = self.engine.decide(a_request(f"/{route}", *headers), self.now)
        assert isinstance(answer, (Decision, Refusal))
        if isinstance(answer, Refusal):
            return
        named: list[Endpoint] = [answer.endpoint, *answer.fallbacks]
        assert {endpoint.key for endpoint in named} <= places_of(self.engine.plan, route)
        assert len({endpoint.key for endpoint in named}) == len(named) <= answer.route.want
        if len(self.open) == MOST_TICKETS:
            oldest = next(iter(self.open))
            del self.open[oldest]
            self.closed.append(oldest)
            self.lost += 1
        assert answer.ticket is not None
        assert answer.ticket.expires_at >= self.now + self.engine.plan.lease_s
        self.open[ticket_of(answer)] = answer.ticket
        self.opened += 1

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(sorted(self.open)))
        assert self.engine.settle(known, OK, self.now) is self.open.pop(known)
        self.closed.append(known)
        self.reported += 1

    @precondition(lambda self: self.closed)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        assert self.engine.settle(data.draw(st.sampled_from(self.closed)), OK, self.now) is None
        self.unknown += 1

    @rule(number=st.integers(-(2**70), 0) | st.integers(1 << 40, 2**70))
    def settle_unknown(self, number: int) -> None:
        assert self.engine.settle(number, OK, self.now) is None
        self.unknown += 1

    @rule(passed_s=st.sampled_from([0.5, 2.0, 9.5, 40.0]))
    def wait(self, passed_s: float) -> None:
        self.now += passed_s

    @rule()
    def expire(self) -> None:
        again_at = self.engine.expire(self.now)
        for ticket in list(self.open.values()):
            if ticket.expires_at <= self.now:
                del self.open[ticket.id]
                self.closed.append(ticket.id)
                self.lost += 1
        assert again_at == min((ticket.expires_at for ticket in self.open.values()), default=None)

    @rule(plan=drawn_plans)
    def swap(self, plan: Plan) -> None:
        self.engine.swap(plan)

    @rule(route=st.sampled_from("rst"))
    def explain(self, route: str) -> None:
        self.engine.explain(a_request(f"/{route}"), self.now)

    @invariant()
    def tickets_add_up(self) -> None:
        tickets = self.engine.state.tickets
        counted = (tickets.opened, tickets.reported, tickets.lost, tickets.unknown)
        assert counted == (self.opened, self.reported, self.lost, self.unknown)
        assert len(tickets) == len(self.open) == tickets.opened - tickets.reported - tickets.lost

    @invariant()
    def load_is_what_is_open(self) -> None:
        load = self.engine.state.load
        expected = Counter(ticket.endpoint.key for ticket in self.open.values())
        assert {key: load.of(f"shop/{key}") for key in "abcd"} == {
            key: expected[f"shop/{key}"] for key in "abcd"
        }
        assert load.total() == len(self.open)

    @invariant()
    def each_ticket_begins_once_and_ends_at_most_once(self) -> None:
        assert set(self.told.admissions.values()) <= {1}
        assert set(self.told.endings.values()) <= {1}
        assert set(self.told.endings) == set(self.closed)


TestEngineStates = EngineStates.TestCase
TestEngineStates.settings = settings(max_examples=100, stateful_step_count=40)
