"""Names in `to`, `pool` and `split` to the endpoints that they stand for."""

from typing import Final, final

from sidecar.config import schema
from sidecar.config.connections import check_connections
from sidecar.config.errors import Findings, Where, shown
from sidecar.config.health import check_health, watch_of
from sidecar.config.sections import Draft
from sidecar.core.endpoint import CAPABILITIES, Endpoint, Offer, canonical
from sidecar.core.geography import Location, on_earth

_MILLION: Final = 1_000_000


def offer_of(cluster: schema.Cluster) -> Offer:
    """What each endpoint of the cluster can do."""
    can, limits = cluster.capabilities, cluster.limits
    return Offer(
        frozenset(cluster.models),
        frozenset(name for name in CAPABILITIES if getattr(can, name)),
        can.context_window,
        can.max_tokens,
        limits.requests_per_minute or 0,
        limits.tokens_per_minute or 0,
        limits.load or 0.0,
        limits.quota or 0.0,
        cluster.slow_start,
        watch_of(cluster),
    )


def _prices(cluster: schema.Cluster) -> tuple[int, int]:
    """In millionths of a dollar, for 1,000 tokens of the request and of the answer; negative when unknown."""
    price = cluster.price
    if price is None:
        return (-1, -1)
    return (round(price.input_per_1k * _MILLION), round(price.output_per_1k * _MILLION))


@final
class Chosen:
    """A target's endpoints, and its name: `cluster`, `cluster@version` or `cluster:endpoint`."""

    def __init__(self, name: str, endpoints: tuple[Endpoint, ...]) -> None:
        self.name: Final = name
        self.endpoints: Final = endpoints


