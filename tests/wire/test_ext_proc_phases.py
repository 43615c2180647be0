"""Every message of Envoy gets the answer of its own phase, and nothing else."""

import itertools

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from sidecar.core.rules.path import PathUnder
from sidecar.wire.ext_proc import Undecodable
from tests.builders import a_route
from tests.wire.messages import (
    PHASES,
    UNKNOWN_PHASE,
    Stream,
    body,
    empty,
    phase_of,
    request_headers,
    response_headers,
    set_headers,
)


@pytest.mark.parametrize("phase", PHASES)
def test_answers_every_phase_with_its_own_though_it_was_not_asked_for(phase: str) -> None:
    """checklist 7"""
    assert phase_of(Stream().ask(empty(phase))) == phase


@pytest.mark.parametrize("phase", PHASES[1:])
def test_changes_nothing_in_the_phases_after_the_request_headers(phase: str) -> None:
    """checklist 7: the empty answer, with no status, mutation or mode."""
    stream = Stream()
    stream.ask(request_headers())

    answer = stream.ask(empty(phase))

    bare = ext_proc.ProcessingResponse()
    getattr(bare, phase).SetInParent()
    assert answer == bare


def test_answers_the_phases_in_any_order() -> None:
    """checklist 7"""
    for order in itertools.permutations(PHASES):
        stream = Stream()
        assert [phase_of(stream.ask(empty(phase))) for phase in order] == list(order)


@pytest.mark.parametrize("phase", PHASES)
def test_answers_a_phase_that_comes_twice_both_times(phase: str) -> None:
    """checklist 7"""
    stream = Stream()

    assert [phase_of(stream.ask(empty(phase))) for _ in range(2)] == [phase, phase]


def test_decides_once_for_each_stream() -> None:
    """checklist 7: a second message of request headers must not open a second ticket."""
    stream = Stream()
    first = stream.ask(request_headers())
    second = stream.ask(request_headers())

    assert set_headers(first)
    assert not second.request_headers.response.HasField("header_mutation")
    assert len(stream.router.engine.state.tickets) == 1


@pytest.mark.parametrize("phase", PHASES)
def test_never_answers_in_observability_mode(phase: str) -> None:
    """checklist 13"""
    message = empty(phase)
    message.observability_mode = True

    assert Stream().send(message) == []


def test_decides_nothing_in_observability_mode() -> None:
    """checklist 13: what is only shown must leave no ticket behind."""
    stream = Stream()
    message = request_headers()
    message.observability_mode = True
    stream.send(message)

    assert len(stream.router.engine.state.tickets) == 0


@pytest.mark.parametrize("data", [b"", UNKNOWN_PHASE], ids=["no phase", "a phase not known yet"])
def test_ends_the_stream_when_the_phase_is_not_known(data: bytes) -> None:
    """checklist 7, 18: any answer would be of a wrong phase; a clean end lets the request go on."""
    stream = Stream()

    assert stream.machine.receive(data) == ()
    assert stream.machine.finished


def test_goes_on_after_every_known_phase() -> None:
    """checklist 18: ending the stream would mean to go on without the sidecar."""
    stream = Stream()
    for phase in PHASES:
        stream.send(empty(phase))

    assert not stream.machine.finished


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", b"\x12\x02\xff\xff", b"GET / HTTP/1.1\r\n"])
def test_says_so_when_the_bytes_are_no_message(data: bytes) -> None:
    with pytest.raises(Undecodable, match=r"^not an envoy\.service\.ext_proc\.v3\.ProcessingRequest$"):
        Stream().machine.receive(data)


def test_attributes_may_be_missing_or_there() -> None:
    """checklist 14"""
    with_attributes = request_headers()
    with_attributes.attributes["envoy.filters.http.ext_proc"].update({"source.address": "10.1.1.1:5"})

    assert phase_of(Stream().ask(request_headers())) == "request_headers"
    assert phase_of(Stream().ask(with_attributes)) == "request_headers"


@pytest.mark.parametrize(
    "message",
    [
        request_headers("/chat", ("upgrade", "websocket"), end_of_stream=False),
        request_headers("", method="CONNECT", host="db.test:5432", end_of_stream=False),
    ],
    ids=["websocket", "connect"],
)
def test_decides_an_upgrade_from_its_headers_alone(message: ext_proc.ProcessingRequest) -> None:
    """checklist 12"""
    answer = Stream().ask(message)

    assert set_headers(answer)["x-sidecar-cluster"] == "shop"
    assert not answer.HasField("mode_override")


def test_asks_for_no_other_mode_and_no_other_timeout() -> None:
    """checklist 8, 19: both count only where the filter allows them."""
    stream = Stream()
    for message in (request_headers(), *(empty(phase) for phase in PHASES)):
        answer = stream.ask(message)
        assert not answer.HasField("mode_override")
        assert not answer.HasField("override_message_timeout")


def test_a_body_is_answered_empty_where_envoy_keeps_the_bytes() -> None:
    """checklist 9, 11: neither an empty chunk nor a second end changes that."""
    stream = Stream()
    stream.ask(request_headers())
    for message in (body(b"abc"), body(), body(end=True), body(end=True)):
        answer = stream.ask(message)
        assert phase_of(answer) == "request_body"
        assert not answer.request_body.HasField("response")


def test_the_response_settles_the_ticket_once_with_its_status() -> None:
    """H1"""
    stream = Stream(feedback=True)
    stream.ask(request_headers())
    for status in ("503", "200"):
        answer = stream.ask(response_headers(status))
        assert phase_of(answer) == "response_headers"

    assert stream.router.told == [(1, 503)]


def test_the_response_settles_nothing_without_feedback() -> None:
    """H1: the access log will."""
    stream = Stream(feedback=False)
    stream.ask(request_headers())
    stream.ask(response_headers())

    assert stream.router.told == []


def test_the_response_settles_nothing_where_the_request_was_refused() -> None:
    """H1"""
    stream = Stream(a_route(matcher=PathUnder("/api")), feedback=True)
    assert phase_of(stream.ask(request_headers("/other"))) == "immediate_response"
    stream.ask(response_headers("404"))

    assert stream.router.told == []


@pytest.mark.parametrize("status", ["", "abc", "20", "2000", "-20", "2.0", "\u0662\u0660\u0660", "+20"])
def test_a_status_that_is_none_counts_as_no_answer(status: str) -> None:
    """H1: 0 means that there was none."""
    stream = Stream(feedback=True)
    stream.ask(request_headers())
    stream.ask(response_headers(status))

    assert stream.router.told == [(1, 0)]


def test_a_response_without_a_status_counts_as_no_answer() -> None:
    """H1"""
    stream = Stream(feedback=True)
    stream.ask(request_headers())
    stream.ask(empty("response_headers"))

    assert stream.router.told == [(1, 0)]
