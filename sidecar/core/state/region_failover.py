"""Which region has the traffic: the first of an order that is good; the others stand by.

A region is left when too few of its endpoints may be picked, when it is slow, or when it fails too often. It
has the traffic again only after it was good for some time. While it has none, nobody knows more of it than
its probes, its breakers and what retries there tell, and each bad sign begins that time anew. A region that
has to be left again soon after it came back waits twice as long, up to ten times, so that one which can't
bear its traffic is not given it again and again.

The endpoints of the others are marked as standing by, so a pool that has nobody left in the active region
goes on to them at once, before the region is left. Where no region is good, none stands by: all that may be
picked share the traffic.
"""

from collections.abc import Iterable
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.base import Judge
from sidecar.core.state.standing import NEVER, RESTING, STANDBY, Mark, Onlooker, Standing
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict
from sidecar.core.state.window import Window
from sidecar.core.watch import RegionRule

_CAUSE: Final = "region"
_MOST_PATIENCE: Final = 10.0
_ROUNDING: Final = 1e-9


@final
class _Region:
    """`well` of its `keys` may be picked. It is `barred` from when it was left until it was good for
    `wait_s`, which it has been since `good_at`, NEVER while it is not. `since` is when it was left or came
    back the last time: what was asked before counts for nothing."""

    def __init__(self, name: str, rule: RegionRule) -> None:
        self.name: Final = name
        self.keys: list[str] = []
        self.well: int = 0
        self.barred = False
        self.why: str = ""
        self.since: float = float("-inf")
        self.returned_at: float = float("-inf")
        self.good_at: float = NEVER
        self.wait_s: float = rule.return_after_s
        self.window = Window(rule.window_s)
        self.timed = Window(rule.window_s)
        """Of those of which it is known how long they took."""

    def forget(self, now: float) -> None:
        self.since = now
        self.window.forget()
        self.timed.forget()

    def sick(self, rule: RegionRule) -> str:
        """What is wrong with its endpoints by now; empty when nothing is."""
        share = self.well / len(self.keys)
        if share + _ROUNDING < rule.least_healthy:
            told = f"{self.well} of {len(self.keys)} endpoints of {self.name} may be picked"
            return f"{told}, less than {100 * rule.least_healthy:.4g}%"
        return ""

    def failing(self, rule: RegionRule) -> str:
        """What is wrong with its answers lately; empty when nothing is."""
        total = self.window.total
        if total >= rule.requests and self.window.failed > rule.error_rate * total + _ROUNDING:
            share = f"{100 * self.window.failed / total:.4g}% of {total} failed in {rule.window_s:.4g} s"
            return f"{share} in {self.name}, more than {100 * rule.error_rate:.4g}%"
        timed, slow = self.timed.total, self.timed.slow
        # The median, as no mean is proof against one answer that took very long.
        if rule.slow_s > 0.0 and timed >= rule.requests and 2 * slow >= timed:
            took = f"{slow} of {timed} took longer than {rule.slow_s:.4g} s in {rule.window_s:.4g} s"
            return f"{took} in {self.name}, at least half"
        return ""


