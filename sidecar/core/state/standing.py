"""Who may be picked now, and why not: what speaks against an endpoint, by its key.

Whoever finds something against an endpoint sets a mark, under a cause of its own; the last mark that is taken
away makes it whole again. Marks change seldom, and requests come often: so a change makes the candidates of
the pools anew, and a request takes those that are there.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final, final

from mypy_extensions import mypyc_attr, trait

from sidecar.core.endpoint import ANYTHING, Candidates, Endpoint, Offer, eligible
from sidecar.core.state.base import Learner

HEALTHY: Final = 0
STANDBY: Final = 1
"""Sound, and kept for when no healthy one is left."""
DEGRADED: Final = 2
"""Passed over while one of the former is left."""
RESTING: Final = 3
"""Not to be picked, but to find out whether it has recovered, where there is nobody else."""
OUT: Final = 4
"""Not to be picked, but in a panic."""
SPENT: Final = 5
"""It has had all that it may have for now: not to be picked, whatever is known of health."""
GONE: Final = 6
"""Not to be picked, come what may: somebody wants it so."""

NEVER: Final = float("inf")
_LEAST_OF_WEIGHT: Final = 0.1


@final
class Mark:
    """`why` is in words for people. It ends by itself at `until`, in seconds of the engine's clock."""

    def __init__(self, level: int, why: str, until: float = NEVER) -> None:
        self.level: Final = level
        self.why: Final = why
        self.until: Final = until


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class Onlooker:
    """Wants to know when the standing of an endpoint crosses the line between picked and not picked."""

    def moved(self, endpoint_key: str, before: int, level: int, now: float) -> None:
        """From or to RESTING or worse. It may set and clear marks."""

    def woken(self, now: float) -> float:
        """Time has passed. Returns when to be woken at the latest; NEVER when only a change matters."""
        return NEVER


@final
class Roster:
    """The endpoints that a plan lists together, and `candidates`, those of them that may be picked now.

    These are the healthy ones; where there are none, those that stand by; where there are none, the degraded
    ones. Where there are none and it `recovers`, those that rest are tried, because there is nobody else to
    ask. Where all these, but those that rest, are a smaller share of all than `panic` (0 to 1; 0 is never),
    what is known of health is taken for wrong, and all count that are neither gone nor spent: so few would
    not bear the requests of all. But where there is nobody at all, those that rest are tried first. `spent`
    is when there are no candidates, and there would be without quotas.

    How many stand how is counted as they move, so that nobody is looked at for a move that changes nothing.
    """

    def __init__(self, listed: tuple[Endpoint, ...], panic: float = 0.0, *, recovers: bool = False) -> None:
        self.listed: Final = listed
        self.panic: Final = panic
        self.recovers: Final = recovers
        self.panicking = False
        self.trying = False
        """Whether only those that rest are left."""
        self.spent = False
        self.candidates = eligible(listed)
        self._keys: Final = {endpoint.key for endpoint in listed if endpoint.weight > 0}
        self._counts: list[int] = [len(self._keys), 0, 0, 0, 0, 0, 0]
        """By level, of those that have a weight."""
        self._from: int = HEALTHY
        self._to: int = HEALTHY
        """The levels of those that are candidates."""
        self._stale = False

    @property
    def left(self) -> int:
        """How many could be picked: all but those that rest, or worse."""
        return self._counts[HEALTHY] + self._counts[STANDBY] + self._counts[DEGRADED]

    @property
    def away(self) -> int:
        """How many could be picked again, and rest or are out."""
        return self._counts[RESTING] + self._counts[OUT]

    def renew(self, levels: dict[str, int]) -> None:
        """Count anew, and make the candidates anew, unless they are the same."""
        self._counts = [0, 0, 0, 0, 0, 0, 0]
        for key in self._keys:
            self._counts[levels.get(key, HEALTHY)] += 1
        self._stale = True
        self.refresh(levels)

    def moved(self, before: int, level: int) -> None:
        """One that has a weight has another level now. `refresh` makes it count."""
        self._counts[before] -= 1
        self._counts[level] += 1
        if (self._from <= before <= self._to) != (self._from <= level <= self._to):
            self._stale = True

    def refresh(self, levels: dict[str, int]) -> None:
        """Make the candidates anew, where a move may have changed them, and they are not the same."""
        counts, left = self._counts, self.left
        self.trying = self.recovers and left == 0 and counts[RESTING] > 0
        self.panicking = not self.trying and self.away > 0 and left < self.panic * (left + self.away)
        self.spent = counts[SPENT] > 0 and left == 0 and not self.panicking and not self.trying
        first = last = DEGRADED
        if self.trying:
            first = last = RESTING
        elif self.panicking:
            first, last = HEALTHY, OUT
        elif counts[HEALTHY] > 0:
            first = last = HEALTHY
        elif counts[STANDBY] > 0:
            first = last = STANDBY
        if first == self._from and last == self._to and not self._stale:
            return
        self._from, self._to, self._stale = first, last, False
        endpoints = [
            endpoint
            for endpoint in self.listed
            if endpoint.weight > 0 and first <= levels.get(endpoint.key, HEALTHY) <= last
        ]
        if endpoints != self.candidates.endpoints:
            self.candidates = Candidates(endpoints)


