"""The configuration of the Envoy that hosts the sidecar: gRPC in, and one filter that is this Python."""

import json
from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]

_TYPES: Final = "type.googleapis.com/envoy.extensions."
_NEVER: Final = "0s"
_MOST_STREAMS: Final = 100_000  # the Envoy that asks opens one stream for each request in flight
_BUFFER_BYTES: Final = 5 * 1024 * 1024  # of one stream; above the largest message
_WINDOW_BYTES: Final = 256 * 1024  # of one stream; what the peer may send ahead of what is read
_MOST_HEADERS: Final = 10_000
_MOST_HEADERS_KB: Final = 128
_NO_LIMIT: Final = 2**32 - 1


def bootstrap(addresses: Sequence[str], admin: str, module: str, application: str) -> Json:
    """For `addresses` (`ip:port` or `unix:/path`), with its admin page on the socket `admin`.

    `module` is the file of the dynamic module, `application` what it loads, as `module:attribute`.
    """
    first, *more = (_address(address) for address in addresses)
    listener: Json = {
        "name": "grpc",
        "address": first,
        "enable_reuse_port": False,  # two sidecars must never share a port in silence
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _manager(module, application)}]}],
    }
    if more:
        listener["additional_addresses"] = [{"address": address} for address in more]
    return {
        "admin": {"address": {"pipe": {"path": admin, "mode": 0o600}}},
        "stats_config": {"stats_matcher": {"reject_all": True}},  # the sidecar has its own
        "layered_runtime": {"layers": [{"name": "limits", "static_layer": _LIMITS}]},
        "static_resources": {"listeners": [listener]},
    }


_LIMITS: Final = {
    # Whoever may ask is trusted, and Envoy resets ext_proc streams in the normal course of things:
    # a connection with many resets is no attack.
    "overload.premature_reset_total_stream_count": _NO_LIMIT,
}


def _manager(module: str, application: str) -> Json:
    return {
        "@type": _TYPES + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "grpc",
        "codec_type": "HTTP2",
        "http2_protocol_options": {
            # Envoy's other codec takes a thousand resets in short time for an attack and ends the connection.
            "use_oghttp2_codec": True,
            "max_concurrent_streams": _MOST_STREAMS,
            "initial_stream_window_size": _WINDOW_BYTES,
            # One bad head ends its stream, not the connection with all that others ask on it.
            "override_stream_error_on_invalid_http_message": True,
        },
        # An access log stream may say nothing for hours.
        "stream_idle_timeout": _NEVER,
        "common_http_protocol_options": {"idle_timeout": _NEVER, "max_headers_count": _MOST_HEADERS},
        "drain_timeout": "0.1s",
        "generate_request_id": False,
        "skip_xff_append": True,
        "max_request_headers_kb": _MOST_HEADERS_KB,
        "http_filters": [_application(module, application)],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"]}]},
    }


def _application(module: str, application: str) -> Json:
    told = json.dumps({"app": application, "interface": "asgi", "lifespan": True})
    return {
        "name": "sidecar",
        "typed_config": {
            "@type": _TYPES + "filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": {"module": {"local": {"filename": module}}},
            "filter_name": "pyvoy",
            "terminal_filter": True,
            "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": told},
        },
    }


def _address(address: str) -> Json:
    if address.startswith("unix:"):
        return {"pipe": {"path": address.removeprefix("unix:")}}
    host, _, port = address.rpartition(":")
    place: Json = {"address": host.strip("[]"), "port_value": int(port)}
    if host == "[::]":
        place["ipv4_compat"] = True  # as gRPC's own server takes it
    return {"socket_address": place}
