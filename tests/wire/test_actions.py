"""What a route does on the way, as Envoy and callers of RouteService get it."""

from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.json_format import MessageToDict

from sidecar import names
from sidecar.core.decision import Decision
from sidecar.core.happening import Drawn, Happening
from sidecar.core.plan import HeaderChanges, Rewrite, Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Redirect, Reply
from sidecar.v1 import route_pb2
from sidecar.wire.answers import Answers
from sidecar.wire.route import encode_answer
from tests.builders import ALWAYS, a_plan, a_request, a_route, a_variant, an_engine, decided
from tests.wire.messages import Stream, request_headers, set_headers

OVERWRITE: int = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
APPEND: int = base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD


def acting(**does: Any) -> Route:
    return Route("main", ALWAYS, (a_variant("main"),), **does)


def a_step(name: str, rank: int, **changes: Any) -> Route:
    return Route(name, ALWAYS, (), priority=rank, request_headers=HeaderChanges(**changes))


def parsed(encoded: bytes) -> Any:
    return ext_proc.ProcessingResponse.FromString(encoded)


def answered(*routes: Route, target: str = "/x") -> Any:
    return Stream(*routes).ask(request_headers(target))


def told(answer: Any) -> Any:
    return route_pb2.RouteResponse.FromString(encode_answer(answer))


@pytest.mark.parametrize(
    ("timeout_s", "header"), [(-1.0, None), (0.0, "0"), (0.0001, "1"), (1.5, "1500"), (86400.0, "86400000")]
)
def test_a_timeout_travels_in_a_header(timeout_s: float, header: str | None) -> None:
    """A5"""
    assert set_headers(answered(acting(timeout_s=timeout_s))).get(names.TIMEOUT_HEADER) == header


def test_labels_travel_in_a_namespace_of_their_own() -> None:
    """A8: beside the ticket they would slow down every log entry that brings it back."""
    labels = (("cpu", "4000m"), ("gpu", "1"), ("sla", "99.9%"), ("metrics_retention", "30d"))

    metadata = MessageToDict(answered(acting(labels=labels)).dynamic_metadata)

    assert metadata[names.LABELS_NAMESPACE] == dict(labels)
    assert list(metadata[names.METADATA_NAMESPACE]) == [names.TICKET_KEY]


def test_without_labels_there_is_no_namespace() -> None:
    """A8"""
    assert names.LABELS_NAMESPACE not in MessageToDict(answered(acting()).dynamic_metadata)


@pytest.mark.parametrize(
    ("drawn", "headers"),
    [
        (Drawn(250, 0, ""), {names.DELAY_HEADER: "250"}),
        (Drawn(0, 503, ""), {names.ABORT_HEADER: "503"}),
        (Drawn(0, 0, "shadow"), {names.MIRROR_HEADER: "shadow"}),
        (
            Drawn(1, 418, "shadow"),
            {names.DELAY_HEADER: "1", names.ABORT_HEADER: "418", names.MIRROR_HEADER: "shadow"},
        ),
    ],
)
def test_what_was_drawn_travels_in_headers_besides_the_usual_answer(
    drawn: Drawn, headers: dict[str, str]
) -> None:
    """A6, A7"""
    usual = decided(an_engine(acting(rewrite=Rewrite("/api"))), a_request("/api/x"))
    drawn_too = Decision(
        usual.route, usual.variant, usual.endpoint, [], usual.target, 1, usual.generation, drawn
    )
    drawn_too.ticket = usual.ticket
    answers = Answers()

    plain, happening = parsed(answers.encode(usual)), parsed(answers.encode(drawn_too))

    assert set_headers(happening) == set_headers(plain) | headers
    assert set_headers(happening)[":path"] == "/x"
    assert happening.dynamic_metadata == plain.dynamic_metadata
    assert happening.request_headers.response.clear_route_cache
    assert answers.encode(usual) == Answers().encode(usual)  # what was drawn once sticks to no other request


def test_each_draw_is_told_for_itself() -> None:
    """A6"""
    engine = an_engine(acting(happening=Happening(100, 0.5, 503, 0.5, "shadow", 0.5)), seed=5)
    answers = Answers()
    seen = set()

    for _ in range(200):
        decision = decided(engine)
        headers = set_headers(parsed(answers.encode(decision)))
        drawn = decision.drawn or Drawn(0, 0, "")
        assert headers.get(names.DELAY_HEADER, "0") == str(drawn.delay_ms)
        assert headers.get(names.ABORT_HEADER, "0") == str(drawn.abort_status)
        assert headers.get(names.MIRROR_HEADER, "") == drawn.mirror
        seen.add((drawn.delay_ms, drawn.abort_status, drawn.mirror))

    assert len(seen) == 8


STEPS = (
    a_step("first", 2, set=(("x-a", "1"), ("x-b", "1")), add=(("x-more", "1"),), remove=("x-gone",)),
    a_step("second", 1, set=(("x-b", "2"),), add=(("x-more", "2"), ("x-once", "2"))),
)
LAST = acting(request_headers=HeaderChanges(set=(("x-c", "3"), ("x-once", "3")), remove=("x-a",)))


def test_changes_of_steps_and_the_route_are_one() -> None:
    """A3: each sees what those before it have done."""
    mutation = answered(*STEPS, LAST).request_headers.response.header_mutation

    options = [(each.header.key, each.header.raw_value, each.append_action) for each in mutation.set_headers]
    assert options[2:] == [
        ("x-b", b"2", OVERWRITE),
        ("x-c", b"3", OVERWRITE),
        ("x-once", b"3", OVERWRITE),
        ("x-more", b"1", APPEND),
        ("x-more", b"2", APPEND),
    ]
    assert list(mutation.remove_headers) == ["x-gone", "x-a"]


