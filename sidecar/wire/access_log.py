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
from sidecar.core.outcome import Outcome
from sidecar.wire import entry_reader
from sidecar.wire.entry_reader import (
    FOREIGN,
    EntryReader,
    Report,
    answered_by_endpoint,
    first_byte_s,
    in_the_end,
    seconds_of,
    tokens_of,
)
from sidecar.wire.fields import Unusual
from sidecar.wire.flags import failure_of
from sidecar.wire.shape import shape_of

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
    ended = "duration" if common.HasField("duration") else "time_to_last_downstream_tx_byte"
    response = entry.response
    status = response.response_code.value
    by_endpoint = answered_by_endpoint(response.response_code_details)
    return Outcome(
        status,
        _time_s(common, ended),
        in_the_end(failure_of(common.response_flags), status, by_endpoint=by_endpoint),
        _served(common.upstream_remote_address),
        common.upstream_request_attempt_count or 1,
        _tokens(common.metadata),
        first_byte_s(
            _time_s(common, "time_to_last_upstream_tx_byte"),
            _time_s(common, "time_to_first_upstream_rx_byte"),
        ),
    )


def _time_s(common: Any, field: str) -> float:
    if not common.HasField(field):
        return -1.0
    duration = getattr(common, field)
    return seconds_of(duration.seconds, duration.nanos)


def _tokens(metadata: Any) -> int:
    told = metadata.filter_metadata
    if names.TOKENS_NAMESPACE not in told:
        return -1
    fields = told[names.TOKENS_NAMESPACE].fields
    return tokens_of(fields[names.TOKENS_KEY].string_value) if names.TOKENS_KEY in fields else -1


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
    names.TOKENS_NAMESPACE.encode(),
    names.TOKENS_KEY.encode(),
    served=lambda address: _served(_part(address_pb2.Address, address)),
    failure=lambda flags: failure_of(_part(accesslog_pb2.ResponseFlags, flags)),
)
