"""What a pool knows of success within a latency target, by what a request is like: a model for each endpoint.

The log-odds of success are a sum of weights, one for each thing that holds of the request: that it is one,
the class of its size, its hour, weekday and region, and the pair of size and hour, because the endpoint that
is best for large requests may be so at night only. Models are apart, so each of them may differ from endpoint
to endpoint. Every weight has a mean and a variance: Bayesian logistic regression with Laplace's approximation
and a diagonal covariance, learnt one outcome at a time (Chapelle and Li, "An Empirical Evaluation of Thompson
Sampling", 2011, algorithm 3). As at most one weight of each kind counts for a request, the best fit after an
outcome is the root of an equation in one unknown, and costs the same however much was learnt.

Weights drift, as in West and Harrison, "Bayesian Forecasting and Dynamic Models", 1997: what is known of one
grows less certain with time and with each outcome, up to what it was at first. The weight that all requests
share drifts in minutes and so takes most of what is new about an endpoint; the others keep for weeks what
hours and weekdays are like.
"""

from math import exp, sqrt
from typing import Final, final

from sidecar.core.endpoint import Candidates
from sidecar.core.outcome import Outcome
from sidecar.core.state.base import Changes, count, finite
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict, verdict

LEAST_OUTCOMES: Final = 100
"""Of the pool, before its models are gone by."""

_SIZE_BITS: Final = 4
_HOUR_BITS: Final = 5
_WEEKDAY_BITS: Final = 3
_CELL: Final = (1 << (_SIZE_BITS + _HOUR_BITS)) - 1
REGIONS: Final = 64
"""Classes of regions; 0 is for a request that names none."""

_KIND: Final = 10
"""Bits of a key below its kind."""
_ALL, _SIZE, _HOUR, _WEEKDAY, _REGION, _SIZE_AND_HOUR = range(6)

_AT_FIRST: Final[list[float]] = [4.0, 0.5, 0.25, 0.25, 0.5, 1.0]
"""By kind the variance of a weight of which nothing is known; the means are 0, even odds. These are lists:
constants that are tuples of floats are taken for unset by mypyc 2.4."""
_DAY_S: Final = 86400.0
_DRIFTS: Final[list[float]] = [1.0 / 3600.0, *[each / _DAY_S for each in (0.1, 0.05, 0.02, 0.1, 0.1)]]
"""By kind what a second adds to the variance."""
_STIRS: Final[list[float]] = [1.0 + 1.0 / 100.0] + [1.0 + 1.0 / 2000.0] * 5
"""By kind what an outcome multiplies the variance by."""

_SILENT_S: Final = 30.0
_SILENT: Final = 200
_STEPS: Final = 60
_MOST_ODDS: Final = 1e6
"""Log-odds that no weight comes to."""
_CLOSE: Final = 1e-9


