"""A circuit breaker for each endpoint (Nygard, "Release It!", 2007): who fails too often is left alone for a
while, then tried with a few requests, and has all of them again when these were served.

Closed, it counts. Open, its endpoint gets nothing; where there is nobody else, it may be tried early, after a
tenth of the time. Half-open, so many requests at most are let through as trials. Each change of state begins
a new generation, and what was asked in an earlier one says nothing of this one.

A request takes the place of a trial when it is given to the endpoint, and leaves it when it ended and nobody
can tell how, or when it takes longer than a few seconds: else a client that stalls, or a stream that lasts,
would keep out all others. Each that did not end in time makes room for one more beside, so that the places
double until some are left for requests that end, whatever stalls. A trial that took longer still counts as it
ends, while its breaker is half-open. One that only names the endpoint as a
fallback takes none, because most are never asked: where it was asked, it is a trial from its end on, as long
as there is room. So an endpoint that is nobody's first choice recovers too.
"""

from bisect import insort
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.base import Judge, Keeper
from sidecar.core.state.standing import OUT, RESTING, Mark, Standing
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict
from sidecar.core.state.window import Window
from sidecar.core.watch import BreakerRule

CLOSED: Final = 0
OPEN: Final = 1
HALF_OPEN: Final = 2

_CAUSE: Final = "breaker"
_AT_REST: Final = "breaker at rest"
_REST: Final = 0.1
"""Of the time that it is open, in which it is not tried even where there is nobody else."""
_HELD_S: Final = 5.0
"""How long a trial holds its place at most, however long the breaker is open: few answers take longer, and
others wait meanwhile."""
_MOST_TIMES: Final = 16
"""So many times half_open are the places at most, where trials do not end."""


@final
class _Breaker:
    """What was asked before `since` says nothing any more. Until `until` it is open, from `rests_until` on it
    may be tried early, and `open_s` is how long it is open the next time.

    `good` and `bad` are how many trials of this generation ended so. `places` are when those that are under
    way give up their places, the earliest first, and `lapsed` is how many did.
    """

    def __init__(self, rule: BreakerRule, generation: int) -> None:
        self.rule = rule
        self.state: int = CLOSED
        self.generation: int = generation
        self.since: float = float("-inf")
        self.until: float = 0.0
        self.rests_until: float = 0.0
        self.open_s: float = rule.open_s
        self.row: int = 0
        self.window = Window(rule.window_s)
        self.why: str = ""
        self.good: int = 0
        self.bad: int = 0
        self.places: list[float] = []
        self.lapsed: int = 0

    def room(self, now: float) -> int:
        """How many places are free."""
        held = 0
        for until in self.places:
            if until > now:
                held += 1
        lapsed = self.lapsed + len(self.places) - held
        most = min(self.rule.half_open + lapsed, _MOST_TIMES * self.rule.half_open)
        return max(most - self.good - self.bad - held, 0)

    def next_room(self) -> float:
        """When one is free, where none is."""
        for until in self.places:
            if self.room(until) > 0:
                return until
        return self.places[-1]

    def pass_time(self, now: float) -> None:
        """Take away the places of those that did not end in time."""
        places = self.places
        while places and places[0] <= now:
            del places[0]
            self.lapsed += 1


