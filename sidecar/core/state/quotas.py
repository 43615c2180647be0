"""How many requests and tokens each endpoint was given in the last minute, and who has had all it may have.

A limit holds in every stretch of 60 seconds, wherever it begins: endpoints count by a minute of their own
(Azure OpenAI's count "resets every minute"), and nobody tells when that begins. A bucket that refills can't
promise this and use the limit up: by the generic cell rate algorithm (ITU-T I.371, annex A) a minute admits
the burst and what has refilled, up to twice the limit. So the seconds are counted one by one, with a sum that
runs along. Each leaves the sum 61 seconds after it began, when all of it is 60 seconds ago; so a limit may be
kept up to a second longer than needed, and never too short.
"""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.base import Learner
from sidecar.core.state.reports import UNKNOWN
from sidecar.core.state.standing import DEGRADED, HEALTHY, SPENT, Mark, Standing
from sidecar.core.state.tickets import Ticket

UNLIMITED: Final = 1 << 60
_CAUSE: Final = "quota"
_SECONDS: Final = 61
_MOST_ATTEMPTS: Final = 16
_STEP: Final = 20
"""Who has had all comes back when a twentieth of the limit is free: at most 20 times a minute, because each
time the candidates of its pools are made anew. At a limit that is always used up nothing is lost by it."""


