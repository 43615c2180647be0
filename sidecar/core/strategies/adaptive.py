"""Learns which endpoint pays best, by trying each as often as it may still be the best one."""

from math import cos, log, pi, sqrt
from random import Random
from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.pools import Pool
from sidecar.core.strategies.base import Strategy, Turn


@final
class Adaptive(Strategy):
    """Thompson sampling (Thompson, 1933; Agrawal and Goyal, "Analysis of Thompson Sampling", 2012).

    What is known of an endpoint is a Beta posterior of its reward, with the prior Beta(1, 1). For each
    request one value is drawn from every posterior, and the highest takes it. A reward is 0 for a failure,
    and for a success 1 less the share that its duration has of 5 s, and less what its price is worth: `cost`
    for the dearest endpoint, the part of it for a cheaper one. A reward between 0 and 1 adds to both
    parameters. The pool learns rewards, and forgets what is no longer so.

    Drawing costs the same for each endpoint, so in a pool of more than `draw` endpoints only as many take
    part in a request: the one with the best mean, and others drawn by weight. It keeps what it has learnt,
    and needs the longer to learn, the more there are. Otherwise weights do not count.
    """

    def __init__(self, *, draw: int = 32, cost: float = 0.2) -> None:
        if draw < 2:
            raise ValueError(f"draw must be at least 2, got {draw}")
        if not 0.0 <= cost < 1.0:
            raise ValueError(f"cost must be at least 0 and less than 1, got {cost}")
        self._cost: Final = cost
        self._draw: Final = draw

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        endpoints = self._taking_part(turn, want)
        if len(endpoints) == 1:
            return [endpoints[0]]
        arms = turn.pool.arms
        now, rng = turn.now, turn.rng
        anyone = int(rng.random() * len(endpoints))
        values: list[float] = []
        for at, endpoint in enumerate(endpoints):
            arm = None if arms is None else arms.of(endpoint.key)
            if arm is None:
                values.append(rng.random())
            elif at == anyone and arm.due(now) and turn.tries(endpoint):
                values.append(1.0)
            else:
                values.append(beta(1.0 + arm.good(now), 1.0 + arm.bad(now), rng))
        if want == 1:
            return [endpoints[values.index(max(values))]]
        order = sorted(range(len(endpoints)), key=values.__getitem__, reverse=True)
        return [endpoints[at] for at in order[:want]]

    def scores(self, turn: Turn) -> list[tuple[Endpoint, float]]:
        """The mean reward, 0 to 1, by which the highest is the best; the draws lie around it."""
        arms = turn.pool.arms
        scored: list[tuple[Endpoint, float]] = []
        for endpoint in turn.candidates.endpoints:
            arm = None if arms is None else arms.of(endpoint.key)
            scored.append((endpoint, 0.5 if arm is None else arm.mean(turn.now)))
        return scored

    def arrange(self, pool: Pool) -> None:
        pool.learn_rewards(self._cost)

    def _taking_part(self, turn: Turn, want: int) -> list[Endpoint]:
        endpoints = turn.candidates.endpoints
        most = max(self._draw, want)
        if len(endpoints) <= most:
            return endpoints
        drawn = turn.draw(most)
        arms = turn.pool.arms
        leader = None if arms is None else turn.candidates.by_key.get(arms.leader)
        if leader is not None and leader not in drawn:
            drawn[-1] = leader
        return drawn


def beta(a: float, b: float, rng: Random) -> float:
    """A draw from Beta(a, b), both at least 1. Two gammas make it, which is the textbook's way."""
    first = _gamma(a, rng)
    return first / (first + _gamma(b, rng))


def _gamma(shape: float, rng: Random) -> float:
    """A draw from Gamma(shape, 1) for a shape of at least 1 (Marsaglia and Tsang, "A Simple Method for
    Generating Gamma Variables", 2000)."""
    d = shape - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    random = rng.random
    while True:
        # A normal variate by Box and Muller; 1 - u is never 0.
        x = sqrt(-2.0 * log(1.0 - random())) * cos(2.0 * pi * random())
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = 1.0 - random()
        if u < 1.0 - 0.0331 * x * x * x * x or log(u) < 0.5 * x * x + d * (1.0 - v + log(v)):
            return d * v