@final
class Standing(Learner):
    """`due` is when the next mark ends. `young` has the endpoints that begin slowly, and since when.

    An endpoint is young when a new plan brings it, or when it comes back, for the `slow_start_s` of its
    cluster; those of the first plan are not, because nobody has more of the load than they.
    """

    def __init__(self) -> None:
        self._marks: Final[dict[str, dict[str, Mark]]] = {}
        self._levels: Final[dict[str, int]] = {}
        """Of those that are not healthy."""
        self._rosters: dict[str, list[Roster]] = {}
        self._offers: dict[str, Offer] = {}
        self._idle: set[str] = set()
        self._stirred: Final[set[str]] = set()
        self._ends: list[tuple[float, str, str]] = []
        """A heap of when to look at a mark, by key and cause, or without a cause at one that is young: no
        later than it ends. So nobody looks through all marks because one is over."""
        self._queued: Final[dict[tuple[str, str], float]] = {}
        """The entry of each that counts: an earlier one takes its place, and a later end is found then."""
        self.young: Final[dict[str, float]] = {}
        self.due: float = NEVER
        self.onlookers: Final[list[Onlooker]] = []

    def offer(self, endpoint_key: str) -> Offer:
        """What the plan says that the endpoint can do."""
        return self._offers.get(endpoint_key, ANYTHING)

    def level(self, endpoint_key: str) -> int:
        return self._levels.get(endpoint_key, HEALTHY)

    def marks(self, endpoint_key: str) -> dict[str, Mark]:
        """By cause."""
        return dict(self._marks.get(endpoint_key, {}))

    def why(self, endpoint_key: str) -> str:
        """The worst that speaks against it, in words; empty when nothing does."""
        worst: Mark | None = None
        for mark in self._marks.get(endpoint_key, {}).values():
            if worst is None or mark.level > worst.level:
                worst = mark
        return "" if worst is None else worst.why

    def until(self, endpoint_key: str) -> float:
        """When the last of the marks that keep it away ends: the earliest that it may be back. NEVER where
        one of them has no end of its own; 0 where nothing keeps it away."""
        until = 0.0
        for mark in self._marks.get(endpoint_key, {}).values():
            until = max(until, mark.until)
        return until

    def levels(self) -> dict[str, int]:
        """Of those that are not healthy."""
        return dict(self._levels)

    def knows(self, endpoint_key: str) -> bool:
        """Whether the plan has it."""
        return endpoint_key in self._offers

    def weighs(self, endpoint_key: str) -> bool:
        """Whether the plan has it, with a weight above 0: who has none is never picked."""
        return endpoint_key in self._offers and endpoint_key not in self._idle

    def spares(self, endpoint_key: str) -> bool:
        """Whether every roster that it is in has another one left that could be picked."""
        itself = 1 if self.level(endpoint_key) < RESTING else 0
        for roster in self._rosters.get(endpoint_key, []):
            if roster.left <= itself:
                return False
        return True

    def stirred(self) -> list[str]:
        """The keys of those that changed from or to RESTING or worse since this was asked last, and of those
        that a plan left out."""
        stirred = list(self._stirred)
        self._stirred.clear()
        return stirred

    def marked(self) -> list[str]:
        """The keys of the endpoints that something speaks against."""
        return list(self._marks)

    def mark(self, endpoint_key: str, cause: str, mark: Mark, now: float) -> None:
        """From now on this counts, in place of what the same cause said before."""
        marks = self._marks.setdefault(endpoint_key, {})
        marks[cause] = mark
        self._look_at(endpoint_key, cause, mark.until)
        self._judge(endpoint_key, now)

    def clear(self, endpoint_key: str, cause: str, now: float) -> None:
        """This cause has nothing against it any more."""
        marks = self._marks.get(endpoint_key)
        if marks is None or marks.pop(cause, None) is None:
            return
        if not marks:
            del self._marks[endpoint_key]
        self._judge(endpoint_key, now)

    def mark_all(self, endpoint_keys: Iterable[str], cause: str, mark: Mark, now: float) -> None:
        """As `mark`, of many at once: the candidates of each pool are made anew once."""
        keys = list(endpoint_keys)
        for key in keys:
            self._marks.setdefault(key, {})[cause] = mark
            self._look_at(key, cause, mark.until)
        self._judge_all(keys, now)

    def clear_all(self, endpoint_keys: Iterable[str], cause: str, now: float) -> None:
        """As `clear`, of many at once: the candidates of each pool are made anew once."""
        keys: list[str] = []
        for key in endpoint_keys:
            marks = self._marks.get(key)
            if marks is not None and marks.pop(cause, None) is not None:
                keys.append(key)
                if not marks:
                    del self._marks[key]
        self._judge_all(keys, now)

    def wake_at(self, at: float) -> None:
        """Time is to pass no later than this: an onlooker has something to do then."""
        self.due = min(self.due, at)

    def pass_time(self, now: float) -> None:
        """Take away the marks that are over by now, and find out when the next one will be."""
        self.due = NEVER
        over: dict[str, None] = {}
        while self._ends and self._ends[0][0] <= now:
            key, cause = self._next_end()
            until = self._until(key, cause)
            if until > now:
                self._look_at(key, cause, until)
            elif cause:
                marks = self._marks[key]
                del marks[cause]
                if not marks:
                    del self._marks[key]
                over[key] = None
            else:
                del self.young[key]
        self._judge_all(over, now)
        for onlooker in self.onlookers:
            self.due = min(self.due, onlooker.woken(now))
        while self._ends:
            at, key, cause = self._ends[0]
            until = self._until(key, cause)
            if at == until and self._queued.get((key, cause)) == at:
                self.due = min(self.due, at)
                return
            key, cause = self._next_end()
            self._look_at(key, cause, self._until(key, cause))

    def weight(self, endpoint: Endpoint, now: float) -> float:
        """Its weight, less while it is young: from a tenth it grows to all of it in proportion to time."""
        since = self.young.get(endpoint.key)
        if since is None:
            return endpoint.weight
        slow_start_s = endpoint.offer.slow_start_s
        if now - since >= slow_start_s:
            return endpoint.weight
        return endpoint.weight * max((now - since) / slow_start_s, _LEAST_OF_WEIGHT)

    def adopt(self, rosters: list[Roster], now: float) -> None:
        """A new plan has these rosters, and no others. They keep the candidates that they were renewed to."""
        known = self._offers
        self._rosters = {}
        self._offers = {}
        self._idle = set()
        for roster in rosters:
            roster.renew(self._levels)
            for endpoint in roster.listed:
                if endpoint.weight > 0:
                    having = self._rosters.setdefault(endpoint.key, [])
                    if not having or having[-1] is not roster:  # it may be listed twice
                        having.append(roster)
                self._offers[endpoint.key] = endpoint.offer
                if endpoint.weight == 0:
                    self._idle.add(endpoint.key)
        if known:
            for key in self._offers:
                if key not in known:
                    self.begin_slowly(key, now)
        self.keep_endpoints(set(self._offers))

    def renew(self, rosters: list[Roster]) -> None:
        """Give them the candidates that they should have by what is known."""
        for roster in rosters:
            roster.renew(self._levels)

    def keep_endpoints(self, keys: set[str]) -> None:
        for key in [key for key in self._marks if key not in keys]:
            del self._marks[key]
            self._levels.pop(key, None)
            self._stirred.add(key)
        for key in [key for key in self.young if key not in keys]:
            del self.young[key]
        self._queued.clear()
        for key, marks in self._marks.items():
            for cause, mark in marks.items():
                if mark.until < NEVER:
                    self._queued[(key, cause)] = mark.until
        for key in self.young:
            self._queued[(key, "")] = self._until(key, "")
        self._ends = [(at, key, cause) for (key, cause), at in self._queued.items()]
        heapify(self._ends)

    def begin_slowly(self, endpoint_key: str, now: float) -> None:
        """From now on, until its slow start is over, it counts for less."""
        slow_start_s = self.offer(endpoint_key).slow_start_s
        if slow_start_s > 0.0:
            self.young[endpoint_key] = now
            self._look_at(endpoint_key, "", now + slow_start_s)

    def _until(self, endpoint_key: str, cause: str) -> float:
        """When this mark ends, or without a cause the slow start; NEVER where there is none."""
        if not cause:
            since = self.young.get(endpoint_key)
            return NEVER if since is None else since + self.offer(endpoint_key).slow_start_s
        marks = self._marks.get(endpoint_key)
        mark = None if marks is None else marks.get(cause)
        return NEVER if mark is None else mark.until

    def _look_at(self, endpoint_key: str, cause: str, at: float) -> None:
        """No later than then, unless it is NEVER."""
        if at < NEVER:
            self.due = min(self.due, at)
            if at < self._queued.get((endpoint_key, cause), NEVER):
                self._queued[(endpoint_key, cause)] = at
                heappush(self._ends, (at, endpoint_key, cause))

    def _next_end(self) -> tuple[str, str]:
        """Take the first entry of the heap, and those of the same mark that it makes void."""
        at, key, cause = heappop(self._ends)
        if self._queued.get((key, cause)) == at:
            del self._queued[(key, cause)]
        return key, cause

    def _judge(self, endpoint_key: str, now: float) -> None:
        before = self._levels.get(endpoint_key, HEALTHY)
        if self._stands(endpoint_key, before, now):
            for roster in self._rosters.get(endpoint_key, []):
                roster.refresh(self._levels)
            self._tell(endpoint_key, before, now)

    def _judge_all(self, endpoint_keys: Iterable[str], now: float) -> None:
        moved: dict[str, int] = {}
        rosters: dict[int, Roster] = {}
        for key in endpoint_keys:
            before = self._levels.get(key, HEALTHY)
            if self._stands(key, before, now):
                moved[key] = before
                for roster in self._rosters.get(key, []):
                    rosters[id(roster)] = roster
        for roster in rosters.values():
            roster.refresh(self._levels)
        for key, before in moved.items():
            self._tell(key, before, now)

    def _tell(self, endpoint_key: str, before: int, now: float) -> None:
        level = self._levels.get(endpoint_key, HEALTHY)
        if self.onlookers and (before >= RESTING) != (level >= RESTING):
            for onlooker in self.onlookers:
                onlooker.moved(endpoint_key, before, level, now)

    def _stands(self, endpoint_key: str, before: int, now: float) -> bool:
        """Find out its level by its marks; whether that is another. The rosters have to be refreshed then."""
        level = HEALTHY
        for mark in self._marks.get(endpoint_key, {}).values():
            level = max(level, mark.level)
        if level == before:
            return False
        if level == HEALTHY:
            del self._levels[endpoint_key]
        else:
            self._levels[endpoint_key] = level
        for roster in self._rosters.get(endpoint_key, []):
            roster.moved(before, level)
        if before >= RESTING or level >= RESTING:
            self._stirred.add(endpoint_key)
        if before >= RESTING and level < RESTING and before != SPENT:
            self.begin_slowly(endpoint_key, now)
        return True