@final
class _Meter:
    """What was given in each of the last 61 seconds, of which `limit` may be given together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total: int = 0
        self.spent = False
        self._given: Final[list[int]] = [0] * _SECONDS
        self._newest: int = 0

    def pass_time(self, second: int) -> None:
        passed = second - self._newest
        if passed <= 0:
            return
        self._newest = second
        if self.total:
            given = self._given
            for at in range(second - min(passed, _SECONDS) + 1, second + 1):
                place = at % _SECONDS
                self.total -= given[place]
                given[place] = 0

    def add(self, amount: int, second: int) -> None:
        """To what was given in that second; nothing when it has left already."""
        if self.counts(second):
            self._given[second % _SECONDS] += amount
            self.total += amount

    def counts(self, second: int) -> bool:
        return second > self._newest - _SECONDS

    def total_at(self, second: int) -> int:
        """What will be left by then, if no more is given."""
        passed = second - self._newest
        if passed <= 0 or self.total == 0:
            return self.total
        if passed >= _SECONDS:
            return 0
        left = self.total
        for at in range(self._newest + 1, second + 1):
            left -= self._given[at % _SECONDS]
        return left

    def falls_to(self, most: int) -> int:
        """The second from which on no more than `most` is left, if no more is given."""
        left = self.total
        second = self._newest - _SECONDS + 1
        while left > most and second <= self._newest:
            left -= self._given[second % _SECONDS]
            second += 1
        return second + _SECONDS - 1

    def step(self) -> int:
        return max(self.limit // _STEP, 1)

    def judge(self) -> None:
        """Once all was given, it stays `spent` until a step of it is free."""
        self.spent = self.total >= self.limit or (self.spent and self.total > self.limit - self.step())

    def room(self) -> int:
        """At least so much is left when the endpoint may be picked next."""
        return self.step() if self.spent else self.limit - self.total


@final
class _Account:
    """Of one endpoint. `serial` is another each time that there is more to be counted than before. `gone` is
    one that the plan does not name; and what was counted for a limit that it does not name is `former`."""

    def __init__(self, key: str) -> None:
        self.key: Final = key
        self.serial: int = 0
        self.requests: _Meter | None = None
        self.tokens: _Meter | None = None
        self.former_requests: _Meter | None = None
        self.former_tokens: _Meter | None = None
        self.gone = False
        self.most_share: float = 0.0
        self.level: int = HEALTHY
        self.until: int = 0

    def pass_time(self, second: int) -> None:
        if self.requests is not None:
            self.requests.pass_time(second)
        if self.tokens is not None:
            self.tokens.pass_time(second)

    def empty_at(self, second: int) -> bool:
        """Whether nothing of what it was given counts any more."""
        for meter in (self.requests, self.tokens, self.former_requests, self.former_tokens):
            if meter is not None and meter.total_at(second):
                return False
        return True

    def limited(self) -> bool:
        return self.requests is not None or self.tokens is not None

    def add(self, requests: int, tokens: int, second: int) -> None:
        if self.requests is not None:
            self.requests.add(requests, second)
        if self.tokens is not None and tokens:
            self.tokens.add(tokens, second)

    def level_now(self) -> int:
        """Where it should stand by what is counted."""
        level = HEALTHY
        for meter in (self.requests, self.tokens):
            if meter is not None:
                meter.judge()
                if meter.spent:
                    level = SPENT
                elif level == HEALTHY and 0.0 < self.most_share * meter.limit < meter.total:
                    level = DEGRADED
        return level

    def over_at(self, level: int) -> int:
        """The second from which on this level is too bad for it, if no more is given."""
        over = 0
        for meter in (self.requests, self.tokens):
            if meter is not None:
                if level == DEGRADED:
                    over = max(over, meter.falls_to(int(self.most_share * meter.limit)))
                elif meter.spent:
                    over = max(over, meter.falls_to(meter.limit - meter.step()))
        return over

    def why(self, level: int) -> str:
        if level == DEGRADED:
            return "it has had nearly as much this minute as it may have"
        if self.tokens is not None and self.tokens.spent:
            return f"it has had its {self.tokens.limit} tokens of this minute"
        assert self.requests is not None
        return f"it has had its {self.requests.limit} requests of this minute"


@final
class Quotas(Learner):
    """By endpoint key, only of those that have limits, or had some in the last minute: who leaves the plan
    and comes back with the next has had what it was given.

    A request counts in the second in which it was admitted: as one request, and with the tokens that it is
    likely to take. Its outcome puts in their place what it really took; one that never came to the endpoint
    gives back all, and one that nobody reports keeps what it had. Retries count from when they are known; as
    many as are under way at once may be more than the limit. What turns out to be more than was
    estimated, when that second has left already, counts from then on.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing: Final = standing
        self._accounts: Final[dict[str, _Account]] = {}
        self._serial: int = 0
        self._floor: int = UNLIMITED
        """Nobody who may be picked has fewer tokens left; some seconds ago it may have been so."""
        self._floor_at: int = -1

    def __len__(self) -> int:
        return len(self._accounts)

    def used(self, endpoint_key: str, now: float) -> float:
        """The share of its limit that it was given, of requests or of tokens, whichever is more: 0 to 1, and
        above where more was taken than estimated. UNKNOWN below 0, without limits."""
        account = self._accounts.get(endpoint_key)
        if account is None or not account.limited():
            return UNKNOWN
        share = 0.0
        for meter in (account.requests, account.tokens):
            if meter is not None:
                share = max(share, meter.total_at(int(now)) / meter.limit)
        return share

    def requests_left(self, endpoint_key: str, now: float) -> int:
        account = self._accounts.get(endpoint_key)
        return UNLIMITED if account is None else _left(account.requests, now)

    def tokens_left(self, endpoint_key: str, now: float) -> int:
        """Negative where more was taken than estimated."""
        account = self._accounts.get(endpoint_key)
        return UNLIMITED if account is None else _left(account.tokens, now)

    def short(self, tokens: int) -> bool:
        """Whether some endpoint may have fewer tokens left than these; where not, nobody has to be asked."""
        return tokens > self._floor

    def admitted(self, ticket: Ticket, now: float) -> None:
        account = self._accounts.get(ticket.endpoint.key)
        if account is not None:
            second = int(now)
            account.pass_time(second)
            account.add(1, ticket.tokens, second)
            ticket.account = account.serial
            self._judge(account, now)
            if account.tokens is not None and second > self._floor_at:
                self._find_floor(second)

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        if not self._accounts:
            return
        server: Endpoint | None = ticket.endpoint
        if outcome.attempts > 1:
            server = ticket.server(outcome.served)
            self._count_retries(ticket, server, outcome, now)
        account = self._accounts.get(ticket.endpoint.key)
        if account is None or ticket.account != account.serial:
            return
        requests = 0
        tokens = 0
        if outcome.attempts <= 1 and (
            outcome.failure is Failure.CONNECTION or outcome.failure is Failure.REFUSED
        ):
            requests = -1
            tokens = -ticket.tokens
        elif outcome.tokens >= 0 and server is ticket.endpoint and account.tokens is not None:
            tokens = outcome.tokens - ticket.tokens
        if requests or tokens:
            account.pass_time(int(now))
            second = int(ticket.admitted_at)
            if tokens > 0 and account.tokens is not None and not account.tokens.counts(second):
                second = int(now)
            account.add(requests, tokens, second)
            self._judge(account, now, moved=True)

    def keep_endpoints(self, keys: set[str]) -> None:
        for key, account in self._accounts.items():
            account.gone = key not in keys
            if account.gone:  # what marked it is forgotten with it
                account.level = HEALTHY
                account.until = 0
        for key in keys:
            offer = self._standing.offer(key)
            known = self._accounts.get(key)
            if known is None:
                if offer.requests_per_minute <= 0 and offer.tokens_per_minute <= 0:
                    continue
                known = self._accounts[key] = _Account(key)
            account = known
            requests = _metered(account.requests or account.former_requests, offer.requests_per_minute)
            tokens = _metered(account.tokens or account.former_tokens, offer.tokens_per_minute)
            if requests is not account.requests or tokens is not account.tokens:
                self._serial += 1
                account.serial = self._serial
                if requests is None and account.requests is not None:
                    account.former_requests = account.requests
                if tokens is None and account.tokens is not None:
                    account.former_tokens = account.tokens
                account.requests = requests
                account.tokens = tokens
            account.most_share = offer.most_quota

    def plan_changed(self, now: float) -> None:
        for account in list(self._accounts.values()):
            account.pass_time(int(now))
            if account.gone or not account.limited():
                self._standing.clear(account.key, _CAUSE, now)
                account.level = HEALTHY
                account.until = 0
                if account.empty_at(int(now)):
                    del self._accounts[account.key]
            else:
                self._judge(account, now, moved=True)
        self._find_floor(int(now))

    def _count_retries(self, ticket: Ticket, server: Endpoint | None, outcome: Outcome, now: float) -> None:
        """After the first, endpoints are tried in order, over and over: nothing was reserved for that."""
        for number in range(2, min(outcome.attempts, _MOST_ATTEMPTS) + 1):
            self._add(ticket.attempt(number), 1, 0, now)
        if server is not None and server is not ticket.endpoint:
            self._add(server, 0, outcome.tokens if outcome.tokens >= 0 else ticket.tokens, now)

    def _add(self, endpoint: Endpoint, requests: int, tokens: int, now: float) -> None:
        account = self._accounts.get(endpoint.key)
        if account is not None:
            account.pass_time(int(now))
            account.add(requests, tokens, int(now))
            self._judge(account, now, moved=True)  # it may have had all before, and now has to wait longer

    def _judge(self, account: _Account, now: float, *, moved: bool = False) -> None:
        """Mark it as it should stand. `moved` is when a mark that is there may end at another time."""
        if account.gone:
            return
        level = account.level_now()
        if account.tokens is not None:
            self._floor = min(self._floor, account.tokens.room())
        marked = account.level if now < account.until else HEALTHY
        if level == marked and (level == HEALTHY or not moved):
            return
        account.level = level
        if level == HEALTHY:
            account.until = 0
            self._standing.clear(account.key, _CAUSE, now)
            return
        until = account.over_at(level)
        if level != marked or until != account.until:
            account.until = until
            self._standing.mark(account.key, _CAUSE, Mark(level, account.why(level), float(until)), now)

    def _find_floor(self, second: int) -> None:
        """Once a second at most, because it visits all."""
        self._floor_at = second
        self._floor = UNLIMITED
        for account in self._accounts.values():
            if account.tokens is not None and not account.gone:
                account.tokens.pass_time(second)
                account.tokens.judge()
                self._floor = min(self._floor, account.tokens.room())


def _left(meter: _Meter | None, now: float) -> int:
    return UNLIMITED if meter is None else meter.limit - meter.total_at(int(now))


def _metered(meter: _Meter | None, limit: int) -> _Meter | None:
    """The meter with this limit and what it has counted; None where nothing is to be counted."""
    if limit <= 0:
        return None
    if meter is None:
        return _Meter(limit)
    meter.limit = limit
    return meter
