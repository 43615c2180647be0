"""Access log entries as tests want them."""

from typing import Any

from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2

_STREAM = "c5462c02-69b3-4e32-ab51-422d123384c3"


def an_entry(ticket: int, status: int = 200) -> Any:
    """One finished request; without metadata when the ticket is 0, without a response when the status is."""
    entry = accesslog_pb2.HTTPAccessLogEntry()
    if ticket:
        entry.common_properties.metadata.filter_metadata["sidecar"].update({"ticket": f"{ticket:016x}"})
    if status:
        entry.response.response_code.value = status
    return entry


def a_whole_entry(ticket: int, status: int = 200) -> Any:
    """All that Envoy 1.40 sent for a GET over HTTP/1.1, by the bootstrap that the sidecar prints."""
    entry = an_entry(ticket, status)
    entry.protocol_version = accesslog_pb2.HTTPAccessLogEntry.HTTP11
    common = entry.common_properties
    for name, address, port in (
        ("downstream_remote_address", "192.0.2.2", 54396),
        ("downstream_local_address", "192.0.2.1", 21685),
        ("upstream_remote_address", "10.0.0.2", 33791),
        ("upstream_local_address", "10.0.0.1", 60606),
        ("downstream_direct_remote_address", "192.0.2.2", 54396),
    ):
        socket = getattr(common, name).socket_address
        socket.address = address
        socket.port_value = port
    common.start_time.FromNanoseconds(1_795_257_701_943_081_000)
    for name, nanos in (
        ("time_to_last_rx_byte", 15_503),
        ("time_to_first_upstream_tx_byte", 907_124),
        ("time_to_last_upstream_tx_byte", 907_224),
        ("time_to_first_upstream_rx_byte", 1_303_571),
        ("time_to_last_upstream_rx_byte", 1_393_434),
        ("time_to_first_downstream_tx_byte", 1_322_539),
        ("time_to_last_downstream_tx_byte", 1_398_822),
        ("duration", 1_401_506),
    ):
        getattr(common, name).nanos = nanos
    common.upstream_cluster = "shop"
    endpoint = {"x-gateway-destination-endpoint": "10.0.0.2:33791"}
    common.metadata.filter_metadata["envoy.lb"].update(endpoint)
    common.route_name = "decided"
    common.upstream_request_attempt_count = 1
    common.stream_id = _STREAM
    common.downstream_wire_bytes_sent = 1019
    common.downstream_wire_bytes_received = 198
    common.upstream_wire_bytes_sent = 340
    common.upstream_wire_bytes_received = 1006
    common.access_log_type = accesslog_pb2.DownstreamEnd
    request = entry.request
    request.request_method = 1
    request.scheme = "http"
    request.authority = "192.0.2.1:21685"
    request.path = "/shop/articles/1234?page=2"
    request.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    request.referer = "https://shop.test/basket"
    request.forwarded_for = "192.0.2.2"
    request.request_id = _STREAM
    request.request_headers_bytes = 323
    request.upstream_header_bytes_sent = 297
    request.downstream_header_bytes_received = 151
    response = entry.response
    response.response_headers_bytes = 101
    response.response_body_bytes = 893
    response.response_code_details = "via_upstream"
    response.upstream_header_bytes_received = 91
    response.downstream_header_bytes_sent = 107
    return entry


def a_failed_entry(ticket: int) -> Any:
    """The same of a request whose endpoint could not be reached."""
    entry = a_whole_entry(ticket, status=503)
    common = entry.common_properties
    for name in (
        "time_to_first_upstream_tx_byte",
        "time_to_last_upstream_tx_byte",
        "time_to_first_upstream_rx_byte",
        "time_to_last_upstream_rx_byte",
        "upstream_local_address",
        "upstream_wire_bytes_sent",
        "upstream_wire_bytes_received",
    ):
        common.ClearField(name)
    common.response_flags.upstream_connection_failure = True
    common.upstream_transport_failure_reason = "delayed connect error: Connection refused"
    entry.request.ClearField("upstream_header_bytes_sent")
    entry.response.ClearField("upstream_header_bytes_received")
    reason = "remote_connection_failure|delayed_connect_error:_Connection_refused"
    entry.response.response_code_details = f"upstream_reset_before_response_started{{{reason}}}"
    return entry


def batch(*entries: Any) -> bytes:
    """One message with these entries."""
    message = als_pb2.StreamAccessLogsMessage()
    message.identifier.log_name = "sidecar"
    message.http_logs.log_entry.extend(entries)
    encoded: bytes = message.SerializeToString()
    return encoded