def test_callers_of_route_service_get_the_same_changes() -> None:
    """A3, V1"""
    decision = told(decided(an_engine(*STEPS, LAST))).decision

    assert [(each.name, each.value) for each in decision.set_headers] == [
        ("x-b", "2"),
        ("x-c", "3"),
        ("x-once", "3"),
    ]
    assert [(each.name, each.value) for each in decision.add_headers] == [("x-more", "1"), ("x-more", "2")]
    assert list(decision.remove_headers) == ["x-gone", "x-a"]
    assert list(decision.steps) == ["first", "second"]


def test_a_route_answers_otherwise_after_other_steps() -> None:
    """A3: the answer that is kept for one way is not given for another."""
    engine = an_engine(LAST)
    answers = Answers()
    alone = answers.encode(decided(engine))

    engine.swap(a_plan(*STEPS, LAST))

    assert b"x-gone" not in alone
    assert b"x-gone" in answers.encode(decided(engine))


def test_a_fixed_reply_is_an_immediate_response() -> None:
    """A7"""
    reply = Reply("r", 451, (("content-type", "text/plain"), ("x-a", "ü")), "gone: ü")

    immediate = parsed(Answers().encode(reply)).immediate_response

    assert immediate.status.code == 451
    assert immediate.body == "gone: ü".encode()
    assert [(each.header.key, each.header.raw_value) for each in immediate.headers.set_headers] == [
        ("content-type", b"text/plain"),
        ("x-a", "ü".encode()),
    ]


def test_a_reply_is_kept_only_as_long_as_it_is_the_same_one() -> None:
    """A7, V4"""
    answers = Answers()
    before, after = Reply("r", 200, (), "before"), Reply("r", 200, (), "after")

    assert answers.encode(before) is answers.encode(before)
    assert b"after" in answers.encode(after)
    assert b"before" in answers.encode(before)


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/old/x", "/new/x"),
        ("/old/a%20b?c=%2f", "/new/a%20b?c=%2f"),
        ("/old/ü", "/new/%C3%BC"),
        ("/old/\udcff", "/new/%FF"),
        ("/old/a b", "/new/a%20b"),
        ("/old/a\r\nset-cookie: a=b", "/new/a%0D%0Aset-cookie:%20a=b"),
        ("/old/\x00\x7f", "/new/%00%7F"),
    ],
)
def test_a_location_is_plain_whatever_was_asked(asked: str, location: str) -> None:
    """A7, checklist 3"""
    redirect = Redirect("r", 301, lambda path: path.replace("/old", "/new"))

    answer = parsed(Answers().encode(redirect.reply(a_request(asked))))

    (option,) = answer.immediate_response.headers.set_headers
    assert (option.header.key, option.header.raw_value) == ("location", location.encode())


def test_a_refusal_may_have_a_text_of_its_own() -> None:
    """A2"""
    refused = parsed(
        Answers().encode(Refusal(Reason.MAINTENANCE, "r", status=599, body="zurück um zwölf"))
    ).immediate_response

    assert refused.status.code == 599
    assert refused.body == "zurück um zwölf".encode()
    (option,) = refused.headers.set_headers
    assert option.header.raw_value == b"text/plain; charset=utf-8"
    assert refused.details == "sidecar_maintenance"


def test_refusals_of_one_reason_are_told_apart() -> None:
    """A2"""
    answers = Answers()
    several = [
        Refusal(Reason.REJECTED),
        Refusal(Reason.REJECTED, status=410),
        Refusal(Reason.REJECTED, message="closed"),
        Refusal(Reason.REJECTED, body="closed"),
        Refusal(Reason.REJECTED, body=""),
    ]

    assert len({answers.encode(each) for each in several}) == len(several)
    assert [answers.encode(each) for each in several] == [Answers().encode(each) for each in several]
    assert answers.encode(several[0]) is answers.encode(Refusal(Reason.REJECTED, "another route"))


def test_callers_of_route_service_get_the_reply() -> None:
    """A7, V1"""
    reply = told(Reply("robots", 200, (("content-type", "text/plain"),), "User-agent: *")).reply

    assert (reply.route, reply.status, reply.body) == ("robots", 200, b"User-agent: *")
    assert [(each.name, each.value) for each in reply.headers] == [("content-type", "text/plain")]


def test_callers_of_route_service_get_what_was_drawn() -> None:
    """A5, A6, A7, V1"""
    route = acting(timeout_s=2.5, happening=Happening(250, 1.0, 418, 1.0, "shadow", 1.0))

    decision = told(decided(an_engine(route))).decision

    assert decision.timeout_seconds == 2.5
    assert (decision.fault.delay_seconds, decision.fault.abort_status) == (0.25, 418)
    assert decision.mirror == "shadow"


def test_callers_of_route_service_see_where_nothing_is_said() -> None:
    """V1: a timeout of 0 is no limit, and none is the caller's own."""
    decision = told(decided(an_engine(a_route()))).decision

    assert not decision.HasField("timeout_seconds")
    assert not decision.HasField("fault")
    assert decision.mirror == ""
    assert told(decided(an_engine(acting(timeout_s=0.0)))).decision.HasField("timeout_seconds")
