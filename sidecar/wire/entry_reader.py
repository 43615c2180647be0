"""Reads the usual access log message straight from its bytes.

The protobuf library makes objects for what an outcome needs, which costs more than all the rest of learning.
This reader takes messages as Envoy writes them and passes over the other fields, some fifty in an entry. For
any other message it returns None, and the library reads it: where a part that tells something comes twice or
in another way than usual, where a number has more than 31 bits, and where the library might refuse the
message. So it never has to judge what is unusual.
"""

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from sidecar.core.outcome import Failure, Outcome
from sidecar.wire.fields import DEEPEST, Unusual, check, passed, row_within, span, varint

_IDENTIFIER: Final = 0x0A  # StreamAccessLogsMessage.identifier
_HTTP_LOGS: Final = 0x12  # StreamAccessLogsMessage.http_logs
_LOG_ENTRY: Final = 0x0A  # HTTPAccessLogEntries.log_entry

_COMMON_PROPERTIES: Final = 0x0A  # HTTPAccessLogEntry.common_properties
_RESPONSE: Final = 0x22  # HTTPAccessLogEntry.response
_RESPONSE_CODE: Final = 0x0A  # HTTPResponseProperties.response_code
_RESPONSE_CODE_DETAILS: Final = 0x32  # HTTPResponseProperties.response_code_details

# AccessLogCommon
_TIME_TO_LAST_UPSTREAM_TX_BYTE: Final = 0x42
_TIME_TO_FIRST_UPSTREAM_RX_BYTE: Final = 0x4A
_TIME_TO_LAST_DOWNSTREAM_TX_BYTE: Final = 0x62
_UPSTREAM_REMOTE_ADDRESS: Final = 0x6A
_RESPONSE_FLAGS: Final = 0x82
_METADATA: Final = 0x8A
_DURATION: Final = 0xBA
_UPSTREAM_REQUEST_ATTEMPT_COUNT: Final = 0xC0
_INTERMEDIATE_LOG_ENTRY: Final = 0xD8

_FILTER_METADATA: Final = 0x0A  # Metadata.filter_metadata
_KEY: Final = 0x0A  # of an entry of a map
_VALUE: Final = 0x12

_FIELD: Final = 0x0A  # Struct.fields
_STRING_VALUE: Final = 0x1A  # Value.string_value

_FIRST: Final = 0x08  # UInt32Value.value, Duration.seconds
_SECOND: Final = 0x10  # Duration.nanos

_VIA_UPSTREAM: Final = b"via_upstream"
_REQUEST_TIMEOUT: Final = 408
_LONGEST_S: Final = 1e8
"""About three years: what takes longer was timed by a clock that jumped."""
MOST_TOKENS: Final = 100_000_000

_MOST_KEPT: Final = 4096
_NO_DIGIT: Final = 0xFF
_DIGITS: Final = bytes(
    int(chr(code), 16) if chr(code) in "0123456789abcdefABCDEF" else _NO_DIGIT for code in range(0x100)
)


@final
class Report:
    """One entry; `ticket` is 0 when it has none of ours. `load` is what the endpoint said of itself."""

    def __init__(self, ticket: int, outcome: Outcome, load: str = "") -> None:
        self.ticket: Final = ticket
        self.outcome: Final = outcome
        self.load: Final = load


FOREIGN: Final = Report(0, Outcome(0))


@final
class _Told:
    """What the parts of one entry say."""

    def __init__(self) -> None:
        self.ticket: i64 = 0
        self.status: i64 = 0
        self.by_endpoint = True
        self.duration_s = -1.0
        self.first_byte_s = -1.0
        self.failure = Failure.NONE
        self.served = ""
        self.tokens: i64 = -1
        self.attempts: i64 = 1
        self.going_on = False
        self.load = ""


