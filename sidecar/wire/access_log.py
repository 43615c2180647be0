"""Outcomes from Envoy's access log stream.

Envoy sends one entry for each finished request, in batches. The ticket stands in the dynamic metadata that
the decision had set. Entries without one (not ours, refused, forged into nonsense) count as foreign.
"""

from typing import Any, Final

from envoy.config.core.v3 import address_pb2, base_pb2
from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2
from google.protobuf.message import DecodeError

from sidecar import names
from sidecar.core.endpoint import canonical
from sidecar.core.outcome import Failure, Outcome
from sidecar.wire import entry_reader
from sidecar.wire.entry_reader import FOREIGN, EntryReader, Report, seconds_of
from sidecar.wire.fields import Unusual
from sidecar.wire.shape import shape_of

_FAILURES: Final[dict[str, Failure]] = {
    "upstream_connection_failure": Failure.CONNECTION,
    "upstream_request_timeout": Failure.TIMEOUT,
    "duration_timeout": Failure.TIMEOUT,
    "stream_idle_timeout": Failure.TIMEOUT,
    "upstream_max_stream_duration_reached": Failure.TIMEOUT,
    "upstream_remote_reset": Failure.RESET,
    "upstream_connection_termination": Failure.RESET,
    "upstream_protocol_error": Failure.RESET,
    "local_reset": Failure.RESET,
    "downstream_connection_termination": Failure.CANCELLED,
    "downstream_remote_reset": Failure.CANCELLED,
    "no_healthy_upstream": Failure.REFUSED,
    "upstream_overflow": Failure.REFUSED,
    "no_route_found": Failure.REFUSED,
    "no_cluster_found": Failure.REFUSED,
    "overload_manager": Failure.REFUSED,
    "dns_resolution_failure": Failure.REFUSED,
    "downstream_protocol_error": Failure.REFUSED,
    "fault_injected": Failure.REFUSED,
}

_COMPILED: Final = not entry_reader.__file__.endswith(".py")
"""As plain Python the reader takes eight times as long as the library."""


class Undecodable(Exception):
    """The message is no StreamAccessLogsMessage."""


def reports(data: bytes) -> list[Report]:
    """The entries of one message in their order. Undecodable when it is no StreamAccessLogsMessage."""
    found = READER.reports(data) if _COMPILED else None
    return decoded(data) if found is None else found


def decoded(data: bytes) -> list[Report]:
    """The same by the protobuf library alone: what `READER` must say, or leave unsaid."""
    try:
        message = als_pb2.StreamAccessLogsMessage.FromString(data)
    except DecodeError as error:
        raise Undecodable("not an envoy.service.accesslog.v3.StreamAccessLogsMessage") from error
    found: list[Report] = []
    for entry in message.http_logs.log_entry:
        common = entry.common_properties
        if common.intermediate_log_entry:  # the request is still going on
            continue
        ticket = _ticket(common.metadata)
        if ticket == 0:
            found.append(FOREIGN)
        else:
            found.append(Report(ticket, _outcome(entry, common), _load(common.metadata)))
    return found


def _ticket(metadata: Any) -> int:
    ours = metadata.filter_metadata
    if names.METADATA_NAMESPACE not in ours:
        return 0
    fields = ours[names.METADATA_NAMESPACE].fields
    if names.TICKET_KEY not in fields:
        return 0
    text: str = fields[names.TICKET_KEY].string_value
    return parsed_ticket(text)


def parsed_ticket(text: str) -> int:
    """The number of 16 hexadecimal digits, 0 for anything else."""
    if len(text) != 16 or not text.isascii() or not text.isalnum():
        return 0
    try:
        return int.from_bytes(bytes.fromhex(text))  # int(…, 16) would take 0x…
    except ValueError:
        return 0


def _load(metadata: Any) -> str:
    ours = metadata.filter_metadata
    if names.LOAD_NAMESPACE not in ours:
        return ""
    fields = ours[names.LOAD_NAMESPACE].fields
    if names.LOAD_KEY in fields:
        text: str = fields[names.LOAD_KEY].string_value
        return text
    return load_of_bin(fields[names.LOAD_BIN_KEY].string_value) if names.LOAD_BIN_KEY in fields else ""


def load_of_bin(value: str) -> str:
    """As the other header would have it."""
    return f"BIN {value}"


def _outcome(entry: Any, common: Any) -> Outcome:
    duration_s = -1.0
    for field in ("duration", "time_to_last_downstream_tx_byte"):
        if common.HasField(field):
            duration = getattr(common, field)
            duration_s = seconds_of(duration.seconds, duration.nanos)
            break
    return Outcome(
        entry.response.response_code.value,
        duration_s,
        _failure(common.response_flags),
        _served(common.upstream_remote_address),
        common.upstream_request_attempt_count or 1,
    )


def _failure(flags: Any) -> Failure:
    for field, _ in flags.ListFields():
        known = _FAILURES.get(field.name)
        if known is not None:
            return known
    return Failure.NONE


def _served(address: Any) -> str:
    socket = address.socket_address
    if not socket.port_value:
        return ""
    host = f"[{socket.address}]" if ":" in socket.address else socket.address
    return canonical(f"{host}:{socket.port_value}")


def _part(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Unusual from error


def _up_to_the_digits() -> bytes:
    """What follows the tag of filter_metadata where a decision has set a ticket."""
    metadata = base_pb2.Metadata()
    metadata.filter_metadata[names.METADATA_NAMESPACE].update({names.TICKET_KEY: "0" * 16})
    encoded: bytes = metadata.SerializeToString()
    return encoded[1:].removesuffix(b"0" * 16)


READER: Final = EntryReader(
    shape_of(als_pb2.StreamAccessLogsMessage.DESCRIPTOR),
    names.METADATA_NAMESPACE.encode(),
    _up_to_the_digits(),
    names.LOAD_NAMESPACE.encode(),
    names.LOAD_KEY.encode(),
    served=lambda address: _served(_part(address_pb2.Address, address)),
    failure=lambda flags: _failure(_part(accesslog_pb2.ResponseFlags, flags)),
)
