"""Only endpoints of the subset that a gateway names, where the sidecar picks endpoints for it.

The endpoint-picker protocol of the Gateway API's inference extension: the subset comes in the request's
metadata, and no endpoint outside of it may be picked. One that is there and empty leaves nobody.
"""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.base import Filter, Sieve
from sidecar.core.request import Request
from sidecar.core.state.memory import State


@final
class _Within(Sieve):
    def __init__(self, addresses: frozenset[str]) -> None:
        super().__init__("the subset that the gateway names")
        self._addresses: Final = addresses

    def why_not(self, endpoint: Endpoint) -> str:
        return "" if endpoint.address in self._addresses else "it is not in the subset that the gateway names"


@final
class Subset(Filter):
    """The subset is a list of `ip:port`, or a text with commas between them, in this metadata."""

    def __init__(self, namespace: str, key: str) -> None:
        self._namespace: Final = namespace
        self._key: Final = key

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        attached = request.attached
        if attached is None or not attached.has_metadata(self._namespace, self._key):
            return None
        addresses: list[str] = []
        for value in attached.metadata(self._namespace, self._key):
            for address in value.split(","):
                address = address.strip()
                if address:
                    addresses.append(address)
        return _Within(frozenset(addresses))