@final
class EntryReader:
    """`shape` is that of a StreamAccessLogsMessage.

    `ours` is the entry of filter_metadata for our `namespace`, without its tag and up to the ticket's digits.
    `load_namespace` and `load_key` are where a load report stands, the next two where tokens are told.
    `served` and `failure` read an Address and ResponseFlags, or raise Unusual. There are few different ones,
    so what they say is kept.
    """

    def __init__(
        self,
        shape: bytes,
        namespace: bytes,
        ours: bytes,
        load_namespace: bytes,
        load_key: bytes,
        tokens_namespace: bytes,
        tokens_key: bytes,
        served: Callable[[bytes], str],
        failure: Callable[[bytes], Failure],
    ) -> None:
        self._shape: Final = shape
        self._namespace: Final = namespace
        self._ours: Final = ours
        self._load_namespace: Final = load_namespace
        self._load_key: Final = load_key
        self._tokens_namespace: Final = tokens_namespace
        self._tokens_key: Final = tokens_key
        self._read_served: Final = served
        self._read_failure: Final = failure
        self._served: Final[dict[bytes, str]] = {}
        self._failures: Final[dict[bytes, Failure]] = {}
        self._entry_row: i64 = row_within(shape, row_within(shape, 0, _HTTP_LOGS), _LOG_ENTRY)
        self._common_row: i64 = row_within(shape, self._entry_row, _COMMON_PROPERTIES)
        self._metadata_row: i64 = row_within(shape, self._common_row, _METADATA)
        self._map_row: i64 = row_within(shape, self._metadata_row, _FILTER_METADATA)
        self._response_row: i64 = row_within(shape, self._entry_row, _RESPONSE)

    def reports(self, data: bytes) -> list[Report] | None:
        """The entries of a usual message in their order; None for any other bytes."""
        try:
            return self._message(data)
        except (Unusual, IndexError, UnicodeDecodeError):
            return None

    def _message(self, data: bytes) -> list[Report]:
        found: list[Report] = []
        logs = False
        at: i64 = 0
        end: i64 = len(data)
        while at < end:
            tag, at = varint(data, at)
            if tag == _IDENTIFIER:
                at = passed(self._shape, 0, tag, data, at, end, DEEPEST)
            elif tag == _HTTP_LOGS and not logs:
                logs = True
                begin, stop = span(data, at, end)
                self._entries(data, begin, stop, found)
                at = stop
            else:
                raise Unusual
        return found

    def _entries(self, data: bytes, at: i64, end: i64, found: list[Report]) -> None:
        while at < end:
            tag, at = varint(data, at)
            if tag != _LOG_ENTRY:
                raise Unusual
            begin, stop = span(data, at, end)
            report = self._entry(data, begin, stop)
            if report is not None:
                found.append(report)
            at = stop

    def _entry(self, data: bytes, at: i64, end: i64) -> Report | None:
        """None while the request is still going on."""
        told = _Told()
        common = response = False
        while at < end:
            tag, at = varint(data, at)
            if tag == _COMMON_PROPERTIES:
                if common:
                    raise Unusual
                common = True
                begin, stop = span(data, at, end)
                self._common_properties(data, begin, stop, told)
                at = stop
            elif tag == _RESPONSE:
                if response:
                    raise Unusual
                response = True
                begin, stop = span(data, at, end)
                self._response(data, begin, stop, told)
                at = stop
            else:
                at = passed(self._shape, self._entry_row, tag, data, at, end, DEEPEST)
        if at != end:
            raise Unusual
        if told.going_on:
            return None
        if told.ticket == 0:
            return FOREIGN
        return Report(
            told.ticket,
            Outcome(
                told.status,
                told.duration_s,
                in_the_end(told.failure, told.status, by_endpoint=told.by_endpoint),
                told.served,
                told.attempts,
                told.tokens,
                told.first_byte_s,
            ),
            told.load,
        )

    def _common_properties(self, data: bytes, at: i64, end: i64, told: _Told) -> None:
        last_byte_s = -1.0
        asked_s = -1.0
        began_s = -1.0
        seen: i64 = 0
        number: i64
        while at < end:
            tag: i64 = data[at]
            at += 1
            if tag >= 0x80:
                tag, at = varint(data, at - 1)
            if tag == _UPSTREAM_REQUEST_ATTEMPT_COUNT:
                number, at = varint(data, at)
                told.attempts = 1 if number == 0 else _small(number)
            elif tag == _INTERMEDIATE_LOG_ENTRY:
                number, at = varint(data, at)
                told.going_on = number != 0
            elif tag not in (
                _DURATION,
                _METADATA,
                _UPSTREAM_REMOTE_ADDRESS,
                _TIME_TO_LAST_DOWNSTREAM_TX_BYTE,
                _TIME_TO_FIRST_UPSTREAM_RX_BYTE,
                _TIME_TO_LAST_UPSTREAM_TX_BYTE,
                _RESPONSE_FLAGS,
            ):
                at = passed(self._shape, self._common_row, tag, data, at, end, DEEPEST)
            else:
                bit: i64 = 1 << (tag >> 3)
                if seen & bit:  # protobuf makes one part of the two
                    raise Unusual
                seen |= bit
                begin, stop = span(data, at, end)
                if tag == _DURATION:
                    told.duration_s = _duration_s(data, begin, stop)
                elif tag == _METADATA:
                    told.ticket = self._ticket(data, begin, stop, told)
                elif tag == _UPSTREAM_REMOTE_ADDRESS:
                    told.served = self._served_by(data[begin:stop])
                elif tag == _TIME_TO_LAST_DOWNSTREAM_TX_BYTE:
                    last_byte_s = _duration_s(data, begin, stop)
                elif tag == _TIME_TO_FIRST_UPSTREAM_RX_BYTE:
                    began_s = _duration_s(data, begin, stop)
                elif tag == _TIME_TO_LAST_UPSTREAM_TX_BYTE:
                    asked_s = _duration_s(data, begin, stop)
                else:
                    told.failure = self._failure(data[begin:stop])
                at = stop
        if at != end:
            raise Unusual
        if not seen & (1 << (_DURATION >> 3)):
            told.duration_s = last_byte_s
        told.first_byte_s = first_byte_s(asked_s, began_s)

    def _ticket(self, data: bytes, at: i64, end: i64, told: _Told) -> i64:
        """Of Metadata: the last of ours, as protobuf keeps the last of a key; 0 when there is none."""
        ticket: i64 = 0
        size: i64 = len(self._ours)
        while at < end:
            tag, at = varint(data, at)
            if tag != _FILTER_METADATA:
                at = passed(self._shape, self._metadata_row, tag, data, at, end, DEEPEST)
            elif data[at : at + size] == self._ours:
                ticket = _digits(data, at + size)
                at += size + 16
            else:
                begin, stop = span(data, at, end)
                self._of_others(data, begin, stop, told)
                at = stop
        if at != end:
            raise Unusual
        return ticket

    def _of_others(self, data: bytes, at: i64, end: i64, told: _Told) -> None:
        """An entry of filter_metadata of another namespace: a key and then nothing but its value."""
        check(self._shape, self._map_row, data, at, end)
        if data[at] != _KEY:
            raise Unusual
        begin, stop = span(data, at + 1, end)
        name = data[begin:stop]
        if name == self._namespace or data[stop] != _VALUE:
            raise Unusual
        begin, stop = span(data, stop + 1, end)
        if stop != end:
            raise Unusual
        if name == self._load_namespace:
            told.load = _text(data, begin, stop, self._load_key)
        elif name == self._tokens_namespace:
            told.tokens = tokens_of(_text(data, begin, stop, self._tokens_key))

    def _response(self, data: bytes, at: i64, end: i64, told: _Told) -> None:
        """Of HTTPResponseProperties."""
        seen = False
        while at < end:
            tag, at = varint(data, at)
            if tag == _RESPONSE_CODE_DETAILS:
                begin, stop = span(data, at, end)
                details = data[begin:stop]
                told.by_endpoint = details == _VIA_UPSTREAM or _answered(details)
                at = stop
            elif tag != _RESPONSE_CODE:
                at = passed(self._shape, self._response_row, tag, data, at, end, DEEPEST)
            elif seen:
                raise Unusual
            else:
                seen = True
                begin, stop = span(data, at, end)
                told.status, _ = _numbers(data, begin, stop)
                at = stop
        if at != end:
            raise Unusual

    def _served_by(self, address: bytes) -> str:
        served = self._served.get(address)
        if served is None:
            served = self._read_served(address)
            if len(self._served) >= _MOST_KEPT:  # over months endpoints come and go
                self._served.clear()
            self._served[address] = served
        return served

    def _failure(self, flags: bytes) -> Failure:
        failure = self._failures.get(flags)
        if failure is None:
            failure = self._read_failure(flags)
            if len(self._failures) >= _MOST_KEPT:
                self._failures.clear()
            self._failures[flags] = failure
        return failure


