"""Decisions and refusals as Envoy gets them."""

import json
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.json_format import MessageToDict

from sidecar.core.decision import Decision
from sidecar.core.plan import HeaderChanges, Rewrite, Route
from sidecar.core.refusal import REFUSED, Reason, Refusal
from sidecar.core.rules.path import PathUnder
from sidecar.wire.answers import Answers
from tests.builders import a_plan, a_request, a_route, an_endpoint, an_engine, decided, ticket_of
from tests.wire.messages import Stream, phase_of, request_headers, set_headers

OVERWRITE: int = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
APPEND: int = base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD

A_AND_B = (an_endpoint("a", address="10.0.0.1:80"), an_endpoint("b", address="10.0.0.2:80"))
EDITS = HeaderChanges(set=(("x-api", "v1"),), add=(("x-seen", "yes"),), remove=("x-debug", "x-internal"))
EVERYTHING = a_route(
    to=A_AND_B, want=2, request_headers=EDITS, rewrite=Rewrite(strip_prefix="/api", host="shop.internal")
)


def answered(*routes: Route, target: str = "/api/x?y=1") -> Any:
    return Stream(*routes).ask(request_headers(target))


def parsed(encoded: bytes) -> Any:
    return ext_proc.ProcessingResponse.FromString(encoded)


def options(answer: Any) -> list[tuple[str, bytes, int]]:
    found = answer.request_headers.response.header_mutation.set_headers
    return [(each.header.key, each.header.raw_value, each.append_action) for each in found]


