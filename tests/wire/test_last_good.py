"""Copies of responses that pass by on an ext_proc stream."""

from typing import Any

import pytest

from sidecar.core.filters.named import Excluded, Preferred
from sidecar.core.plan import Route
from sidecar.core.rules.fields import HeaderField
from sidecar.core.state.answers import Keeping
from sidecar.core.state.standing import OUT, Mark
from sidecar.wire.answers import Answers
from sidecar.wire.ext_proc import ExtProcStream
from tests.builders import ALWAYS, a_request, a_variant
from tests.wire.messages import NONE, STREAMED, Stream, body, header_map, phase_of, request_headers


def a_stream(*, feedback: bool = False, refresh_s: float = 0.0) -> Stream:
    keeping = Keeping(60.0, 100, 10, 1 << 20, refresh_s, ("accept",))
    return Stream(Route("r", ALWAYS, (a_variant(),), keeping=keeping), feedback=feedback)


def again(stream: Stream) -> Stream:
    """Another stream of the same sidecar."""
    other = Stream(*stream.router.engine.plan.routes)
    other.machine = ExtProcStream(stream.router, Answers(), feedback=False)  # type: ignore[misc]
    return other


def answered(*pairs: tuple[str, str], status: str = "200", end: bool = False) -> Any:
    message = body(phase="response_body")
    message.ClearField("response_body")
    message.response_headers.headers.CopyFrom(header_map((":status", status), *pairs))
    message.response_headers.end_of_stream = end
    return message


def asked(**changes: Any) -> Any:
    return request_headers("/a", **{"response_mode": STREAMED, **changes})


def part(data: bytes, *, end: bool = False) -> Any:
    return body(data, end=end, phase="response_body")


def kept(stream: Stream) -> list[bytes]:
    """What is given while nobody is left; [] where nothing is."""
    engine = stream.router.engine
    for endpoint in engine.plan.routes[0].variants[0].endpoints:
        engine.state.standing.mark(endpoint.key, "test", Mark(OUT, "out"), 0.0)
    answer = stream.router.answer(
        a_request("/a", ends=True), lambda answer: repr(getattr(answer, "data", None)).encode()
    )
    return [] if answer == b"None" else [answer]


def test_a_response_that_passed_by_is_kept() -> None:
    """H6: each part is answered so that Envoy goes on, and the stream ends with the last."""
    stream = a_stream()
    phases = [
        phase_of(stream.ask(message))
        for message in (asked(), answered(), part(b"one,"), part(b""), part(b"two", end=True))
    ]

    assert phases == ["request_headers", "response_headers", *["response_body"] * 3]
    assert stream.machine.finished
    assert kept(stream) == [b"b'one,two'"]


def test_a_response_without_a_body_is_kept() -> None:
    """H6"""
    stream = a_stream()
    stream.ask(asked())
    stream.ask(answered(end=True))

    assert stream.machine.finished
    assert kept(stream) == [b"b''"]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([answered(), part(b"x" * 101)], id="over the size"),
        pytest.param([answered(), *[part(b"x" * 10)] * 11], id="without end"),
        pytest.param([answered(status="206")], id="a part"),
        pytest.param([answered(status="503")], id="a failure"),
        pytest.param([answered(status="")], id="no status"),
        pytest.param([answered(("content-length", "101"))], id="announced as too large"),
        pytest.param([part(b"x", end=True)], id="no headers"),
    ],
)
def test_nothing_more_is_asked_for_of_what_is_not_kept(messages: list[Any]) -> None:
    """H6: without the stream Envoy goes on by itself."""
    stream = a_stream()
    stream.ask(asked())
    for message in messages:
        assert not stream.machine.finished
        stream.ask(message)

    assert stream.machine.finished
    assert kept(stream) == []


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([], id="nothing"),
        pytest.param([answered()], id="headers"),
        pytest.param([answered(), part(b"x")], id="a part of the body"),
        pytest.param([answered(("content-length", "9")), part(b"x", end=True)], id="cut short"),
    ],
)
def test_what_breaks_off_is_not_kept(messages: list[Any]) -> None:
    """H6"""
    stream = a_stream()
    stream.ask(asked())
    for message in messages:
        stream.ask(message)
    stream.machine.closed()

    assert kept(stream) == []


