"""The answer to the headers waits until the rules know what they ask of the body; then every byte goes on."""

import json
import tracemalloc
from typing import Any, Final

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.gates import Gate
from sidecar.core.plan import Plan, Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.body import BodyField, BodyIs, BodyText, MetadataField, canonical
from sidecar.core.rules.facts import Fact
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.logic import All, Not
from sidecar.core.rules.path import PathIs, PathUnder
from sidecar.core.rules.size import SizeWithin
from sidecar.core.rules.where import OneOf
from sidecar.wire.ext_proc import LARGEST_CHUNK
from tests.builders import a_route, an_endpoint, lines_run
from tests.wire.messages import (
    FULL_DUPLEX,
    Stream,
    body,
    chunks,
    empty,
    phase_of,
    request_headers,
    set_headers,
)

LIMIT: Final = 200_000
JSON: Final = ("content-type", "application/json")


def is_(path: str, value: object) -> BodyIs:
    text = canonical(value)
    assert text is not None
    return BodyIs(BodyField(path), (text,))


def a_stream(*routes: tuple[str, Matcher], gates: tuple[Gate, ...] = (), feedback: bool = False) -> Stream:
    """Each route has a cluster of its own name; what no other takes goes to `other`."""
    stream = Stream(feedback=feedback)
    made: list[Route] = [
        a_route(name, matcher, [an_endpoint(cluster=name)]) for name, matcher in (*routes, ("other", All(())))
    ]
    stream.router.engine.swap(Plan(2, made, gates=gates, body_limit=LIMIT))
    return stream


def head(
    *headers: tuple[str, str | bytes], path: str = "/", end_of_stream: bool = False, method: str = "POST"
) -> Any:
    return request_headers(
        path, *headers, method=method, request_mode=FULL_DUPLEX, end_of_stream=end_of_stream
    )


def cluster_of(answer: Any) -> str:
    return set_headers(answer)["x-sidecar-cluster"]


def given_back(answers: list[Any]) -> bytes:
    return b"".join(chunk.body for chunk in chunks(answers))


def check_whole(answers: list[Any], data: bytes, *, trailers: bool) -> None:
    """The answers to a request's whole body: one to the headers, every byte, one end."""
    phases = [phase_of(answer) for answer in answers]
    assert phases.count("request_headers") == 1
    assert phases[0] == "request_headers"
    assert phases.count("request_trailers") == trailers
    bodies = [answer for answer in answers if phase_of(answer) == "request_body"]
    assert given_back(bodies) == data
    assert max((len(chunk.body) for chunk in chunks(bodies)), default=0) <= LARGEST_CHUNK
    ends = [chunk.end_of_stream for chunk in chunks(bodies)]
    if trailers:
        assert phases[-1] == "request_trailers"
        assert not any(ends)
    else:
        assert ends == [False] * (len(ends) - 1) + [True]


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2 * LARGEST_CHUNK)), max_size=6),
    trailers=st.booleans(),
    last_is_empty=st.booleans(),
    json_body=st.booleans(),
    waits=st.sampled_from(["field", "size", "both", "nothing"]),
    feedback=st.booleans(),
)
def test_every_byte_comes_back_once_whatever_the_parts(
    sizes: list[int], trailers: bool, last_is_empty: bool, json_body: bool, waits: str, feedback: bool
) -> None:
    """checklist 10, M7, M8"""
    asked: dict[str, list[tuple[str, Matcher]]] = {
        "field": [("one", is_("a", 1))],
        "size": [("one", SizeWithin(50_000))],
        "both": [("one", is_("a", 1)), ("two", SizeWithin(70, 90_000))],
        "nothing": [],
    }
    stream = a_stream(*asked[waits], feedback=feedback)
    stream.router.engine.swap(Plan(3, stream.router.engine.plan.routes, body_limit=1_000_000))
    parts = [bytes((at + place) % 251 for at in range(size)) for place, size in enumerate(sizes)]
    if last_is_empty or (not parts and not trailers):
        parts.append(b"")
    answers = stream.send(head(JSON) if json_body else head())
    for place, part in enumerate(parts):
        answers += stream.send(body(part, end=not trailers and place == len(parts) - 1))
    assert stream.machine.owes is trailers
    if trailers:
        answers += stream.send(empty("request_trailers"))

    check_whole(answers, b"".join(parts), trailers=trailers)
    assert len(stream.router.asked) == 1
    assert len(stream.router.engine.state.tickets) == 1
    assert not stream.machine.owes
    assert stream.machine.finished is not feedback


