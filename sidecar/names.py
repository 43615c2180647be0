"""The names by which the sidecar and Envoy know each other: headers, metadata keys, clusters.

They stand below every other package, because the answers (`wire`), Envoy's configuration (`xds`) and the
check of the user's file (`config`) must use the same ones.
"""

from typing import Final

CLUSTER_HEADER: Final = "x-sidecar-cluster"
"""Envoy's `cluster_header`: the cluster that the request goes to."""
ROUTE_HEADER: Final = "x-sidecar-route"
"""The route that was decided; Envoy routes with static policies match on it."""
MIRROR_HEADER: Final = "x-sidecar-mirror"
"""The cluster that gets a copy of this one request; Envoy's routes that mirror match on it."""
TIMEOUT_HEADER: Final = "x-envoy-upstream-rq-timeout-ms"
RETRY_ON_HEADER: Final = "x-envoy-retry-on"
RETRIES_HEADER: Final = "x-envoy-max-retries"
"""How many attempts there may be after the first."""
RETRY_STATUSES_HEADER: Final = "x-envoy-retriable-status-codes"
TRY_TIMEOUT_HEADER: Final = "x-envoy-upstream-rq-per-try-timeout-ms"
DELAY_HEADER: Final = "x-envoy-fault-delay-request"
"""Milliseconds; Envoy's fault filter waits for so long."""
ABORT_HEADER: Final = "x-envoy-fault-abort-request"
"""The status with which Envoy's fault filter answers in place of an endpoint."""
ENDPOINT_NAMESPACE: Final = "envoy.lb"
ENDPOINT_KEY: Final = "x-gateway-destination-endpoint"
"""Metadata key, within the namespace, that names the endpoint and its fallbacks: `ip:port,ip:port`."""
SERVED_KEY: Final = "x-gateway-destination-endpoint-served"
"""Metadata key, within the same namespace, by which a gateway says who really served."""
SUBSET_NAMESPACE: Final = "envoy.lb.subset_hint"
SUBSET_KEY: Final = "x-gateway-destination-endpoint-subset"
"""Metadata key, within the namespace, by which a gateway says among whom to pick."""
METADATA_NAMESPACE: Final = "sidecar"
TICKET_KEY: Final = "ticket"
"""Metadata key of the ticket, 16 hexadecimal digits; it comes back with the access log."""
LABELS_NAMESPACE: Final = "sidecar.labels"
"""Metadata with the labels of the decided route, each under its own key, for Envoy's access logs.

A namespace of its own, because log entries that come back are read faster where the ticket stands alone.
"""
COOKIE_NAMESPACE: Final = "sidecar.cookie"
COOKIE_KEY: Final = "set"
"""Metadata with the `set-cookie` that Envoy adds to the response."""
LOAD_HEADERS: Final = ("endpoint-load-metrics", "endpoint-load-metrics-bin")
"""By which endpoints tell how busy they are; clients never see them."""
LOAD_NAMESPACE: Final = "sidecar.load"
LOAD_KEY: Final = "report"
LOAD_BIN_KEY: Final = "bin"
"""Metadata into which Envoy puts these headers, each under its key, so that they come with the access log."""
TOKENS_NAMESPACE: Final = "sidecar.tokens"
TOKENS_KEY: Final = "total"
"""Metadata into which Envoy puts the header by which endpoints tell how many tokens a request took."""
BODY_NAMESPACE: Final = "sidecar.body"
"""Metadata with the fields of a JSON body that Envoy has read for the rules, each under its dotted path."""
JWT_NAMESPACE: Final = "envoy.filters.http.jwt_authn"
JWT_CLAIMS: Final = "claims"
"""Where the claims of a verified token stand: the namespace of Envoy's filter, and the key within it."""
LAST_GOOD_HEADER: Final = "x-sidecar-last-good"
"""Of an answer that was kept for when nobody is left: its age in seconds."""
SIDECAR_CLUSTER: Final = "sidecar"
CLUSTER_JOINT: Final = "+"
"""Between the names of clusters, one for each attempt, in the name of the cluster of Envoy that has them. No
name of the user's has one."""
ACCESS_LOG_NAME: Final = "sidecar"

PHASES_METADATA: Final = "x-sidecar-phases"
HEADERS_ONLY: Final = "request-headers"
"""gRPC metadata by which the Envoy configuration announces that a stream has this one phase only."""
WITH_BODY: Final = "request-body"
"""In its place where the body comes as well."""
WITH_ANSWER: Final = "response"
"""In its place where the response comes as well."""

INTERNAL_HEADERS: Final = (
    CLUSTER_HEADER,
    ROUTE_HEADER,
    MIRROR_HEADER,
    ENDPOINT_KEY,
    SERVED_KEY,
)
"""What passes between Envoy and the sidecar: no client's gets in, and no endpoint sees them."""
INTERNAL_PREFIX: Final = "x-sidecar-"
ENVOY_PREFIX: Final = "x-envoy-"
"""Headers with these beginnings are never a client's to send: Envoy takes orders from them."""
