"""Why a request is answered as it is: every route with its conditions, every endpoint with its place."""

from math import ceil
from typing import Final, final

from sidecar.core.decision import Answer
from sidecar.core.endpoint import Endpoint
from sidecar.core.state.breakers import HALF_OPEN
from sidecar.core.state.memory import State
from sidecar.core.state.pools import Pool
from sidecar.core.state.standing import DEGRADED, HEALTHY, NEVER, RESTING, STANDBY, Mark, Roster

LEVELS: Final = ("healthy", "stands by", "degraded", "resting", "out", "spent", "gone")
"""In words, by the number of the level."""
_SOUND: Final = 0.995
"""A health score from here on is shown as 1.00."""
_BACK: Final = {"breaker": "trials again"}
"""What happens when a mark of this cause ends; of any other, the endpoint is back."""


@final
class ConditionVerdict:
    """One condition in words, what the request had where it looked, and whether it held."""

    def __init__(self, text: str, seen: str, held: bool) -> None:
        self.text: Final = text
        self.seen: Final = seen
        self.held: Final = held


@final
class GateVerdict:
    """One gate: when it refuses, what it saw, and whether it would refuse this request."""

    def __init__(self, gate: str, text: str, seen: str, refuses: bool) -> None:
        self.gate: Final = gate
        self.text: Final = text
        self.seen: Final = seen
        self.refuses: Final = refuses


@final
class RouteVerdict:
    """One route, in the order of precedence. `conditions` are those of the top level."""

    def __init__(
        self,
        route: str,
        priority: int,
        enabled: bool,
        matched: bool,
        chosen: bool,
        conditions: list[ConditionVerdict],
    ) -> None:
        self.route: Final = route
        self.priority: Final = priority
        self.enabled: Final = enabled
        self.matched: Final = matched
        self.chosen: Final = chosen
        self.conditions: Final = conditions


@final
class MarkVerdict:
    """Something that speaks against an endpoint. `left_s` is None where it has no end of its own."""

    def __init__(self, cause: str, level: int, why: str, left_s: float | None) -> None:
        self.cause: Final = cause
        self.level: Final = level
        self.why: Final = why
        self.left_s: Final = left_s


@final
class CandidateVerdict:
    """One endpoint of the chosen pool. `place` counts from 1; 0 is passed over, and `why` says why. `score`
    is what the strategy judges it by, None where it judges by nothing; `parts` are what that is made of, by
    name, where it is made of several. `level` is that of its standing, with `marks`, what speaks against it;
    `state` says in words what is to be known of its health, although it may be picked; `health` is its
    score, 0 to 1."""

    def __init__(
        self,
        endpoint: Endpoint,
        place: int,
        why: str,
        score: float | None = None,
        parts: list[tuple[str, float]] | None = None,
        level: int = HEALTHY,
        marks: list[MarkVerdict] | None = None,
        state: str = "",
        health: float = 1.0,
    ) -> None:
        self.endpoint: Final = endpoint
        self.place: Final = place
        self.why: Final = why
        self.score: Final = score
        self.parts: Final = [] if parts is None else parts
        self.level: Final = level
        self.marks: Final = [] if marks is None else marks
        self.state: Final = state
        self.health: Final = health


@final
class Explanation:
    """`notes` are what is to be said of the endpoints together: a panic, or that others had to step in."""

    def __init__(
        self,
        answer: Answer,
        gates: list[GateVerdict],
        routes: list[RouteVerdict],
        split: str,
        candidates: list[CandidateVerdict],
        notes: list[str] | None = None,
    ) -> None:
        self.answer: Final = answer
        self.gates: Final = gates
        self.routes: Final = routes
        self.split: Final = split
        self.candidates: Final = candidates
        self.notes: Final = [] if notes is None else notes


def marks_of(marks: dict[str, Mark], now: float) -> list[MarkVerdict]:
    """What speaks against an endpoint, the worst first. Of marks that say the same, the longest counts."""
    longest: dict[str, tuple[str, Mark]] = {}
    levels: dict[str, int] = {}
    for cause, mark in marks.items():
        if mark.until > now:
            before = longest.get(mark.why)
            if before is None or before[1].until < mark.until:
                longest[mark.why] = (cause, mark)
            levels[mark.why] = max(levels.get(mark.why, HEALTHY), mark.level)
    found = [
        MarkVerdict(cause, levels[why], why, None if mark.until == NEVER else mark.until - now)
        for why, (cause, mark) in longest.items()
    ]
    found.sort(key=lambda verdict: -verdict.level)
    return found


