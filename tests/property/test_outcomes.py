"""Outcomes that come by three channels in any order never count twice, and leave nothing behind."""

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.outcome import LEFT, Outcome
from sidecar.core.plan import Plan
from sidecar.core.state.base import Judge, Learner
from sidecar.core.state.breakers import HALF_OPEN
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict
from sidecar.core.watch import BreakerRule, OutlierRule, ScoreRule, Watch
from sidecar.v1 import route_pb2
from sidecar.wire.access_log import reports
from sidecar.wire.response import response_of
from sidecar.wire.route import outcome_of, parsed
from tests.builders import a_plan, a_request, a_route, an_engine, ticket_of
from tests.wire.entries import an_entry, batch
from tests.wire.messages import response_headers
from tests.wire.test_flags import FIELDS

MOST_TICKETS = 10
MOST_LOOKED_AT = 16
"""Of the attempts that an outcome tells."""
NAMES = "abc"
NOBODY = 1 << 39
"""A number that is given to no ticket here."""
WATCHES = {
    "breaker": Watch(
        breaker=BreakerRule(failures=2, success_rate=0.5, requests=4, open_s=5.0, half_open=2, close_after=2)
    ),
    "all": Watch(
        ScoreRule(0.3),
        OutlierRule(0.5, requests=3, base_s=5.0),
        BreakerRule(failures=1, open_s=3.0, half_open=3, close_after=2),
    ),
    "nothing": Watch(),
}


def address(name: str) -> str:
    return f"10.0.0.{NAMES.index(name) + 1}:80"


def plan_of(names: list[str], watch: str, want: int, lease_s: float, limit: int) -> Plan:
    offer = Offer(requests_per_minute=limit, tokens_per_minute=10 * limit, watch=WATCHES[watch])
    endpoints = [Endpoint("shop", name, address(name), 1, offer=offer) for name in names]
    return a_plan(a_route("r", to=endpoints, want=want), lease_s=lease_s)


plans = st.builds(
    plan_of,
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    st.sampled_from(sorted(WATCHES)),
    st.integers(1, 3),
    st.sampled_from([2.0, 20.0]),
    st.sampled_from([0, 4, 1000]),
)
statuses = st.sampled_from([0, 200, 200, 404, 429, 503, 503])
attempts = st.sampled_from([0, 1, 1, 2, 3, 7, 2**31 - 1])
served = st.sampled_from(["", *map(address, NAMES), "192.0.2.9:80"])


class _Endings(Learner):
    def __init__(self) -> None:
        self.admissions: Counter[int] = Counter()
        self.endings: Counter[int] = Counter()

    def admitted(self, ticket: Ticket, now: float) -> None:
        self.admissions[ticket.id] += 1

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        self.endings[ticket.id] += 1


class _Judged(Judge):
    def __init__(self) -> None:
        self.first: dict[int, str] = {}
        self.attempts: Counter[int] = Counter()

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        self.first.setdefault(ticket.id, endpoint.key)
        self.attempts[ticket.id] += 1


