"""What Envoy needs to try a request again: the waits of a route, and clusters that join others in an order.

When to try again stands in headers that the sidecar sets for each request. How long to wait stands in Envoy's
own route only, and Envoy knows one kind of wait: at random between 0 and a bound, which doubles.
"""

from typing import Final

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_components_pb2 import RetryPolicy

from sidecar.config import schema
from sidecar.config.retries import Orders, backoff_of, retry_of
from sidecar.core.retries import USUAL
from sidecar.names import CLUSTER_JOINT
from sidecar.xds.clusters import limits
from sidecar.xds.composite import composite
from sidecar.xds.parts import duration, packed

_COMPOSITE: Final = "envoy.clusters.composite"
_LEAST_WAIT_S: Final = 0.001


def waits_of(route: schema.Route) -> RetryPolicy.RetryBackOff | None:
    """None where Envoy's own, 25 ms doubled up to 250 ms, are meant."""
    retry = retry_of(route)
    backoff = None if retry is None else backoff_of(retry.backoff)
    if backoff is None or backoff is USUAL:
        return None
    return RetryPolicy.RetryBackOff(
        base_interval=duration(max(backoff.base_s, _LEAST_WAIT_S)),
        max_interval=duration(max(backoff.max_s, _LEAST_WAIT_S)),
    )


def joint_clusters(config: schema.Config) -> list[Cluster]:
    """For each order of clusters that a decision may have: attempt n goes to the n-th of them."""
    orders = Orders(config.clusters)
    found = dict.fromkeys(order for route in config.routes for order in orders.of(route))
    return [_joint(order, config) for order in found]


def _joint(order: tuple[str, ...], config: schema.Config) -> Cluster:
    made = Cluster(
        name=CLUSTER_JOINT.join(order),
        lb_policy=Cluster.CLUSTER_PROVIDED,
        connect_timeout=duration(max(config.clusters[name].connect_timeout for name in order)),
        circuit_breakers=limits(classes=True),
    )
    made.cluster_type.name = _COMPOSITE
    made.cluster_type.typed_config.CopyFrom(packed(composite(order)))
    return made