def metadata(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(answer.dynamic_metadata)
    return found


def test_names_the_cluster_and_the_route_and_has_the_route_chosen_anew() -> None:
    """checklist 2, 6"""
    answer = answered(a_route("checkout"))

    assert answer.request_headers.response.clear_route_cache
    assert options(answer) == [
        ("x-sidecar-cluster", b"shop", OVERWRITE),
        ("x-sidecar-route", b"checkout", OVERWRITE),
    ]


def test_names_the_endpoint_and_the_ticket_in_metadata() -> None:
    """F1, H1"""
    assert metadata(answered()) == {
        "envoy.lb": {"x-gateway-destination-endpoint": "10.0.0.1:80"},
        "sidecar": {"ticket": "0000000000000001"},
    }


def test_names_the_fallbacks_in_their_order() -> None:
    """F1"""
    assert metadata(answered(EVERYTHING))["envoy.lb"] == {
        "x-gateway-destination-endpoint": "10.0.0.1:80,10.0.0.2:80"
    }


def test_names_no_endpoint_where_envoy_picks_the_address() -> None:
    """A1"""
    whole_cluster = a_route(to=[an_endpoint("shop", address="")])

    assert "envoy.lb" not in metadata(answered(whole_cluster))


@pytest.mark.parametrize("epoch", [0, 1, 0xABCDE, 0xFFFFF])
def test_the_ticket_has_sixteen_digits_whatever_its_size(epoch: int) -> None:
    """H1: the encoded answer is kept with a gap of that length."""
    stream = Stream(epoch=epoch)
    tickets = [metadata(stream.ask(request_headers()))["sidecar"]["ticket"]]

    assert tickets == [f"{(epoch << 40) + 1:016x}"]


def test_an_answer_that_was_kept_differs_in_its_ticket_alone() -> None:
    answers = Answers()
    engine = an_engine(EVERYTHING)
    request = a_request("/api/x")

    first, second, third = (answers.encode(decided(engine, request)) for _ in range(3))

    assert first != third  # b was first in the second answer
    assert first == third.replace(b"0000000000000003", b"0000000000000001")
    assert second != first.replace(b"0000000000000001", b"0000000000000002")


def test_a_new_generation_is_encoded_anew() -> None:
    """V4: the same endpoint may have other headers after a reload."""
    answers = Answers()
    engine = an_engine(a_route(request_headers=HeaderChanges(set=(("x-api", "v1"),))))
    assert b"v1" in answers.encode(decided(engine))

    engine.swap(a_plan(a_route(request_headers=HeaderChanges(set=(("x-api", "v2"),))), generation=2))

    assert b"v2" in answers.encode(decided(engine))


def test_routes_that_share_an_endpoint_keep_their_own_answers() -> None:
    """A4"""
    shared = an_endpoint()
    engine = an_engine(
        a_route("one", PathUnder("/one"), [shared]), a_route("two", PathUnder("/two"), [shared])
    )
    answers = Answers()
    encoded = [answers.encode(decided(engine, a_request(target))) for target in ("/one", "/two", "/one")]

    assert [set_headers(parsed(each))["x-sidecar-route"] for each in encoded] == ["one", "two", "one"]


def test_sets_adds_and_removes_headers() -> None:
    """A4, checklist 2"""
    answer = answered(EVERYTHING)

    assert list(answer.request_headers.response.header_mutation.remove_headers) == ["x-debug", "x-internal"]
    assert ("x-api", b"v1", OVERWRITE) in options(answer)
    assert ("x-seen", b"yes", APPEND) in options(answer)


def test_rewrites_the_host_and_the_path() -> None:
    """A4: the path is a message of its own behind the kept one; parsed, there is exactly one."""
    found = options(answered(EVERYTHING))

    assert [each for each in found if each[0] == ":path"] == [(":path", b"/x?y=1", OVERWRITE)]
    assert [each for each in found if each[0] == ":authority"] == [
        (":authority", b"shop.internal", OVERWRITE)
    ]


def test_the_appended_path_takes_nothing_away() -> None:
    """A4"""
    plain = a_route(to=A_AND_B, want=2, request_headers=EDITS, rewrite=Rewrite(host="shop.internal"))
    rewritten, kept = answered(EVERYTHING), answered(plain)

    mutation = rewritten.request_headers.response.header_mutation
    del mutation.set_headers[-1]
    assert rewritten == kept


def test_a_path_that_stays_is_not_sent() -> None:
    """A4: setting it would be a pseudo-header mutation for nothing."""
    assert ":path" not in set_headers(answered(EVERYTHING, target="/other"))


def test_a_path_that_is_not_utf_8_leaves_with_the_same_bytes() -> None:
    """checklist 5"""
    answer = Stream(EVERYTHING).ask(request_headers(b"/api/\xff\xfe"))

    assert (":path", b"/\xff\xfe", OVERWRITE) in options(answer)


@pytest.mark.parametrize("control", [chr(code) for code in (*range(9), *range(10, 32), 127)])
def test_a_control_character_never_leaves_in_the_path(control: str) -> None:
    """checklist 3: it would turn the request into a 500. It leaves escaped, as a URL has it."""
    answer = answered(EVERYTHING, target=f"/api/a{control}b")

    for name, value, _ in options(answer):
        assert control.encode() not in value, name


def test_writes_raw_values_only() -> None:
    """checklist 1: a set `value` would become an empty header."""
    assert not [
        each.header.key
        for each in answered(EVERYTHING).request_headers.response.header_mutation.set_headers
        if each.header.value or not each.header.raw_value
    ]
    refusal = answered(a_route(matcher=PathUnder("/nowhere")))
    assert not [each for each in refusal.immediate_response.headers.set_headers if each.header.value]


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_an_immediate_response(reason: Reason) -> None:
    """M18, checklist 20: always with a status, and a body for programs."""
    status, sentence = REFUSED[reason]
    answer = parsed(Answers().encode(Refusal(reason, "some-route")))

    assert phase_of(answer) == "immediate_response"
    refused = answer.immediate_response
    assert refused.status.code == status
    assert json.loads(refused.body) == {"reason": reason.value, "message": sentence}
    assert refused.body.endswith(b"\n")
    assert refused.details == f"sidecar_{reason.value}"
    assert [(each.header.key, each.header.raw_value) for each in refused.headers.set_headers] == [
        ("content-type", b"application/json")
    ]


def test_a_refusal_for_want_of_a_route_is_a_404() -> None:
    """M18"""
    answer = answered(a_route(matcher=PathUnder("/shop")))

    assert answer.immediate_response.status.code == 404
    assert not answer.HasField("dynamic_metadata")


def test_a_refusal_for_want_of_an_endpoint_is_a_503() -> None:
    """H7"""
    answer = answered(a_route(to=[an_endpoint(weight=0)]))

    assert answer.immediate_response.status.code == 503


def test_a_decision_that_awaits_no_outcome_has_the_ticket_zero() -> None:
    """checklist 17: the way out after a failure."""
    admitted = decided(an_engine())
    nothing = Decision(admitted.route, admitted.variant, admitted.endpoint, [], None, 1, 1)

    assert b"0" * 16 in Answers().encode(nothing)


def test_answers_stay_right_when_there_are_more_than_are_kept() -> None:
    many = [an_endpoint(f"e{at}", address=f"10.0.0.{at}:80") for at in range(1, 31)]
    engine = an_engine(a_route(to=many, want=8, strategy="random"))
    answers = Answers()
    for _ in range(9000):
        decision = decided(engine)
        encoded = answers.encode(decision)
        picked = ",".join(each.address for each in (decision.endpoint, *decision.fallbacks))
        assert picked.encode() in encoded
        assert f"{ticket_of(decision):016x}".encode() in encoded
