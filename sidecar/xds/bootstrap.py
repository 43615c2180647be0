"""All of Envoy's configuration, from the same file as the sidecar's own plan, so that the two agree."""

from typing import Final

from envoy.config.bootstrap.v3.bootstrap_pb2 import Admin, Bootstrap
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.overload.v3.overload_pb2 import OverloadManager, ResourceMonitor
from envoy.extensions.resource_monitors.downstream_connections.v3.downstream_connections_pb2 import (
    DownstreamConnectionsConfig,
)

from sidecar.config import schema
from sidecar.names import SIDECAR_CLUSTER
from sidecar.xds.cache import add_inner, cached_routes
from sidecar.xds.clusters import copies_cluster, needs_dns, sidecar_cluster, user_cluster
from sidecar.xds.listener import inner_listener, listener
from sidecar.xds.parts import local, packed
from sidecar.xds.retries import joint_clusters
from sidecar.xds.routes import HIGH, REFUSE, has_own_route

_CONNECTIONS: Final = 50_000  # Envoy warns where nothing limits its clients' connections


def bootstrap(config: schema.Config) -> Bootstrap:
    """ValueError, with the key of the file, for what Envoy cannot do."""
    _check(config)
    made = Bootstrap(
        node=Node(id="envoy-with-sidecar", cluster="envoy-with-sidecar"), overload_manager=_limits()
    )
    if config.envoy.admin is not None:
        made.admin.CopyFrom(Admin(address=local(config.envoy.admin, "envoy.admin")))
    made.static_resources.listeners.append(listener(config))
    mirrors = {route.mirror.to for route in config.routes if route.mirror is not None}
    classes = any(route.priority_class == HIGH for route in config.routes)
    for name, cluster in config.clusters.items():
        if cluster.endpoints:
            made.static_resources.clusters.append(user_cluster(name, cluster, classes=classes))
        if cluster.endpoints and name in mirrors:
            made.static_resources.clusters.append(copies_cluster(name, cluster))
    made.static_resources.clusters.extend(joint_clusters(config))
    made.static_resources.clusters.append(sidecar_cluster(config.listen))
    if cached_routes(config):
        made.static_resources.listeners.append(inner_listener(config))
        add_inner(made)
    return made


def notes(config: schema.Config) -> list[str]:
    """What the reader of the bootstrap should know and cannot see in it, one sentence or two each."""
    said: list[str] = []
    for name, cluster in config.clusters.items():
        if not cluster.endpoints:
            said.append(f"clusters.{name} has no endpoints: left out, Envoy must know it from elsewhere.")
        elif any(needs_dns(endpoint) for endpoint in cluster.endpoints):
            said.append(
                f"clusters.{name} has host names: Envoy resolves them, and finds one endpoint by its address "
                "in this file. It follows no list of names: a retry in the cluster asks the same one again."
            )
    if cached_routes(config):
        said.append(
            "Some routes have a cache: Envoy's filter for it is marked as work in progress by its authors, "
            "and what it holds in memory has no bound."
        )
    return said


def _check(config: schema.Config) -> None:
    if SIDECAR_CLUSTER in config.clusters:
        raise ValueError(
            f"clusters.{SIDECAR_CLUSTER}: this is Envoy's name for the sidecar itself; choose another"
        )
    if config.on_error != REFUSE and config.on_error not in config.clusters:
        raise ValueError(f"on_error: must be {REFUSE} or a cluster, got {config.on_error}")
    seen: set[str] = set()
    for number, route in enumerate(config.routes):
        if not has_own_route(route):
            continue
        if route.name in seen:
            raise ValueError(f"routes[{number}].name: another route is named {route.name}")
        seen.add(route.name)
        edits = route.headers.response
        if "host" in {name.lower() for name in (*edits.set, *edits.add, *edits.remove)}:
            raise ValueError(f"routes[{number}].headers.response: Envoy lets nobody change host here")


def _limits() -> OverloadManager:
    connections = DownstreamConnectionsConfig(max_active_downstream_connections=_CONNECTIONS)
    name = "envoy.resource_monitors.global_downstream_max_connections"
    return OverloadManager(resource_monitors=[ResourceMonitor(name=name, typed_config=packed(connections))])
