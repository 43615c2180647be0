"""What a pool knows of the reward of each endpoint, as Beta posteriors that follow a change.

A posterior that never forgets takes as long to notice that the best endpoint has gone bad as it was good.
One that forgets at a steady rate never stops trying the others. So old evidence goes in three ways:

- Each new reward of an endpoint fades those before it by one part in 5,000: enough for it not to grow stiff.
- Everything fades by half in ten minutes.
- When the last hundred or so rewards contradict all before them, the endpoint begins anew. They do when
  n KL(recent mean, mean before) exceeds 6: by Chernoff's bound the chance of that, nothing having changed, is
  at most e^-6 for n independent rewards, and far less for a mean that fades, which has the variance of twice
  as many (the test of a bandit that restarts: Besson et al., "Efficient Change-Point Detection for Tackling
  Piecewise-Stationary Bandits", 2022; here against the mean before, which takes no memory).

An endpoint that is not asked, because it was bad, can't show that it is bad no more. So it is due for one
request when it was silent for 30 s, and if that goes much better than expected, it begins anew as well.
"""

from math import exp, log
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.state.base import Changes, finite
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict, verdict

WORST_S: Final = 5.0
"""An answer that takes this long or longer has no reward."""

_STAYS: Final = 1.0 - 1.0 / 5000.0
_FADING: Final = log(2.0) / 600.0
_RECENT_STAYS: Final = 1.0 - 1.0 / 100.0
_CONTRADICTION: Final = 6.0
_UNSURE: Final = 0.001
_SILENT_S: Final = 30.0
_MOST_KEPT: Final = 1e6
"""Of what is kept over a restart, in rewards: more than any that fade can come to."""


def reward(latency_s: float, judged: Verdict, cost: float = 0.0) -> float:
    """0 to 1: 0 for a failure, else 1 less `cost`, and of what that leaves less the share that its latency
    has of 5 s; an unknown latency is none. `cost` is what the endpoint's price is worth, 0 to 1."""
    if judged is not Verdict.SERVED:
        return 0.0
    return (1.0 - cost) * (1.0 - min(max(latency_s, 0.0), WORST_S) / WORST_S)


@final
class Arm:
    """One endpoint's rewards. The posterior is Beta(1 + good, 1 + bad), by the shares of each reward."""

    def __init__(self) -> None:
        self._good: float = 0.0
        self._bad: float = 0.0
        self._at: float = 0.0
        self._recent_good: float = 0.0
        self._recent: float = 0.0

    def good(self, now: float) -> float:
        """The sum of the rewards, faded."""
        return self._good * exp(_FADING * min(self._at - now, 0.0))

    def bad(self, now: float) -> float:
        """The sum of what the rewards lacked to 1, faded."""
        return self._bad * exp(_FADING * min(self._at - now, 0.0))

    def mean(self, now: float) -> float:
        """Of the posterior."""
        good, bad = self.good(now), self.bad(now)
        return (1.0 + good) / (2.0 + good + bad)

    def known(self) -> bool:
        """Whether there was a reward."""
        return self._recent > 0.0

    def due(self, now: float) -> bool:
        """Whether something was known, and nothing was heard of it for 30 s."""
        return self._recent > 0.0 and now - self._at >= _SILENT_S

    def learn(self, gained: float, now: float) -> None:
        """`gained` is a reward of 0 to 1."""
        if self.due(now) and gained >= 0.5 and self.mean(now) < 0.25:
            self._forget()
        stays = _STAYS * exp(_FADING * min(self._at - now, 0.0))
        self._at = max(now, self._at)
        self._good = self._good * stays + gained
        self._bad = self._bad * stays + 1.0 - gained
        self._recent_good = self._recent_good * _RECENT_STAYS + gained
        self._recent = self._recent * _RECENT_STAYS + 1.0
        if self._recent * _divergence(self._recent_good / self._recent, self.mean(now)) > _CONTRADICTION:
            self._forget()

    def row(self, now: float) -> list[float]:
        """Seconds since the last reward, and what was known then: of all, and of the last hundred or so."""
        return [max(now - self._at, 0.0), self._good, self._bad, self._recent_good, self._recent]

    def restore(self, row: list[float], away_s: float, now: float) -> None:
        """ValueError when that is no row of one."""
        if (
            not finite(row, 5)
            or len(row) > 5
            or min(row) < 0.0
            or max(row[1:]) > _MOST_KEPT
            or row[3] > row[4]
        ):
            raise ValueError(f"not what is known of an endpoint's rewards: {row[:5]}")
        self._at = now - row[0] - away_s
        self._good = row[1]
        self._bad = row[2]
        self._recent_good = row[3]
        self._recent = row[4]

    def _forget(self) -> None:
        self._good = self._bad = 0.0
        self._recent_good = self._recent = 0.0


