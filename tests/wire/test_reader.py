"""The reader of the usual message says what the protobuf library says, or leaves the message to it."""

from typing import Any, Final

from envoy.config.core.v3.base_pb2 import Metadata
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.request import Attached, Headers, Request
from sidecar.wire.reader import request_body, request_headers, request_of_headers
from sidecar.wire.request import headers_of_map
from sidecar.wire.shape import shape_of

NAMES = st.one_of(
    st.sampled_from(
        [":path", ":method", ":authority", "cookie", "x-a", "X-Upper", "", "é", "n" * 127, "n" * 128]
    ),
    st.text(max_size=6),
)
VALUES = st.one_of(
    st.sampled_from([b"", b"/a?b", b"GET", b"v" * 127, b"v" * 128, b"v" * 16_383, b"v" * 16_384]),
    st.binary(max_size=9),
)


def a_message(pairs: list[tuple[str, bytes]], *, end_of_stream: bool = True) -> Any:
    message = ext_proc.ProcessingRequest()
    message.request_headers.end_of_stream = end_of_stream
    message.metadata_context.SetInParent()  # as Envoy 1.40 sends it, empty
    message.protocol_config.SetInParent()
    for name, value in pairs:
        message.request_headers.headers.headers.add(key=name, raw_value=value)
    return message


TOLD = a_message([(":path", b"/a"), (":method", b"POST")], end_of_stream=False)
TOLD.metadata_context.filter_metadata["sidecar.body"].update(
    {"n": 1, "a.b": "high", "c": True, "d": None, "e": [{"f": "g" * 200}]}
)

USUAL = a_message(
    [(":path", b"/a"), (":method", b"GET"), ("x-a", b"1"), ("x-a", b"\xff"), ("cookie", b"v" * 300)]
)


def facts(request: Request) -> tuple[object, ...]:
    headers = {name: request.headers.values(name) for name in request.headers.names()}
    return request.method, request.authority, request.target, headers, request.ends


class Kept(Attached):
    def __init__(self, _headers: Headers, encoded: bytes) -> None:
        self.encoded: Final = encoded


SHAPE: Final = shape_of(Metadata.DESCRIPTOR)


def agrees(data: bytes) -> None:
    """Either it leaves the message to the library, or it says the same."""
    read = request_headers(data, Kept, SHAPE)
    if read is None:
        return
    message = ext_proc.ProcessingRequest.FromString(data)
    assert message.WhichOneof("request") == "request_headers"
    assert not message.observability_mode
    if read.attached is None:
        assert not message.metadata_context.ByteSize()
    else:
        assert isinstance(read.attached, Kept)
        assert Metadata.FromString(read.attached.encoded) == message.metadata_context
    assert message.protocol_config.request_body_mode == 0
    assert message.protocol_config.response_body_mode == 0
    head = message.request_headers
    assert facts(read) == facts(request_of_headers(headers_of_map(head.headers), ends=head.end_of_stream))


def test_reads_what_envoy_usually_sends() -> None:
    message = a_message(
        [(":path", b"/a?b=1"), (":method", b"POST"), (":authority", b"shop.test"), ("x-a", b"1")]
    )
    message.protocol_config.SetInParent()

    read = request_headers(message.SerializeToString())

    assert read is not None
    assert (read.method, read.authority, read.path, read.query) == ("POST", "shop.test", "/a", "b=1")
    assert read.headers.first("x-a") == "1"


def test_keeps_every_value_of_a_repeated_header() -> None:
    """checklist 5"""
    read = request_headers(USUAL.SerializeToString())

    assert read is not None
    assert read.headers.values("x-a") == ["1", "\udcff"]


