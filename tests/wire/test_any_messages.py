"""Whatever comes, in whatever order: each message gets answers of its own phase only, and nothing raises."""

from typing import Any

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.plan import HeaderChanges, Rewrite
from sidecar.core.rules.path import PathUnder
from sidecar.wire import access_log
from sidecar.wire.ext_proc import Undecodable
from tests.builders import a_route, a_split_route, header_is
from tests.wire.messages import BUFFERED, FULL_DUPLEX, GRPC, NONE, PHASES, STREAMED, Stream, phase_of

ROUTES = (
    a_route("api", PathUnder("/api"), rewrite=Rewrite("/api", host="b.test"), want=2),
    a_route("edits", header_is("x-a", "1"), request_headers=HeaderChanges((("x-b", "2"),), (), ("x-a",))),
    a_split_route("half", {"a": 1, "b": 1}, PathUnder("/half"), endpoints=2, strategy="random"),
)
MODES = st.sampled_from([NONE, STREAMED, BUFFERED, FULL_DUPLEX, GRPC])
NAMES = st.one_of(
    st.sampled_from(
        [":path", ":method", ":authority", ":status", "cookie", "x-a", "upgrade", "content-length"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
VALUES = st.one_of(
    st.sampled_from([b"/", b"/api/x", b"/half", b"GET", b"CONNECT", b"200", b"1", b""]),
    st.binary(max_size=40),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def header_fields(draw: st.DrawFn) -> list[dict[str, Any]]:
    each = st.fixed_dictionaries({"key": NAMES, "raw_value": VALUES, "value": TEXTS})
    return draw(st.lists(each, max_size=6))


@st.composite
def messages(draw: st.DrawFn) -> Any:
    """Any well-formed ProcessingRequest."""
    message = ext_proc.ProcessingRequest(observability_mode=draw(st.sampled_from([False] * 7 + [True])))
    phase = draw(st.sampled_from(PHASES))
    part = getattr(message, phase)
    part.SetInParent()
    if phase.endswith("_body"):
        part.body = draw(st.one_of(st.binary(max_size=50), st.sampled_from([b"x" * 62_001, b"y" * 130_000])))
        part.end_of_stream = draw(st.booleans())
        part.end_of_stream_without_message = draw(st.booleans())
        part.grpc_message_compressed = draw(st.booleans())
    else:
        pairs = part.trailers if phase.endswith("_trailers") else part.headers
        for fields in draw(header_fields()):
            pairs.headers.add(**fields)
        if not phase.endswith("_trailers"):
            part.end_of_stream = draw(st.booleans())
    if draw(st.booleans()):
        message.protocol_config.request_body_mode = draw(MODES)
        message.protocol_config.response_body_mode = draw(MODES)
    if draw(st.booleans()):
        message.attributes["envoy.filters.http.ext_proc"].update({draw(TEXTS): draw(TEXTS)})
        message.metadata_context.filter_metadata["sidecar"].update({"ticket": draw(TEXTS)})
    return message


@settings(max_examples=200, deadline=None)
@given(sequence=st.lists(messages(), max_size=8), feedback=st.booleans())
def test_any_sequence_of_messages_gets_answers_of_its_own_phases(sequence: list[Any], feedback: bool) -> None:
    """checklist 5, 7, 10, 11, 13"""
    stream = Stream(*ROUTES, feedback=feedback)
    decided = False
    for message in sequence:
        phase = message.WhichOneof("request")
        answers = stream.send(message)
        if message.observability_mode:
            assert answers == []
            continue
        allowed = {phase} if phase != "request_headers" or decided else {phase, "immediate_response"}
        decided = decided or phase == "request_headers"
        assert answers
        assert {phase_of(answer) for answer in answers} <= allowed
        if phase.endswith("_body"):
            part = getattr(message, phase)
            parts = [getattr(answer, phase).response for answer in answers]
            if parts[0].HasField("body_mutation"):
                given_back = [each.body_mutation.streamed_response for each in parts]
                assert b"".join(each.body for each in given_back) == part.body
                ends = [each.end_of_stream for each in given_back]
                assert ends == [False] * (len(ends) - 1) + [part.end_of_stream]
        elif phase != "request_headers":
            assert len(answers) == 1
        if stream.machine.finished:  # the shell ends the stream
            given = phase_of(answers[-1])
            assert given == "immediate_response" or (
                phase in {"request_body", "request_trailers"} and not feedback
            )
            break
    tickets = stream.router.engine.state.tickets
    assert len(tickets) <= 1
    assert len(stream.router.told) <= 1


@settings(max_examples=400, deadline=None)
@given(data=st.one_of(st.binary(max_size=200), messages().map(lambda m: m.SerializeToString()[:-1])))
def test_any_bytes_are_undecodable_or_properly_answered(data: bytes) -> None:
    """checklist 7"""
    stream = Stream(*ROUTES, feedback=True)
    try:
        replies = stream.machine.receive(data)
    except Undecodable:
        return
    phase = ext_proc.ProcessingRequest.FromString(data).WhichOneof("request")
    for reply in replies:
        assert phase_of(ext_proc.ProcessingResponse.FromString(reply)) in {phase, "immediate_response"}
    assert stream.machine.finished is (phase is None and not replies and not _only_watching(data))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_no_access_log_or_one_that_can_be_read(data: bytes) -> None:
    """H1"""
    try:
        reports = access_log.reports(data)
    except access_log.Undecodable:
        return
    assert all(report.ticket >= 0 for report in reports)


def _only_watching(data: bytes) -> bool:
    return bool(ext_proc.ProcessingRequest.FromString(data).observability_mode)
