"""Envoy's HTTP filters: the sidecar is asked first, then the router sends the request.

Between the two stands the filter that makes faults, where some route has any.
"""

from typing import Final

from envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutationRules
from envoy.config.core.v3.grpc_service_pb2 import GrpcService
from envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExternalProcessor, MetadataOptions
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault
from envoy.extensions.filters.http.header_to_metadata.v3.header_to_metadata_pb2 import (
    Config as HeaderToMetadata,
)
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.type.v3.http_status_pb2 import HttpStatus
from envoy.type.v3.percent_pb2 import FractionalPercent
from google.protobuf.wrappers_pb2 import BoolValue

from sidecar.config import schema
from sidecar.names import (
    COOKIE_NAMESPACE,
    ENDPOINT_NAMESPACE,
    HEADERS_ONLY,
    LABELS_NAMESPACE,
    LOAD_BIN_KEY,
    LOAD_HEADERS,
    LOAD_KEY,
    LOAD_NAMESPACE,
    METADATA_NAMESPACE,
    PHASES_METADATA,
    SIDECAR_CLUSTER,
    TOKENS_KEY,
    TOKENS_NAMESPACE,
)
from sidecar.wire.response import ATTRIBUTES
from sidecar.xds.bodies import filters_before, forwarded
from sidecar.xds.cache import filters_for_cache, filters_told
from sidecar.xds.parts import duration, packed
from sidecar.xds.routes import REFUSE, gives_cookies, makes_faults

_REFUSED: Final = HttpStatus(code=503)


def filters(config: schema.Config) -> list[HttpFilter]:
    made = filters_before(config)
    made.append(HttpFilter(name="envoy.filters.http.ext_proc", typed_config=packed(_ask_sidecar(config))))
    made += filters_for_cache(config)
    made += _fetching(config)
    return made


def inner_filters(config: schema.Config) -> list[HttpFilter]:
    """Of the listener that the cache fetches from."""
    return [*filters_told(), *_fetching(config)]


def _fetching(config: schema.Config) -> list[HttpFilter]:
    made: list[HttpFilter] = []
    if makes_faults(config):
        made.append(HttpFilter(name="envoy.filters.http.fault", typed_config=packed(_as_told())))
    if rules := _told_by_log(config):
        made.append(
            HttpFilter(
                name="envoy.filters.http.header_to_metadata",
                typed_config=packed(HeaderToMetadata(response_rules=rules)),
            )
        )
    made.append(HttpFilter(name="envoy.filters.http.router", typed_config=packed(Router())))
    return made


def _told_by_log(config: schema.Config) -> list[HeaderToMetadata.Rule]:
    """The headers of responses that Envoy puts where its access log finds them. Load reports are taken out:
    no client is to see them."""
    if config.envoy.shows_responses:
        return []
    rules: list[HeaderToMetadata.Rule] = []
    if config.envoy.load_reports:
        rules += _load_reports()
    if config.envoy.tokens is not None:
        rules.append(
            HeaderToMetadata.Rule(
                header=config.envoy.tokens.header.lower(),
                on_header_present=HeaderToMetadata.KeyValuePair(
                    metadata_namespace=TOKENS_NAMESPACE, key=TOKENS_KEY
                ),
            )
        )
    return rules


def _load_reports() -> list[HeaderToMetadata.Rule]:
    return [
        HeaderToMetadata.Rule(
            header=header,
            on_header_present=HeaderToMetadata.KeyValuePair(metadata_namespace=LOAD_NAMESPACE, key=key),
            remove=True,
        )
        for header, key in zip(LOAD_HEADERS, (LOAD_KEY, LOAD_BIN_KEY), strict=True)
    ]


def _as_told() -> HTTPFault:
    """Faults by the headers that the sidecar sets: it has drawn their share already."""
    every = FractionalPercent(numerator=100)
    return HTTPFault(
        delay=FaultDelay(header_delay=FaultDelay.HeaderDelay(), percentage=every),
        abort=FaultAbort(header_abort=FaultAbort.HeaderAbort(), percentage=every),
    )


def _ask_sidecar(config: schema.Config) -> ExternalProcessor:
    """One message each way for a request, and one more with its response where the feedback is to come so."""
    on_response = ProcessingMode.SEND if config.envoy.shows_responses else ProcessingMode.SKIP
    mode = ProcessingMode(
        request_header_mode=ProcessingMode.SEND,
        response_header_mode=on_response,
        request_body_mode=ProcessingMode.NONE,
        response_body_mode=ProcessingMode.NONE,
        request_trailer_mode=ProcessingMode.SKIP,
        response_trailer_mode=ProcessingMode.SKIP,
    )
    received = MetadataOptions.MetadataNamespaces(
        untyped=[ENDPOINT_NAMESPACE, METADATA_NAMESPACE, LABELS_NAMESPACE]
    )
    if gives_cookies(config):
        received.untyped.append(COOKIE_NAMESPACE)
    # Rewrites need the routing headers (host, path), retries and timeouts need x-envoy-*. Without these rules
    # Envoy drops such changes and says nothing.
    rules = HeaderMutationRules(allow_all_routing=BoolValue(value=True), allow_envoy=BoolValue(value=True))
    asked = ExternalProcessor(
        grpc_service=GrpcService(
            envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=SIDECAR_CLUSTER, skip_envoy_headers=True)
        ),
        processing_mode=mode,
        message_timeout=duration(config.envoy.message_timeout),
        mutation_rules=rules,
        metadata_options=MetadataOptions(
            receiving_namespaces=received, forwarding_namespaces=forwarded(config)
        ),
    )
    if on_response == ProcessingMode.SEND:
        asked.response_attributes.extend(ATTRIBUTES)
    else:  # lets the sidecar answer and end each stream at once
        asked.grpc_service.initial_metadata.add(key=PHASES_METADATA, value=HEADERS_ONLY)
    asked.status_on_error.CopyFrom(_REFUSED)
    if config.on_error != REFUSE:
        asked.failure_mode_allow = True  # it does not count once the sidecar has got a part of a body
    return asked