def test_leaves_to_the_library_what_is_unusual() -> None:
    unusual = {
        "another phase": ext_proc.ProcessingRequest(response_headers=ext_proc.HttpHeaders()),
        "a body mode": a_message([(":path", b"/")]),
        "observability": a_message([(":path", b"/")]),
        "metadata": a_message([(":path", b"/")]),
        "a value instead of a raw value": a_message([]),
        "an empty value": a_message([(":path", b"/"), ("x-a", b"")]),
        "upper case": a_message([("X-A", b"1")]),
        "no headers at all": ext_proc.ProcessingRequest(request_headers=ext_proc.HttpHeaders()),
    }
    unusual["a body mode"].protocol_config.request_body_mode = 4
    unusual["observability"].observability_mode = True
    unusual["metadata"].metadata_context.filter_metadata["a"].update({"b": 1})
    unusual["a value instead of a raw value"].request_headers.headers.headers.add(key=":path", value="/")

    assert [what for what, message in unusual.items() if request_headers(message.SerializeToString())] == []


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12), st.booleans(), st.sampled_from([None, 0, 1, 4]))
def test_agrees_with_the_library_on_any_headers(
    pairs: list[tuple[str, bytes]], end_of_stream: bool, mode: int | None
) -> None:
    message = a_message(pairs, end_of_stream=end_of_stream)
    if mode is not None:
        message.protocol_config.request_body_mode = mode
    agrees(message.SerializeToString())


def test_reads_what_filters_said_of_the_request() -> None:
    """M7"""
    data = TOLD.SerializeToString()
    agrees(data)
    read = request_headers(data, Kept, SHAPE)

    assert read is not None
    assert read.attached is not None
    assert not read.ends
    assert request_headers(data) is None


@given(st.integers(0, 600), st.integers(0, 255), st.integers(0, 600), st.sampled_from([USUAL, TOLD]))
def test_agrees_or_gives_up_on_a_damaged_message(at: int, byte: int, cut: int, message: Any) -> None:
    """Never an exception, never other headers than the library's."""
    data = bytearray(message.SerializeToString())
    data[at % len(data)] = byte
    damaged = bytes(data[: len(data) - cut % 3 * (cut % len(data))])
    try:
        agrees(damaged)
    except DecodeError:
        raise AssertionError("it read what the library refuses") from None


@given(st.binary(max_size=64))
def test_never_raises_on_any_bytes(data: bytes) -> None:
    try:
        agrees(data)
    except DecodeError:
        raise AssertionError("it read what the library refuses") from None


def body_agrees(data: bytes) -> None:
    """Either it leaves the message to the library, or it says the same."""
    read = request_body(data)
    if read is None:
        return
    begin, end, last = read
    message = ext_proc.ProcessingRequest.FromString(data)
    assert message.WhichOneof("request") == "request_body"
    assert message.request_body.body == data[begin:end]
    assert message.request_body.end_of_stream is last
    message.request_body.Clear()
    message.request_body.SetInParent()
    message.ClearField("metadata_context")
    assert message.SerializeToString() == b"\x22\x00", "there was more in it"


def a_part(data: bytes, *, last: bool) -> Any:
    message = ext_proc.ProcessingRequest()
    message.request_body.body = data
    message.request_body.end_of_stream = last
    return message


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_reads_parts_of_a_body(data: bytes, last: bool, told: bool) -> None:
    """M7"""
    message = a_part(data, last=last)
    if told:
        message.metadata_context.SetInParent()
    encoded = message.SerializeToString()

    read = request_body(encoded)

    assert read is not None
    assert (encoded[read[0] : read[1]], read[2]) == (data, last)


@given(st.integers(0, 600), st.integers(0, 255), st.integers(0, 3), st.booleans())
def test_agrees_or_gives_up_on_a_damaged_part(at: int, byte: int, cut: int, last: bool) -> None:
    data = bytearray(a_part(b"x" * 140, last=last).SerializeToString())
    data[at % len(data)] = byte
    try:
        body_agrees(bytes(data[: len(data) - cut]))
    except DecodeError:
        raise AssertionError("it read what the library refuses") from None


@given(st.binary(max_size=40))
def test_never_takes_other_bytes_for_a_part(data: bytes) -> None:
    for begin in (b"", b"\x22"):
        try:
            body_agrees(begin + data)
        except DecodeError:
            raise AssertionError("it read what the library refuses") from None
