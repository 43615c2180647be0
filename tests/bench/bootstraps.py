"""Envoy bootstraps for the contenders that bring none of their own, and for the upstream.

The one with ext_proc has the shape that `sidecar envoy` prints (request headers only, mutation rules,
a route whose cluster comes from a header), so that contenders differ in the server and not in Envoy.
"""

from collections.abc import Sequence
from typing import Any, Final

from tests.bench.nothing import ROUTING_HEADER

Json = dict[str, Any]

UPSTREAM: Final = "upstream"
_EXT_PROC: Final = "ext_proc"
_TYPES: Final = "type.googleapis.com/envoy.extensions."
_MORE_THAN_THE_LOAD: Final = 65536


def _socket(address: str) -> Json:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _listener(
    name: str, address: str, manager: Json, filters: Sequence[Json], routes: Sequence[Json]
) -> Json:
    router = {"name": "router", "typed_config": {"@type": _TYPES + "filters.http.router.v3.Router"}}
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    config = {
        "@type": _TYPES + kind,
        "stat_prefix": name,
        "http_filters": [*filters, router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": list(routes)}]},
        **manager,
    }
    chain = {"filters": [{"name": "http", "typed_config": config}]}
    return {"name": name, "address": _socket(address), "filter_chains": [chain]}


def _cluster(name: str, addresses: Sequence[str], more: Json) -> Json:
    most = dict.fromkeys(
        ("max_connections", "max_pending_requests", "max_requests", "max_retries"), _MORE_THAN_THE_LOAD
    )
    endpoints = [{"endpoint": {"address": _socket(address)}} for address in addresses]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **more,
    }


def _bootstrap(listeners: Sequence[Json], clusters: Sequence[Json]) -> Json:
    return {"static_resources": {"listeners": list(listeners), "clusters": list(clusters)}}


def upstream(addresses: Sequence[str]) -> Json:
    """An Envoy that answers 200 at each of `addresses` itself: the cheapest endpoints there are."""
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    return _bootstrap([_listener(f"endpoint{n}", a, {}, [], [route]) for n, a in enumerate(addresses)], [])


def plain(listen: str, endpoints: Sequence[str]) -> Json:
    """An Envoy that sends everything to one cluster and asks nobody."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": UPSTREAM}}
    return _bootstrap([_listener("bench", listen, {}, [], [route])], [_cluster(UPSTREAM, endpoints, {})])


def with_ext_proc(listen: str, endpoints: Sequence[str], server: str) -> Json:
    """An Envoy that asks the ext_proc server at `server` for the cluster of every request."""
    mutation = "http.early_header_mutation.header_mutation.v3.HeaderMutation"
    manager = {
        "early_header_mutation_extensions": [
            {
                "name": "envoy.http.early_header_mutation.header_mutation",
                "typed_config": {"@type": _TYPES + mutation, "mutations": [{"remove": ROUTING_HEADER}]},
            }
        ]
    }
    ask = {
        "name": "envoy.filters.http.ext_proc",
        "typed_config": {
            "@type": _TYPES + "filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": _EXT_PROC}},
            "message_timeout": "1s",
            "processing_mode": {
                "request_header_mode": "SEND",
                "response_header_mode": "SKIP",
                "request_body_mode": "NONE",
                "response_body_mode": "NONE",
                "request_trailer_mode": "SKIP",
                "response_trailer_mode": "SKIP",
            },
            "mutation_rules": {"allow_envoy": True},
        },
    }
    told = {"name": ROUTING_HEADER, "present_match": True}
    routes = [
        {"match": {"prefix": "/", "headers": [told]}, "route": {"cluster_header": ROUTING_HEADER}},
        {"match": {"prefix": "/"}, "direct_response": {"status": 404}},
    ]
    http2 = {"http2_protocol_options": {"max_concurrent_streams": _MORE_THAN_THE_LOAD}}
    kind = _TYPES + "upstreams.http.v3.HttpProtocolOptions"
    options = {"@type": kind, "explicit_http_config": http2}
    by_name = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    return _bootstrap(
        [_listener("bench", listen, manager, [ask], routes)],
        [
            _cluster(UPSTREAM, endpoints, {}),
            _cluster(_EXT_PROC, [server], {"typed_extension_protocol_options": by_name}),
        ],
    )
