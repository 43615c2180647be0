"""What endpoints answer when the sidecar asks them by itself: who answers badly so often in a row is out,
until it answers well so often in a row.

Only then, because one answer says little: a probe may be lost on its way, and an endpoint that is about to
fall answers now and then. A new endpoint is healthy until its answers say otherwise.
"""

from typing import Final, final

from sidecar.core.state.base import Keeper
from sidecar.core.state.standing import DEGRADED, OUT, Mark, Standing
from sidecar.core.watch import ProbeRule

_CAUSE: Final = "probe"
_DEGRADED: Final = "probe, degraded"
_KEPT_S: Final = 300.0
"""What was found out longer ago than this is not taken over after a restart: probes find it out anew."""


@final
class _Probed:
    """`row` is how many answers in a row speak against what it is taken for now."""

    def __init__(self) -> None:
        self.healthy: bool = True
        self.row: int = 0
        self.degraded: bool = False


@final
class Probes(Keeper):
    """By endpoint key. No request is told to it; the engine tells it of new plans."""

    def __init__(self, standing: Standing) -> None:
        self._standing: Final = standing
        self._probed: Final[dict[str, _Probed]] = {}
        self._changed: Final[set[str]] = set()

    def healthy(self, endpoint_key: str) -> bool:
        probed = self._probed.get(endpoint_key)
        return probed is None or probed.healthy

    def checked(self, endpoint_key: str, good: bool, why: str, now: float, *, degraded: bool = False) -> bool:
        """An endpoint was asked; `why` says in words what was bad. An answer may be good and say of itself
        that it is `degraded`. Returns whether the endpoint is now healthy and was not, or the other way
        round."""
        rule = self._rule(endpoint_key)
        if rule is None:
            return False
        probed = self._probed.get(endpoint_key)
        if probed is None:
            if good and not degraded:
                return False
            probed = self._probed[endpoint_key] = _Probed()
        if good and degraded != probed.degraded:
            self._degrade(endpoint_key, probed, degraded, now)
        if good == probed.healthy:
            probed.row = 0
        else:
            probed.row += 1
        if probed.row < (rule.unhealthy if probed.healthy else rule.healthy):
            return False
        row = probed.row
        probed.healthy = good
        probed.row = 0
        self._changed.add(endpoint_key)
        if good:
            self._standing.clear(endpoint_key, _CAUSE, now)
        else:
            in_a_row = "1 bad answer" if row == 1 else f"{row} bad answers in a row"
            self._standing.mark(endpoint_key, _CAUSE, Mark(OUT, f"probe: {in_a_row}: {why}"), now)
        return True

    def keep_endpoints(self, keys: set[str]) -> None:
        for key in [key for key in self._probed if key not in keys]:
            del self._probed[key]
            self._changed.add(key)

    def plan_changed(self, now: float) -> None:
        """Who is not asked any more is not held to what it answered."""
        for key in [key for key in self._probed if self._rule(key) is None]:
            del self._probed[key]
            self._changed.add(key)
            self._standing.clear(key, _CAUSE, now)
            self._standing.clear(key, _DEGRADED, now)

    def changed(self) -> set[str]:
        changed = set(self._changed)
        self._changed.clear()
        return changed

    def row(self, key: str, now: float) -> list[float] | None:
        """Whether it is unhealthy, and whether it is degraded: 1 or 0."""
        probed = self._probed.get(key)
        if probed is None or (probed.healthy and not probed.degraded):
            return None
        return [0.0 if probed.healthy else 1.0, 1.0 if probed.degraded else 0.0]

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        if len(row) != 2 or not all(number in (0.0, 1.0) for number in row):
            raise ValueError(f"not what a probe found: {row}")
        if self._rule(key) is None or away_s > _KEPT_S:
            return
        probed = self._probed[key] = _Probed()
        if row[0] == 1.0:
            probed.healthy = False
            self._standing.mark(key, _CAUSE, Mark(OUT, "probe: it was unhealthy before the restart"), now)
        if row[1] == 1.0:
            self._degrade(key, probed, True, now)

    def _rule(self, key: str) -> ProbeRule | None:
        return self._standing.offer(key).watch.probe

    def _degrade(self, key: str, probed: _Probed, degraded: bool, now: float) -> None:
        probed.degraded = degraded
        self._changed.add(key)
        if degraded:
            self._standing.mark(key, _DEGRADED, Mark(DEGRADED, "probe: it says that it is degraded"), now)
        else:
            self._standing.clear(key, _DEGRADED, now)