def test_a_fresh_answer_needs_no_response() -> None:
    """H6: the stream ends with the decision."""
    stream = a_stream(refresh_s=10.0)
    stream.ask(asked())
    assert not stream.machine.finished
    stream.ask(answered(end=True))
    second = again(stream)

    second.ask(asked())

    assert second.machine.finished


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_only_what_get_got_is_kept(method: str) -> None:
    """H6"""
    stream = a_stream()
    stream.ask(asked(method=method))

    assert stream.machine.finished


def test_a_stream_without_bodies_goes_on_as_ever() -> None:
    """H6: another Envoy, which was not told to show responses."""
    stream = a_stream()
    stream.ask(asked(response_mode=NONE))

    assert not stream.machine.finished
    assert phase_of(stream.ask(answered())) == "response_headers"


def test_feedback_by_the_response_comes_all_the_same() -> None:
    """H6: and once, whether the response is kept or not."""
    stream = a_stream(feedback=True)
    stream.ask(asked())
    stream.ask(answered())
    stream.ask(part(b"x", end=True))
    assert [status for _, status in stream.router.told] == [200]
    assert stream.machine.finished

    other = a_stream(feedback=True)
    other.ask(asked(method="POST"))
    assert not other.machine.finished
    other.ask(answered(status="201"))
    assert [status for _, status in other.router.told] == [201]
    assert other.machine.finished


def test_copies_of_many_at_once_take_no_more_than_what_is_kept_may() -> None:
    """H6: what is given up, broken off or kept makes room."""
    rule = Keeping(60.0, 500, 10, 1000, 0.0, ("accept",))
    first = Stream(Route("r", ALWAYS, (a_variant(),), keeping=rule))
    streams = [first, *(again(first) for _ in range(5))]
    for stream in streams:
        stream.ask(asked())
        stream.ask(answered())
        stream.ask(part(b"x" * 400))

    assert [stream.machine.finished for stream in streams] == [False, False, True, True, True, True]
    assert rule.under_way == 800
    streams[0].machine.closed()
    streams[1].ask(part(b"y", end=True))
    streams[1].machine.closed()
    assert rule.under_way == 0
    assert len(first.router.engine.state.last_good) == 1


def test_an_answer_to_a_body_is_not_kept() -> None:
    """H6: another body may ask for something else."""
    stream = a_stream()
    stream.ask(asked(end_of_stream=False))

    assert stream.machine.finished


def test_what_only_some_endpoints_may_say_is_not_kept_for_those_who_may_ask_any() -> None:
    """H6: such as the answer to a tenant who has endpoints of its own."""
    route = Route(
        "r",
        ALWAYS,
        (a_variant(),),
        keeping=Keeping(60.0, 100, 10, 1 << 20, 0.0, ()),
        filters=(Excluded((HeaderField("x-exclude"),)),),
    )
    stream = Stream(route)
    stream.ask(request_headers("/a", ("x-exclude", "b"), response_mode=STREAMED))
    assert stream.machine.finished

    other = again(stream)
    other.ask(request_headers("/a", response_mode=STREAMED))
    assert not other.machine.finished


def test_what_a_request_got_that_prefers_endpoints_is_not_kept() -> None:
    """H6"""
    route = Route(
        "r",
        ALWAYS,
        (a_variant(),),
        keeping=Keeping(60.0, 100, 10, 1 << 20, 0.0, ()),
        filters=(Preferred((HeaderField("x-prefer"),)),),
    )
    stream = Stream(route)
    stream.ask(request_headers("/a", ("x-prefer", "a"), response_mode=STREAMED))

    assert stream.machine.finished


@pytest.mark.parametrize("name", ["x-user", "x-api-key"])
def test_what_somebody_got_who_said_who_it_is_is_not_kept(name: str) -> None:
    """H6"""
    keeping = Keeping(60.0, 100, 10, 1 << 20, 0.0, (), ("x-api-key", "x-user"))
    stream = Stream(Route("r", ALWAYS, (a_variant(),), keeping=keeping))
    stream.ask(request_headers("/a", (name, "alice"), response_mode=STREAMED))

    assert stream.machine.finished
