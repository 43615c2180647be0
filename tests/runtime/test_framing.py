"""gRPC's framing where ASGI leaves it to the application."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.runtime.framing import Unframer, framed, seconds_of, told
from sidecar.runtime.methods import MOST_BYTES, Code, Failed


def taken(unframer: Unframer) -> list[bytes]:
    """All messages that have come."""
    messages = []
    while (message := unframer.take()) is not None:
        messages.append(message)
    return messages


def compressed(message: bytes) -> bytes:
    return b"\1" + len(message).to_bytes(4, "big") + message


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_messages_come_out_as_they_went_in_however_the_body_is_cut(
    messages: list[bytes], sizes: list[int]
) -> None:
    body = b"".join(map(framed, messages))
    unframer = Unframer()
    found = []
    at = turn = 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        unframer.add(body[at : at + size])
        if turn % 3:  # not each time, so that some are left over
            found += taken(unframer)
        at, turn = at + size, turn + 1
    found += taken(unframer)

    assert found == messages
    assert all(type(message) is bytes for message in found)


def test_what_is_no_whole_message_is_kept_for_later() -> None:
    unframer = Unframer()
    unframer.add(framed(b"one") + framed(b"two")[:6])
    assert taken(unframer) == [b"one"]
    unframer.add(framed(b"two")[6:])
    assert taken(unframer) == [b"two"]


def test_a_prefix_is_judged_before_its_message_has_come() -> None:
    unframer = Unframer()
    unframer.add(b"\0" + (MOST_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(Failed) as failed:
        unframer.take()
    assert failed.value.code is Code.RESOURCE_EXHAUSTED


def test_the_largest_message_is_taken() -> None:
    unframer = Unframer()
    largest = bytes(MOST_BYTES)
    unframer.add(framed(largest))
    assert unframer.take() == largest


@pytest.mark.parametrize(("encoding", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
def test_a_compressed_message_is_inflated(encoding: bytes, pack: object) -> None:
    assert callable(pack)
    unframer = Unframer(encoding)
    unframer.add(compressed(pack(b"one")) + framed(b"two") + compressed(b""))
    assert taken(unframer) == [b"one", b"two", b""]


@pytest.mark.parametrize(
    ("encoding", "message", "code"),
    [
        (b"gzip", gzip.compress(bytes(MOST_BYTES + 1), mtime=0), Code.RESOURCE_EXHAUSTED),
        (b"gzip", gzip.compress(bytes(100 * MOST_BYTES), mtime=0), Code.RESOURCE_EXHAUSTED),
        (b"gzip", gzip.compress(b"one", mtime=0)[:-3], Code.INTERNAL),
        (b"gzip", gzip.compress(b"one", mtime=0) * 2, Code.INTERNAL),
        (b"gzip", b"rubbish", Code.INTERNAL),
        (b"deflate", gzip.compress(b"one", mtime=0), Code.INTERNAL),
        (b"identity", b"one", Code.INTERNAL),
    ],
)
def test_a_message_that_cannot_be_inflated_fails_the_call(
    encoding: bytes, message: bytes, code: Code
) -> None:
    unframer = Unframer(encoding)
    unframer.add(compressed(message))
    with pytest.raises(Failed) as failed:
        unframer.take()
    assert failed.value.code is code


def test_messages_before_a_bad_one_are_given_first() -> None:
    unframer = Unframer()
    unframer.add(framed(b"good") + b"\7\0\0\0\0")
    assert unframer.take() == b"good"
    with pytest.raises(Failed):
        unframer.take()


def test_an_encoding_that_is_not_known_fails_the_call_and_says_which_are() -> None:
    with pytest.raises(Failed, match="'br'; known: identity, deflate, gzip"):
        Unframer(b"br")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"0S", 0.0),
        (b"5S", 5.0),
        (b"100m", 0.1),
        (b"2M", 120.0),
        (b"1H", 3600.0),
        (b"7u", 7e-6),
        (b"9n", 9e-9),
    ],
)
def test_a_timeout_is_read_in_its_unit(header: bytes, seconds: float) -> None:
    assert seconds_of(header) == pytest.approx(seconds)


@pytest.mark.parametrize("header", [b"", b"5", b"S", b"-1S", b"1.5S", b"1s", b"abcS"])
def test_a_timeout_that_cannot_be_read_fails_the_call(header: bytes) -> None:
    with pytest.raises(Failed, match="write it as 100m or 5S"):
        seconds_of(header)


def test_a_status_message_travels_as_ascii() -> None:
    assert told("no service 'naïve' at 100 %\n") == b"no service 'na%C3%AFve' at 100 %25%0A"