def _text(data: bytes, at: i64, end: i64, key: bytes) -> str:
    """Of a Struct with this one field, which is a text."""
    for tag, wanted in ((_FIELD, b""), (_KEY, key), (_VALUE, b""), (_STRING_VALUE, b"")):
        if at >= end or data[at] != tag:
            raise Unusual
        at, stop = span(data, at + 1, end)
        if wanted:
            if data[at:stop] != wanted:
                raise Unusual
            at = stop
        elif stop != end:
            raise Unusual
    return data[at:end].decode()


def _duration_s(data: bytes, at: i64, end: i64) -> float:
    seconds, nanos = _numbers(data, at, end)
    return seconds_of(seconds, nanos)


def seconds_of(seconds: int, nanos: int) -> float:
    """Of the parts of a Duration; -1 for one that cannot be, by a clock that ran backwards or jumped."""
    length_s = seconds + nanos * 1e-9
    return length_s if 0.0 <= length_s <= _LONGEST_S else -1.0


def first_byte_s(asked_s: float, began_s: float) -> float:
    """How long the endpoint took, by when Envoy had sent the whole request and when the answer began.

    So a client's slow upload is not the endpoint's. One that answers before it has read all is timed from the
    beginning. Negative where there was no answer.
    """
    return began_s - asked_s if 0.0 <= asked_s <= began_s else began_s


