"""The same key goes to the same endpoint, and few keys move when endpoints come or go."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.base import Field
from sidecar.core.state.pools import Pool
from sidecar.core.state.ring import nodes_of, ring_of, spot_of
from sidecar.core.state.tally import Tally
from sidecar.core.strategies.base import Strategy, Turn

_MOST_POINTS: Final = 4800
"""Of a part that has a ring of its own. Larger parts use the whole pool's, in which they are soon found."""


@final
class ConsistentHash(Strategy):
    """A ring of `virtual_nodes` points for each endpoint, whose reach is its weight (Karger and others, 1997;
    `state.ring`).

    `by` are the fields that may hold the key; the first that has a value counts. Without a key an endpoint is
    drawn by weight. A look-up takes as long whatever the numbers of keys and of endpoints.

    With a `load_factor` f above 1 loads are bounded (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing
    with bounded loads", 2016): an endpoint that already works on f times its part of the pool's requests,
    rounded up, is stepped over, so that a key that everybody asks for does not overload it. Keys move the
    more, the nearer f is to 1. Fallbacks are the endpoints that follow on the ring, those with room first.
    """

    def __init__(
        self, *, by: tuple[Field, ...] = (), virtual_nodes: int = 150, load_factor: float = 0.0
    ) -> None:
        if not 1 <= virtual_nodes <= 10_000:
            raise ValueError(f"virtual_nodes must be 1 to 10000, got {virtual_nodes}")
        if load_factor != 0.0 and not 1.0 < load_factor <= 100.0:
            raise ValueError(f"load_factor must be above 1 and at most 100, or 0 for none, got {load_factor}")
        self._by: Final = by
        self._virtual_nodes: Final = virtual_nodes
        self._load_factor: Final = load_factor

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        key = self._key(turn)
        ring = turn.pool.ring
        if ring is None and turn.pool.made_of is not None:
            ring = turn.state.pools.of(turn.pool.base).ring
        if not key or ring is None:
            return turn.draw(want)
        candidates = turn.candidates
        count = len(candidates.endpoints)
        if count == 1:
            return candidates.endpoints[:want]
        spot = spot_of(key)
        tally = turn.pool.tally
        if want == 1 and tally is None and ring.candidates is candidates:
            return [ring.next(spot)]
        walk = ring.walk(spot)
        found: list[Endpoint] = []
        full: list[Endpoint] = []
        # Where a request may have few, the way around the ring would be long after the last of them.
        while len(found) < want and len(found) + len(full) < count:
            endpoint = walk.next()
            if endpoint is None:
                break
            if ring.candidates is not candidates and endpoint.key not in candidates.by_key:
                continue
            if tally is None or tally.has_room(endpoint, candidates, self._load_factor):
                found.append(endpoint)
            else:
                full.append(endpoint)
        return found + full[: want - len(found)]

    def arrange(self, pool: Pool) -> None:
        count = len(pool.candidates.endpoints)
        if count:
            nodes = nodes_of(pool.listed, self._virtual_nodes)
            if pool.made_of is not None and count * nodes > _MOST_POINTS:
                pool.ring = None
            else:
                pool.ring = ring_of(pool.candidates, nodes, pool.ring)
        if self._load_factor == 0.0:
            pool.tally = None
        elif pool.tally is None:
            pool.tally = Tally()

    def _key(self, turn: Turn) -> str:
        """Empty when the request has none."""
        for field in self._by:
            value = field.first(turn.request)
            if value:  # an empty key would send everybody without one to the same endpoint
                return value
        return ""
