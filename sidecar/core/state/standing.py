"""Who may be picked now, and why not: what speaks against an endpoint, by its key.

Whoever finds something against an endpoint sets a mark, under a cause of its own; the last mark that is taken
away makes it whole again. Marks change seldom, and requests come often: so a change makes the candidates of
the pools anew, and a request takes those that are there.
"""

from collections.abc import Iterable
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
    ask. Where the healthy ones, standing by or not, are a smaller share of all than `panic` (0 to 1; 0 is
    never), what is known of health is taken for wrong, and all count that are neither gone nor spent: so few
    would not bear the requests of all. But where there is nobody at all, those that rest are tried first.
    `spent` is when there are no candidates, and there would be without quotas.
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

    def renew(self, levels: dict[str, int]) -> None:
        """Make the candidates anew, unless they are the same."""
        endpoints = self._eligible(levels)
        if endpoints != self.candidates.endpoints:
            self.candidates = Candidates(endpoints)

    def _eligible(self, levels: dict[str, int]) -> list[Endpoint]:
        healthy: list[Endpoint] = []
        standby: list[Endpoint] = []
        degraded: list[Endpoint] = []
        resting: list[Endpoint] = []
        out = 0
        spent = False
        for endpoint in self.listed:
            if endpoint.weight > 0:
                level = levels.get(endpoint.key, HEALTHY)
                if level == HEALTHY:
                    healthy.append(endpoint)
                elif level == STANDBY:
                    standby.append(endpoint)
                elif level == DEGRADED:
                    degraded.append(endpoint)
                elif level == RESTING:
                    resting.append(endpoint)
                elif level == OUT:
                    out += 1
                elif level == SPENT:
                    spent = True
        sound = len(healthy) + len(standby)
        away = len(resting) + out
        trying = self.recovers and sound + len(degraded) == 0 and bool(resting)
        self.trying = trying
        self.panicking = not trying and away > 0 and sound < self.panic * (sound + len(degraded) + away)
        self.spent = spent and not self.panicking and not trying and sound + len(degraded) == 0
        if trying:
            return resting
        if self.panicking:
            return [
                endpoint
                for endpoint in self.listed
                if endpoint.weight > 0 and levels.get(endpoint.key, HEALTHY) <= OUT
            ]
        return healthy or standby or degraded


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
        self._stirred: Final[set[str]] = set()
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
        self.due = min(self.due, mark.until)
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
        self.due = min(self.due, mark.until)
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
        self.due = due = NEVER
        for key in list(self._marks):
            marks = self._marks.get(key)
            if marks is None:  # an onlooker took the last of them away
                continue
            over = [cause for cause, mark in marks.items() if mark.until <= now]
            for cause in over:
                self.clear(key, cause, now)
            for mark in marks.values():
                due = min(due, mark.until)
        for onlooker in self.onlookers:
            due = min(due, onlooker.woken(now))
        for key, since in list(self.young.items()):
            until = since + self.offer(key).slow_start_s
            if until <= now:
                del self.young[key]
            else:
                due = min(due, until)
        self.due = min(self.due, due)

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
        """A new plan has these rosters, made up to date already, and no others."""
        known = self._offers
        self._rosters = {}
        self._offers = {}
        for roster in rosters:
            for endpoint in roster.listed:
                self._rosters.setdefault(endpoint.key, []).append(roster)
                self._offers[endpoint.key] = endpoint.offer
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

    def begin_slowly(self, endpoint_key: str, now: float) -> None:
        """From now on, until its slow start is over, it counts for less."""
        slow_start_s = self.offer(endpoint_key).slow_start_s
        if slow_start_s > 0.0:
            self.young[endpoint_key] = now
            self.due = min(self.due, now + slow_start_s)

    def _judge(self, endpoint_key: str, now: float) -> None:
        before = self._levels.get(endpoint_key, HEALTHY)
        if self._stands(endpoint_key, before, now):
            for roster in self._rosters.get(endpoint_key, []):
                roster.renew(self._levels)
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
            roster.renew(self._levels)
        for key, before in moved.items():
            self._tell(key, before, now)

    def _tell(self, endpoint_key: str, before: int, now: float) -> None:
        level = self._levels.get(endpoint_key, HEALTHY)
        if self.onlookers and (before >= RESTING) != (level >= RESTING):
            for onlooker in self.onlookers:
                onlooker.moved(endpoint_key, before, level, now)

    def _stands(self, endpoint_key: str, before: int, now: float) -> bool:
        """Find out its level by its marks; whether that is another."""
        level = HEALTHY
        for mark in self._marks.get(endpoint_key, {}).values():
            level = max(level, mark.level)
        if level == before:
            return False
        if level == HEALTHY:
            del self._levels[endpoint_key]
        else:
            self._levels[endpoint_key] = level
        if before >= RESTING or level >= RESTING:
            self._stirred.add(endpoint_key)
        if before >= RESTING and level < RESTING and before != SPENT:
            self.begin_slowly(endpoint_key, now)
        return True
