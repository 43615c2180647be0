"""Ejects endpoints that fail, or are slow, more often than they may, each for a while.

What counts is a sliding window: the share of attempts that failed, and how many were slower than the limit of
the 99th percentile, which is above its limit just when more than one in a hundred were. Of few attempts one
may be slow by chance, so it takes three at least.

Not all are sent away at once, or the others would bear what none of them can: at most a share of the
endpoints of a cluster is out together, but always one, except where there is no other. An endpoint that comes
back begins anew, slowly where its cluster says so; each time that it has to go again it is out for longer,
until it stayed good for as long as it is out the first time, for each time that it was out.
"""

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
        """How many endpoints the plan has of each cluster."""
        self._out: Final[dict[str, list[_Suspect]]] = {}
        """Of each cluster who was ejected lately. Looked through only when one more is to be."""
        self._changed: Final[set[str]] = set()
        self.ejected: int = 0

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        rule = endpoint.offer.watch.outliers
        if rule is None or judged is Verdict.SILENT:
            return
        key = endpoint.key
        suspect = self._suspects.get(key)
        if suspect is None:
            suspect = self._suspects[key] = _Suspect(rule.window_s)
        elif ticket.admitted_at < suspect.until:
            return
        failed = judged is Verdict.FAILED
        slow = 0.0 < rule.p99_s < latency_s
        window = suspect.window
        window.add(now, failed=failed, slow=slow)
        if (failed or slow) and window.total >= rule.requests:
            why = _why(window, rule)
            if why and self._room(endpoint.cluster, rule, now):
                self._eject(endpoint, suspect, rule, why, now)

    def keep_endpoints(self, keys: set[str]) -> None:
        for key in [key for key in self._suspects if key not in keys]:
            suspect = self._suspects.pop(key)
            if suspect.times:
                self._changed.add(key)
            out = self._out.get(_cluster(key))
            if out is not None and suspect in out:
                out.remove(suspect)
        self._sizes = {}
        for key in keys:
            cluster = _cluster(key)
            self._sizes[cluster] = self._sizes.get(cluster, 0) + 1
        for cluster in [cluster for cluster in self._out if cluster not in self._sizes]:
            del self._out[cluster]

    def plan_changed(self, now: float) -> None:
        """Who has no rule any more, or is the last of its cluster, is back; with another window it is judged
        anew."""
        for key, suspect in list(self._suspects.items()):
            rule = self._standing.offer(key).watch.outliers
            if rule is None or (self._sizes.get(_cluster(key), 0) <= 1 and suspect.until > now):
                self._standing.clear(key, _CAUSE, now)
                del self._suspects[key]
                if suspect.times:
                    self._changed.add(key)
                out = self._out.get(_cluster(key))
                if out is not None and suspect in out:
                    out.remove(suspect)
            elif suspect.window.span_s != rule.window_s:
                suspect.window = Window(rule.window_s)

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
        rule = self._standing.offer(key).watch.outliers
        if rule is None or self._sizes.get(_cluster(key), 0) <= 1:
            return
        suspect = self._suspects[key] = _Suspect(rule.window_s)
        suspect.times = int(row[1])
        suspect.until = now + min(row[0], rule.most_s) - max(away_s, 0.0)
        if suspect.until > now:
            self._out.setdefault(_cluster(key), []).append(suspect)
            why = "ejected: it was so before the restart"
            self._standing.mark(key, _CAUSE, Mark(OUT, why, suspect.until), now)

    def _room(self, cluster: str, rule: OutlierRule, now: float) -> bool:
        """Whether one more of the cluster may be out."""
        size = self._sizes.get(cluster, 0)
        if size <= 1:
            return False
        out = self._out.get(cluster)
        if not out:
            return True
        out[:] = [suspect for suspect in out if suspect.until > now]
        return len(out) < max(int(rule.most_ejected * size + _ROUNDING), 1)

    def _eject(self, endpoint: Endpoint, suspect: _Suspect, rule: OutlierRule, why: str, now: float) -> None:
        if suspect.times:
            good_s = max(now - suspect.until, 0.0)
            suspect.times = max(suspect.times - int(min(good_s / rule.base_s, 1e9)), 0)
        suspect.times += 1
        suspect.until = now + min(suspect.times * rule.base_s, max(rule.most_s, rule.base_s))
        suspect.window.forget()
        self._out.setdefault(endpoint.cluster, []).append(suspect)
        self._changed.add(endpoint.key)
        self.ejected += 1
        if suspect.times > 1:
            why += f", for the {_nth(suspect.times)} time in a row"
        self._standing.mark(endpoint.key, _CAUSE, Mark(OUT, f"ejected: {why}", suspect.until), now)


def _why(window: Window, rule: OutlierRule) -> str:
    """Empty where nothing is."""
    total = window.total
    if 0.0 < rule.failure_rate <= window.failed / total + _ROUNDING:
        share = f"{100 * window.failed / total:.4g}% of {total} failed in {rule.window_s:.4g} s"
        return f"{share}, at least {100 * rule.failure_rate:.4g}%"
    if rule.p99_s > 0.0 and window.slow >= _SLOW_AT_LEAST and 100 * window.slow > total:
        took = f"{window.slow} of {total} took longer than {rule.p99_s:.4g} s in {rule.window_s:.4g} s"
        return f"{took}, more than 1%"
    return ""


def _cluster(endpoint_key: str) -> str:
    return endpoint_key.partition("/")[0]


def _nth(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
