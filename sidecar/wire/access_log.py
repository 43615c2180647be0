"""Outcomes from Envoy's access log stream.

Envoy sends one entry for each finished request, in batches. The ticket stands in the dynamic metadata that
the decision had set. Entries without one (not ours, refused, forged into nonsense) count as foreign.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from envoy.service.accesslog.v3 import als_pb2
from google.protobuf.message import DecodeError

from sidecar import names
from sidecar.core.outcome import Failure, Outcome

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
}


class Undecodable(Exception):
    """The message is no StreamAccessLogsMessage."""


class Report(NamedTuple):
    """One entry; `ticket` is 0 when it has none of ours."""

    ticket: int
    outcome: Outcome


_FOREIGN: Final = Report(0, Outcome(0))


def reports(data: bytes) -> Iterator[Report]:
    """The entries of one message in their order. Undecodable when it is no StreamAccessLogsMessage."""
    try:
        message = als_pb2.StreamAccessLogsMessage.FromString(data)
    except DecodeError as error:
        raise Undecodable("not an envoy.service.accesslog.v3.StreamAccessLogsMessage") from error
    for entry in message.http_logs.log_entry:
        common = entry.common_properties
        if common.intermediate_log_entry:  # the request is still going on
            continue
        ticket = _ticket(common.metadata)
        yield _FOREIGN if ticket == 0 else Report(ticket, _outcome(entry, common))


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


def _outcome(entry: Any, common: Any) -> Outcome:
    failure = Failure.NONE
    if common.HasField("response_flags"):
        for field, _ in common.response_flags.ListFields():
            known = _FAILURES.get(field.name)
            if known is not None:
                failure = known
                break
    duration_s = -1.0
    for field in ("duration", "time_to_last_downstream_tx_byte"):
        if common.HasField(field):
            duration = getattr(common, field)
            duration_s = duration.seconds + duration.nanos * 1e-9
            break
    address = common.upstream_remote_address.socket_address
    return Outcome(
        entry.response.response_code.value,
        duration_s,
        failure,
        f"{address.address}:{address.port_value}" if address.port_value else "",
        common.upstream_request_attempt_count or 1,
    )
