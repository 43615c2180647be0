"""Ejects endpoints that fail, or are slow, more often than they may, each for a while.

What counts is a sliding window: the share of attempts that failed, and how many were slower than the limit of
the 99th percentile, which is above its limit just when more than one in a hundred were. Of few attempts one
may be slow by chance, so it takes three at least. And what is asked may be slow wherever it is served: so an
endpoint is ejected for that only where it is slow more often than the others of its cluster are in the same
time, by far and not by chance. One without others that are asked as well is compared with nobody, and stays.

Not all are sent away at once, or the others would bear what none of them can: at most a share of the
endpoints of a cluster is out together, but always one, and never the last that a pool could pick, whoever
took the others away: the endpoints of a cluster may be in different pools, as by version. An endpoint that
comes back begins anew, slowly where its cluster says so; each time that it has to go again it is out for
longer, until it stayed good for as long as it is out the first time, for each time that it was out.
"""

from heapq import heapify, heappop, heappush
from math import exp, lgamma
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.base import Judge, Keeper
from sidecar.core.state.standing import OUT, Mark, Standing
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict
from sidecar.core.state.window import Window
from sidecar.core.watch import OutlierRule

_CAUSE: Final = "outlier"
_SLOW_AT_LEAST: Final = 3
_FAR: Final = 3.0
"""So many times the odds of the others to be slow."""
_CHANCE: Final = 1e-4
"""Of an endpoint that is like the others to look so slow. It is small, as each slow attempt is an occasion:
where no other was slow, 7 slow ones at one of four endpoints are enough, 4 at one of twenty."""
_ROUNDING: Final = 1e-9


@final
class _Suspect:
    """`times` is how often in a row it was ejected, the last time `until`; what was asked before that counts
    for nothing."""

    def __init__(self, window_s: float) -> None:
        self.window = Window(window_s)
        self.times: int = 0
        self.until: float = float("-inf")


@final
class Outliers(Judge, Keeper):
    """By endpoint key, of the endpoints whose cluster has a rule. `ejected` counts how often one was."""

    def __init__(self, standing: Standing) -> None:
        self._standing: Final = standing
        self._suspects: Final[dict[str, _Suspect]] = {}
        self._sizes: dict[str, int] = {}
        """How many endpoints the plan has of each cluster, but those of weight 0."""
        self._together: Final[dict[str, Window]] = {}
        """Of each cluster, what is in the windows of all its endpoints."""
        self._out: Final[dict[str, list[tuple[float, str]]]] = {}
        """Of each cluster who is out, and until when; a heap, so that nobody looks through all of them."""
        self._changed: Final[set[str]] = set()
        self.ejected: int = 0

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        if judged is Verdict.SILENT:
            return
        key = endpoint.key
        rule = self._rule(key)
        if rule is None:
            return
        suspect = self._suspects.get(key)
        if suspect is None:
            suspect = self._suspects[key] = _Suspect(rule.window_s)
        elif ticket.admitted_at < suspect.until:
            return
        failed = judged is Verdict.FAILED
        slow = 0.0 < rule.p99_s < latency_s
        window = suspect.window
        window.add(now, failed=failed, slow=slow)
        together = self._together.get(endpoint.cluster)
        if together is None:
            together = self._together[endpoint.cluster] = Window(rule.window_s)
        together.add(now, failed=failed, slow=slow)
        if (failed or slow) and window.total >= rule.requests:
            why = _failing(window, rule) or _slow(window, together, rule)
            if why and self._may_go(endpoint.key, endpoint.cluster, rule, now):
                together.take_away(window)
                self._eject(endpoint, suspect, rule, why, now)

    def keep_endpoints(self, keys: set[str]) -> None:
        for key in [key for key in self._suspects if key not in keys]:
            suspect = self._suspects.pop(key)
            if suspect.times:
                self._changed.add(key)
        self._sizes = {}
        for key in keys:
            if self._standing.weighs(key):
                cluster = _cluster(key)
                self._sizes[cluster] = self._sizes.get(cluster, 0) + 1
        for cluster in [cluster for cluster in self._together if cluster not in self._sizes]:
            del self._together[cluster]

    def plan_changed(self, now: float) -> None:
        """Who has no rule any more is back, and who would be back first where more are out of a cluster than
        may be, or a pool has nobody else; with another window one is judged anew."""
        self._out.clear()
        for key, suspect in list(self._suspects.items()):
            rule = self._rule(key)
            if rule is None:
                self._together.pop(_cluster(key), None)
                self._give_back(key, suspect, now)
                continue
            if suspect.window.span_s != rule.window_s:
                suspect.window = Window(rule.window_s)
                together = self._together.get(_cluster(key))
                if together is None or together.span_s != rule.window_s:
                    self._together[_cluster(key)] = Window(rule.window_s)
            if suspect.until > now and self._standing.weighs(key):
                self._out.setdefault(_cluster(key), []).append((suspect.until, key))
        for cluster, out in list(self._out.items()):
            heapify(out)
            while out:
                key = out[0][1]
                rule = self._rule(key)
                if rule is not None and len(out) <= self._most(cluster, rule):
                    break
                heappop(out)
                self._give_back(key, self._suspects[key], now)
            alone = [entry for entry in sorted(out) if not self._standing.spares(entry[1])]
            for entry in alone:
                if not self._standing.spares(entry[1]):  # one who is back may be enough
                    out.remove(entry)
                    self._give_back(entry[1], self._suspects[entry[1]], now)
            heapify(out)

    def changed(self) -> set[str]:
        changed = set(self._changed)
        self._changed.clear()
        return changed

    def row(self, key: str, now: float) -> list[float] | None:
        """How long it is out still, negative for how long it has been back; how often in a row it was."""
        suspect = self._suspects.get(key)
        if suspect is None or suspect.times == 0:
            return None
        return [suspect.until - now, float(suspect.times)]

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        if len(row) != 2 or not all(-1e12 < number < 1e12 for number in row) or row[1] < 1.0:
            raise ValueError(f"not an ejection: {row}")
        rule = self._rule(key)
        if rule is None:
            return
        suspect = self._suspects[key] = _Suspect(rule.window_s)
        suspect.times = int(row[1])
        suspect.until = now + min(row[0], rule.most_s) - max(away_s, 0.0)
        if suspect.until > now:
            if not self._may_go(key, _cluster(key), rule, now):
                suspect.until = now
                return
            heappush(self._out.setdefault(_cluster(key), []), (suspect.until, key))
            why = "ejected: it was so before the restart"
            self._standing.mark(key, _CAUSE, Mark(OUT, why, suspect.until), now)

    def _rule(self, key: str) -> OutlierRule | None:
        """That of the plan in force: what was asked under another is judged by it too."""
        return self._standing.offer(key).watch.outliers

    def _give_back(self, key: str, suspect: _Suspect, now: float) -> None:
        self._standing.clear(key, _CAUSE, now)
        del self._suspects[key]
        if suspect.times:
            self._changed.add(key)

    def _most(self, cluster: str, rule: OutlierRule) -> int:
        """So many of the cluster may be out."""
        size = self._sizes.get(cluster, 0)
        return max(int(rule.most_ejected * size + _ROUNDING), 1) if size > 1 else 0

    def _may_go(self, key: str, cluster: str, rule: OutlierRule, now: float) -> bool:
        return self._standing.weighs(key) and self._room(cluster, rule, now) and self._standing.spares(key)

    def _room(self, cluster: str, rule: OutlierRule, now: float) -> bool:
        """Whether one more of the cluster may be out."""
        most = self._most(cluster, rule)
        out = self._out.get(cluster)
        if out is None:
            return most > 0
        while out and out[0][0] <= now:
            heappop(out)
        return len(out) < most

    def _eject(self, endpoint: Endpoint, suspect: _Suspect, rule: OutlierRule, why: str, now: float) -> None:
        if suspect.times:
            good_s = max(now - suspect.until, 0.0)
            suspect.times = max(suspect.times - int(min(good_s / rule.base_s, 1e9)), 0)
        suspect.times += 1
        suspect.until = now + min(suspect.times * rule.base_s, max(rule.most_s, rule.base_s))
        suspect.window.forget()
        heappush(self._out.setdefault(endpoint.cluster, []), (suspect.until, endpoint.key))
        self._changed.add(endpoint.key)
        self.ejected += 1
        if suspect.times > 1:
            why += f", for the {_nth(suspect.times)} time in a row"
        self._standing.mark(endpoint.key, _CAUSE, Mark(OUT, f"ejected: {why}", suspect.until), now)


