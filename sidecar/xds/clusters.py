"""Envoy's clusters: one for each of the user's that has endpoints, and one for the sidecar itself.

A cluster that gets copies of requests has a second one for these, with limits of its own.

Each request to a cluster of the user names its endpoint in dynamic metadata. Envoy's own policy
picks only when the sidecar is not there to say, so it is a plain one.
"""

from typing import Final

from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster, LoadBalancingPolicy, UpstreamConnectionOptions
from envoy.config.core.v3.address_pb2 import TcpKeepalive
from envoy.config.core.v3.base_pb2 import DEFAULT, HIGH, Metadata
from envoy.config.core.v3.health_check_pb2 import DRAINING
from envoy.config.core.v3.protocol_pb2 import Http1ProtocolOptions, Http2ProtocolOptions, KeepaliveSettings
from envoy.config.core.v3.protocol_pb2 import HttpProtocolOptions as CommonOptions
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.clusters.common.dns.v3.dns_pb2 import V4_PREFERRED
from envoy.extensions.clusters.dns.v3.dns_cluster_pb2 import DnsCluster
from envoy.extensions.load_balancing_policies.override_host.v3.override_host_pb2 import OverrideHost
from envoy.extensions.load_balancing_policies.round_robin.v3.round_robin_pb2 import RoundRobin
from envoy.extensions.load_balancing_policies.subset.v3.subset_pb2 import Subset
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from envoy.type.metadata.v3.metadata_pb2 import MetadataKey
from envoy.type.v3.percent_pb2 import Percent
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from sidecar.config import schema
from sidecar.names import ENDPOINT_KEY, ENDPOINT_NAMESPACE, SIDECAR_CLUSTER
from sidecar.xds.parts import UNIX, duration, extension, host_and_port, ip_of, number, packed, remote

MANY: Final = 65536
"""For limits whose defaults (1024, for retries 3) are meant for less traffic than one busy Envoy sees."""

_SIDECAR_CONNECT_S: Final = 0.25
_SIDECAR_IDLE_S: Final = 30.0
_SIDECAR_PING_S: Final = 2.0
_SIDECAR_KEEPALIVE: Final = schema.KeepAlive.model_validate({"time": "30s", "interval": "5s"})
_COPIES: Final = 1024
"""At the same time to one cluster; what is above gets no copy."""
_COPY_S: Final = 30.0
_DNS: Final = "envoy.cluster.dns"
_POLICY: Final = "envoy.load_balancing_policies."
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def user_cluster(name: str, cluster: schema.Cluster, *, classes: bool = False) -> Cluster:
    """A cluster whose endpoint the sidecar names for each request.

    `classes` says that some requests are of class high.
    """
    by_name = any(needs_dns(endpoint) for endpoint in cluster.endpoints)
    fallback = _by_name() if by_name else _round_robin()
    made = Cluster(
        name=name,
        connect_timeout=duration(cluster.connect_timeout),
        circuit_breakers=limits(cluster.connections, classes=classes),
        load_balancing_policy=_policies("override_host", _override_host(fallback)),
        load_assignment=_assignment(name, [_endpoint(one, by_name=by_name) for one in cluster.endpoints]),
    )
    made.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(
        _http1(CommonOptions(idle_timeout=duration(cluster.connections.idle)))
    )
    if cluster.connections.keepalive is not None:
        made.upstream_connection_options.CopyFrom(_kept_alive(cluster.connections.keepalive))
    if by_name:
        made.cluster_type.CopyFrom(_resolved(cluster.dns))
    if any(endpoint.weight == 0 for endpoint in cluster.endpoints):
        # Above 0, Envoy would send requests to draining endpoints rather than overload the others.
        made.common_lb_config.healthy_panic_threshold.CopyFrom(Percent(value=0.0))
    return made


def copies_of(name: str) -> str:
    """The cluster of Envoy for copies to a cluster of the user. No name of the user's has a slash."""
    return f"{name}/copies"


def copies_cluster(name: str, cluster: schema.Cluster) -> Cluster:
    """Nobody waits for copies, so nobody would notice that one never ends, or ever so many of them.

    Envoy holds an upload back while a copy of it is not taken in. Without an end to each copy, a mirror
    that hangs would hold the uploads forever, and keep a connection for every other copy.
    """
    made = user_cluster(copies_of(name), cluster)
    # The endpoint that the sidecar names in metadata is meant for the request, not for its copy.
    made.load_balancing_policy.CopyFrom(_round_robin())
    made.circuit_breakers.CopyFrom(limits(schema.Connections(max=_COPIES, pending=_COPIES, requests=_COPIES)))
    options = _http1(
        CommonOptions(max_stream_duration=duration(_COPY_S), idle_timeout=duration(cluster.connections.idle))
    )
    made.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(options)
    return made


def sidecar_cluster(listen: schema.Listen) -> Cluster:
    """The sidecar as Envoy reaches it: HTTP/2, with room for one stream for each request in flight."""
    address = sidecar_address(listen)
    local = address.startswith(UNIX)
    named = not local and ip_of(host_and_port(address)[0]) is None
    http2 = Http2ProtocolOptions(
        max_concurrent_streams=number(MANY),
        # No pings at intervals: gRPC servers take them for an attack when nothing else is sent, and hang up.
        connection_keepalive=KeepaliveSettings(
            connection_idle_interval=duration(_SIDECAR_IDLE_S), timeout=duration(_SIDECAR_PING_S)
        ),
    )
    options = HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptions.ExplicitHttpConfig(http2_protocol_options=http2)
    )
    cluster = Cluster(
        name=SIDECAR_CLUSTER,
        type=Cluster.STRICT_DNS if named else Cluster.STATIC,
        dns_lookup_family=Cluster.V4_PREFERRED if named else Cluster.AUTO,
        connect_timeout=duration(_SIDECAR_CONNECT_S),
        circuit_breakers=limits(),
        typed_extension_protocol_options={_HTTP_OPTIONS: packed(options)},
        load_assignment=_assignment(
            SIDECAR_CLUSTER, [LbEndpoint(endpoint=Endpoint(address=remote(address)))]
        ),
    )
    if not local:
        cluster.upstream_connection_options.CopyFrom(_kept_alive(_SIDECAR_KEEPALIVE))
    return cluster


