"""A circuit breaker for each endpoint (Nygard, "Release It!", 2007): who fails too often is left alone for a
while, then tried with a few requests, and has all of them again when these were served.

Closed, it counts. Open, its endpoint gets nothing; where there is nobody else, it may be tried early, after a
tenth of the time. Half-open, so many requests at most are let through as trials. Each change of state begins
a new generation, and what was asked in an earlier one says nothing of this one.
"""

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


@final
class _Breaker:
    """`since` is when the state began, `until` when it may change by itself, `open_s` how long it is open the
    next time. `given` are the trials of this generation, of which `good` and `bad` ended so."""

    def __init__(self, rule: BreakerRule) -> None:
        self.state: int = CLOSED
        self.generation: int = 1
        self.since: float = float("-inf")
        self.until: float = 0.0
        self.open_s: float = rule.open_s
        self.row: int = 0
        self.window = Window(rule.window_s)
        self.why: str = ""
        self.given: int = 0
        self.good: int = 0
        self.bad: int = 0

    def begin(self, state: int, now: float) -> None:
        self.state = state
        self.generation += 1
        self.since = now
        self.row = self.given = self.good = self.bad = 0
        self.window.forget()


@final
class Breakers(Judge, Keeper):
    """By endpoint key. `not_closed` has those that are not: where there are none, a request pays nothing."""

    def __init__(self, standing: Standing) -> None:
        self._standing: Final = standing
        self._breakers: Final[dict[str, _Breaker]] = {}
        self._changed: Final[set[str]] = set()
        self.not_closed: Final[dict[str, _Breaker]] = {}
        self.opened: int = 0
        """How often one opened."""

    def state(self, endpoint_key: str, now: float) -> int:
        breaker = self.not_closed.get(endpoint_key)
        if breaker is None:
            return CLOSED
        return HALF_OPEN if breaker.state == OPEN and now >= breaker.until else breaker.state

    def admitted(self, ticket: Ticket, now: float) -> None:
        """A request goes to an endpoint whose breaker is not closed: it is a trial, if there is room."""
        key = ticket.endpoint.key
        breaker = self.not_closed.get(key)
        rule = self._rule(key)
        if breaker is None or rule is None:
            return
        if breaker.state == OPEN:
            # Its time is over, or somebody took it before that for want of others.
            breaker.begin(HALF_OPEN, now)
            self._standing.clear(key, _AT_REST, now)
            self._standing.clear(key, _CAUSE, now)
        elif breaker.given >= rule.half_open:
            if now < breaker.until:
                return
            breaker.begin(HALF_OPEN, now)  # nobody told how the former trials ended
        breaker.given += 1
        ticket.trial = breaker.generation
        if breaker.given == rule.half_open:
            breaker.until = now + rule.open_s
            why = f"breaker half-open: all {rule.half_open} trials are under way"
            self._standing.mark(key, _CAUSE, Mark(OUT, why, breaker.until), now)

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        key = endpoint.key
        rule = self._rule(key)
        breaker = self._breakers.get(key)
        if ticket.trial and key == ticket.endpoint.key:
            generation = ticket.trial
            ticket.trial = 0
            if breaker is not None and rule is not None and breaker.generation == generation:
                self._tried(key, breaker, rule, judged, now)
            return
        if rule is None or judged is Verdict.SILENT:
            return
        if breaker is None:
            breaker = self._breakers[key] = _Breaker(rule)
        if breaker.state != CLOSED or ticket.admitted_at < breaker.since:
            return
        failed = judged is Verdict.FAILED
        breaker.window.add(now, failed=failed)
        if not failed:
            breaker.row = 0
            return
        breaker.row += 1
        if 0 < rule.failures <= breaker.row:
            in_a_row = f"{breaker.row} failure{'s' if breaker.row > 1 else ''} in a row"
            self._open(key, breaker, in_a_row, now)
        elif breaker.window.total >= rule.requests:
            share = breaker.window.served / breaker.window.total
            if share < rule.success_rate:
                why = f"{100 * share:.4g}% of {breaker.window.total} were served, less than "
                self._open(key, breaker, f"{why}{100 * rule.success_rate:.4g}%", now)

    def keep_endpoints(self, keys: set[str]) -> None:
        for key in [key for key in self._breakers if key not in keys]:
            del self._breakers[key]
            self.not_closed.pop(key, None)
            self._changed.add(key)

    def plan_changed(self, now: float) -> None:
        """Whose cluster has no breaker any more, or another window, is judged anew."""
        for key, breaker in list(self._breakers.items()):
            rule = self._rule(key)
            if rule is None:
                self._close(key, breaker, now)
                del self._breakers[key]
            elif breaker.window.span_s != rule.window_s:
                breaker.window = Window(rule.window_s)

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
        breaker = self._breakers[key] = _Breaker(rule)
        breaker.begin(OPEN, now)
        breaker.open_s = min(row[1], rule.most_open_s)
        breaker.until = now + min(max(row[0] - away_s, 0.0), rule.most_open_s)
        breaker.why = "it was open before the restart"
        self.not_closed[key] = breaker
        self._mark(key, breaker, breaker.until - now, now)

    def _rule(self, key: str) -> BreakerRule | None:
        return self._standing.offer(key).watch.breaker

    def _open(self, key: str, breaker: _Breaker, why: str, now: float) -> None:
        breaker.begin(OPEN, now)
        breaker.why = why
        open_s = breaker.open_s
        breaker.until = now + open_s
        rule = self._rule(key)
        if rule is not None:
            breaker.open_s = min(2.0 * open_s, rule.most_open_s)
        self.not_closed[key] = breaker
        self._changed.add(key)
        self.opened += 1
        self._mark(key, breaker, open_s, now)

    def _mark(self, key: str, breaker: _Breaker, open_s: float, now: float) -> None:
        if open_s <= 0.0:
            return
        why = f"breaker open: {breaker.why}"
        self._standing.mark(key, _AT_REST, Mark(OUT, why, now + _REST * open_s), now)
        self._standing.mark(key, _CAUSE, Mark(RESTING, why, breaker.until), now)

    def _close(self, key: str, breaker: _Breaker, now: float) -> None:
        breaker.begin(CLOSED, now)
        rule = self._rule(key)
        if rule is not None:
            breaker.open_s = rule.open_s
        if self.not_closed.pop(key, None) is not None:
            self._changed.add(key)
        self._standing.clear(key, _AT_REST, now)
        self._standing.clear(key, _CAUSE, now)

    def _tried(self, key: str, breaker: _Breaker, rule: BreakerRule, judged: Verdict, now: float) -> None:
        if judged is Verdict.SILENT:  # nobody knows: another may try
            breaker.given -= 1
            self._standing.clear(key, _CAUSE, now)
        elif judged is Verdict.SERVED:
            breaker.good += 1
            if breaker.good >= rule.close_after:
                self._close(key, breaker, now)
        else:
            breaker.bad += 1
            if breaker.bad > rule.half_open - rule.close_after:
                self._open(key, breaker, f"{breaker.bad} of {rule.half_open} trials failed", now)
