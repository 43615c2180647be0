"""How many of one pool's requests each endpoint is working on.

`Load` counts what all pools sent to an endpoint. Where an endpoint may have no more than its part of a pool's
requests, those of other pools must not count: it would be full without having had any.
"""

from math import ceil
from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint


@final
class Tally:
    """Requests in flight by endpoint key. Those that began before it was kept are not in it."""

    def __init__(self) -> None:
        self._in_flight: Final[dict[str, int]] = {}
        self._total = 0

    def of(self, endpoint_key: str) -> int:
        return self._in_flight.get(endpoint_key, 0)

    def total(self) -> int:
        return self._total

    def has_room(self, endpoint: Endpoint, candidates: Candidates, factor: float) -> bool:
        """Whether with one more it has at most `factor` times its part, by weight, of all, rounded up."""
        part = factor * (self._total + 1) * endpoint.weight / candidates.total_weight
        return self._in_flight.get(endpoint.key, 0) < ceil(part - 1e-9)

    def admitted(self, endpoint_key: str) -> None:
        self._total += 1
        self._in_flight[endpoint_key] = self._in_flight.get(endpoint_key, 0) + 1

    def settled(self, endpoint_key: str) -> None:
        left = self._in_flight.get(endpoint_key, 0) - 1
        if left < 0:
            return
        self._total -= 1
        if left:
            self._in_flight[endpoint_key] = left
        else:
            del self._in_flight[endpoint_key]
