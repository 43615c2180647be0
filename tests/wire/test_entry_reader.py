"""The reader of the usual access log message says what the protobuf library says, or leaves it to that."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2
from google.protobuf import struct_pb2
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.outcome import Failure
from sidecar.wire.access_log import READER, Undecodable, decoded, reports
from sidecar.wire.entry_reader import Report
from tests.wire.entries import a_failed_entry, a_whole_entry, an_entry, batch

VARINT, FIXED_64, BYTES, GROUP, END_OF_GROUP, FIXED_32 = range(6)

Facts = list[tuple[object, ...]]


def facts(told: list[Report]) -> Facts:
    return [
        (
            *(report.ticket, it.status, it.duration_s, it.failure, it.served, it.attempts, report.load),
            *(it.tokens, it.first_byte_s),
        )
        for report in told
        for it in [report.outcome]
    ]


def by_library(data: bytes) -> Facts | None:
    """None when it refuses the message."""
    try:
        return facts(decoded(data))
    except Undecodable:
        return None


def agrees(data: bytes) -> bool:
    """Whether the reader took it; then it says the same. Never an exception."""
    taken = READER.reports(data)
    assert taken is None or facts(taken) == by_library(data), data.hex()
    return taken is not None


def varint(number: int) -> bytes:
    """A negative one as protobuf has it, in ten bytes."""
    number %= 1 << 64
    pieces = bytearray()
    while number >= 0x80:
        pieces.append(number & 0x7F | 0x80)
        number >>= 7
    pieces.append(number)
    return bytes(pieces)


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def part(number: int, *contents: bytes) -> bytes:
    """A field that is a message, a text or bytes."""
    content = b"".join(contents)
    return tag(number, BYTES) + varint(len(content)) + content


def numeral(number: int, value: int) -> bytes:
    """A field that is a number, a truth value or a word of an enumeration."""
    return tag(number, VARINT) + varint(value)


def message(*entries: bytes) -> bytes:
    return part(2, *(part(1, entry) for entry in entries))


def entry(*common: bytes) -> bytes:
    """One with these common properties, ticket 7 and status 200."""
    return part(1, OURS, *common) + ANSWERED


def metadata(value: bytes, *more: bytes, key: bytes = b"ticket", namespace: bytes = b"sidecar") -> bytes:
    """Common properties' metadata with one Value in it."""
    return part(17, filter_metadata(value, key=key, namespace=namespace), *more)


def filter_metadata(value: bytes, *, key: bytes = b"ticket", namespace: bytes = b"sidecar") -> bytes:
    return part(1, part(1, namespace), part(2, named(value, key)))


def named(value: bytes, key: bytes = b"ticket") -> bytes:
    """A field of a Struct."""
    return part(1, part(1, key), part(2, value))


def loads(*value: bytes, key: bytes = b"report") -> bytes:
    """Filter metadata with a load report in one Value."""
    return part(1, part(1, b"sidecar.load"), part(2, named(b"".join(value), key)))


def tokens(*value: bytes, key: bytes = b"total") -> bytes:
    """Filter metadata with a number of tokens in one Value."""
    return part(1, part(1, b"sidecar.tokens"), part(2, named(b"".join(value), key)))


def ticket(number: int) -> bytes:
    """A Value."""
    return part(3, f"{number:016x}".encode())


OURS: Final = metadata(ticket(7))
STATUS: Final = part(1, numeral(1, 200))
ANSWERED: Final = part(4, STATUS)
BEGUN_S: Final = 1_303_571 * 1e-9 - 907_224 * 1e-9
WHOLE: Final = batch(a_whole_entry(1), a_failed_entry(2), a_whole_entry(3, status=404))


def test_reads_what_envoy_sends() -> None:
    """H1"""
    taken = READER.reports(WHOLE)

    assert taken is not None
    assert facts(taken) == [
        (1, 200, 1_401_506 * 1e-9, Failure.NONE, "10.0.0.2:33791", 1, "", -1, BEGUN_S),
        (2, 503, 1_401_506 * 1e-9, Failure.CONNECTION, "10.0.0.2:33791", 1, "", -1, -1.0),
        (3, 404, 1_401_506 * 1e-9, Failure.NONE, "10.0.0.2:33791", 1, "", -1, BEGUN_S),
    ]