def back_in(marks: list[MarkVerdict]) -> float | None:
    """In how many seconds what keeps an endpoint away has ended, by itself; None where nobody can tell.

    Of one that is not to be picked, only that counts which keeps it so.
    """
    level = min(max([mark.level for mark in marks], default=HEALTHY), RESTING)
    left_s = 0.0
    for mark in marks:
        if mark.level >= level:
            if mark.left_s is None:
                return None
            left_s = max(left_s, mark.left_s)
    return left_s


def told(endpoint: Endpoint, marks: list[MarkVerdict], state: State, now: float) -> str:
    """In words: how it stands, each reason, and when or by what that ends. Empty where there is none."""
    if not marks:
        return ""
    reasons = "; and ".join([_reason(mark, endpoint, state, now) for mark in marks])
    word = LEVELS[marks[0].level]
    return reasons if reasons.startswith(word) else f"{word}: {reasons}"


def state_of(endpoint: Endpoint, marks: list[MarkVerdict], state: State, now: float) -> str:
    """What is to be known of the health of one that may be picked; empty for a sound one."""
    standing = state.standing
    key = endpoint.key
    parts: list[str] = []
    if marks:
        parts.append(told(endpoint, marks, state, now))
    health = state.scores.of(key, now)
    if endpoint.offer.watch.score.least > 0.0 and health < _SOUND:
        parts.append(f"health score {health:.2f}")
    if state.breakers.state(key, now) == HALF_OPEN:
        rule = endpoint.offer.watch.breaker
        if rule is not None:
            left = state.breakers.left(key, now)
            parts.append(f"breaker half-open: {left} of {rule.half_open} trials left")
    since = None if standing.level(key) >= RESTING else standing.young.get(key)
    slow_start_s = endpoint.offer.slow_start_s
    if since is not None and endpoint.weight > 0 and now < since + slow_start_s:
        share = standing.weight(endpoint, now) / endpoint.weight
        whole = in_time(since + slow_start_s - now)
        parts.append(f"slow start: {100 * share:.0f}% of its weight, all of it in {whole}")
    return "; ".join(parts)


def note_of(pool: Pool, state: State) -> str:
    """Who is picked of a pool that is not as it should be; empty for one where the healthy are."""
    roster = pool.roster
    if roster is None:
        return ""
    if roster.panicking:
        return f"{panic_of(roster)}; health does not count"
    endpoints = roster.candidates.endpoints
    if not endpoints:
        return ""
    if roster.trying:
        return "recovery: nobody is left but those that rest, and they are tried early"
    level = state.standing.level(endpoints[0].key)
    if level == STANDBY:
        return "no healthy endpoint is left: those that stand by are picked"
    if level == DEGRADED:
        return "no healthy endpoint is left: degraded ones are picked"
    return ""


def note_of_regions(endpoints: tuple[Endpoint, ...], state: State, now: float) -> list[str]:
    """Which regions of these were left, why, and when they may be active again."""
    notes: list[str] = []
    names = {endpoint.region for endpoint in endpoints}
    for region, why in state.region_failover.left().items():
        if region in names:
            then = _region_back(region, state, now)
            notes.append(f"region {region} was left: {why}; {then}")
    return notes


def panic_of(roster: Roster) -> str:
    """The panic in figures."""
    everybody = roster.left + roster.away
    return f"panic: {roster.left} of {everybody} healthy or degraded is below {100 * roster.panic:.4g}%"


def in_time(seconds: float) -> str:
    """A time to come in words, rounded up."""
    if seconds > 120.0:
        return f"{ceil(seconds / 60.0)} min"
    return f"{ceil(seconds)} s"


def _reason(mark: MarkVerdict, endpoint: Endpoint, state: State, now: float) -> str:
    """Why, and when or by what that ends."""
    if mark.left_s is not None:
        return f"{mark.why}; {_BACK.get(mark.cause, 'back')} in {in_time(mark.left_s)}"
    if mark.cause == "region":
        left = endpoint.region in state.region_failover.left()
        return f"{mark.why}; {_region_back(endpoint.region, state, now)}" if left else mark.why
    probe = endpoint.offer.watch.probe
    if mark.cause == "probe" and probe is not None:
        answers = "the next good answer" if probe.healthy == 1 else f"{probe.healthy} good answers in a row"
        return f"{mark.why}; back after {answers}"
    return mark.why


def _region_back(region: str, state: State, now: float) -> str:
    at = state.region_failover.back_at(region)
    if at == NEVER:
        return "active again some time after it is good"
    return f"active again in {in_time(max(at - now, 0.0))} if it stays good"
