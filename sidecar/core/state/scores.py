"""A health score from 0 to 1 for each endpoint, by how its attempts ended and how quick it was.

    score = 0.5 success rate + 0.2 (1 - error rate) + 0.3 latency

The two rates are moving averages that look at different things. The success rate is over attempts, each
weighing `alpha`: how it goes now. The error rate is over the seconds in which attempts ended, the share of
failures of each weighing `alpha`: how long it has been going so. A burst of failures is many attempts and one
bad second. Latency is 1 at 0 ms and 0 from `slow_s` on, in between in proportion, by the median of the last
15 answers: an error that comes at once would make an endpoint look quick.

All that is halved while the last five attempts or more have failed. A new endpoint has 1, and what nobody
confirms fades towards that: when nothing was heard of an endpoint for `window_s`, what its score lacks
shrinks by 5 % in each such time. An endpoint that is passed over can show nothing, so a score that stayed, or
faded to 0, would keep it away for ever. For the same reason one that was out, and may be picked again, begins
anew: whoever let it back has its reasons.
"""

from bisect import bisect_left, insort
from math import log
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.base import Judge, Keeper
from sidecar.core.state.standing import DEGRADED, RESTING, SPENT, Mark, Onlooker, Standing
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict
from sidecar.core.watch import ScoreRule

_OF_SUCCESS: Final = 0.5
_OF_ERRORS: Final = 0.2
_OF_LATENCY: Final = 0.3
_KEPT: Final = 0.95
"""Of what a score lacks, after each `window_s` without an outcome."""
_IN_A_ROW: Final = 5
_MEDIAN_OF: Final = 15
_CAUSE: Final = "score"
_GAP: Final = 0.05
"""Who fell under the least score is back when it has so much more; half-way to 1 where that is nearer."""
_EXACT: Final = 0.005
"""Scores are compared to the hundredth: a moving average that was once less than 1 never is again."""
_MOVED: Final = 0.02


