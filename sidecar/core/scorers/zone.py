"""Whether an endpoint is in the zone that the request comes from."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.rules.base import Field
from sidecar.core.scorers.base import Asked, Scorer

_IN_BETWEEN: Final = 0.5


@final
class Zone(Scorer):
    """1 in the request's zone, 0 in another, and a half where either is not known.

    The zone of a request is the first value of `by`, else `local`, the zone of this sidecar. How much a zone
    means beside the load there, so that a zone is left when it has too much, is for the weights to say.
    """

    def __init__(self, by: tuple[Field, ...] = (), local: str = "") -> None:
        self._by: Final = by
        self._local: Final = local

    def score(self, asked: Asked, endpoints: list[Endpoint], weights: list[float]) -> list[float]:
        own = self._origin(asked)
        if not own:
            return [_IN_BETWEEN] * len(endpoints)
        return [
            _IN_BETWEEN if not endpoint.zone else 1.0 if endpoint.zone == own else 0.0
            for endpoint in endpoints
        ]

    def unknown(self) -> float:
        return _IN_BETWEEN

    def _origin(self, asked: Asked) -> str:
        for field in self._by:
            for value in field.read(asked.request):
                if value:
                    return value
        return self._local
