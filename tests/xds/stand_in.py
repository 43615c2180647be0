"""A stand-in for the sidecar: answers what a test tells it to, and keeps the access log it receives."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValueOption
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    HeadersResponse,
    ProcessingRequest,
    ProcessingResponse,
)

from sidecar import names

TICKET: Final = "00000000000000a7"
NONE: Final[Mapping[str, str]] = {}


def to(
    cluster: str, *endpoints: str, headers: Mapping[str, str] = NONE, ticket: str = TICKET
) -> ProcessingResponse:
    """A decision as the sidecar gives it; `headers` are set besides the one with the cluster."""
    response = ProcessingResponse()
    common = response.request_headers.response
    common.clear_route_cache = True
    for name, value in {names.CLUSTER_HEADER: cluster, **headers}.items():
        option = common.header_mutation.set_headers.add()
        option.header.key = name
        option.header.raw_value = value.encode()
        option.append_action = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    metadata: dict[str, Any] = {}
    if ticket:
        metadata[names.METADATA_NAMESPACE] = {names.TICKET_KEY: ticket}
    if endpoints:
        metadata[names.ENDPOINT_NAMESPACE] = {names.ENDPOINT_KEY: ",".join(endpoints)}
    response.dynamic_metadata.update(metadata)
    return response


def no_decision() -> ProcessingResponse:
    return ProcessingResponse(request_headers=HeadersResponse())


@dataclass
class StandIn:
    """`answer` is for every request's headers; None is none in time, an exception breaks the stream."""

    port: int = 0
    answer: ProcessingResponse | Exception | None = None
    phases: list[str] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    logged: list[Any] = field(default_factory=list)
    log_names: set[str] = field(default_factory=set)
    ended: threading.Event = field(default_factory=threading.Event)

    def process(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            phase = request.WhichOneof("request")
            self.phases.append(phase)
            self.asked.append(request.SerializeToString())
            if phase == "response_headers":
                yield ProcessingResponse(response_headers=HeadersResponse())
            elif isinstance(self.answer, Exception):
                raise self.answer
            elif self.answer is None:
                self.ended.wait(1.0)
            else:
                yield self.answer

    def stream_access_logs(self, messages: Iterator[Any], context: Any) -> Any:
        for message in messages:
            if message.HasField("identifier"):
                self.log_names.add(message.identifier.log_name)
            self.logged.extend(message.http_logs.log_entry)
        return StreamAccessLogsResponse()


@contextmanager
def stand_in(address: str = "127.0.0.1:0") -> Iterator[StandIn]:
    """It serves ext_proc and the access log at `address`, which may be unix:/path, until the block ends."""
    one = StandIn()
    pool = ThreadPoolExecutor(16)
    server = grpc.server(pool)
    ext_proc = grpc.stream_stream_rpc_method_handler(
        one.process, ProcessingRequest.FromString, ProcessingResponse.SerializeToString
    )
    access_log = grpc.stream_unary_rpc_method_handler(
        one.stream_access_logs, StreamAccessLogsMessage.FromString, StreamAccessLogsResponse.SerializeToString
    )
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "envoy.service.ext_proc.v3.ExternalProcessor", {"Process": ext_proc}
            ),
            grpc.method_handlers_generic_handler(
                "envoy.service.accesslog.v3.AccessLogService", {"StreamAccessLogs": access_log}
            ),
        )
    )
    one.port = server.add_insecure_port(address)
    server.start()
    try:
        yield one
    finally:
        one.ended.set()
        server.stop(None).wait()
        pool.shutdown()