@final
class RegionFailover(Judge, Onlooker):
    """`active` is the region that has the traffic; empty where none is good, or where no plan has a rule.
    `changes` is how often that became another. Last of the judges, so that it sees what they found."""

    def __init__(self, standing: Standing) -> None:
        self._standing: Final = standing
        standing.onlookers.append(self)
        self._rule: RegionRule | None = None
        self._regions: dict[str, _Region] = {}
        """Those of the order that have endpoints, in that order."""
        self._region_of: dict[str, str] = {}
        """By endpoint key, of endpoints that are in any region."""
        self._marked: set[str] = set()
        self.active: str = ""
        self.changes: int = 0

    def left(self) -> dict[str, str]:
        """Why, by the name of each region that was left and is not good again."""
        return {name: region.why for name, region in self._regions.items() if region.barred}

    def back_at(self, region: str) -> float:
        """When a region that was left may be active again, if it stays good; NEVER where it is not, 0 where
        it was not left."""
        known = self._regions.get(region)
        return known.good_at + known.wait_s if known is not None and known.barred else 0.0

    def adopt(self, rule: RegionRule | None, endpoints: Iterable[Endpoint]) -> None:
        """A new plan has this rule and these endpoints. `plan_changed` makes it count."""
        self._rule = rule
        known = self._regions
        self._regions = {}
        self._region_of = {}
        if rule is None:
            return
        members: dict[str, list[str]] = {}
        for endpoint in endpoints:
            if endpoint.region and endpoint.weight > 0 and endpoint.key not in self._region_of:
                self._region_of[endpoint.key] = endpoint.region
                members.setdefault(endpoint.region, []).append(endpoint.key)
        for name in rule.order:
            if name in members and name not in self._regions:
                region = known.get(name)
                if region is None:
                    region = _Region(name, rule)
                elif region.window.span_s != rule.window_s:
                    region.window = Window(rule.window_s)
                    region.timed = Window(rule.window_s)
                self._regions[name] = region
                region.keys = members[name]
                region.well = sum([self._standing.level(key) < RESTING for key in region.keys])
                region.wait_s = min(
                    max(region.wait_s, rule.return_after_s), _MOST_PATIENCE * rule.return_after_s
                )

    def plan_changed(self, now: float) -> None:
        for region in self._regions.values():
            if region.barred:
                self._look_at_left(region, now)
                if region.good_at < NEVER:
                    self._standing.wake_at(region.good_at + region.wait_s)
        self._choose(now, anew=True)

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        rule = self._rule
        if rule is None or judged is Verdict.SILENT:
            return
        region = self._regions.get(self._region_of.get(endpoint.key, ""))
        if region is None or ticket.admitted_at < region.since:
            return
        failed = judged is Verdict.FAILED
        region.window.add(now, failed=failed)
        slow = 0.0 < rule.slow_s < latency_s
        # An error that comes at once would make it look quick; a timeout took at least so long.
        if slow or (latency_s >= 0.0 and not failed):
            region.timed.add(now, failed=failed, slow=slow)
        else:
            region.timed.pass_time(now)
        if failed or slow:
            self._look_at_answers(region, rule, now)

    def moved(self, endpoint_key: str, before: int, level: int, now: float) -> None:
        region = self._regions.get(self._region_of.get(endpoint_key, ""))
        if region is None:
            return
        region.well += 1 if level < RESTING else -1
        if region.barred:
            self._look_at_left(region, now)
        self._choose(now)

    def woken(self, now: float) -> float:
        if not self._regions:
            return NEVER
        self._choose(now)
        due = NEVER
        for region in self._regions.values():
            if region.barred:
                due = min(due, region.good_at + region.wait_s)
        return due

    def _look_at_answers(self, region: _Region, rule: RegionRule, now: float) -> None:
        why = region.failing(rule)
        if not why:
            return
        if region.barred:
            region.why = why
            region.forget(now)
            if region.good_at < NEVER:
                self._wait(region, now)
        elif self.active in {region.name, ""}:
            self._leave(region, rule, why, now)
            self._choose(now)

    def _look_at_left(self, region: _Region, now: float) -> None:
        """Whether one that was left is good by its endpoints, and since when."""
        rule = self._rule
        if rule is None:
            return
        why = region.sick(rule)
        if why:
            region.why = why
            region.good_at = NEVER
        elif region.good_at == NEVER:
            self._wait(region, now)

    def _wait(self, region: _Region, now: float) -> None:
        region.good_at = now
        self._standing.wake_at(now + region.wait_s)

    def _leave(self, region: _Region, rule: RegionRule, why: str, now: float) -> None:
        soon = now - region.returned_at < _MOST_PATIENCE * rule.return_after_s
        most_s = _MOST_PATIENCE * rule.return_after_s
        region.wait_s = min(2.0 * region.wait_s, most_s) if soon else rule.return_after_s
        region.barred = True
        region.why = why
        region.good_at = NEVER
        region.forget(now)
        self._look_at_left(region, now)

    def _choose(self, now: float, *, anew: bool = False) -> None:
        """Find out which region is active. `anew` marks all endpoints, even where it stays the same; so does
        one that was left and is good again, because marks say who was left."""
        rule = self._rule
        active = ""
        stirred = anew
        if rule is not None:
            for region in self._regions.values():
                if region.barred and region.good_at + region.wait_s <= now:
                    stirred = True
                    region.barred = False
                    region.returned_at = now
                    region.forget(now)
                if not region.barred and not active:
                    why = region.sick(rule)
                    if why:
                        self._leave(region, rule, why, now)
                    else:
                        active = region.name
        if active != self.active:
            if self.active or not anew:
                self.changes += 1
        elif not stirred:
            return
        self.active = active
        self._mark(now)

    def _mark(self, now: float) -> None:
        active = self.active
        others: dict[str, list[str]] = {}
        marked: set[str] = set()
        if active:
            for key, name in self._region_of.items():
                if name != active:
                    others.setdefault(name, []).append(key)
                    marked.add(key)
        gone = [key for key in self._marked if key not in marked]
        self._marked = marked
        self._standing.clear_all(gone, _CAUSE, now)
        for name, keys in others.items():
            region = self._regions.get(name)
            why = f"stands by while {active} is active"
            if region is not None and region.barred:
                why += f"; {name} was left: {region.why}"
            self._standing.mark_all(keys, _CAUSE, Mark(STANDBY, why), now)
