"""The access log that brings outcomes back: each entry carries the ticket of its decision.

It is batched and costs the request nothing. An entry that is lost is a ticket that expires.

How soon a failure is known is how soon its entry is sent: after 10 ms in the middle. Where there are many
requests, messages are full before that; where there are few, each message costs the sidecar about what a
decision costs, and 50 in a second are the most.
"""

from typing import Final

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, MetadataFilter
from envoy.config.core.v3.config_source_pb2 import V3
from envoy.config.core.v3.grpc_service_pb2 import GrpcService
from envoy.extensions.access_loggers.grpc.v3.als_pb2 import CommonGrpcAccessLogConfig, HttpGrpcAccessLogConfig
from envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from envoy.type.matcher.v3.value_pb2 import ValueMatcher
from google.protobuf.wrappers_pb2 import BoolValue

from sidecar.names import ACCESS_LOG_NAME, METADATA_NAMESPACE, SIDECAR_CLUSTER, TICKET_KEY
from sidecar.xds.parts import duration, number, packed

_FLUSH_S: Final = 0.02
_BUFFER_BYTES: Final = 16384  # about twenty entries: larger messages hold up the decisions between them


def outcomes() -> AccessLog:
    """Only requests with a ticket are sent: what the sidecar refused has no outcome to learn from."""
    common = CommonGrpcAccessLogConfig(
        log_name=ACCESS_LOG_NAME,
        grpc_service=GrpcService(
            envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=SIDECAR_CLUSTER, skip_envoy_headers=True)
        ),
        transport_api_version=V3,
        buffer_flush_interval=duration(_FLUSH_S),
        buffer_size_bytes=number(_BUFFER_BYTES),
    )
    return AccessLog(
        name="envoy.access_loggers.http_grpc",
        filter=AccessLogFilter(metadata_filter=_has_ticket()),
        typed_config=packed(HttpGrpcAccessLogConfig(common_config=common)),
    )


def _has_ticket() -> MetadataFilter:
    ticket = MetadataMatcher(
        filter=METADATA_NAMESPACE,
        path=[MetadataMatcher.PathSegment(key=TICKET_KEY)],
        value=ValueMatcher(present_match=True),
    )
    # Envoy's default lets requests without the metadata pass.
    return MetadataFilter(matcher=ticket, match_if_key_not_found=BoolValue(value=False))
