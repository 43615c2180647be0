"""How fast and how reliably each endpoint answered lately.

What is remembered of an endpoint is of constant size and costs a constant time to learn from: durations are
counted in buckets that grow geometrically, and every new sample weighs more than those before it, which is
the same as letting all the others fade, without touching them (Cormode et al., "Forward decay: a practical
time decay model for streaming systems", 2009). Each new sample fades the others by one part in 200, so that a
busy endpoint is known by its last few hundred requests, and time fades them by half in 30 s, so that one that
is seldom asked is known by its last few.
"""

from math import ceil, exp, log
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.base import Changes, Keeper, Learner, count, finite
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict, of_last, verdict

_ERROR: Final = 0.05
_GROWTH: Final = log((1.0 + _ERROR) / (1.0 - _ERROR))
_LEAST_S: Final = 0.0001
_MOST_S: Final = 1000.0
_BUCKETS: Final = 1 + ceil(log(_MOST_S / _LEAST_S) / _GROWTH)
"""Less than 0.1 ms counts as that, more than 1,000 s as that."""

_MEMORY: Final = 200.0
_FADING: Final = log(2.0) / 30.0
_TOO_HEAVY: Final = 1e30
_MOST_KEPT: Final = 1e6
"""Of what is kept over a restart, in samples: more than any that fade can come to."""
_ROUNDED: Final = 1.0 + 1e-9

_SILENT_S: Final = 30.0
_HEARSAY: Final = 10.0


@final
class _Mark:
    """The bucket that holds a quantile. It moves with the samples: most move it by no step or by one."""

    def __init__(self, share: float) -> None:
        self.share: Final = share
        self.at: int = 0
        self.below: float = 0.0
        """What the buckets before it weigh."""

    def follow(self, buckets: list[float], total: float) -> None:
        wanted = self.share * total
        while self.below > wanted and self.at > 0:
            self.at -= 1
            self.below -= buckets[self.at]
        while self.below + buckets[self.at] < wanted and self.at < _BUCKETS - 1:
            self.below += buckets[self.at]
            self.at += 1