@final
class Targets:
    """Every endpoint of every cluster, made once. `used` are the clusters that some target named."""

    def __init__(self, drawn: Draft, findings: Findings) -> None:
        self._drawn: Final = drawn
        self._findings: Final = findings
        self._clusters: Final[dict[str, tuple[Endpoint, ...]]] = {}
        self._by_id: Final[dict[str, list[Endpoint]]] = {}
        self.used: Final[set[str]] = set()
        for name, cluster in drawn.clusters.items():
            check_connections(cluster, ("clusters", name), findings)
            check_health(cluster, ("clusters", name), findings)
            endpoints = self._endpoints(name, cluster)
            self._clusters[name] = endpoints
            for endpoint in endpoints:
                if endpoint.address:
                    self._by_id.setdefault(endpoint.id, []).append(endpoint)

    def _endpoints(self, name: str, cluster: schema.Cluster) -> tuple[Endpoint, ...]:
        if not cluster.endpoints:
            asked, answered = _prices(cluster)
            whole = Endpoint(
                name,
                name,
                "",
                input_micro_usd=asked,
                output_micro_usd=answered,
                offer=offer_of(cluster),
            )
            return (whole,)
        ids: dict[str, int] = {}
        addresses: dict[str, int] = {}
        made: list[Endpoint] = []
        offer = offer_of(cluster)
        asked, answered = _prices(cluster)
        for at, each in enumerate(cluster.endpoints):
            where = ("clusters", name, "endpoints", at)
            own = each.id or each.address
            address = canonical(each.address)
            if address in addresses:
                self._findings.add(
                    (*where, "address"),
                    f"{shown(each.address)} is the address of endpoints[{addresses[address]}] already",
                    "keep one of them and give it a higher weight",
                )
            elif own in ids:
                self._findings.add(
                    (*where, "id"),
                    f"{shown(own)} is the id of endpoints[{ids[own]}] already",
                    "give it another id",
                )
            addresses.setdefault(address, at)
            ids.setdefault(own, at)
            made.append(
                Endpoint(
                    name,
                    own,
                    each.address,
                    each.weight,
                    each.version,
                    each.region,
                    each.zone,
                    frozenset(each.tags),
                    self._location(each, where),
                    asked,
                    answered,
                    offer,
                )
            )
        return tuple(made)

    def _location(self, endpoint: schema.Endpoint, where: Where) -> Location | None:
        if endpoint.location is None:
            return None
        location = (endpoint.location[0], endpoint.location[1])
        if not on_earth(location):
            self._findings.add(
                (*where, "location", 0),
                f"{location[0]:g} is no latitude",
                "write latitude, then longitude: -90 to 90, then -180 to 180",
            )
            return None
        return location

    def cluster(self, name: str, where: Where) -> tuple[Endpoint, ...] | None:
        """All endpoints of the cluster; None, with the nearest name in the findings, when there is none."""
        endpoints = self._clusters.get(name)
        if endpoints is None:
            if not self._drawn.unsure((), "clusters"):
                self._findings.unknown(where, f"there is no cluster {shown(name)}", name, self._clusters)
            return None
        self.used.add(name)
        return endpoints

    def choose(self, target: str | schema.Target, where: Where) -> Chosen | None:
        """What the target stands for; None when that is nothing, which then stands in the findings."""
        if isinstance(target, schema.Target):
            return self._select(target, where)
        if target in self._clusters:
            self.used.add(target)
            return Chosen(target, self._clusters[target])
        found = self._by_id.get(target, [])
        if len(found) == 1:
            endpoint = found[0]
            self.used.add(endpoint.cluster)
            return Chosen(f"{endpoint.cluster}:{endpoint.id}", (endpoint,))
        if found:
            clusters = [endpoint.cluster for endpoint in found]
            self._findings.add(
                where,
                f"the endpoint {shown(target)} is in the clusters {', '.join(clusters)}",
                f"write {{cluster: {clusters[0]}, endpoint: {target}}}",
            )
        elif not self._drawn.unsure((), "clusters") and target not in self._drawn.lost_ids:
            self._findings.unknown(
                where,
                f"there is no cluster or endpoint {shown(target)}",
                target,
                self._clusters if len(self._clusters) > 20 else [*self._clusters, *self._by_id],
            )
        return None

    def pool(self, targets: list[str | schema.Target], where: Where) -> Chosen | None:
        """The endpoints of all targets, none twice."""
        if not targets:
            self._findings.add(where, "must not be empty", "list at least one cluster")
            return None
        chosen = [self.choose(target, (*where, at)) for at, target in enumerate(targets)]
        known = [each for each in chosen if each is not None]
        if len(known) < len(chosen):
            return None
        endpoints = {endpoint.key: endpoint for each in known for endpoint in each.endpoints}
        return Chosen("+".join(dict.fromkeys(each.name for each in known)), tuple(endpoints.values()))

    def _select(self, target: schema.Target, where: Where) -> Chosen | None:
        endpoints = self.cluster(target.cluster, (*where, "cluster"))
        if endpoints is None:
            return None
        name = target.cluster
        wishes: list[str] = []
        if target.version is not None:
            endpoints = tuple(each for each in endpoints if each.version == target.version)
            name += f"@{target.version}"
            wishes.append(f"version {shown(target.version)}")
        if target.tags:
            endpoints = tuple(each for each in endpoints if each.tags.issuperset(target.tags))
            wishes.append("tags " + ", ".join(shown(tag) for tag in target.tags))
        if target.region is not None:
            endpoints = tuple(each for each in endpoints if each.region == target.region)
            wishes.append(f"region {shown(target.region)}")
        if target.zone is not None:
            endpoints = tuple(each for each in endpoints if each.zone == target.zone)
            wishes.append(f"zone {shown(target.zone)}")
        if target.endpoint is not None:
            endpoints = tuple(each for each in endpoints if each.id == target.endpoint)
            name += f":{target.endpoint}"
            wishes.append(f"id {shown(target.endpoint)}")
        if endpoints:
            return Chosen(name, endpoints)
        if not self._drawn.unsure(("clusters", target.cluster), "endpoints"):
            self._findings.add(
                where,
                f"cluster {target.cluster} has no endpoint with {' and '.join(wishes)}",
                self._there_is(target),
            )
        return None

    def _there_is(self, target: schema.Target) -> str:
        """What could have been written, when it is one thing that was asked for."""
        endpoints = self._clusters[target.cluster]
        if not endpoints[0].address:
            return "it lists no endpoints"
        if target.endpoint is not None:
            there = ("ids", {each.id for each in endpoints})
        elif target.version is not None and not target.tags:
            there = ("versions", {each.version for each in endpoints if each.version})
        elif target.region is not None and not target.tags:
            there = ("regions", {each.region for each in endpoints if each.region})
        elif target.zone is not None and not target.tags:
            there = ("zones", {each.zone for each in endpoints if each.zone})
        else:
            there = ("tags", {tag for each in endpoints for tag in each.tags})
        kind, values = there
        if not values:
            return f"its endpoints have no {kind}"
        return f"it has the {kind} {', '.join(sorted(values)[:8])}"
