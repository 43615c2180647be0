"""What a strategy can pick: an address in a cluster, or a whole cluster where no addresses are listed."""

from ipaddress import IPv6Address, ip_address
from typing import Final, final

from sidecar.core.watch import UNWATCHED, Watch

CAPABILITIES: Final = ("streaming", "function_calling", "vision")


@final
class Offer:
    """What the endpoints of a cluster can do, and how much of it; one object for all of them.

    Empty `models` are any model. `context_window` and `max_tokens` are in tokens, the limits in requests and
    tokens a minute for each endpoint; 0 is no limit. `most_utilisation` and `most_quota` are shares, 0 to 1,
    above which an endpoint is passed over while another is left; 0 is no limit. `watch` is by what they are
    judged.
    """

    def __init__(
        self,
        models: frozenset[str] = frozenset(),
        capabilities: frozenset[str] = frozenset(),
        context_window: int = 0,
        max_tokens: int = 0,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        most_utilisation: float = 0.0,
        most_quota: float = 0.0,
        slow_start_s: float = 0.0,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.models: Final = models
        self.capabilities: Final = capabilities
        self.context_window: Final = context_window
        self.max_tokens: Final = max_tokens
        self.requests_per_minute: Final = requests_per_minute
        self.tokens_per_minute: Final = tokens_per_minute
        self.most_utilisation: Final = most_utilisation
        self.most_quota: Final = most_quota
        self.slow_start_s: Final = slow_start_s
        self.watch: Final = watch


ANYTHING: Final = Offer()


def canonical(address: str) -> str:
    """As Envoy writes the same `host:port`: an IPv6 address has many spellings. Any other stays as it is."""
    if not address.startswith("["):
        return address
    host, _, port = address[1:].rpartition("]:")
    try:
        found = IPv6Address(host)
    except ValueError:
        return address
    mapped = found.ipv4_mapped
    return f"[{found.compressed if mapped is None else f'::ffff:{mapped}'}]:{port}"


def names_an_ip(address: str) -> bool:
    """Whether it is no host name, and not empty."""
    host = address.rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@final
class Endpoint:
    """One pickable place.

    `address` is `ip:port` in canonical form, or `name:port`, or empty when the endpoint stands for its whole
    cluster and Envoy picks the address. `weight` is 0 to 1000; 0 means never. `key` names it across clusters
    and reloads. `location` is (latitude, longitude) in degrees, north and east positive. Prices are in
    millionths of a dollar for 1,000 tokens, negative when unknown.
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
        location: tuple[float, float] | None = None,
        input_micro_usd: int = -1,
        output_micro_usd: int = -1,
        offer: Offer = ANYTHING,
    ) -> None:
        self.cluster: Final = cluster
        self.id: Final = id
        self.address: Final = canonical(address)
        self.weight: Final = weight
        self.version: Final = version
        self.region: Final = region
        self.zone: Final = zone
        self.tags: Final = tags
        self.location: Final = location
        self.input_micro_usd: Final = input_micro_usd
        self.output_micro_usd: Final = output_micro_usd
        self.offer: Final = offer
        self.key: Final = f"{cluster}/{id}"

    def __repr__(self) -> str:
        return f"Endpoint({self.key} {self.address} x{self.weight})"


@final
class Candidates:
    """The endpoints of one pool that may be picked now, made anew only when that changes.

    `upto[i]` is the sum of the weights of `endpoints[0..i]`. `prepared` has what strategies made of them that
    pools of the same candidates may share: it goes when they go.
    """

    def __init__(self, endpoints: list[Endpoint]) -> None:
        """In the order of the plan; weights are above 0."""
        self.endpoints: Final = endpoints
        self.by_key: Final = {endpoint.key: endpoint for endpoint in endpoints}
        self.upto: Final[list[int]] = []
        total = 0
        for endpoint in endpoints:
            total += endpoint.weight
            self.upto.append(total)
        self.total_weight: Final = total
        self.prepared: Final[dict[str, object]] = {}


def eligible(endpoints: tuple[Endpoint, ...]) -> Candidates:
    """The candidates among all `endpoints` of a pool: a weight of 0 means never, whatever the strategy."""
    return Candidates([endpoint for endpoint in endpoints if endpoint.weight > 0])
