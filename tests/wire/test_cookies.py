"""The cookie of a session, over both wires."""

from typing import Any

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.json_format import MessageToDict

from sidecar import names
from sidecar.core.cookie import SessionCookie
from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.plan import Route, Variant
from sidecar.core.request import Request
from sidecar.core.seal import Seal
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.strategies.sticky import Sticky
from sidecar.wire.answers import Answers
from sidecar.wire.route import answer_message, explanation_message, reason
from tests.builders import ALWAYS, a_request, an_endpoint, an_engine, decided

TWO = (an_endpoint("a", address="10.0.0.1:80"), an_endpoint("b", address="10.0.0.2:80"))


def an_engine_with_a_cookie() -> Engine:
    cookie = SessionCookie("route", Seal((b"0123456789abcdef",)), 300.0, {"main": TWO})
    strategy = Sticky(RoundRobin(), cookie=cookie, arm="main")
    variant = Variant("main", "main", TWO, strategy, "round_robin")
    labels = (("gpu", "1"),)
    return an_engine(Route("main", ALWAYS, (variant,), cookie=cookie, labels=labels))


def back_with(decision: Decision) -> Request:
    value = decision.cookie.partition(";")[0]
    return a_request("/", ("cookie", value))


def metadata(answers: Answers, decision: Decision) -> dict[str, Any]:
    answer = ext_proc.ProcessingResponse.FromString(answers.encode(decision))
    found: dict[str, Any] = MessageToDict(answer.dynamic_metadata)
    return found


def test_envoy_gets_the_cookie_beside_what_it_gets_otherwise() -> None:
    """S16: and without one nothing of it, from answers that were kept."""
    engine = an_engine_with_a_cookie()
    answers = Answers()
    first = decided(engine)

    with_it = metadata(answers, first)
    without = metadata(answers, decided(engine, back_with(first)))

    assert with_it.pop(names.COOKIE_NAMESPACE) == {names.COOKIE_KEY: first.cookie}
    assert with_it.keys() == without.keys()
    assert {names.METADATA_NAMESPACE, names.ENDPOINT_NAMESPACE, names.LABELS_NAMESPACE} == without.keys()
    assert with_it[names.ENDPOINT_NAMESPACE] == without[names.ENDPOINT_NAMESPACE]


def test_each_client_gets_its_own() -> None:
    """S16: of two with the same endpoint, at other times."""
    engine = an_engine_with_a_cookie()
    answers = Answers()
    decisions = []
    for at in (0.0, 0.0, 5.0):
        request = a_request()
        request.received_at = at
        decisions.append(decided(engine, request))

    told = [metadata(answers, each)[names.COOKIE_NAMESPACE][names.COOKIE_KEY] for each in decisions]

    assert decisions[0].endpoint is decisions[2].endpoint
    assert told == [each.cookie for each in decisions]
    assert len(set(told)) == 3


def test_a_caller_of_route_service_gets_it_as_a_header_of_the_answer() -> None:
    """S16"""
    engine = an_engine_with_a_cookie()
    first = decided(engine)

    assert list(answer_message(first).decision.set_cookies) == [first.cookie]
    assert list(answer_message(decided(engine, back_with(first))).decision.set_cookies) == []


def test_the_reason_says_that_the_session_stays_and_explaining_gives_no_cookie() -> None:
    """S16"""
    engine = an_engine_with_a_cookie()
    first = decided(engine)
    explained = explanation_message(engine.explain(back_with(first), 0.0)).answer.decision

    assert reason(first) == "route main: round_robin picked a of 2"
    assert explained.reason == "route main: the session stays at a of 2"
    assert explained.endpoint.id == "a"
    assert list(explanation_message(engine.explain(a_request(), 0.0)).answer.decision.set_cookies) == []
