"""Learns which endpoint is likely to answer in time, by the size of a request, where it is from, and when."""

from math import cos, log, pi, sqrt
from random import Random
from typing import Final, final
from zlib import crc32

from sidecar.core.endpoint import Endpoint
from sidecar.core.request import Request
from sidecar.core.rules.base import Field
from sidecar.core.rules.size import UNKNOWN, size_of
from sidecar.core.state.model import REGIONS, context_of, probability, weights_of
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy, Turn


@final
class Learned(Strategy):
    """Thompson sampling over a model of success within `target_s` seconds (`core.state.model`).

    For each request the log-odds of success are drawn from what each endpoint's model holds for likely, given
    the request's size, hour, weekday and region, and the highest take it. So an endpoint of which little is
    known is tried as often as it may still be the best for such a request. Until the pool has 100 outcomes,
    endpoints are drawn by weight; from then on weights do not count. An endpoint that had none of the last
    200 outcomes is tried, for one request at a time.

    The region is the first value of `by`. An answer without a known duration counts as in time.

    Drawing costs the same for each endpoint, so in a pool of more than `draw` endpoints only as many take
    part in a request: the one that leads among requests of this size and hour, and others drawn by weight.
    """

    def __init__(self, *, target_s: float = 1.0, by: tuple[Field, ...] = (), draw: int = 32) -> None:
        if not 0.0 < target_s < float("inf"):
            raise ValueError(f"target_s must be above 0, got {target_s}")
        if draw < 2:
            raise ValueError(f"draw must be at least 2, got {draw}")
        self._target_s: Final = target_s
        self._by: Final = by
        self._draw: Final = draw

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        model = turn.pool.model
        if model is None or not model.knows_enough():
            return turn.draw(want)
        now, rng = turn.now, turn.rng
        context = self._context(turn.request)
        endpoints = self._taking_part(turn, want, model.leader(context))
        if len(endpoints) == 1:
            return [endpoints[0]]
        keys = weights_of(context)
        anyone = int(rng.random() * len(endpoints))
        values: list[float] = []
        for at, endpoint in enumerate(endpoints):
            odds = model.of(endpoint.key)
            if odds is None:
                values.append(_normal(rng))
            elif at == anyone and model.due(odds, now) and turn.tries(endpoint):
                values.append(1e9)
            else:
                values.append(odds.draw(keys, _normal(rng), now))
        if want == 1:
            return [endpoints[values.index(max(values))]]
        order = sorted(range(len(endpoints)), key=values.__getitem__, reverse=True)
        return [endpoints[at] for at in order[:want]]

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """How likely success is at the mean of the weights, 0 to 1; the draws lie around it. Empty until
        there are 100 outcomes."""
        model = turn.pool.model
        if model is None or not model.knows_enough():
            return []
        keys = weights_of(self._context(turn.request))
        scored: list[tuple[Endpoint, float]] = []
        for endpoint in turn.candidates.endpoints:
            odds = model.of(endpoint.key)
            scored.append((endpoint, 0.5 if odds is None else probability(odds.mean(keys))))
        return scored

    def arrange(self, pool: Pool) -> None:
        pool.learn_success(self._target_s)

    def admitted(self, turn: Turn, endpoint: Endpoint) -> None:
        model = turn.pool.model
        if model is not None:
            model.note(self._context(turn.request))

    def _context(self, request: Request) -> int:
        # A body that is still to come is not waited for.
        attached = request.attached
        size = size_of(request) if attached is None or attached.at_hand() else UNKNOWN
        return context_of(size, request.received_at, self._region(request))

    def _region(self, request: Request) -> int:
        """A class of regions, alike in every process: what was learnt may be kept over a restart."""
        for field in self._by:
            for value in field.read(request):
                if value:
                    return 1 + crc32(value.encode("utf-8", "surrogateescape")) % (REGIONS - 1)
        return 0

    def _taking_part(self, turn: Turn, want: int, leading: str) -> list[Endpoint]:
        endpoints = turn.candidates.endpoints
        most = max(self._draw, want)
        if len(endpoints) <= most:
            return endpoints
        drawn = turn.draw(most)
        leader = turn.candidates.by_key.get(leading)
        if leader is not None and leader not in drawn:
            drawn[-1] = leader
        return drawn


def _normal(rng: Random) -> float:
    """A draw from the standard normal distribution (Box and Muller, "A Note on the Generation of Random
    Normal Deviates", 1958); 1 - u is never 0."""
    return sqrt(-2.0 * log(1.0 - rng.random())) * cos(2.0 * pi * rng.random())
