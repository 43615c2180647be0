"""Access log entries as tests want them."""

from typing import Any

from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2


def an_entry(ticket: int, status: int = 200) -> Any:
    """One finished request; without metadata when the ticket is 0, without a response when the status is."""
    entry = accesslog_pb2.HTTPAccessLogEntry()
    if ticket:
        entry.common_properties.metadata.filter_metadata["sidecar"].update({"ticket": f"{ticket:016x}"})
    if status:
        entry.response.response_code.value = status
    return entry


def batch(*entries: Any) -> bytes:
    """One message with these entries."""
    message = als_pb2.StreamAccessLogsMessage()
    message.identifier.log_name = "sidecar"
    message.http_logs.log_entry.extend(entries)
    encoded: bytes = message.SerializeToString()
    return encoded