def test_waits_for_the_whole_body_where_a_rule_asks_for_a_field() -> None:
    """M7"""
    stream = a_stream(("second", is_("items.1.name", "second")))

    assert stream.send(head(JSON)) == []
    assert stream.send(body(b'{"items": [{"name": "first"},')) == []
    assert len(stream.router.engine.state.tickets) == 0
    answers = stream.send(body(b' {"name": "second"}]}', end=True))

    assert cluster_of(answers[0]) == "second"
    assert given_back(answers[1:]) == b'{"items": [{"name": "first"}, {"name": "second"}]}'


def test_trailers_end_the_body_that_a_rule_waits_for() -> None:
    """M7, checklist 10"""
    stream = a_stream(("one", is_("n", 1)))
    stream.send(head(JSON))
    stream.send(body(b'{"n": 1}'))

    answers = stream.send(empty("request_trailers"))

    assert [phase_of(answer) for answer in answers] == ["request_headers", "request_body", "request_trailers"]
    assert cluster_of(answers[0]) == "one"
    assert not chunks([answers[1]])[0].end_of_stream


@pytest.mark.parametrize("end", [False, True])
def test_counts_only_as_far_as_a_rule_asks(end: bool) -> None:
    """M8"""
    stream = a_stream(("large", SizeWithin(1000)))

    assert stream.send(head()) == []
    assert stream.send(body(b"x" * 999)) == []
    answers = stream.send(body(b"x", end=end))

    assert cluster_of(answers[0]) == "large"
    assert given_back(answers[1:]) == b"x" * 1000


def test_a_body_that_ends_before_is_smaller() -> None:
    """M8"""
    stream = a_stream(("large", SizeWithin(1000)), ("small", SizeWithin(0, 500)))
    stream.send(head())

    answers = stream.send(body(b"x" * 500, end=True))

    assert cluster_of(answers[0]) == "small"


def test_does_not_wait_for_a_size_that_it_would_never_count_to() -> None:
    """M8: it is not known then, and what is not known never fits."""
    stream = a_stream(("huge", SizeWithin(LIMIT + 1)))

    assert cluster_of(stream.ask(head())) == "other"


def test_a_size_with_an_upper_bound_waits_up_to_the_limit() -> None:
    """M8"""
    stream = a_stream(("small", SizeWithin(0, 10 * LIMIT)))
    assert stream.send(head()) == []
    assert stream.send(body(b"x" * LIMIT)) == []

    assert cluster_of(stream.send(body(b"x"))[0]) == "other"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (head(), "it is no JSON"),
        (head(JSON, ("content-encoding", "gzip")), "it is compressed"),
        (head(JSON, path="/elsewhere"), "no rule asks there"),
        (head(JSON, end_of_stream=True), "there is no body"),
        (head(JSON, ("upgrade", "websocket"), method="GET"), "the client waits for the answer"),
        (head(JSON, method="CONNECT"), "the client waits for the answer"),
        (head(("content-type", "application/grpc+proto"), path="/sized"), "it may go on without end"),
        (head(JSON, ("x-skip", "yes")), "an earlier route takes it"),
    ],
)
def test_answers_at_once_where_nothing_is_to_be_waited_for(message: Any, why: str) -> None:
    """M7, checklist 12"""
    skip = All((PathIs("/"), OneOf(HeaderField("x-skip"), ("yes",))))
    stream = a_stream(
        ("sized", All((PathIs("/sized"), SizeWithin(1000)))),
        ("skip", skip),
        ("one", All((PathUnder("/"), Not(PathUnder("/elsewhere")), is_("n", 1)))),
    )

    assert phase_of(stream.ask(message)) == "request_headers", why


