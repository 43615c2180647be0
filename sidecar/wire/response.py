"""How a request ended, as told by ext_proc's message with the headers of the response.

The status stands there; who served and after how many attempts, only where Envoy was told to send attributes
or where a gateway says so in the metadata of the endpoint-picker protocol.
"""

from typing import Any, Final

from sidecar import names
from sidecar.core.endpoint import canonical
from sidecar.core.outcome import Outcome
from sidecar.wire.access_log import load_of_bin

ADDRESS_ATTRIBUTE: Final = "upstream.address"
ATTEMPTS_ATTRIBUTE: Final = "upstream.request_attempt_count"
_MOST_ATTEMPTS: Final = 1_000_000


def response_of(message: Any) -> tuple[Outcome, str]:
    """(outcome, what the endpoint said of itself in its header)"""
    status = 0
    load = ""
    for pair in message.response_headers.headers.headers:
        if pair.key == ":status":
            text = pair.raw_value or pair.value.encode()
            status = int(text) if text.isdigit() and len(text) == 3 else 0
        elif pair.key in names.LOAD_HEADERS and not load:
            value = (pair.raw_value or pair.value.encode()).decode("latin-1")
            load = value if pair.key == names.LOAD_HEADERS[0] else load_of_bin(value)
    served, attempts = _served(message)
    return Outcome(status, served=served, attempts=attempts), load


def _served(message: Any) -> tuple[str, int]:
    """(address, attempts)"""
    told = message.metadata_context.filter_metadata
    if names.ENDPOINT_NAMESPACE in told:
        fields = told[names.ENDPOINT_NAMESPACE].fields
        if names.SERVED_KEY in fields:
            return canonical(fields[names.SERVED_KEY].string_value), 1
    for attributes in message.attributes.values():
        fields = attributes.fields
        if ADDRESS_ATTRIBUTE in fields:
            attempts = fields[ATTEMPTS_ATTRIBUTE].number_value if ATTEMPTS_ATTRIBUTE in fields else 1.0
            return (
                fields[ADDRESS_ATTRIBUTE].string_value,
                int(attempts) if 1.0 <= attempts <= _MOST_ATTEMPTS else 1,
            )
    return "", 1
