"""Bodies that Envoy hands over come back whole, in order, with one end."""

from typing import Any

import pytest

from sidecar.wire.ext_proc import LARGEST_CHUNK
from tests.wire.messages import (
    BUFFERED,
    FULL_DUPLEX,
    GRPC,
    NONE,
    STREAMED,
    Stream,
    body,
    chunks,
    empty,
    phase_of,
    request_headers,
    response_headers,
)

BODIES = ("request_body", "response_body")


def begun(mode: int) -> Stream:
    stream = Stream()
    stream.ask(request_headers(request_mode=mode, response_mode=mode, end_of_stream=False))
    return stream


def back(stream: Stream, message: Any, phase: str) -> list[Any]:
    answers = stream.send(message)
    assert {phase_of(answer) for answer in answers} == {phase}
    return chunks(answers, phase)


@pytest.mark.parametrize("phase", BODIES)
@pytest.mark.parametrize(
    "size", [1, LARGEST_CHUNK - 1, LARGEST_CHUNK, LARGEST_CHUNK + 1, 3 * LARGEST_CHUNK, 1_000_003]
)
def test_gives_every_byte_back_in_chunks_that_envoy_accepts(phase: str, size: int) -> None:
    """checklist 10"""
    data = bytes(at % 251 for at in range(size))

    given = back(begun(FULL_DUPLEX), body(data, end=True, phase=phase), phase)

    assert b"".join(chunk.body for chunk in given) == data
    assert max(len(chunk.body) for chunk in given) <= 62_000
    assert [chunk.end_of_stream for chunk in given] == [False] * (len(given) - 1) + [True]


@pytest.mark.parametrize("phase", BODIES)
def test_a_body_in_several_messages_ends_once(phase: str) -> None:
    """checklist 10"""
    stream = begun(FULL_DUPLEX)
    messages = [body(b"a" * 70_000, phase=phase), body(phase=phase), body(b"b", end=True, phase=phase)]

    given = [chunk for message in messages for chunk in back(stream, message, phase)]

    assert b"".join(chunk.body for chunk in given) == b"a" * 70_000 + b"b"
    assert [chunk.end_of_stream for chunk in given] == [False, False, False, True]


@pytest.mark.parametrize("phase", BODIES)
@pytest.mark.parametrize("end", [False, True])
def test_an_empty_chunk_comes_back_as_one_empty_chunk(phase: str, end: bool) -> None:
    """checklist 11: no answer at all would be a hang."""
    (chunk,) = back(begun(FULL_DUPLEX), body(end=end, phase=phase), phase)

    assert chunk.body == b""
    assert chunk.end_of_stream is end


@pytest.mark.parametrize("side", ["request", "response"])
def test_trailers_may_end_a_body(side: str) -> None:
    """checklist 10: then no chunk says that it is the last."""
    stream = begun(FULL_DUPLEX)
    (chunk,) = back(stream, body(b"abc", phase=f"{side}_body"), f"{side}_body")

    assert not chunk.end_of_stream
    assert phase_of(stream.ask(empty(f"{side}_trailers"))) == f"{side}_trailers"


def test_answers_the_headers_at_once_though_the_body_is_still_to_come() -> None:
    """checklist 11: nothing waits for a body that may never come."""
    for end_of_stream in (False, True):
        stream = Stream()
        message = request_headers(request_mode=FULL_DUPLEX, end_of_stream=end_of_stream)
        assert phase_of(stream.ask(message)) == "request_headers"


@pytest.mark.parametrize("mode", [NONE, STREAMED, BUFFERED])
@pytest.mark.parametrize("phase", BODIES)
def test_gives_nothing_back_where_envoy_keeps_the_bytes(mode: int, phase: str) -> None:
    """checklist 10: a streamed answer in another mode is an error."""
    answer = begun(mode).ask(body(b"abc", end=True, phase=phase))

    assert not getattr(answer, phase).HasField("response")


def test_each_direction_has_its_own_mode() -> None:
    """checklist 10"""
    stream = Stream()
    stream.ask(request_headers(request_mode=FULL_DUPLEX, response_mode=BUFFERED))

    assert stream.ask(body(b"abc")).request_body.HasField("response")
    assert not stream.ask(body(b"abc", phase="response_body")).response_body.HasField("response")


def test_the_mode_stays_though_only_the_first_message_tells_it() -> None:
    """checklist 10"""
    stream = begun(FULL_DUPLEX)
    stream.ask(response_headers())
    (chunk,) = back(stream, body(b"abc", phase="response_body"), "response_body")

    assert chunk.body == b"abc"


def test_a_stream_may_begin_with_a_body() -> None:
    """checklist 7, 10: the filter may have been told not to send the headers."""
    message = body(b"abc", end=True)
    message.protocol_config.request_body_mode = FULL_DUPLEX
    (chunk,) = back(Stream(), message, "request_body")

    assert (chunk.body, chunk.end_of_stream) == (b"abc", True)


@pytest.mark.parametrize("phase", BODIES)
def test_a_grpc_message_comes_back_as_one_message(phase: str) -> None:
    """checklist 10: in this mode each message holds exactly one gRPC message; cut in two it would be two."""
    data = b"x" * (3 * LARGEST_CHUNK)
    message = body(data, end=True, phase=phase)
    getattr(message, phase).grpc_message_compressed = True

    (chunk,) = back(begun(GRPC), message, phase)

    assert chunk.body == data
    assert chunk.end_of_stream
    assert chunk.grpc_message_compressed


@pytest.mark.parametrize("phase", BODIES)
def test_the_end_without_a_message_comes_back_as_such(phase: str) -> None:
    """checklist 10: an empty gRPC message is something else than none."""
    message = body(end=True, phase=phase)
    getattr(message, phase).end_of_stream_without_message = True

    (chunk,) = back(begun(GRPC), message, phase)

    assert chunk.end_of_stream_without_message