def changed(change: Callable[[Any], object]) -> bytes:
    """A whole entry with something else about it."""
    whole = a_whole_entry(7)
    change(whole)
    return batch(whole)


def common(**fields: Any) -> bytes:
    """A whole entry with these common properties instead of its own, but for its ticket."""

    def change(entry: Any) -> None:
        for name in fields:
            if name != "metadata":
                entry.common_properties.ClearField(name)
        entry.common_properties.MergeFrom(accesslog_pb2.AccessLogCommon(**fields))

    return changed(change)


def struct(**fields: Any) -> Any:
    made = struct_pb2.Struct()
    made.update(fields)
    return made


def nested(levels: int) -> Any:
    """A Value of lists within lists."""
    value = struct_pb2.Value()
    for _ in range(levels):
        value = struct_pb2.Value(list_value=struct_pb2.ListValue(values=[value]))
    return value


def a_node() -> bytes:
    node = base_pb2.Node(id="envoy", extensions=[base_pb2.Extension(name=f"{at}") for at in range(500)])
    first: bytes = als_pb2.StreamAccessLogsMessage(identifier={"node": node}).SerializeToString()
    return first + WHOLE


USUAL: Final = {
    "no entries": batch(),
    "an empty entry": message(b""),
    "an empty message": b"",
    "still going on": common(intermediate_log_entry=True),
    "no ticket": batch(a_whole_entry(0)),
    "only a ticket": batch(an_entry(7)),
    "the largest ticket": batch(an_entry(2**63 - 1)),
    "a ticket of zeros": message(part(1, metadata(ticket(0)))),
    "no answer": batch(an_entry(7, status=0)),
    "the node, in the first message": a_node(),
    "several flags": common(response_flags={"delay_injected": True, "upstream_overflow": True}),
    "a flag that is a message": common(response_flags={"unauthorized_details": {"reason": 1}}),
    "flags, none of them set": common(response_flags={}),
    "retries": common(upstream_request_attempt_count=3),
    "seconds": common(duration={"seconds": 3600, "nanos": 999_999_999}),
    "no time at all": common(duration={}),
    "an address of IPv6": common(upstream_remote_address={"socket_address": {"address": "::1"}}),
    "a pipe": common(upstream_remote_address={"pipe": {"path": "/a"}}),
    "an address of text": common(upstream_remote_address={"socket_address": {"address": "caf\u00e9"}}),
    "no address": common(upstream_remote_address={}),
    "TLS": common(tls_properties={"tls_cipher_suite": {"value": 1}, "tls_sni_hostname": "shop.test"}),
    "a sample": common(sample_rate=0.5),
    "tags": common(custom_tags={"a": "b", "": ""}),
    "filter state": common(filter_state_objects={"a": {"type_url": "a", "value": b"\xff"}}),
    "typed metadata": common(metadata={"typed_filter_metadata": {"sidecar": {"value": b"\xff"}}}),
    "other metadata": common(
        metadata={"filter_metadata": {"a": struct(ticket="1"), "b": struct(c=[1.5, {"d": None}], e=True)}}
    ),
    "a load report": changed(
        lambda entry: entry.common_properties.metadata.filter_metadata["sidecar.load"].update(
            {"report": "TEXT cpu_utilization=0.3, caf\u00e9=1"}
        )
    ),
    "an empty load report": message(part(1, part(17, filter_metadata(ticket(1)), loads(part(3))))),
    "two load reports: the last counts": message(
        part(1, part(17, loads(part(3, b"first")), filter_metadata(ticket(1)), loads(part(3, b"last"))))
    ),
    "tokens": message(part(1, part(17, filter_metadata(ticket(1)), tokens(part(3, b"1234"))))),
    "tokens told twice: the last count": message(
        part(1, part(17, tokens(part(3, b"1")), filter_metadata(ticket(1)), tokens(part(3, b"x"))))
    ),
    "no answer of an endpoint": changed(
        lambda entry: setattr(entry.response, "response_code_details", "direct_response")
    ),
    "details beyond ASCII": changed(
        lambda entry: setattr(entry.response, "response_code_details", "caf\u00e9_via_upstream")
    ),
    "details told twice: the last count": message(
        part(1, OURS) + part(4, STATUS, part(6, b"other"), part(6, b"via_upstream"))
    ),
    "no details": changed(lambda entry: entry.response.ClearField("response_code_details")),
    "a beginning before its request": common(
        time_to_first_upstream_rx_byte={"nanos": 5}, time_to_last_upstream_tx_byte={"seconds": 5}
    ),
    "text beyond ASCII": common(route_name="caf\u00e9"),
    "long text": common(route_name="r" * 5000),
    "long text beyond ASCII": common(route_name="\u00e9" * 5000),
    "headers": changed(lambda entry: entry.response.response_headers.update({"a": "b"})),
    "a large count": changed(lambda entry: setattr(entry.response, "response_body_bytes", 2**62)),
    "many entries": batch(*(a_whole_entry(number) for number in range(300))),
    "tickets as Envoy never sends them: the last counts": message(
        part(1, part(17, filter_metadata(ticket(1)), filter_metadata(ticket(2))))
    ),
    "capital digits": message(part(1, metadata(part(3, b"00000000000000AF")))),
    "the answer first": message(ANSWERED + part(1, OURS)),
    "counts told twice": message(entry(numeral(24, 2), numeral(24, 5), numeral(27, 1), numeral(27, 0))),
    "numbers written longer than need be": message(entry(tag(24, VARINT) + b"\x82\x80\x00")),
    "tags written longer than need be": message(entry(b"\xd8\x81\x00\x01")),
    "fields of a later Envoy": message(
        entry(part(60, b"\xff"), numeral(61, 5), tag(62, FIXED_64) + bytes(8), tag(63, FIXED_32) + bytes(4))
    ),
    "two who send": part(1, part(2, b"a")) + part(1, part(2, b"b")) + message(entry()),
}