def test_a_size_that_is_told_is_not_counted() -> None:
    """M8"""
    stream = a_stream(("large", SizeWithin(1000)))

    assert cluster_of(stream.ask(head(("content-length", "5000")))) == "large"


def test_what_was_found_too_early_is_not_remembered() -> None:
    """M9: a fact whose source is the body is resolved anew when it is there."""
    model = Fact("model", (HeaderField("x-ai-model"), BodyText("model")))
    stream = a_stream(("four", OneOf(model, ("gpt-4",))))
    stream.send(head(JSON))

    assert cluster_of(stream.send(body(b'{"model": "gpt-4"}', end=True))[0]) == "four"


def test_a_rule_may_ask_for_more_when_it_knows_the_first() -> None:
    """M7 M8: a large body is looked into, others are not waited for."""
    stream = a_stream(("one", All((SizeWithin(10), is_("n", 1)))))
    stream.send(head(JSON))

    assert stream.send(body(b'{"n": 1, "x"')) == []
    answers = stream.send(body(b": 2}", end=True))

    assert cluster_of(answers[0]) == "one"


def refused(answers: list[Any]) -> int:
    (answer,) = answers
    return int(answer.immediate_response.status.code)


def test_a_body_that_is_said_to_be_over_the_limit_is_refused_at_once() -> None:
    """M7"""
    stream = a_stream(("one", is_("n", 1)))

    assert refused(stream.send(head(JSON, ("content-length", str(LIMIT + 1))))) == 413
    assert stream.machine.finished
    assert not stream.machine.owes
    assert [each.reason for each in stream.router.refused] == [Reason.TOO_LARGE]


def test_a_body_that_grows_over_the_limit_is_refused_then() -> None:
    """M7"""
    stream = a_stream(("one", is_("n", 1)))
    stream.send(head(JSON))

    assert stream.send(body(b"x" * LIMIT)) == []
    assert refused(stream.send(body(b"x"))) == 413
    assert stream.machine.finished


def test_a_body_whose_last_part_is_over_the_limit_is_refused_too() -> None:
    """M7: no other answer by the way it was cut."""
    stream = a_stream(("high", is_("data.priority", "high")))
    large = b'{"data": {"priority": "high"}, "rest": "%s"}' % (b"x" * LIMIT)
    assert stream.send(head(JSON)) == []
    assert stream.send(body(large[: LIMIT - 1])) == []

    answer = stream.ask(body(large[LIMIT - 1 :], end=True))

    assert answer.immediate_response.status.code == 413


def test_a_refusal_needs_no_byte_of_the_body() -> None:
    """M7, X3"""
    gate = Gate("g", is_("n", 1), Refusal(Reason.REJECTED))
    stream = a_stream(gates=(gate,))
    stream.send(head(JSON))

    assert refused(stream.send(body(b'{"n": 1}', end=True))) == 403
    assert stream.machine.finished


def upload(most: int) -> Gate:
    return Gate("upload", SizeWithin(most + 1), Refusal(Reason.TOO_LARGE))


def test_an_upload_is_refused_as_soon_as_it_is_too_large() -> None:
    """Q4 M8: though it was on its way already, because nobody waits that long."""
    stream = a_stream(gates=(upload(LIMIT + 50),))

    assert cluster_of(stream.ask(head())) == "other"
    assert given_back(stream.send(body(b"x" * LIMIT))) == b"x" * LIMIT
    assert given_back(stream.send(body(b"x" * 50))) == b"x" * 50
    assert refused(stream.send(body(b"x", end=True))) == 413
    assert stream.machine.finished
    assert not stream.machine.owes


