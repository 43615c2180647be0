"""The reader of the usual message says what the protobuf library says, or leaves the message to it."""

from typing import Any

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.request import Request
from sidecar.wire.reader import request_headers
from sidecar.wire.request import request_of_header_map

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


USUAL = a_message(
    [(":path", b"/a"), (":method", b"GET"), ("x-a", b"1"), ("x-a", b"\xff"), ("cookie", b"v" * 300)]
)


def facts(request: Request) -> tuple[object, ...]:
    headers = {name: request.headers.values(name) for name in request.headers.names()}
    return request.method, request.authority, request.target, headers


def agrees(data: bytes) -> None:
    """Either it leaves the message to the library, or it says the same."""
    read = request_headers(data)
    if read is None:
        return
    message = ext_proc.ProcessingRequest.FromString(data)
    assert message.WhichOneof("request") == "request_headers"
    assert not message.observability_mode
    assert not message.metadata_context.ByteSize()
    assert message.protocol_config.request_body_mode == 0
    assert message.protocol_config.response_body_mode == 0
    assert facts(read) == facts(request_of_header_map(message.request_headers.headers))


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


@given(st.integers(0, 600), st.integers(0, 255), st.integers(0, 600))
def test_agrees_or_gives_up_on_a_damaged_message(at: int, byte: int, cut: int) -> None:
    """Never an exception, never other headers than the library's."""
    data = bytearray(USUAL.SerializeToString())
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
