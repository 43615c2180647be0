"""What a strategy can pick: an address in a cluster, or a whole cluster where no addresses are listed."""

from typing import Final, final


@final
class Endpoint:
    """One pickable place.

    `address` is `ip:port`, or empty when the endpoint stands for its whole cluster and Envoy picks the
    address. `weight` is 0 to 1000; 0 means never. `key` names it across clusters and reloads.
    """

    def __init__(
        self,
        cluster: str,
        id: str,
        address: str,
        weight: int = 1,
        version: str = "",
        region: str = "",
        zone: str = "",
        tags: frozenset[str] = frozenset(),
    ) -> None:
        self.cluster: Final = cluster
        self.id: Final = id
        self.address: Final = address
        self.weight: Final = weight
        self.version: Final = version
        self.region: Final = region
        self.zone: Final = zone
        self.tags: Final = tags
        self.key: Final = f"{cluster}/{id}"

    def __repr__(self) -> str:
        return f"Endpoint({self.key} {self.address} x{self.weight})"


@final
class Candidates:
    """The endpoints of one pool that may be picked now, made anew only when that changes.

    `upto[i]` is the sum of the weights of `endpoints[0..i]`.
    """

    def __init__(self, endpoints: list[Endpoint]) -> None:
        self.endpoints: Final = endpoints
        self.upto: Final[list[int]] = []
        total = 0
        for endpoint in endpoints:
            total += endpoint.weight
            self.upto.append(total)
        self.total_weight: Final = total


def eligible(endpoints: tuple[Endpoint, ...]) -> Candidates:
    """The candidates among all `endpoints` of a pool: a weight of 0 means never, whatever the strategy."""
    return Candidates([endpoint for endpoint in endpoints if endpoint.weight > 0])