def test_an_upload_that_ends_in_time_passes() -> None:
    """Q4 M8"""
    stream = a_stream(gates=(upload(LIMIT + 50),))
    answers = stream.send(head())
    for part, end in ((b"x" * LIMIT, False), (b"x" * 50, True)):
        answers += stream.send(body(part, end=end))

    check_whole(answers, b"x" * (LIMIT + 50), trailers=False)


def test_a_small_upload_is_refused_before_it_is_decided() -> None:
    """Q4 M8"""
    stream = a_stream(gates=(upload(1000),))
    stream.send(head())

    assert refused(stream.send(body(b"x" * 1001))) == 413
    assert len(stream.router.engine.state.tickets) == 0


def test_a_large_body_passes_in_little_memory() -> None:
    """M8: no more of it is held than a few parts."""
    stream = a_stream(("large", SizeWithin(1000)))
    stream.send(head())
    part = body(b"x" * 250_000).SerializeToString()
    stream.send(body(b"x" * 1000))

    tracemalloc.start()
    try:
        for _ in range(40):
            for reply in stream.machine.receive(part):
                assert len(reply) < 63_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 400_000


def test_a_body_of_many_small_parts_is_held_in_one_piece() -> None:
    """M7"""
    stream = a_stream(("one", is_("n", 1)))
    stream.send(head(JSON))
    part = body(b"xxxx").SerializeToString()

    tracemalloc.start()
    try:
        for _ in range(20_000):
            assert list(stream.machine.receive(part)) == []
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 4 * 80_000


def test_the_work_grows_with_the_size_and_no_faster() -> None:
    """M7"""

    def fed(parts: int) -> int:
        stream = a_stream(("one", is_("n", 1)))
        stream.send(head(JSON))
        part = body(b"x" * 10).SerializeToString()

        def feed() -> None:
            for _ in range(parts):
                for _reply in stream.machine.receive(part):
                    pass
            for _reply in stream.machine.receive(body(end=True).SerializeToString()):
                pass

        return lines_run(feed)

    assert fed(2000) < 2.2 * fed(1000)


def test_bodies_in_any_spelling_of_the_message_come_back() -> None:
    """A message with fields that are seldom there is left to the library."""
    stream = a_stream(("large", SizeWithin(5)))
    stream.send(head())
    message = body(b"hello", end=False)
    message.metadata_context.filter_metadata["a"].update({"b": 1})

    answers = stream.send(message)
    message = body(b"more", end=True)
    message.attributes["a"].update({"b": 1})
    answers += stream.send(message)

    check_whole(answers, b"hellomore", trailers=False)


def test_claims_count_beside_the_body() -> None:
    """M10: what Envoy's filters said comes with the headers."""
    tier = OneOf(MetadataField("jwt", "claims.tier"), ("gold",))
    stream = a_stream(("gold", All((tier, is_("n", 1)))))
    message = head(JSON)
    message.metadata_context.filter_metadata["jwt"].update({"claims": {"tier": "gold"}})
    stream.send(message)

    assert cluster_of(stream.send(body(json.dumps({"n": 1}).encode(), end=True))[0]) == "gold"


def test_messages_after_the_end_get_answers_of_their_own_phase() -> None:
    """checklist 11: a second end of the stream, or trailers after it."""
    stream = a_stream(("one", is_("n", 1)), feedback=True)
    stream.send(head(JSON))
    stream.send(body(b"{}", end=True))

    again: ext_proc.ProcessingResponse = stream.ask(body(b"", end=True))
    assert chunks([again])[0].end_of_stream
    assert phase_of(stream.ask(empty("request_trailers"))) == "request_trailers"
    assert phase_of(stream.ask(head(JSON))) == "request_headers"