@final
class Breakers(Judge, Keeper):
    """By endpoint key. `not_closed` has those that are not: where there are none, a request pays nothing.

    Generations are numbered across all of them, so that those of an endpoint that went and came back differ.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing: Final = standing
        self._breakers: Final[dict[str, _Breaker]] = {}
        self._changed: Final[set[str]] = set()
        self._generation: int = 0
        self.not_closed: Final[dict[str, _Breaker]] = {}
        self.opened: int = 0
        """How often one opened."""

    def __len__(self) -> int:
        """How many endpoints have one that counts something."""
        return len(self._breakers)

    def state(self, endpoint_key: str, now: float) -> int:
        breaker = self.not_closed.get(endpoint_key)
        if breaker is None:
            return CLOSED
        return HALF_OPEN if breaker.state == OPEN and now >= breaker.until else breaker.state

    def trials(self, endpoint_key: str) -> int:
        """How many there are in this generation, ended or in their places."""
        breaker = self.not_closed.get(endpoint_key)
        return 0 if breaker is None else breaker.good + breaker.bad + len(breaker.places)

    def left(self, endpoint_key: str, now: float) -> int:
        """How many trials a half-open one lets through yet; 0 of any other."""
        breaker = self.not_closed.get(endpoint_key)
        if breaker is None or (breaker.state == OPEN and now < breaker.until):
            return 0
        return breaker.rule.half_open if breaker.state == OPEN else breaker.room(now)

    def admitted(self, ticket: Ticket, now: float) -> None:
        """A request goes to an endpoint whose breaker is not closed: it is a trial, if there is room."""
        key = ticket.endpoint.key
        breaker = self.not_closed.get(key)
        if breaker is None or not self._has_room(key, breaker, now, now):
            return
        ticket.trial = breaker.generation
        insort(breaker.places, now + _HELD_S)
        self._mark_trials(key, breaker, now)

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        key = endpoint.key
        breaker = self._breakers.get(key)
        if ticket.trial and key == ticket.endpoint.key:
            generation = ticket.trial
            ticket.trial = 0
            if breaker is not None and breaker.generation == generation:
                place = ticket.admitted_at + _HELD_S
                if place in breaker.places:
                    breaker.places.remove(place)
                self._tried(key, breaker, judged, now)
            return
        if judged is Verdict.SILENT:
            return
        if breaker is None:
            rule = self._rule(key)
            if rule is None:
                return
            breaker = self._breakers[key] = _Breaker(rule, self._next())
        asked_at = ticket.admitted_at
        if breaker.state == CLOSED:
            if asked_at > breaker.since:
                self._count(key, breaker, now, failed=judged is Verdict.FAILED)
        elif endpoint is not ticket.endpoint and self._has_room(key, breaker, asked_at, now):
            self._tried(key, breaker, judged, now)

    def keep_endpoints(self, keys: set[str]) -> None:
        for key in [key for key in self._breakers if key not in keys]:
            del self._breakers[key]
            if self.not_closed.pop(key, None) is not None:
                self._changed.add(key)

    def plan_changed(self, now: float) -> None:
        """Whose cluster has no breaker any more, or one by other rules, is judged by that from now on."""
        for key, breaker in list(self._breakers.items()):
            rule = self._rule(key)
            if rule is None:
                self._close(key, breaker, now)
                del self._breakers[key]
            elif rule.numbers() != breaker.rule.numbers():
                self._rule_changed(key, breaker, rule, now)

    def changed(self) -> set[str]:
        changed = set(self._changed)
        self._changed.clear()
        return changed

    def row(self, key: str, now: float) -> list[float] | None:
        """How long it will be open, and how long the next time. Half-open is open until now."""
        breaker = self.not_closed.get(key)
        if breaker is None:
            return None
        left_s = max(breaker.until - now, 0.0) if breaker.state == OPEN else 0.0
        return [left_s, breaker.open_s]

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        rule = self._rule(key)
        if len(row) != 2 or not all(0.0 <= number < float("inf") for number in row):
            raise ValueError(f"not a breaker: {row}")
        if rule is None:
            return
        breaker = self._breakers[key] = _Breaker(rule, self._next())
        breaker.open_s = min(max(row[1], rule.open_s), rule.most_open_s)
        left_s = min(max(row[0] - max(away_s, 0.0), 0.0), rule.most_open_s)
        self._stay_open(key, breaker, "it was open before the restart", left_s, now)

    def _rule(self, key: str) -> BreakerRule | None:
        return self._standing.offer(key).watch.breaker

    def _next(self) -> int:
        self._generation += 1
        return self._generation

    def _begin(self, breaker: _Breaker, state: int, since: float) -> None:
        breaker.state = state
        breaker.generation = self._next()
        breaker.since = since
        breaker.row = breaker.good = breaker.bad = 0
        breaker.places = []
        breaker.lapsed = 0
        breaker.window.forget()

    def _has_room(self, key: str, breaker: _Breaker, asked_at: float, now: float) -> bool:
        """Whether what was asked then may be a trial. Half-open begins with the first that may."""
        if breaker.state == OPEN:
            if asked_at < breaker.rests_until:
                return False  # it was asked in a panic, or before it opened
            # Its time is over, or somebody asked it before that for want of others.
            self._begin_trials(key, breaker, breaker.rests_until, now)
        breaker.pass_time(now)
        return asked_at >= breaker.since and breaker.room(now) > 0

    def _begin_trials(self, key: str, breaker: _Breaker, since: float, now: float) -> None:
        """For what was asked since then."""
        self._begin(breaker, HALF_OPEN, since)
        self._changed.add(key)
        self._unmark(key, now)

    def _mark_trials(self, key: str, breaker: _Breaker, now: float) -> None:
        """Out until the next place is free, where none is."""
        if breaker.room(now) > 0:
            self._standing.clear(key, _CAUSE, now)
            return
        most = breaker.rule.half_open
        trials = "its only trial is" if most == 1 else f"all {most} trials are"
        why = f"breaker half-open: {trials} under way"
        self._standing.mark(key, _CAUSE, Mark(OUT, why, breaker.next_room()), now)

    def _tried(self, key: str, breaker: _Breaker, judged: Verdict, now: float) -> None:
        rule = breaker.rule
        if judged is Verdict.SERVED:
            breaker.good += 1
            if breaker.good >= rule.close_after:
                self._close(key, breaker, now)
                return
        elif judged is Verdict.FAILED:
            breaker.bad += 1
            if breaker.bad > rule.half_open - rule.close_after:
                trials = f"{breaker.bad} of {rule.half_open} trials" if rule.half_open > 1 else "its trial"
                self._open(key, breaker, f"{trials} failed", now)
                return
        self._mark_trials(key, breaker, now)

    def _count(self, key: str, breaker: _Breaker, now: float, *, failed: bool) -> None:
        rule = breaker.rule
        breaker.row = breaker.row + 1 if failed else 0
        if 0 < rule.failures <= breaker.row:
            in_a_row = f"{breaker.row} failure{'s' if breaker.row > 1 else ''} in a row"
            self._open(key, breaker, in_a_row, now)
        elif rule.success_rate > 0.0:
            window = breaker.window
            window.add(now, failed=failed)
            if window.total >= rule.requests and window.served < rule.success_rate * window.total:
                share = 100 * window.served / window.total
                why = f"{share:.4g}% of {window.total} were served, less than {100 * rule.success_rate:.4g}%"
                self._open(key, breaker, why, now)

    def _open(self, key: str, breaker: _Breaker, why: str, now: float) -> None:
        open_s = breaker.open_s
        breaker.open_s = min(2.0 * open_s, breaker.rule.most_open_s)
        self.opened += 1
        self._stay_open(key, breaker, why, open_s, now)

    def _stay_open(self, key: str, breaker: _Breaker, why: str, open_s: float, now: float) -> None:
        self._begin(breaker, OPEN, now)
        breaker.why = why
        breaker.until = now + open_s
        breaker.rests_until = now + _REST * open_s
        self.not_closed[key] = breaker
        self._changed.add(key)
        if open_s > 0.0:
            why = f"breaker open: {why}"
            self._standing.mark(key, _AT_REST, Mark(OUT, why, breaker.rests_until), now)
            self._standing.mark(key, _CAUSE, Mark(RESTING, why, breaker.until), now)

    def _close(self, key: str, breaker: _Breaker, now: float) -> None:
        if breaker.state == CLOSED:
            return
        self._begin(breaker, CLOSED, now)
        breaker.open_s = breaker.rule.open_s
        del self.not_closed[key]
        self._changed.add(key)
        self._unmark(key, now)
        self._standing.begin_slowly(key, now)

    def _unmark(self, key: str, now: float) -> None:
        self._standing.clear(key, _AT_REST, now)
        self._standing.clear(key, _CAUSE, now)

    def _rule_changed(self, key: str, breaker: _Breaker, rule: BreakerRule, now: float) -> None:
        """What was counted by the former rule counts no more. One that is open stays so, no longer than it
        may; trials begin anew."""
        breaker.rule = rule
        breaker.window = Window(rule.window_s)
        breaker.row = 0
        if breaker.state == CLOSED:
            breaker.open_s = rule.open_s
            return
        breaker.open_s = min(max(breaker.open_s, rule.open_s), rule.most_open_s)
        if breaker.state == HALF_OPEN:
            self._begin_trials(key, breaker, now, now)
        elif breaker.until - breaker.since > rule.most_open_s:
            left_s = max(breaker.since + rule.most_open_s - now, 0.0)
            self._unmark(key, now)
            self._stay_open(key, breaker, breaker.why, left_s, now)
