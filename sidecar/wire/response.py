"""How a request ended, as told by ext_proc's message with the headers of the response.

The status stands there; who served after how many attempts, and whether it was Envoy that answered, only
where Envoy was told to send attributes, or where a gateway says so in the metadata of the endpoint-picker
protocol.
What comes after the headers is not seen: a body that breaks off counts as served.
"""

from collections.abc import Mapping
from typing import Any, Final

from envoy.data.accesslog.v3 import accesslog_pb2

from sidecar import names
from sidecar.core.endpoint import canonical
from sidecar.core.outcome import Failure, Outcome
from sidecar.wire.access_log import load_of_bin
from sidecar.wire.entry_reader import answered_by_endpoint, in_the_end, tokens_of
from sidecar.wire.flags import failure_of_bits

ADDRESS_ATTRIBUTE: Final = "upstream.address"
ATTEMPTS_ATTRIBUTE: Final = "upstream.request_attempt_count"
FLAGS_ATTRIBUTE: Final = "response.flags"
DETAILS_ATTRIBUTE: Final = "response.code_details"
ATTRIBUTES: Final = (ADDRESS_ATTRIBUTE, ATTEMPTS_ATTRIBUTE, FLAGS_ATTRIBUTE, DETAILS_ATTRIBUTE)
"""Those that Envoy is to send with the headers of a response."""
_MOST_ATTEMPTS: Final = 1_000_000
_MOST_BITS: Final = float(1 << 53)
_NUMBERS: Final = {field.name: field.number for field in accesslog_pb2.ResponseFlags.DESCRIPTOR.fields}


def response_of(message: Any, tokens_header: str = "") -> tuple[Outcome, str]:
    """(outcome, what the endpoint said of itself in its header); tokens by the header with this name."""
    status = 0
    load = ""
    tokens = -1
    for pair in message.response_headers.headers.headers:
        key = pair.key
        if key == ":status":
            text = pair.raw_value or pair.value.encode()
            status = int(text) if text.isdigit() and len(text) == 3 else 0
        elif key in names.LOAD_HEADERS and not load:
            value = _value(pair)
            load = value if key == names.LOAD_HEADERS[0] else load_of_bin(value)
        elif key == tokens_header and key:
            tokens = tokens_of(_value(pair))
    served, attempts, failure = _told(message, status)
    return Outcome(status, failure=failure, served=served, attempts=attempts, tokens=tokens), load


def _value(pair: Any) -> str:
    raw: bytes = pair.raw_value or pair.value.encode()
    return raw.decode("latin-1")


def _told(message: Any, status: int) -> tuple[str, int, Failure]:
    """(address, attempts, failure)"""
    served, attempts = "", 1
    failure = Failure.NONE
    for attributes in message.attributes.values():
        fields = attributes.fields
        bits = _number(fields, FLAGS_ATTRIBUTE)
        flagged = failure_of_bits(int(bits), _NUMBERS) if 0.0 < bits < _MOST_BITS else Failure.NONE
        details = fields[DETAILS_ATTRIBUTE].string_value if DETAILS_ATTRIBUTE in fields else ""
        failure = in_the_end(flagged, status, by_endpoint=answered_by_endpoint(details))
        if ADDRESS_ATTRIBUTE in fields:
            served = fields[ADDRESS_ATTRIBUTE].string_value
            told = _number(fields, ATTEMPTS_ATTRIBUTE)
            attempts = int(told) if 1.0 <= told <= _MOST_ATTEMPTS else 1
        break
    told_by_gateway = message.metadata_context.filter_metadata
    if names.ENDPOINT_NAMESPACE in told_by_gateway:
        fields = told_by_gateway[names.ENDPOINT_NAMESPACE].fields
        if names.SERVED_KEY in fields:
            return canonical(fields[names.SERVED_KEY].string_value), 1, failure
    return served, attempts, failure


def _number(fields: Mapping[str, Any], key: str) -> float:
    """0 where there is none."""
    number: float = fields[key].number_value if key in fields else 0.0
    return number