def _divergence(recent: float, before: float) -> float:
    """KL of two coins; for any rewards between 0 and 1 with these means it bounds the chance from above."""
    recent = min(max(recent, _UNSURE), 1.0 - _UNSURE)
    before = min(max(before, _UNSURE), 1.0 - _UNSURE)
    return recent * log(recent / before) + (1.0 - recent) * log((1.0 - recent) / (1.0 - before))


def _price(endpoint: Endpoint) -> int:
    """Of a thousand tokens either way, in millionths of a dollar; negative when it is unknown."""
    if endpoint.input_micro_usd < 0 or endpoint.output_micro_usd < 0:
        return -1
    return endpoint.input_micro_usd + endpoint.output_micro_usd


@final
class Arms:
    """The arms of one pool: rewards are compared among requests of the same kind only.

    `leader` is the endpoint with the best mean as far as is known without looking at all of them: whoever
    has a better one than it when a reward comes takes its place.
    """

    def __init__(self, candidates: Candidates, name: str = "", changes: Changes | None = None) -> None:
        """What has changed is told by `name` and endpoint, with a space between; nothing without a name."""
        self._name: Final = name
        self._changes: Final = changes if name else None
        self._told: Final[dict[str, str]] = {}
        self._arms: dict[str, Arm] = {}
        self._costs: dict[str, float] = {}
        self.leader: str = ""
        self.add(candidates)

    def of(self, endpoint_key: str) -> Arm | None:
        return self._arms.get(endpoint_key)

    def add(self, candidates: Candidates, cost: float = 0.0) -> None:
        """These may be picked too; what is known of them stays. The dearest of them costs `cost` of a reward,
        the others in proportion to their prices, as many tokens asked as answered."""
        dearest = 0
        for endpoint in candidates.endpoints:
            dearest = max(dearest, _price(endpoint))
            if endpoint.key not in self._arms:
                self._arms[endpoint.key] = Arm()
        self._costs = {}
        if dearest > 0 and cost > 0.0:
            for endpoint in candidates.endpoints:
                price = _price(endpoint)
                # One without a price is taken for the dearest: nobody would notice what it costs.
                self._costs[endpoint.key] = cost if price < 0 else cost * price / dearest

    def keep_endpoints(self, keys: set[str]) -> None:
        self._arms = {key: arm for key, arm in self._arms.items() if key in keys}
        self._told.clear()
        if self.leader not in self._arms:
            self.leader = ""

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        key = ticket.endpoint.key
        arm = self._arms.get(key)
        if arm is None:
            return
        judged = verdict(ticket, outcome)
        if judged is Verdict.SILENT:
            return
        arm.learn(reward(outcome.latency_s(), judged, self._costs.get(key, 0.0)), now)
        self._compare(key, arm, now)
        if self._changes is not None:
            told = self._told.get(key)
            if told is None:
                told = self._told[key] = f"{self._name} {key}"
            self._changes.add(told)

    def row(self, key: str, now: float) -> list[float] | None:
        """None where nothing is known of the endpoint."""
        arm = self._arms.get(key)
        return arm.row(now) if arm is not None and arm.known() else None

    def restore(self, key: str, arm: Arm, now: float) -> None:
        """This is known of the endpoint, where it may be picked at all."""
        if key in self._arms:
            self._arms[key] = arm
            self._compare(key, arm, now)

    def _compare(self, key: str, arm: Arm, now: float) -> None:
        if not self.leader or arm.mean(now) > self._arms[self.leader].mean(now):
            self.leader = key