def sidecar_address(listen: schema.Listen) -> str:
    """The first address that the sidecar listens at, as Envoy on the same machine reaches it."""
    grpc = listen.grpc
    addresses = grpc if isinstance(grpc, list) else [grpc]
    if not addresses:
        raise ValueError("listen.grpc: Envoy needs an address of the sidecar, got none")
    if addresses[0].startswith(UNIX):
        return addresses[0]
    host, port = host_and_port(addresses[0])
    if port == 0:
        raise ValueError("listen.grpc: Envoy needs a port that is known before the sidecar starts, got 0")
    ip = ip_of(host)
    every = ip is not None and ip.is_unspecified  # gRPC listens at [::] for IPv4 as well
    return f"127.0.0.1:{port}" if every else addresses[0]


def needs_dns(endpoint: schema.Endpoint) -> bool:
    return ip_of(host_and_port(endpoint.address)[0]) is None


def _resolved(dns: schema.Dns) -> Cluster.CustomClusterType:
    """Every address that the names have; an endpoint for each."""
    # At random up to the longest, so that not all sidecars ask a name server that has come back at once.
    failed = DnsCluster.RefreshRate(
        base_interval=duration(dns.failure_refresh), max_interval=duration(dns.failure_refresh)
    )
    asked = DnsCluster(
        dns_refresh_rate=duration(dns.refresh),
        dns_failure_refresh_rate=failed,
        respect_dns_ttl=dns.respect_ttl,
        dns_lookup_family=V4_PREFERRED,
    )
    return Cluster.CustomClusterType(name=_DNS, typed_config=packed(asked))


def _override_host(fallback: LoadBalancingPolicy) -> OverrideHost:
    key = MetadataKey(
        key=ENDPOINT_NAMESPACE, path=[MetadataKey.PathSegment(key=ENDPOINT_KEY)]
    )  # the only source: Envoy would try the endpoints of all sources one after the other
    source = OverrideHost.OverrideHostSource(metadata=key)
    return OverrideHost(override_host_sources=[source], fallback_policy=fallback)


def _round_robin() -> LoadBalancingPolicy:
    return _policies("round_robin", RoundRobin())


def _by_name() -> LoadBalancingPolicy:
    """Finds an endpoint by the address in the file, also where that is a host name.

    `override_host` compares with the resolved addresses, which the sidecar does not know. This policy
    compares with what stands in the endpoints' metadata.
    """
    selector = Subset.LbSubsetSelector(keys=[ENDPOINT_KEY])
    subset = Subset(
        fallback_policy=Subset.ANY_ENDPOINT, subset_selectors=[selector], subset_lb_policy=_round_robin()
    )
    return _policies("subset", subset)


def _policies(name: str, config: Message) -> LoadBalancingPolicy:
    one = LoadBalancingPolicy.Policy(typed_extension_config=extension(_POLICY + name, config))
    return LoadBalancingPolicy(policies=[one])


def _endpoint(endpoint: schema.Endpoint, *, by_name: bool) -> LbEndpoint:
    made = LbEndpoint(endpoint=Endpoint(address=remote(endpoint.address)))
    if endpoint.weight > 0:
        made.load_balancing_weight.value = endpoint.weight
    else:
        # Envoy has no weight of 0. A draining endpoint is one that only the sidecar can name.
        made.health_status = DRAINING
    if by_name:
        metadata = Metadata()
        metadata.filter_metadata[ENDPOINT_NAMESPACE].update({ENDPOINT_KEY: endpoint.address})
        made.metadata.CopyFrom(metadata)
    return made


def _assignment(name: str, endpoints: list[LbEndpoint]) -> ClusterLoadAssignment:
    return ClusterLoadAssignment(cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=endpoints)])


def _kept_alive(written: schema.KeepAlive) -> UpstreamConnectionOptions:
    """The system counts whole seconds."""
    return UpstreamConnectionOptions(
        tcp_keepalive=TcpKeepalive(
            keepalive_time=number(max(round(written.time), 1)),
            keepalive_interval=number(max(round(written.interval), 1)),
            keepalive_probes=number(written.probes),
        )
    )


def _http1(common: CommonOptions) -> Any:
    options = HttpProtocolOptions(
        common_http_protocol_options=common,
        # As where nothing is said; but once something is, Envoy wants this said too.
        explicit_http_config=HttpProtocolOptions.ExplicitHttpConfig(
            http_protocol_options=Http1ProtocolOptions()
        ),
    )
    return packed(options)


def limits(own: schema.Connections = schema.UNBOUNDED, *, classes: bool = False) -> CircuitBreakers:
    """With `classes`, requests of class high have room of their own: Envoy's would be 1024 of each."""
    made = CircuitBreakers(thresholds=[_thresholds(own)])
    if classes:
        made.thresholds.append(_thresholds(schema.UNBOUNDED))
        made.thresholds[0].priority = DEFAULT
        made.thresholds[1].priority = HIGH
    return made


def _thresholds(own: schema.Connections) -> CircuitBreakers.Thresholds:
    return CircuitBreakers.Thresholds(
        max_connections=number(own.max or MANY),
        max_pending_requests=number(own.pending or MANY),
        max_requests=number(own.requests or MANY),
        max_retries=number(MANY),
    )
