"""Envoy's listener and its connection manager: what a request goes through before the sidecar is asked."""

from typing import Final

from envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.protocol_pb2 import Http2ProtocolOptions, HttpProtocolOptions
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import HeaderMutation
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.wrappers_pb2 import BoolValue

from sidecar.config import schema
from sidecar.names import ENVOY_PREFIX, INTERNAL_HEADERS, INTERNAL_PREFIX
from sidecar.xds.access_log import outcomes
from sidecar.xds.bodies import connection_bytes
from sidecar.xds.cache import INNER
from sidecar.xds.filters import filters, inner_filters
from sidecar.xds.parts import duration, extension, local, number, packed
from sidecar.xds.routes import route_configuration

_NAME: Final = "http"
_CONNECTION_IDLE_S: Final = 900.0  # longer than load balancers in front keep theirs
_HEADERS_S: Final = 10.0  # ends connections that send their headers drop by drop
_STREAM_IDLE_S: Final = 300.0
_INNER_KB: Final = 96  # a client may send 60
_INNER_HEADERS: Final = 150  # and 100 headers
_STREAMS: Final = 4096  # on one connection: the client may be another proxy


def listener(config: schema.Config) -> Listener:
    manager = Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=packed(_manager(config))
    )
    made = Listener(
        name=_NAME,
        address=local(config.envoy.listen, "envoy.listen"),
        filter_chains=[FilterChain(filters=[manager])],
    )
    held = connection_bytes(config)
    if held is not None:
        made.per_connection_buffer_limit_bytes.CopyFrom(number(held))
    return made


def inner_listener(config: schema.Config) -> Listener:
    """Within Envoy, for what the cache fetches. It asks the sidecar nothing, and changes no header itself."""
    manager = HttpConnectionManager(
        stat_prefix="cached",
        # What the cache asks has some headers more than what the client did, and its path twice.
        max_request_headers_kb=number(_INNER_KB),
        common_http_protocol_options=HttpProtocolOptions(max_headers_count=number(_INNER_HEADERS)),
        use_remote_address=BoolValue(value=False),
        stream_idle_timeout=duration(_stream_idle_s(config)),
        http_filters=inner_filters(config),
        route_config=route_configuration(config, inner=True),
        access_log=[] if config.envoy.shows_responses else [outcomes()],
    )
    one = Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(manager))
    return Listener(
        name=INNER,
        internal_listener=Listener.InternalListenerConfig(),
        filter_chains=[FilterChain(filters=[one])],
    )


def _manager(config: schema.Config) -> HttpConnectionManager:
    upgrades = HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")
    return HttpConnectionManager(
        stat_prefix=_NAME,
        # Envoy is the edge: it makes x-forwarded-for itself, and takes x-envoy-* from nobody but the sidecar.
        use_remote_address=BoolValue(value=True),
        xff_num_trusted_hops=config.context.client_ip.trusted_hops,
        # The sidecar and the endpoints must see one and the same path, or a rule could be walked around.
        normalize_path=BoolValue(value=True),
        merge_slashes=True,
        path_with_escaped_slashes_action=HttpConnectionManager.UNESCAPE_AND_REDIRECT,
        request_headers_timeout=duration(_HEADERS_S),
        # No request_timeout: it would end long uploads. A stream that stands still ends here.
        stream_idle_timeout=duration(_stream_idle_s(config)),
        common_http_protocol_options=HttpProtocolOptions(idle_timeout=duration(_CONNECTION_IDLE_S)),
        http2_protocol_options=Http2ProtocolOptions(max_concurrent_streams=number(_STREAMS)),
        upgrade_configs=[upgrades],
        early_header_mutation_extensions=[_without_internal_headers()],
        http_filters=filters(config),
        route_config=route_configuration(config),
        access_log=[] if config.envoy.shows_responses else [outcomes()],
    )


def _stream_idle_s(config: schema.Config) -> float:
    """The longest of all: a route's own counts only from what moves after the sidecar's answer."""
    own = [route.idle_timeout for route in config.routes if route.idle_timeout is not None]
    return max(_STREAM_IDLE_S, *own, 0.0)


def _without_internal_headers() -> TypedExtensionConfig:
    """Before any filter, so that no client picks its cluster or endpoint itself, or makes faults.

    Envoy drops some x-envoy-* of clients by itself, but not those of the fault filter. What it sets itself
    comes later.
    """
    prefixes = (INTERNAL_PREFIX, ENVOY_PREFIX)
    mutations = [
        Mutation(remove_on_match=Mutation.RemoveOnMatch(key_matcher=StringMatcher(prefix=prefix)))
        for prefix in prefixes
    ]
    mutations += [Mutation(remove=name) for name in INTERNAL_HEADERS if not name.startswith(prefixes)]
    return extension("envoy.http.early_header_mutation.header_mutation", HeaderMutation(mutations=mutations))