@pytest.mark.parametrize("data", USUAL.values(), ids=USUAL.keys())
def test_takes_what_may_be_usual(data: bytes) -> None:
    """H1: else the property tests would compare the library with itself."""
    assert agrees(data)


UNUSUAL: Final = {
    "a load report in the other header": message(
        part(1, part(17, filter_metadata(ticket(1)), loads(part(3, b"AAAA"), key=b"bin")))
    ),
    "a load report that is a number": message(
        part(1, part(17, filter_metadata(ticket(1)), loads(tag(2, FIXED_64) + bytes(8))))
    ),
    "a load report without a value": message(part(1, part(17, filter_metadata(ticket(1)), loads(b"")))),
    "a load report in two pieces": message(
        part(1, part(17, filter_metadata(ticket(1)), loads(part(3, b"a"), part(3, b"b"))))
    ),
    "tokens that are a number": message(
        part(1, part(17, filter_metadata(ticket(1)), tokens(tag(2, FIXED_64) + bytes(8))))
    ),
    "tokens under another key": message(
        part(1, part(17, filter_metadata(ticket(1)), tokens(part(3, b"5"), key=b"sum")))
    ),
    "details that are no UTF-8": message(part(1, OURS) + part(4, STATUS, part(6, b"\xff"))),
    "a beginning in two pieces": message(entry(part(9, numeral(1, 1)), part(9, numeral(2, 5)))),
    "a request's end in two pieces": message(entry(part(8, numeral(1, 1)), part(8, numeral(2, 5)))),
    "loads without a report": message(
        part(1, part(17, filter_metadata(ticket(1)), part(1, part(1, b"sidecar.load"), part(2))))
    ),
    "logs in two pieces": message(entry()) + message(entry()),
    "logs of TCP": message(entry()) + part(3),
    "logs of HTTP after those of TCP": part(3) + message(entry()),
    "an entry in two pieces": message(entry(numeral(24, 2)) + part(1, numeral(24, 3))),
    "an answer in two pieces": message(entry() + part(4, numeral(3, 1))),
    "a status in two pieces": message(part(1, OURS) + part(4, STATUS, part(1))),
    "a duration in two pieces": message(entry(part(23, numeral(1, 1)), part(23, numeral(2, 5)))),
    "a time to the last byte in two pieces": message(entry(part(12, numeral(1, 1)), part(12, numeral(2, 5)))),
    "an address in two pieces": message(
        entry(part(13, part(1, part(2, b"10.0.0.2"))), part(13, part(1, numeral(3, 80))))
    ),
    "flags in two pieces": message(entry(part(16, numeral(2, 1)), part(16, numeral(2, 0)))),
    "metadata in two pieces": message(entry(metadata(ticket(8)))),
    "two of our namespace, one of them another way": message(
        part(1, part(17, filter_metadata(ticket(1)), filter_metadata(ticket(2), key=b"other")))
    ),
    "two tickets in one struct": message(
        part(1, part(17, part(1, part(1, b"sidecar"), part(2, named(ticket(1)), named(ticket(2))))))
    ),
    "our namespace after its value": message(
        part(1, part(17, part(1, part(2, named(ticket(1))), part(1, b"sidecar"))))
    ),
    "a namespace told twice": message(
        part(1, part(17, part(1, part(1, b"other"), part(1, b"sidecar"), part(2, named(ticket(1))))))
    ),
    "a namespace told twice, without a value": message(
        part(1, part(17, filter_metadata(ticket(1)), part(1, part(1, b"other"), part(1, b"sidecar"))))
    ),
    "a namespace told twice, with a value between": message(
        part(
            1, part(17, filter_metadata(ticket(1)), part(1, part(1, b"other"), part(2), part(1, b"sidecar")))
        )
    ),
    "a namespace without a name": message(part(1, part(17, part(1, part(2))))),
    "a namespace without a value": message(part(1, part(17, part(1, part(1, b"other"))))),
    "a value in two pieces": message(
        part(1, metadata(part(3, b"0" * 15 + b"1") + part(3, b"0" * 15 + b"2")))
    ),
    "a ticket that becomes a number": message(part(1, metadata(ticket(1) + tag(2, FIXED_64) + bytes(8)))),
    "a number": message(part(1, metadata(tag(2, FIXED_64) + bytes(8)))),
    "a truth value": message(part(1, metadata(numeral(4, 1)))),
    "no value": message(part(1, metadata(b""))),
    "a ticket without digits": message(part(1, metadata(part(3, b"no ticket at all")))),
    "a ticket of 15 digits": message(part(1, metadata(part(3, b"0" * 14 + b"1")))),
    "a ticket of 64 bits": message(part(1, metadata(ticket(2**64 - 1)))),
    "a negative duration": message(entry(part(23, numeral(1, -1), numeral(2, -5)))),
    "a long duration": message(entry(part(23, numeral(1, 2**62)))),
    "nanoseconds of more than 32 bits": message(entry(part(23, numeral(2, 2**32 + 5)))),
    "nanoseconds of 32 bits": message(entry(part(23, numeral(2, 2**31)))),
    "attempts of more than 32 bits": message(entry(numeral(24, 2**32 + 3))),
    "a status of 32 bits": message(part(1, OURS) + part(4, part(1, numeral(1, 2**32 - 1)))),
    "truth in ten bytes": message(entry(numeral(27, -1))),
    "a field of a much later Envoy": message(entry(part(600, b"new"))),
    "a number where a message belongs": message(entry(numeral(23, 5))),
    "a message where a number belongs": message(entry(part(24, b"\x05"))),
    "a group": message(entry(tag(50, GROUP) + numeral(24, 9) + tag(50, END_OF_GROUP))),
    "the end of a group": message(entry(tag(50, END_OF_GROUP))),
    "a group that has no end": message(entry(tag(50, GROUP))),
    "a wire type that there is none of": message(entry(tag(50, 6))),
    "the tag 0": message(entry(b"\x00\x00")),
    "a word that is no UTF-8": message(entry(part(19, b"\xff"))),
    "a long word that is no UTF-8": message(entry(part(19, b"r" * 5000 + b"\xc3"))),
    "half a surrogate": message(entry(part(19, b"\xed\xa0\x80"))),
    "a namespace that is no UTF-8": message(entry(metadata(ticket(1), namespace=b"\xff"))),
    "a key that is no UTF-8": message(part(1, metadata(ticket(1), key=b"\xff"))),
    "an address that is no UTF-8": message(entry(part(13, part(1, part(2, b"\xff"), numeral(3, 80))))),
    "flags that are none": message(entry(part(16, b"\x10"))),
    "a time within which a number ends too late": message(entry(part(23, b"\x10\x80"), numeral(24, 2))),
    "a number that ends too late": message(part(1, OURS, b"\xc0\x01") + ANSWERED),
    "a fixed number that ends too late": message(part(1, OURS, tag(1, FIXED_64), bytes(7)) + ANSWERED),
    "metadata whose last number ends too late": message(
        part(1, part(17, filter_metadata(ticket(1)), tag(3, VARINT)), numeral(24, 2))
    ),
    "an entry whose last number ends too late": message(entry() + tag(2, VARINT), entry()),
    "an answer whose last number ends too late": message(
        part(1, OURS) + part(4, STATUS, tag(2, VARINT)) + numeral(2, 1)
    ),
    "a number of 11 bytes": message(entry(tag(29, VARINT) + b"\x80" * 10 + b"\x01")),
    "a length beyond the end": message(entry(tag(19, BYTES) + b"\x7f")),
    "a length of 5 bytes": message(entry(tag(19, BYTES) + b"\xff\xff\xff\xff\x07")),
    "a length of 10 bytes": message(entry(tag(19, BYTES) + b"\xff" * 9 + b"\x01")),
    "an early end": WHOLE[:-1],
    "only a tag": b"\x12",
    "no message": b"not a message",
    "values too deep in one another for the reader": common(
        metadata={"filter_metadata": {"a": struct_pb2.Struct(fields={"b": nested(18)})}}
    ),
    "values too deep in one another for the library": message(
        entry(metadata(nested(48).SerializeToString(), namespace=b"other"))
    ),
}


