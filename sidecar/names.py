"""The names by which the sidecar and Envoy know each other: headers, metadata keys, clusters.

They stand below every other package, because the answers (`wire`), Envoy's configuration (`xds`) and the
check of the user's file (`config`) must use the same ones.
"""

from typing import Final

CLUSTER_HEADER: Final = "x-sidecar-cluster"
"""Envoy's `cluster_header`: the cluster that the request goes to."""
ROUTE_HEADER: Final = "x-sidecar-route"
"""The route that was decided; Envoy routes with static policies match on it."""
ENDPOINT_NAMESPACE: Final = "envoy.lb"
ENDPOINT_KEY: Final = "x-gateway-destination-endpoint"
"""Metadata key, within the namespace, that names the endpoint and its fallbacks: `ip:port,ip:port`."""
METADATA_NAMESPACE: Final = "sidecar"
TICKET_KEY: Final = "ticket"
"""Metadata key of the ticket, 16 hexadecimal digits; it comes back with the access log."""
SIDECAR_CLUSTER: Final = "sidecar"
ACCESS_LOG_NAME: Final = "sidecar"

PHASES_METADATA: Final = "x-sidecar-phases"
HEADERS_ONLY: Final = "request-headers"
"""gRPC metadata by which the Envoy configuration announces that a stream has this one phase only."""

INTERNAL_HEADERS: Final = (
    CLUSTER_HEADER,
    ROUTE_HEADER,
    ENDPOINT_KEY,
    "x-gateway-destination-endpoint-served",
)
"""What a client must never send: Envoy removes them before anything reads them."""
INTERNAL_PREFIX: Final = "x-sidecar-"