@final
class Track:
    """One endpoint's answers. Numbers of which nothing is known are negative.

    Quantiles are exact to 5 % of their value, between 0.1 ms and 1,000 s: bucket `i` reaches from g^(i-1) to
    g^i with g = 1.05 / 0.95, and 0.95 g^i, which is 5 % from either end, stands for all that it holds
    (Masson, Rim and Lee, "DDSketch", 2019). Durations are those of the answers that the endpoint gave, and of
    timeouts, which took at least as long; an error that comes at once would make it look fast.

    An endpoint that is not asked, because it was bad, can't show that it is bad no more. So it is `due` for
    one request when it was silent for 30 s. If that goes much better than those before, what was known of it
    is forgotten, and it is new; else all those before count as ten outcomes at most.
    """

    def __init__(self) -> None:
        self._outcomes: int = 0
        self._at: float = 0.0
        self._weight: float = 1.0
        """What a sample weighs that comes at `_at`."""
        self._served: float = 0.0
        self._failed: float = 0.0
        self._timed: float = 0.0
        self._seconds: float = 0.0
        self._buckets: list[float] = []
        self._median: Final = _Mark(0.5)
        self._tail: Final = _Mark(0.95)

    def known(self, least: int) -> bool:
        """Whether there were `least` outcomes."""
        return self._outcomes >= least

    def due(self, now: float) -> bool:
        """Whether something was known, and nothing was heard of it for 30 s."""
        return self._outcomes > 0 and now - self._at >= _SILENT_S

    def failing(self) -> bool:
        """Whether nothing is known but failures."""
        return self._served == 0.0 and self._failed > 0.0

    def success_share(self) -> float:
        """The share of the outcomes that were no failures; 1 where nothing is known."""
        total = self._served + self._failed
        return self._served / total if total else 1.0

    def mean_s(self) -> float:
        return self._seconds / self._timed if self._timed else -1.0

    def p50_s(self) -> float:
        """The median of the durations."""
        return _middle_s(self._median.at) if self._timed else -1.0

    def p95_s(self) -> float:
        """The duration that 95 % did not exceed."""
        return _middle_s(self._tail.at) if self._timed else -1.0

    def learn(self, duration_s: float, now: float, *, failed: bool) -> None:
        """A negative duration is an unknown one."""
        due = self.due(now)
        if due and not failed and self._surprises(duration_s):
            self._forget()
        elif self._outcomes and now > self._at:
            self._weight *= exp(min(_FADING * (now - self._at), 100.0))
            if due:
                self._weight = max(self._weight, (self._served + self._failed) / _HEARSAY)
        self._at = now
        self._outcomes += 1
        self._weight *= 1.0 + 1.0 / _MEMORY
        if self._weight > _TOO_HEAVY:
            self._lighten()
        weight = self._weight
        if failed:
            self._failed += weight
        else:
            self._served += weight
        if duration_s < 0.0:
            return
        if not self._buckets:
            self._buckets = [0.0] * _BUCKETS
        duration_s = min(max(duration_s, _LEAST_S), _MOST_S)
        at = min(ceil(log(duration_s / _LEAST_S) / _GROWTH), _BUCKETS - 1)
        self._buckets[at] += weight
        self._timed += weight
        self._seconds += weight * duration_s
        for mark in (self._median, self._tail):
            if at < mark.at:
                mark.below += weight
            mark.follow(self._buckets, self._timed)

    def row(self, now: float) -> list[float]:
        """Outcomes, seconds since the last, then in samples as the last one weighs: successes, failures, the
        seconds of all durations, and each bucket that is not empty, by number and weight."""
        by = 1.0 / self._weight
        row = [float(self._outcomes), max(now - self._at, 0.0)]
        row += [self._served * by, self._failed * by, self._seconds * by]
        for at, weight in enumerate(self._buckets):
            if weight > 0.0:
                row.append(float(at))
                row.append(weight * by)
        return row

    def restore(self, row: list[float], away_s: float, now: float) -> None:
        """Of one that has learnt nothing yet. ValueError when that is no row of one."""
        if not finite(row, 5) or min(row) < 0.0 or len(row) % 2 == 0 or max(row[2:4]) > _MOST_KEPT:
            raise ValueError(f"not what is known of an endpoint's answers: {row[:5]}")
        outcomes = count(row[0])
        buckets = [0.0] * _BUCKETS
        timed = 0.0
        before = -1
        for place in range(5, len(row), 2):
            at = count(row[place])
            weight = row[place + 1]
            if not before < at < _BUCKETS or not 0.0 < weight <= _MOST_KEPT:
                raise ValueError(f"no bucket of durations: {row[place]}, {weight}")
            buckets[at] = weight
            timed += weight
            before = at
        if outcomes == 0 or row[4] > timed * _MOST_S * _ROUNDED or (timed > 0.0 and row[4] == 0.0):
            raise ValueError(f"not what is known of an endpoint's answers: {row[:5]}")
        self._outcomes = outcomes
        self._at = now - row[1] - away_s
        self._weight = 1.0
        self._served = row[2]
        self._failed = row[3]
        self._timed = timed
        self._seconds = row[4]
        self._buckets = buckets if timed > 0.0 else []
        self._find_marks()

    def _surprises(self, duration_s: float) -> bool:
        """Whether a success is much better than what was known: most failed, or it took twice as long."""
        return self._failed > self._served or 0.0 <= 2.0 * duration_s < self.p50_s()

    def _forget(self) -> None:
        self._outcomes = 0
        self._weight = 1.0
        self._served = self._failed = self._timed = self._seconds = 0.0
        self._buckets = []
        self._find_marks()

    def _lighten(self) -> None:
        """Divide everything by the present weight, once in many thousand samples."""
        by = 1.0 / self._weight
        self._weight = 1.0
        self._served *= by
        self._failed *= by
        self._timed *= by
        self._seconds *= by
        self._buckets = [bucket * by for bucket in self._buckets]
        self._find_marks()

    def _find_marks(self) -> None:
        for mark in (self._median, self._tail):
            mark.at = 0
            mark.below = 0.0
            if self._buckets:
                mark.follow(self._buckets, self._timed)


def _middle_s(at: int) -> float:
    """What stands for all in bucket `at`."""
    return _LEAST_S * exp(at * _GROWTH) * (1.0 - _ERROR) if at else _LEAST_S


@final
class Latency(Learner, Keeper):
    """A `Track` for each endpoint that the plan names; what becomes of others is not learnt."""

    def __init__(self) -> None:
        self._tracks: dict[str, Track] = {}
        self._changes: Final = Changes()

    def of(self, endpoint_key: str) -> Track | None:
        return self._tracks.get(endpoint_key)

    def keep_endpoints(self, keys: set[str]) -> None:
        tracks = self._tracks
        self._tracks = {key: tracks[key] if key in tracks else Track() for key in keys}

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        track = self._tracks.get(ticket.endpoint.key)
        if track is None:
            return
        judged = verdict(ticket, outcome)
        if judged is not Verdict.SILENT:
            self._changes.add(ticket.endpoint.key)
        if judged is Verdict.SERVED:
            track.learn(outcome.latency_s(), now, failed=False)
        elif judged is Verdict.FAILED:
            timed_out = outcome.failure is Failure.TIMEOUT and outcome.attempts == 1
            lasted_s = outcome.duration_s if timed_out else -1.0
            track.learn(lasted_s, now, failed=True)

    def took_over(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        track = self._tracks.get(endpoint.key)
        judged = of_last(outcome)
        if track is not None and judged is not Verdict.SILENT:
            self._changes.add(endpoint.key)
            track.learn(-1.0, now, failed=judged is Verdict.FAILED)

    def changed(self) -> set[str]:
        return self._changes.take()

    def row(self, key: str, now: float) -> list[float] | None:
        track = self._tracks.get(key)
        return track.row(now) if track is not None and track.known(1) else None

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        restored = Track()
        restored.restore(row, away_s, now)
        if key in self._tracks:
            self._tracks[key] = restored