def context_of(size: int, received_at: float, region: int) -> int:
    """What a model goes by, in one number: `size` in bytes, negative when it is not known, `received_at` in
    seconds since 1970, and a class of regions.

    Sizes are told apart by powers of 4 from 256 bytes on, times by hour and weekday in UTC.
    """
    large = 0
    if size >= 0:
        large = 1
        if size > 0:
            large = min(2 + max((size - 1).bit_length() - 7, 0) // 2, (1 << _SIZE_BITS) - 1)
    hours = int(received_at) // 3600
    weekday = (hours // 24 + 3) % 7  # 1970 began on a Thursday; 0 is Monday
    packed = ((region % REGIONS) << _WEEKDAY_BITS) | weekday
    return (((packed << _HOUR_BITS) | hours % 24) << _SIZE_BITS) | large


def weights_of(context: int) -> list[int]:
    """The keys of the weights that count for a request of this context."""
    cell = context & _CELL
    hour = cell >> _SIZE_BITS
    size = cell & ((1 << _SIZE_BITS) - 1)
    context >>= _SIZE_BITS + _HOUR_BITS
    keys = [
        _ALL << _KIND,
        _SIZE << _KIND | size,
        _HOUR << _KIND | hour,
        _WEEKDAY << _KIND | context & ((1 << _WEEKDAY_BITS) - 1),
        _SIZE_AND_HOUR << _KIND | cell,
    ]
    region = context >> _WEEKDAY_BITS
    if region:
        keys.append(_REGION << _KIND | region)
    return keys


def probability(log_odds: float) -> float:
    if log_odds < 0.0:
        grown = exp(max(log_odds, -700.0))
        return grown / (1.0 + grown)
    return 1.0 / (1.0 + exp(-min(log_odds, 700.0)))


def best_fit(prior: float, variance: float, label: float) -> float:
    """The log-odds z that fit both the prior and one outcome, 1 or 0: z = prior + variance (label - p(z)).

    The difference grows with z, so the root lies between the prior and the end that the outcome draws it to.
    Newton's step is taken where it stays in between and is at most half of the one before, else the middle.
    """
    low = prior - variance * (1.0 - label)
    high = prior + variance * label
    z = prior
    most = high - low
    for _ in range(_STEPS):
        p = probability(z)
        off = z - prior - variance * (label - p)
        if off > 0.0:
            high = z
        else:
            low = z
        step = off / (1.0 + variance * p * (1.0 - p))
        before = z
        z -= step
        if not low < z < high or not -most <= step <= most:
            z = 0.5 * (low + high)
        most = 0.5 * abs(before - z)
        if most < _CLOSE:
            break
    return z


@final
class _Weight:
    def __init__(self, variance: float, at: float) -> None:
        self.mean: float = 0.0
        self.variance: float = variance
        self.at: float = at

    def drifted(self, kind: int, now: float) -> float:
        """Its variance as it is by now."""
        return min(self.variance + _DRIFTS[kind] * max(now - self.at, 0.0), _AT_FIRST[kind])


@final
class Odds:
    """One endpoint's log-odds of success. At most 16 sizes, 24 hours, 7 weekdays, 63 regions, 384 pairs and
    the one for all make 495 weights, of which those take memory that an outcome was for."""

    def __init__(self) -> None:
        self._weights: Final[dict[int, _Weight]] = {}
        self.at: float = 0.0
        self.count: int = -1
        """How many outcomes the pool had when this endpoint had its last; negative when it had none."""

    def mean(self, keys: list[int]) -> float:
        """Of the log-odds for a request with these weights."""
        total = 0.0
        for key in keys:
            weight = self._weights.get(key)
            if weight is not None:
                total += weight.mean
        return total

    def draw(self, keys: list[int], normal: float, now: float) -> float:
        """The log-odds as they may be as well: `normal` is drawn from the standard normal distribution.

        The weights are independent and normal, so their sum is drawn at once.
        """
        mean = 0.0
        variance = 0.0
        for key in keys:
            weight = self._weights.get(key)
            if weight is None:
                variance += _AT_FIRST[key >> _KIND]
            else:
                mean += weight.mean
                variance += weight.drifted(key >> _KIND, now)
        return mean + sqrt(variance) * normal

    def learn(self, keys: list[int], success: bool, now: float) -> None:
        weights: list[_Weight] = []
        prior = 0.0
        variance = 0.0
        for key in keys:
            kind = key >> _KIND
            weight = self._weights.get(key)
            if weight is None:
                weight = self._weights[key] = _Weight(_AT_FIRST[kind], now)
            else:
                weight.variance = min(weight.drifted(kind, now) * _STIRS[kind], _AT_FIRST[kind])
                weight.at = max(now, weight.at)
            prior += weight.mean
            variance += weight.variance
            weights.append(weight)
        label = 1.0 if success else 0.0
        p = probability(best_fit(prior, variance, label))
        for weight in weights:
            weight.mean += weight.variance * (label - p)
            weight.variance /= 1.0 + weight.variance * p * (1.0 - p)
        self.at = max(now, self.at)

    def row(self, now: float) -> list[float]:
        """Seconds since the last outcome, `count`, and of each weight its key, mean, variance, and seconds
        since it was learnt."""
        row = [max(now - self.at, 0.0), float(self.count)]
        for key, weight in self._weights.items():
            row.append(float(key))
            row.append(weight.mean)
            row.append(weight.variance)
            row.append(max(now - weight.at, 0.0))
        return row

    def restore(self, row: list[float], away_s: float, now: float) -> None:
        """Of one that has learnt nothing yet. ValueError when that is no row of one."""
        if not finite(row, 2) or row[0] < 0.0 or len(row) % 4 != 2:
            raise ValueError(f"not what is known of an endpoint's odds: {row[:2]}")
        learnt = count(row[1])
        for at in range(2, len(row), 4):
            kind = count(row[at]) >> _KIND
            if (
                kind >= len(_AT_FIRST)
                or abs(row[at + 1]) > _MOST_ODDS
                or not 0.0 < row[at + 2] <= _AT_FIRST[kind]
                or row[at + 3] < 0.0
            ):
                raise ValueError(f"no weight of a model: {row[at : at + 4]}")
        self.at = now - row[0] - away_s
        self.count = learnt
        for at in range(2, len(row), 4):
            weight = _Weight(row[at + 2], now - row[at + 3] - away_s)
            weight.mean = row[at + 1]
            self._weights[count(row[at])] = weight

    def cells(self) -> list[int]:
        """Sizes and hours of which something is known."""
        return [key & _CELL for key in self._weights if key >> _KIND == _SIZE_AND_HOUR]


@final
class Model:
    """The models of one pool, whose requests succeed within `target_s` seconds or not.

    What an open request was like stands on its ticket, and so is gone with it, however that ends.

    `outcomes` counts those learnt. `leaders` has by size and hour an endpoint that is likely to be the best,
    as far as is known without looking at all of them: whoever has better odds than it when an outcome comes
    takes its place.
    """

    def __init__(
        self, candidates: Candidates, target_s: float, name: str = "", changes: Changes | None = None
    ) -> None:
        """What has changed is told by `name` and endpoint, with a space between; nothing without a name."""
        self.target_s: Final = target_s
        self._name: Final = name
        self._changes: Final = changes if name else None
        self._told: Final[dict[str, str]] = {}
        self.outcomes: int = 0
        self._odds: dict[str, Odds] = {}
        self._leaders: dict[int, str] = {}
        self._newest: Ticket | None = None
        self.add(candidates)

    def of(self, endpoint_key: str) -> Odds | None:
        return self._odds.get(endpoint_key)

    def leader(self, context: int) -> str:
        """Empty when nobody is known."""
        return self._leaders.get(context & _CELL, "")

    def knows_enough(self) -> bool:
        return self.outcomes >= LEAST_OUTCOMES

    def due(self, odds: Odds, now: float) -> bool:
        """Whether something was known of it, and the pool had 200 outcomes since, and 30 s have gone by: an
        endpoint that is not asked can't show that it is bad no more."""
        return 0 <= odds.count <= self.outcomes - _SILENT and now - odds.at >= _SILENT_S

    def add(self, candidates: Candidates) -> None:
        """These may be picked too; what is known of them stays."""
        for endpoint in candidates.endpoints:
            if endpoint.key not in self._odds:
                self._odds[endpoint.key] = Odds()

    def keep_endpoints(self, keys: set[str]) -> None:
        self._odds = {key: odds for key, odds in self._odds.items() if key in keys}
        self._told.clear()
        self._leaders = {cell: key for cell, key in self._leaders.items() if key in keys}

    def admitted(self, ticket: Ticket) -> None:
        self._newest = ticket

    def note(self, context: int) -> None:
        """The request that was admitted last is like this. Without, its outcome teaches nothing."""
        if self._newest is not None:
            self._newest.context = context
            self._newest = None

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        context = ticket.context
        odds = self._odds.get(ticket.endpoint.key)
        if context < 0 or odds is None:
            return
        judged = verdict(ticket, outcome)
        if judged is Verdict.SILENT:
            return
        keys = weights_of(context)
        odds.learn(keys, judged is Verdict.SERVED and outcome.latency_s() <= self.target_s, now)
        self.outcomes += 1
        odds.count = self.outcomes
        self._compare(context, keys, ticket.endpoint.key, odds)
        if self._changes is not None:
            told = self._told.get(ticket.endpoint.key)
            if told is None:
                told = self._told[ticket.endpoint.key] = f"{self._name} {ticket.endpoint.key}"
            self._changes.add(told)

    def row(self, key: str, now: float) -> list[float] | None:
        """None where nothing is known of the endpoint. Its odds are of the target that comes first, and the
        outcomes of the pool second."""
        odds = self._odds.get(key)
        if odds is None or odds.count < 0:
            return None
        return [self.target_s, float(self.outcomes), *odds.row(now)]

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        """ValueError when that is no row of one. The odds of another target are passed over."""
        if not finite(row, 2) or row[0] < 0.0:
            raise ValueError(f"not what is known of an endpoint's odds: {row[:4]}")
        outcomes = count(row[1])
        odds = Odds()
        odds.restore(row[2:], away_s, now)
        if odds.count > outcomes:
            raise ValueError(f"no more outcomes of an endpoint than of all: {odds.count}, {outcomes}")
        if key not in self._odds or row[0] != self.target_s:
            return
        self._odds[key] = odds
        self.outcomes = max(self.outcomes, outcomes)
        for cell in odds.cells():
            # As for a request on a Monday, from no region: it is only a guess of whom to look at.
            self._compare(cell, weights_of(cell), key, odds)

    def _compare(self, context: int, keys: list[int], key: str, odds: Odds) -> None:
        leading = self._odds.get(self.leader(context))
        if leading is None or odds.mean(keys) > leading.mean(keys):
            self._leaders[context & _CELL] = key