class OutcomeStates(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = an_engine(most_tickets=MOST_TICKETS)
        self.endings = _Endings()
        self.judged = _Judged()
        self.engine.state.learners.append(self.endings)
        self.engine.state.judges.append(self.judged)
        self.engine.swap(plan_of(list(NAMES), "all", 3, 20.0, 1000), 0.0)
        self.now = 0.0
        self.open: dict[int, Ticket] = {}
        self.known: list[int] = []
        self.told: dict[int, int] = {}
        """By ticket, how many attempts its outcome told, of those that are looked at."""
        self.given: list[tuple[float, str]] = []
        """When each request that counts was given to whom, retries among them."""
        self.reported = 0
        self.unknown = 0

    def tell(self, number: int, outcome: Outcome) -> None:
        """As the services do with what they have read."""
        ticket = self.engine.settle(number, outcome, self.now)
        assert ticket is self.open.pop(number, None)
        if ticket is None:
            self.unknown += 1
            return
        self.reported += 1
        self.told[number] = min(outcome.attempts, MOST_LOOKED_AT)
        order = [ticket.endpoint, *ticket.fallbacks]
        for at in range(1, self.told[number]):
            self.given.append((self.now, order[at % len(order)].key))

    def drawn(self, data: st.DataObject) -> int:
        """The number of a ticket: open, ended, or one that nobody has yet."""
        numbers = [*self.known, (self.known[-1] if self.known else 0) + 1, NOBODY]
        return data.draw(st.sampled_from(numbers))

    @rule(count=st.integers(1, 6))
    def decide(self, count: int) -> None:
        """Often enough that the table of tickets is full at times."""
        for _ in range(count):
            answer = self.engine.decide(a_request("/r"), self.now)
            if not isinstance(answer, Decision):
                return
            if len(self.open) == MOST_TICKETS:
                del self.open[next(iter(self.open))]
            assert answer.ticket is not None
            self.open[ticket_of(answer)] = answer.ticket
            self.known.append(ticket_of(answer))
            self.given.append((self.now, answer.endpoint.key))

    @rule(data=st.data(), count=st.integers(1, 4))
    def access_log(self, data: st.DataObject, count: int) -> None:
        entries = [an_entry(0)]
        for _ in range(count):
            entry = an_entry(self.drawn(data), data.draw(statuses))
            common = entry.common_properties
            common.upstream_request_attempt_count = data.draw(attempts)
            host, _, port = data.draw(served).rpartition(":")
            if host:
                common.upstream_remote_address.socket_address.address = host
                common.upstream_remote_address.socket_address.port_value = int(port)
            for flag in data.draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2)):
                if flag != "unauthorized_details":
                    setattr(common.response_flags, flag, True)
            common.duration.seconds = data.draw(st.sampled_from([-5, 0, 1, 1 << 40]))
            if data.draw(st.booleans()):
                common.metadata.filter_metadata["sidecar.tokens"].update({"total": "7"})
            entries.append(entry)
        for report in reports(batch(*entries)):
            if report.ticket:
                self.tell(report.ticket, report.outcome)

    @rule(data=st.data())
    def response_phase(self, data: st.DataObject) -> None:
        message = response_headers(str(data.draw(st.sampled_from([200, 200, 429, 503]))))
        told: dict[str, Any] = {
            "upstream.address": data.draw(served),
            "upstream.request_attempt_count": data.draw(attempts),
            "response.flags": data.draw(st.integers(0, 1 << 29)),
        }
        message.attributes["envoy.filters.http.ext_proc"].update(told)
        outcome, _ = response_of(message)
        self.tell(self.drawn(data), outcome.begun_after(data.draw(st.floats(0.0, 100.0))))

    @rule(data=st.data())
    def report_outcome(self, data: st.DataObject) -> None:
        message = route_pb2.ReportOutcomeRequest(
            ticket=self.drawn(data),
            status=data.draw(statuses),
            failure=data.draw(st.sampled_from(route_pb2.Failure.keys())),
            served=data.draw(served),
            attempts=data.draw(attempts),
            output_tokens=data.draw(st.sampled_from([None, 0, 5, 10_000])),
        )
        message = parsed(route_pb2.ReportOutcomeRequest, message.SerializeToString())
        self.tell(message.ticket, outcome_of(message))

    @rule(data=st.data())
    def stream_ends(self, data: st.DataObject) -> None:
        """Before its response; nobody is told of one whose ticket was settled."""
        number = self.drawn(data)
        if self.engine.state.tickets.waiting(number) is not None:
            self.tell(number, LEFT)

    @rule(passed_s=st.sampled_from([0.5, 2.5, 6.0, 70.0]))
    def wait(self, passed_s: float) -> None:
        self.now += passed_s

    @rule()
    def expire(self) -> None:
        self.engine.expire(self.now)
        for ticket in list(self.open.values()):
            if ticket.expires_at <= self.now:
                del self.open[ticket.id]

    @rule(plan=plans)
    def reload(self, plan: Plan) -> None:
        self.engine.swap(plan, self.now)

    @precondition(lambda self: self.open)
    @rule()
    def all_end(self) -> None:
        self.now = max(ticket.expires_at for ticket in self.open.values())
        self.expire()
        assert not self.open

    @invariant()
    def tickets_add_up(self) -> None:
        tickets = self.engine.state.tickets
        assert (tickets.reported, tickets.unknown) == (self.reported, self.unknown)
        assert len(tickets) == len(self.open) == tickets.opened - tickets.reported - tickets.lost

    @invariant()
    def each_ticket_counts_once(self) -> None:
        ended = set(self.known) - set(self.open)
        assert self.endings.admissions == Counter(self.known)
        assert self.endings.endings == Counter(ended)
        assert set(self.judged.attempts) == ended
        for number, attempts in self.judged.attempts.items():
            assert 1 <= attempts <= self.told.get(number, 1)

    @invariant()
    def load_is_what_is_open(self) -> None:
        load = self.engine.state.load
        expected = Counter(ticket.endpoint.key for ticket in self.open.values())
        assert {name: load.of(f"shop/{name}") for name in NAMES} == {
            name: expected[f"shop/{name}"] for name in NAMES
        }
        assert load.total() == len(self.open)

    @invariant()
    def quotas_count_what_was_given_and_no_more(self) -> None:
        """Nothing is given back twice either: then less than nothing would be used."""
        quotas, standing = self.engine.state.quotas, self.engine.state.standing
        lately = Counter(key for at, key in self.given if at > self.now - 61.0)
        for name in NAMES:
            key = f"shop/{name}"
            offer = standing.offer(key)
            if offer.requests_per_minute:
                used = offer.requests_per_minute - quotas.requests_left(key, self.now)
                assert 0 <= used <= lately[key]
                assert quotas.tokens_left(key, self.now) <= offer.tokens_per_minute

    @invariant()
    def trials_under_way_are_those_of_open_tickets(self) -> None:
        trials = Counter((ticket.endpoint.key, ticket.trial) for ticket in self.open.values() if ticket.trial)
        for key, breaker in self.engine.state.breakers.not_closed.items():
            if breaker.state == HALF_OPEN:
                held = sum(until > self.now for until in breaker.places)
                assert held <= min(trials[key, breaker.generation], 16 * breaker.rule.half_open)

    def teardown(self) -> None:
        """Once all have ended and their minute is over, no quota is used and nobody is kept out for ever."""
        while self.open:
            self.all_end()
        self.now += 200.0
        self.engine.swap(plan_of(list(NAMES), "all", 1, 20.0, 4), self.now)
        quotas = self.engine.state.quotas
        assert [quotas.used(f"shop/{name}", self.now) for name in NAMES] == [0.0] * len(NAMES)
        assert isinstance(self.engine.decide(a_request("/r"), self.now), Decision)


TestOutcomeStates = OutcomeStates.TestCase
TestOutcomeStates.settings = settings(max_examples=100, stateful_step_count=40)
