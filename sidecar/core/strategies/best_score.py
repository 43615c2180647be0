"""The endpoint for which the most speaks, all in all: several scores, weighed up."""

from math import log
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.base import Field
from sidecar.core.rules.tokens import Tokens
from sidecar.core.scorers.base import Asked, Scorer
from sidecar.core.scorers.cache import Cache
from sidecar.core.scorers.cost import Cost
from sidecar.core.scorers.health import Health
from sidecar.core.scorers.latency import Latency
from sidecar.core.scorers.load import Load
from sidecar.core.scorers.quota import Quota
from sidecar.core.scorers.zone import Zone
from sidecar.core.strategies.base import Strategy, Turn

_ENDLESS: Final = float("inf")


@final
class BestScore(Strategy):
    """The highest sum of weight x score / sum of weights, with the scores of `core.scorers`, each 0 to 1.

    The weights are by the names of the scorers; one that is not given is 0, and without any they are load
    0.3, latency 0.3, cost 0.2 and cache 0.2. Of equals one is drawn by the weights of the endpoints. So the
    endpoint picker of Kubernetes' Gateway API inference extension goes about it, whose scores are normalised
    over those compared as well.

    Every score has to be made for each endpoint, so in a pool of more than `draw` endpoints only as many are
    compared: those drawn by weight, and the one that a scorer favours. The best of 32 is, but once in 25
    times, among the best tenth of all.

    `tokens` are for the cost, `prompt` has the fields that may hold the prompt, for the cache, and
    `zone_by` and `local` say what the request's own zone is.
    """

    def __init__(
        self,
        *,
        load: float | None = None,
        latency: float | None = None,
        cost: float | None = None,
        cache: float | None = None,
        quota: float | None = None,
        health: float | None = None,
        zone: float | None = None,
        tokens: Tokens | None = None,
        prompt: tuple[Field, ...] = (),
        zone_by: tuple[Field, ...] = (),
        local: str = "",
        draw: int = 32,
    ) -> None:
        if draw < 2:
            raise ValueError(f"draw must be at least 2, got {draw}")
        given: dict[str, float | None] = {
            "load": load,
            "latency": latency,
            "cost": cost,
            "cache": cache,
            "quota": quota,
            "health": health,
            "zone": zone,
        }
        weights: dict[str, float] = {}
        for name, weight in given.items():
            if weight is not None:
                if not 0.0 <= weight < _ENDLESS:
                    raise ValueError(f"{name} must not be negative, got {weight}")
                weights[name] = weight
        if not weights:
            weights = {"load": 0.3, "latency": 0.3, "cost": 0.2, "cache": 0.2}
        total = sum(weights.values())
        if not 0.0 < total < _ENDLESS:
            raise ValueError("at least one weight must be above 0")
        known: dict[str, Scorer] = {
            "load": Load(),
            "latency": Latency(),
            "cost": Cost(tokens),
            "cache": Cache(prompt),
            "quota": Quota(),
            "health": Health(),
            "zone": Zone(zone_by, local),
        }
        self._names: Final = [name for name, weight in weights.items() if weight > 0.0]
        self._scorers: Final = [known[name] for name in self._names]
        self._weights: Final = [weights[name] / total for name in self._names]
        self._draw: Final = draw
        self._remembers: Final = bool(prompt)

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        endpoints = turn.candidates.endpoints
        if len(endpoints) == 1:
            return [endpoints[0]]
        asked = _asked(turn)
        most = max(self._draw, want)
        if len(endpoints) > most:
            endpoints = self._compared(turn, asked, most)
        totals = self._totals(turn, asked, endpoints)
        if want > 1:
            random = turn.rng.random
            order = [
                (-total, -log(1.0 - random()) / turn.weight(endpoints[at]), at)
                for at, total in enumerate(totals)
            ]
            order.sort()
            return [endpoints[at] for _, _, at in order[:want]]
        best = -1.0
        first = 0
        equals = 0
        for at, total in enumerate(totals):
            if total > best:
                best = total
                first = at
                equals = 1
            elif total == best:
                equals += 1
        if equals == 1:
            return [endpoints[first]]
        return [_drawn(turn, [endpoints[at] for at, total in enumerate(totals) if total == best])]

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        if self._remembers:
            asked = _asked(turn)
            for scorer in self._scorers:
                scorer.admitted(asked, endpoint)

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """The weighted sum, 0 to 1, the highest is the best."""
        endpoints = turn.candidates.endpoints
        return list(zip(endpoints, self._totals(turn, _asked(turn), endpoints), strict=True))

    def parts(self, turn: Turn) -> list[tuple[Endpoint, list[tuple[str, float]]]]:
        """Each scorer's score, 0 to 1, before it is weighted."""
        endpoints = turn.candidates.endpoints
        asked, weights = _asked(turn), _weights(turn, endpoints)
        parts: list[tuple[Endpoint, list[tuple[str, float]]]] = [(endpoint, []) for endpoint in endpoints]
        for name, scorer in zip(self._names, self._scorers, strict=True):
            for at, score in enumerate(scorer.score(asked, endpoints, weights)):
                parts[at][1].append((name, score))
        return parts

    def _compared(self, turn: Turn, asked: Asked, most: int) -> list[Endpoint]:
        drawn = turn.draw(most)
        for scorer in self._scorers:
            favourite = scorer.favours(asked)
            if favourite is not None and favourite not in drawn:
                drawn[-1] = favourite
        return drawn

    def _totals(self, turn: Turn, asked: Asked, endpoints: list[Endpoint]) -> list[float]:
        weights = _weights(turn, endpoints)
        totals = [0.0] * len(endpoints)
        for which, scorer in enumerate(self._scorers):
            share = self._weights[which]
            for at, score in enumerate(scorer.score(asked, endpoints, weights)):
                totals[at] += share * score
        return totals


def _asked(turn: Turn) -> Asked:
    return Asked(turn.request, turn.candidates, turn.pool.salt, turn.state, turn.now)


def _weights(turn: Turn, endpoints: list[Endpoint]) -> list[float]:
    return [turn.weight(endpoint) for endpoint in endpoints]


def _drawn(turn: Turn, endpoints: list[Endpoint]) -> Endpoint:
    """One of these by weight."""
    weights = _weights(turn, endpoints)
    point = turn.rng.random() * sum(weights)
    for at, weight in enumerate(weights):
        point -= weight
        if point < 0.0:
            return endpoints[at]
    return endpoints[-1]