@final
class _Score:
    """As it was at `at`, when the last outcome came. `ended` attempts, of which `failed` did, belong to the
    second `second`, which is not in `errors` yet. `low_until` is when the mark against it ends, which was
    made at the score `low_at`. What was asked before `since` says nothing of it."""

    def __init__(self, now: float, since: float = float("-inf")) -> None:
        self.since: Final = since
        self.success: float = 1.0
        self.errors: float = 0.0
        self.quickness: float = 1.0
        self.row: int = 0
        self.at: float = now
        self.second: int = 0
        self.ended: int = 0
        self.failed: int = 0
        self.latest: Final[list[float]] = []
        self.ordered: Final[list[float]] = []
        self.oldest: int = 0
        self.low_until: float = 0.0
        self.low_at: float = 1.0

    def error_rate(self, alpha: float) -> float:
        if self.ended == 0:
            return self.errors
        return self.errors + alpha * (self.failed / self.ended - self.errors)

    def value(self, alpha: float, kept: float) -> float:
        """When what it lacks shrank to this part."""
        errors = self.error_rate(alpha)
        value = _OF_SUCCESS * self.success + _OF_ERRORS * (1.0 - errors) + _OF_LATENCY * self.quickness
        if self.row >= _IN_A_ROW:
            value *= 0.5
        return 1.0 - (1.0 - value) * kept

    def fade(self, alpha: float, kept: float) -> None:
        """Nothing was heard of it for so long that its latencies are forgotten."""
        self.errors = self.error_rate(alpha) * kept
        self.ended = self.failed = 0
        self.success = 1.0 - (1.0 - self.success) * kept
        self.quickness = 1.0 - (1.0 - self.quickness) * kept
        self.latest.clear()
        self.ordered.clear()
        self.oldest = 0

    def learn(self, alpha: float, now: float, *, failed: bool) -> None:
        second = int(now)
        if second != self.second:
            self.errors = self.error_rate(alpha)
            self.ended = self.failed = 0
            self.second = second
        self.ended += 1
        if failed:
            self.failed += 1
            self.row += 1
            self.success -= alpha * self.success
        else:
            self.row = 0
            self.success += alpha * (1.0 - self.success)

    def learn_latency(self, latency_s: float, slow_s: float) -> None:
        latest, ordered = self.latest, self.ordered
        if len(latest) < _MEDIAN_OF:
            latest.append(latency_s)
        else:
            oldest = self.oldest
            del ordered[bisect_left(ordered, latest[oldest])]
            latest[oldest] = latency_s
            self.oldest = (oldest + 1) % _MEDIAN_OF
        insort(ordered, latency_s)
        median = ordered[(len(ordered) - 1) // 2]
        self.quickness = max(1.0 - median / slow_s, 0.0)


@final
class Scores(Judge, Keeper, Onlooker):
    """By endpoint key, kept of every endpoint that something became known of."""

    def __init__(self, standing: Standing) -> None:
        self._standing: Final = standing
        standing.onlookers.append(self)
        self._scores: Final[dict[str, _Score]] = {}
        self._changed: set[str] = set()

    def of(self, endpoint_key: str, now: float) -> float:
        """From 0 to 1, the best; 1 where nothing is known."""
        score = self._scores.get(endpoint_key)
        if score is None:
            return 1.0
        rule = self._rule(endpoint_key)
        return score.value(rule.alpha, _kept(score, rule, now))

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        if judged is Verdict.SILENT:
            return
        key = endpoint.key
        score = self._scores.get(key)
        if score is None:
            if not self._standing.knows(key):
                return  # it went while the request was under way
            score = self._scores[key] = _Score(now)
        elif ticket.admitted_at < score.since:
            return
        rule = self._rule(key)
        failed = judged is Verdict.FAILED
        if now - score.at > rule.window_s:
            score.fade(rule.alpha, _kept(score, rule, now))
        score.learn(rule.alpha, now, failed=failed)
        if latency_s >= 0.0 and not failed:
            score.learn_latency(latency_s, rule.slow_s)
        score.at = max(score.at, now)
        self._changed.add(key)
        if rule.least > 0.0 or score.low_until > 0.0:
            self._judge(key, score, now)

    def moved(self, endpoint_key: str, before: int, level: int, now: float) -> None:
        """Who was out and is back has a new score, unless it was for its quota alone."""
        if level < RESTING and before != SPENT and endpoint_key in self._scores:
            self._scores[endpoint_key] = _Score(now, now)
            self._changed.add(endpoint_key)
            self._standing.clear(endpoint_key, _CAUSE, now)

    def keep_endpoints(self, keys: set[str]) -> None:
        for key in [key for key in self._scores if key not in keys]:
            del self._scores[key]
            self._changed.add(key)

    def plan_changed(self, now: float) -> None:
        for key, score in self._scores.items():
            self._judge(key, score, now)

    def changed(self) -> set[str]:
        changed = self._changed
        self._changed = set()
        return changed

    def row(self, key: str, now: float) -> list[float] | None:
        """The success rate, the error rate, the part of latency, failures in a row, seconds since then."""
        score = self._scores.get(key)
        if score is None:
            return None
        errors = score.error_rate(self._rule(key).alpha)
        return [score.success, errors, score.quickness, float(score.row), max(now - score.at, 0.0)]

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        if len(row) != 5 or not all(0.0 <= each <= 1.0 for each in row[:3]):
            raise ValueError(f"not a score: {row}")
        if not all(0.0 <= each < float("inf") for each in row[3:]):
            raise ValueError(f"not a score: {row}")
        if not self._standing.knows(key):
            return
        score = self._scores[key] = _Score(now - row[4] - max(away_s, 0.0))
        score.success, score.errors, score.quickness = row[0], row[1], row[2]
        score.row = int(min(row[3], 1e9))
        self._judge(key, score, now)

    def _rule(self, key: str) -> ScoreRule:
        return self._standing.offer(key).watch.score

    def _judge(self, key: str, score: _Score, now: float) -> None:
        rule = self._rule(key)
        value = score.value(rule.alpha, _kept(score, rule, now))
        low = now < score.low_until
        enough = rule.least + min(_GAP, 0.5 * (1.0 - rule.least)) if low else rule.least
        if rule.least <= 0.0 or value + _EXACT >= enough:
            if score.low_until > 0.0:
                score.low_until = 0.0
                self._standing.clear(key, _CAUSE, now)
            return
        until = _back_at(score, rule, now)
        if low and abs(until - score.low_until) < 0.5 * rule.window_s and abs(value - score.low_at) < _MOVED:
            return  # a mark that says nearly the same is there
        score.low_until = until
        score.low_at = value
        below = f"below {rule.least:.4g}"
        if value + _EXACT >= rule.least:
            below = f"below {enough:.4g}, which it needs to be back"
        why = f"health score {value:.2f} is {below}: {_parts(score, rule)}"
        self._standing.mark(key, _CAUSE, Mark(DEGRADED, why, until), now)


def _kept(score: _Score, rule: ScoreRule, now: float) -> float:
    """What is left by now of what the score lacked at its last outcome."""
    silent_s = now - score.at
    if silent_s <= rule.window_s:
        return 1.0
    return float(_KEPT ** ((silent_s - rule.window_s) / rule.window_s))


def _back_at(score: _Score, rule: ScoreRule, now: float) -> float:
    """When it will have faded to where it is back, if nothing more becomes known."""
    lacks = 1.0 - score.value(rule.alpha, 1.0)
    may_lack = 1.0 - rule.least - min(_GAP, 0.5 * (1.0 - rule.least)) + _EXACT
    windows = 1.0 + max(log(may_lack / lacks) / log(_KEPT), 0.0)
    return max(score.at + windows * rule.window_s, now)


def _parts(score: _Score, rule: ScoreRule) -> str:
    row = f", {score.row} failures in a row" if score.row >= _IN_A_ROW else ""
    return (
        f"success {100 * score.success:.0f}%, errors {100 * score.error_rate(rule.alpha):.0f}%, "
        f"latency {score.quickness:.2f}{row}"
    )
