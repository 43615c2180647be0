"""The shared names, where Envoy's configuration is written; see `sidecar.names`."""

from sidecar.names import (
    ACCESS_LOG_NAME,
    CLUSTER_HEADER,
    ENDPOINT_KEY,
    ENDPOINT_NAMESPACE,
    INTERNAL_HEADERS,
    METADATA_NAMESPACE,
    ROUTE_HEADER,
    SIDECAR_CLUSTER,
    TICKET_KEY,
)

__all__ = [
    "ACCESS_LOG_NAME",
    "CLUSTER_HEADER",
    "ENDPOINT_KEY",
    "ENDPOINT_NAMESPACE",
    "INTERNAL_HEADERS",
    "METADATA_NAMESPACE",
    "ROUTE_HEADER",
    "SIDECAR_CLUSTER",
    "TICKET_KEY",
]