def in_the_end(failure: Failure, status: int, *, by_endpoint: bool) -> Failure:
    """What the failure that a flag tells comes to with the other facts.

    Envoy says 408 when the request itself was not complete in time. Where no flag tells, and no endpoint
    answered, it is Envoy that did.
    """
    if failure is Failure.TIMEOUT and status == _REQUEST_TIMEOUT:
        return Failure.CANCELLED
    if failure is Failure.NONE and not by_endpoint:
        return Failure.REFUSED
    return failure


def tokens_of(text: str) -> int:
    """The number that an endpoint tells; -1 where it is none, or more than any request takes."""
    if not 0 < len(text) <= 9 or not text.isascii() or not text.isdigit():
        return -1
    number = int(text)
    return number if number <= MOST_TOKENS else -1


def answered_by_endpoint(details: str) -> bool:
    """Whether an endpoint answered, by `response_code_details`: "via_upstream", or a filter's word that ends
    so. Where Envoy says nothing, one did."""
    return not details or details.endswith("via_upstream")


def _answered(details: bytes) -> bool:
    return answered_by_endpoint(details.decode())


def _numbers(data: bytes, at: i64, end: i64) -> tuple[i64, i64]:
    """The fields 1 and 2 of a message that has no other."""
    first: i64 = 0
    second: i64 = 0
    while at < end:
        tag: i64 = data[at]
        if tag == _FIRST:
            first, at = varint(data, at + 1)
        elif tag == _SECOND:
            second, at = varint(data, at + 1)
        else:
            raise Unusual
    if at != end:
        raise Unusual
    return _small(first), _small(second)


def _small(number: i64) -> i64:
    """A number that 32 bits hold, whether they have a sign or not."""
    if number > 0x7FFFFFFF:
        raise Unusual
    return number


def _digits(data: bytes, at: i64) -> i64:
    """The number of 16 hexadecimal digits."""
    number: i64 = 0
    for place in range(at, at + 16):
        digit: i64 = _DIGITS[data[place]]
        if digit == _NO_DIGIT or number >> 59:
            raise Unusual
        number = number << 4 | digit
    return number