@pytest.mark.parametrize("data", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_leaves_to_the_library_what_is_unusual(data: bytes) -> None:
    """H1"""
    assert READER.reports(data) is None

    told = by_library(data)
    if told is None:
        with pytest.raises(Undecodable):
            reports(data)
    else:
        assert facts(reports(data)) == told


@st.composite
def usual_messages(draw: st.DrawFn) -> bytes:
    """Whole entries in which all that an outcome tells varies."""
    entries = []
    for number in draw(st.lists(st.integers(0, 2**63 - 1), max_size=4)):
        entry = a_whole_entry(number, status=draw(SMALL))
        common = entry.common_properties
        common.upstream_request_attempt_count = draw(SMALL)
        common.intermediate_log_entry = draw(st.booleans())
        for name in TIMES:
            if draw(st.booleans()):
                getattr(common, name).seconds = draw(SMALL)
                getattr(common, name).nanos = draw(SMALL)
            else:
                common.ClearField(name)
        common.upstream_remote_address.socket_address.address = draw(st.text(SIGNS, max_size=5))
        common.upstream_remote_address.socket_address.port_value = draw(st.integers(0, 2**32 - 1))
        for flag in draw(st.lists(st.sampled_from(FLAGS), max_size=3)):
            setattr(common.response_flags, flag, True)
        for namespace in draw(st.lists(st.text(SIGNS, max_size=3), max_size=2)):
            common.metadata.filter_metadata[namespace].update(
                {draw(st.text(SIGNS, max_size=3)): draw(VALUES)}
            )
        entry.response.response_code_details = draw(
            st.one_of(st.sampled_from(["", "via_upstream", "a_via_upstream"]), st.text(SIGNS, max_size=5))
        )
        if draw(st.booleans()):
            told = draw(st.one_of(st.integers(-5, 2 * 10**8).map(str), st.text(SIGNS, max_size=3)))
            common.metadata.filter_metadata["sidecar.tokens"].update({"total": told})
        entry.request.user_agent = draw(st.text(SIGNS, max_size=100))
        entries.append(entry)
    return batch(*entries)


SIGNS: Final = "ab\u00e9\u540d\U0001f600"
TIMES: Final = (
    "duration",
    "time_to_last_downstream_tx_byte",
    "time_to_first_upstream_rx_byte",
    "time_to_last_upstream_tx_byte",
)
SMALL: Final = st.one_of(st.integers(0, 600), st.integers(0, 2**31 - 1))
FLAGS: Final = [
    field.name
    for field in accesslog_pb2.ResponseFlags.DESCRIPTOR.fields
    if field.type == FieldDescriptor.TYPE_BOOL
]
VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(SIGNS, max_size=3)),
    lambda within: st.one_of(
        st.lists(within, max_size=2), st.dictionaries(st.text(SIGNS, max_size=3), within, max_size=2)
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(usual_messages())
def test_takes_any_usual_message_and_says_what_the_library_says(data: bytes) -> None:
    """H1"""
    assert agrees(data)


USED: Final = {
    als_pb2.StreamAccessLogsMessage: ["http_logs"],
    als_pb2.StreamAccessLogsMessage.HTTPAccessLogEntries: ["log_entry"],
    accesslog_pb2.HTTPAccessLogEntry: ["common_properties", "response"],
    accesslog_pb2.AccessLogCommon: [
        "duration",
        "time_to_last_downstream_tx_byte",
        "time_to_first_upstream_rx_byte",
        "time_to_last_upstream_tx_byte",
        "upstream_remote_address",
        "response_flags",
        "metadata",
        "upstream_request_attempt_count",
        "intermediate_log_entry",
    ],
    base_pb2.Metadata: ["filter_metadata"],
}
USED_NAMES: Final = {kind.DESCRIPTOR.full_name: names for kind, names in USED.items()}
NUMBERS: Final = st.one_of(
    st.sampled_from([0, 1, 200, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**35, 2**63 - 1, 2**63, -1, -(2**31)]),
    st.integers(0, 70_000),
)
TEXTS: Final = st.sampled_from(
    [b"ticket", b"sidecar", b"0" * 15 + b"7", b"", b"\xc3\xa9", b"t" * 70, b"sidecar.load", b"report", b"bin"]
)
OURS_OF_SOME_KIND: Final = st.sampled_from([b"", OURS, OURS, metadata(ticket(0)), metadata(numeral(4, 1))])
WIRE_TYPES: Final = {
    FieldDescriptor.TYPE_DOUBLE: FIXED_64,
    FieldDescriptor.TYPE_FIXED64: FIXED_64,
    FieldDescriptor.TYPE_SFIXED64: FIXED_64,
    FieldDescriptor.TYPE_FLOAT: FIXED_32,
    FieldDescriptor.TYPE_FIXED32: FIXED_32,
    FieldDescriptor.TYPE_SFIXED32: FIXED_32,
    FieldDescriptor.TYPE_STRING: BYTES,
    FieldDescriptor.TYPE_BYTES: BYTES,
    FieldDescriptor.TYPE_MESSAGE: BYTES,
}


@st.composite
def any_fields(draw: st.DrawFn, descriptor: Any, *, odd: bool, within: int = 8) -> bytes:
    """Fields of this type in any order, each any number of times; where they may be odd, others as well."""
    by_name = descriptor.fields_by_name
    used = [by_name[name] for name in USED_NAMES.get(descriptor.full_name, by_name)]
    pieces = []
    for field in draw(st.lists(st.sampled_from([*used, *used, *descriptor.fields]), max_size=4)):
        number, wire_type, content = field.number, WIRE_TYPES.get(field.type, VARINT), b""
        if odd and draw(st.integers(0, 40)) == 40:
            number, wire_type, content = draw(st.tuples(st.integers(0, 70), st.integers(0, 7), st.binary()))
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if within:
                content = draw(any_fields(field.message_type, odd=odd, within=within - 1))
        elif wire_type == BYTES:
            content = draw(TEXTS)
        if wire_type == VARINT:
            content = varint(draw(NUMBERS))
        elif wire_type == BYTES:
            content = varint(len(content)) + content
        elif wire_type in {FIXED_32, FIXED_64}:
            content = bytes(4 if wire_type == FIXED_32 else 8)
        pieces.append(tag(number, wire_type) + content)
    if descriptor is COMMON:
        pieces.insert(draw(st.integers(0, len(pieces))), draw(OURS_OF_SOME_KIND))
    return b"".join(pieces)


def any_messages(*, odd: bool) -> st.SearchStrategy[bytes]:
    entries = st.lists(any_fields(ENTRY, odd=odd), min_size=1, max_size=3)
    return st.one_of(entries.map(lambda drawn: message(*drawn)), any_fields(MESSAGE, odd=odd))


COMMON: Final = accesslog_pb2.AccessLogCommon.DESCRIPTOR
ENTRY: Final = accesslog_pb2.HTTPAccessLogEntry.DESCRIPTOR
MESSAGE: Final = als_pb2.StreamAccessLogsMessage.DESCRIPTOR


@settings(max_examples=300, deadline=None)
@given(any_messages(odd=True))
def test_agrees_with_the_library_on_any_fields(data: bytes) -> None:
    """H1"""
    agrees(data)


@settings(max_examples=300, deadline=None)
@given(any_messages(odd=False))
def test_agrees_with_the_library_on_any_valid_message(data: bytes) -> None:
    """H1: as it comes, and put in order by the library as every sender has it."""
    agrees(data)
    agrees(als_pb2.StreamAccessLogsMessage.FromString(data).SerializeToString())


@settings(deadline=None)
@given(st.data())
def test_agrees_with_the_library_on_a_damaged_message(drawn: st.DataObject) -> None:
    """H1: a piece of it is gone, doubled or somewhere else."""
    at, end, to = sorted(drawn.draw(st.lists(st.integers(0, len(ONE)), min_size=3, max_size=3)))
    what = drawn.draw(st.sampled_from([ONE[:at] + ONE[end:], ONE[:end] + ONE[at:], ONE[:at] + ONE[end:to]]))
    agrees(what)
    agrees(message(what))
    agrees(message(part(1, what) + ANSWERED))


ONE: Final = a_whole_entry(1).SerializeToString()


def test_agrees_with_the_library_whichever_byte_is_another() -> None:
    """H1: one bit of it changed, the ends of the range, and what is beside it."""
    data = batch(a_failed_entry(1))
    for at, byte in enumerate(data):
        others = {byte ^ 1 << bit for bit in range(8)} | {
            0,
            0x7F,
            0x80,
            0xFF,
            (byte + 1) % 256,
            (byte - 1) % 256,
        }
        for other in others:
            agrees(data[:at] + bytes([other]) + data[at + 1 :])


@pytest.mark.parametrize("whole", [message(ONE), message(entry(metadata(ticket(1), namespace=b"other")))])
def test_agrees_with_the_library_wherever_a_part_is_cut(whole: bytes) -> None:
    """H1: with lengths around it that are right, so that nothing else is wrong."""
    common = accesslog_pb2.HTTPAccessLogEntry.FromString(ONE).common_properties.SerializeToString()
    for end in range(len(common)):
        agrees(message(part(1, common[:end])))
        agrees(message(part(1, common[:end]), ONE))
    for end in range(len(whole)):
        agrees(whole[:end])


def test_reads_more_addresses_than_it_keeps() -> None:
    """H1"""
    for at in range(5000):
        address = {"socket_address": {"address": "10.0.0.1", "port_value": at + 1}}
        (report,) = READER.reports(common(upstream_remote_address=address)) or []
        assert report.outcome.served == f"10.0.0.1:{at + 1}"
