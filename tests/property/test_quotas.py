"""Whatever happens in whatever order, no endpoint is given more in 60 seconds than it may have."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sidecar.core.decision import Decision
from sidecar.core.endpoint import Offer
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.state.standing import HEALTHY
from tests.builders import ticket_of
from tests.core.limited import a_limited_engine, a_limited_plan, an_offer, asking

LEASE_S = 40.0
NAMES = "abc"
offers = st.sampled_from(
    [an_offer(2), an_offer(5, quota=0.5), an_offer(0, 50), an_offer(4, 30), an_offer(40, 100)]
)
drawn_offers = st.fixed_dictionaries(dict.fromkeys(NAMES, offers))


class Given:
    """One request as it should be counted: `tokens` as reserved, and later as used."""

    def __init__(self, endpoint: str, at: float, tokens: int) -> None:
        self.endpoint = endpoint
        self.at = at
        self.requests = 1
        self.tokens = tokens


class QuotaStates(RuleBasedStateMachine):
    """Limits never change here, so that all that was admitted was admitted under them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.offers: dict[str, Offer] = {name: an_offer(3, 40) for name in NAMES}
        self.engine = a_limited_engine(self.offers)
        self.given: list[Given] = []
        self.open: dict[int, Given] = {}
        self.begun = False

    @precondition(lambda self: not self.begun)
    @rule(offers=drawn_offers, want=st.integers(1, 3), panic=st.sampled_from([0.0, 1.0]))
    def begin(self, offers: dict[str, Offer], want: int, panic: float) -> None:
        self.begun = True
        self.offers = offers
        plan = a_limited_plan(offers, want=want, panic=panic, lease_s=LEASE_S)
        self.engine.swap(plan, self.now)

    @precondition(lambda self: self.begun)
    @rule(tokens=st.integers(0, 60))
    def decide(self, tokens: int) -> None:
        answer = self.engine.decide(asking(tokens), self.now)
        if isinstance(answer, Refusal):
            assert answer.reason is Reason.RATE_LIMITED
            return
        assert isinstance(answer, Decision)
        name = answer.endpoint.id
        given = Given(name, self.now, tokens)
        self.given.append(given)
        self.open[ticket_of(answer)] = given
        requests, used = self.counted(name, 60.0)
        offer = self.offers[name]
        assert not offer.requests_per_minute or requests <= offer.requests_per_minute
        assert not offer.tokens_per_minute or used <= offer.tokens_per_minute

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.open)))
        given = self.open.pop(ticket)
        kind = data.draw(st.sampled_from(["used", "unknown", "never came"]))
        if kind == "used":
            # No more than was reserved: an estimate that is too low is known too late.
            used = data.draw(st.integers(0, given.tokens))
            self.engine.settle(ticket, Outcome(200, tokens=used), self.now)
            given.tokens = used
        elif kind == "unknown":
            self.engine.settle(ticket, Outcome(200), self.now)
        else:
            self.engine.settle(ticket, Outcome(0, failure=Failure.CONNECTION), self.now)
            given.tokens = given.requests = 0

    @rule()
    def expire(self) -> None:
        self.engine.expire(self.now)
        self.open = {ticket: given for ticket, given in self.open.items() if given.at + LEASE_S > self.now}

    @rule(passed_s=st.sampled_from([0.25, 0.999, 1.0, 7.3, 30.0, 59.9, 61.0]))
    def wait(self, passed_s: float) -> None:
        self.now += passed_s

    @invariant()
    def what_is_counted_is_between_the_last_60_and_61_seconds(self) -> None:
        for name in NAMES:
            offer, key = self.offers[name], f"shop/{name}"
            least, most = self.counted(name, 60.0), self.counted(name, 61.0)
            if offer.requests_per_minute:
                left = self.engine.state.quotas.requests_left(key, self.now)
                assert least[0] <= offer.requests_per_minute - left <= most[0]
            if offer.tokens_per_minute:
                left = self.engine.state.quotas.tokens_left(key, self.now)
                assert least[1] <= offer.tokens_per_minute - left <= most[1]

    def teardown(self) -> None:
        """What was reserved returns to nothing, and everybody comes back."""
        later = self.now + 61.0
        for name in NAMES:
            assert self.engine.state.quotas.used(f"shop/{name}", later) == 0.0
        assert isinstance(self.engine.decide(asking(0), later), Decision)
        assert [self.engine.state.standing.level(f"shop/{name}") for name in NAMES] == [HEALTHY] * 3

    def counted(self, name: str, for_s: float) -> tuple[int, int]:
        """Requests and tokens of those that came in so many seconds until now."""
        came = [each for each in self.given if each.endpoint == name and each.at > self.now - for_s]
        return sum(each.requests for each in came), sum(each.tokens for each in came)


TestQuotaStates = QuotaStates.TestCase
TestQuotaStates.settings = settings(max_examples=100, stateful_step_count=50)