def _failing(window: Window, rule: OutlierRule) -> str:
    """Empty where it is not."""
    total = window.total
    if 0.0 < rule.failure_rate <= window.failed / total + _ROUNDING:
        share = f"{100 * window.failed / total:.4g}% of {total} failed in {rule.window_s:.4g} s"
        return f"{share}, at least {100 * rule.failure_rate:.4g}%"
    return ""


def _slow(window: Window, together: Window, rule: OutlierRule) -> str:
    """Empty where it is not, or not more than the others of its cluster. `together` has all of them."""
    total, slow = window.total, window.slow
    if rule.p99_s <= 0.0 or slow < _SLOW_AT_LEAST or 100 * slow <= total:
        return ""
    others, slow_others = together.total - total, together.slow - slow
    if not 0 <= slow_others <= others:  # where the clock ran backwards
        return ""
    if slow * (others - slow_others) < _FAR * slow_others * (total - slow):
        return ""
    if _by_chance(slow, total, slow_others, others) >= _CHANCE:
        return ""
    took = f"{slow} of {total} took longer than {rule.p99_s:.4g} s in {rule.window_s:.4g} s"
    return f"{took}, more than 1%, and {slow_others} of {others} at the others of its cluster"


def _by_chance(slow: int, total: int, slow_others: int, others: int) -> float:
    """At most how likely it is that so many of the slow ones, or more, fall to one endpoint where all are
    alike: Fisher's exact test, one-sided (R. A. Fisher, "On the interpretation of chi-squared from
    contingency tables, and the calculation of P", Journal of the Royal Statistical Society 85, 1922).

    Each term of the sum's tail is at most so many times the one before it as the second is of the first; so
    the tail is less than that geometric series, and nothing is added up.
    """
    all_slow, everything = slow + slow_others, total + others
    term = exp(
        _chosen(total, slow) + _chosen(others, slow_others) - _chosen(everything, all_slow),
    )
    ratio = (total - slow) * slow_others / ((slow + 1) * (others - slow_others + 1))
    return term / (1.0 - ratio) if ratio < 1.0 else 1.0


def _chosen(of: int, some: int) -> float:
    """The logarithm of in how many ways `some` may be chosen."""
    return lgamma(of + 1.0) - lgamma(some + 1.0) - lgamma(of - some + 1.0)


def _cluster(endpoint_key: str) -> str:
    return endpoint_key.partition("/")[0]


def _nth(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
