"""RouteService messages carry every field, and refuse what cannot be."""

import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from sidecar.core.decision import Decision
from sidecar.core.explanation import CandidateVerdict, Explanation
from sidecar.core.happening import Happening
from sidecar.core.outcome import Failure
from sidecar.core.plan import HeaderChanges, Rewrite, Route
from sidecar.core.refusal import REFUSED, Reason, Refusal
from sidecar.core.report import UNKNOWN
from sidecar.core.retries import Retries
from sidecar.core.rules.path import PathUnder
from sidecar.core.state.standing import GONE, HEALTHY, OUT, Mark
from sidecar.v1 import route_pb2
from sidecar.wire.route import (
    REASONS,
    Malformed,
    answer_message,
    encode_answer,
    explanation_message,
    load_of,
    outcome_of,
    parsed,
    request_of_message,
)
from tests.builders import (
    ALWAYS,
    a_request,
    a_route,
    a_split_route,
    a_variant,
    an_endpoint,
    an_engine,
    decided,
)

A_AND_B = (an_endpoint("a", address="10.0.0.1:80"), an_endpoint("b", address="10.0.0.2:80"))
EVERYTHING = Route(
    "all",
    PathUnder("/api"),
    (a_variant("main", A_AND_B, pool="all"),),
    want=2,
    happening=Happening(250, 1.0, 418, 1.0, "shadow", 1.0),
    timeout_s=2.5,
    request_headers=HeaderChanges(
        set=(("x-api", "v1"),), add=(("x-seen", "1"), ("x-seen", "2")), remove=("x-debug",)
    ),
    rewrite=Rewrite("/api", host="shop.internal"),
    labels=(("gpu", "1"), ("sla", "99.9%")),
    retries=Retries(2, (503,), (Failure.CONNECTION,), ("GET",)),
)


def shown(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def test_a_decision_carries_every_field() -> None:
    """V1, V2, A8"""
    step = Route("step", ALWAYS, (), priority=1)
    answer = decided(an_engine(step, EVERYTHING), a_request("/api/x?y=1"))
    answer.cookie = "route=x; Path=/"
    message = route_pb2.RouteResponse.FromString(encode_answer(answer))

    assert shown(message.decision) == {
        "ticket": "1",
        "route": "all",
        "variant": "main",
        "cluster": "shop",
        "endpoint": {"cluster": "shop", "id": "a", "address": "10.0.0.1:80"},
        "fallbacks": [{"cluster": "shop", "id": "b", "address": "10.0.0.2:80"}],
        "set_headers": [{"name": "x-api", "value": "v1"}],
        "add_headers": [{"name": "x-seen", "value": "1"}, {"name": "x-seen", "value": "2"}],
        "remove_headers": ["x-debug"],
        "path": "/x?y=1",
        "host": "shop.internal",
        "weights": [{"variant": "main", "share": 1.0}],
        "reason": "route all: round_robin picked a of 2",
        "candidates_considered": 2,
        "strategy": "round_robin",
        "labels": {"gpu": "1", "sla": "99.9%"},
        "generation": "1",
        "timeout_seconds": 2.5,
        "mirror": "shadow",
        "fault": {"delay_seconds": 0.25, "abort_status": 418},
        "steps": ["step"],
        "retry": {
            "attempts": 2,
            "statuses": [503],
            "failures": ["FAILURE_CONNECTION"],
            "backoff": {
                "kind": "BACKOFF_KIND_EXPONENTIAL",
                "base_seconds": 0.025,
                "factor": 2.0,
                "max_seconds": 0.25,
                "jitter": True,
            },
        },
        "set_cookies": ["route=x; Path=/"],
    }
    assert set(shown(message.decision)) == {field.name for field in route_pb2.Decision.DESCRIPTOR.fields}


def test_a_decision_names_its_arm_and_the_weights_in_force() -> None:
    """R4, V2"""
    answer = decided(an_engine(a_split_route("half", {"old": 3, "new": 1})))
    message = answer_message(answer).decision

    assert message.variant in {"old", "new"}
    assert message.reason == f"route half, arm {message.variant}: round_robin picked {message.variant}-0 of 1"
    assert [weight.variant for weight in message.weights] == ["old", "new"]


def test_what_stays_as_it_is_stays_empty() -> None:
    """V2"""
    message = answer_message(decided(an_engine())).decision

    assert (message.path, message.host) == ("", "")
    assert not message.fallbacks


def test_a_decision_that_awaits_no_outcome_has_no_ticket() -> None:
    """V2"""
    admitted = decided(an_engine())
    nothing = Decision(admitted.route, admitted.variant, admitted.endpoint, [], None, 1, 1)

    assert answer_message(nothing).decision.ticket == 0


def test_a_rewritten_path_that_is_not_utf_8_still_fits_a_text_field() -> None:
    """checklist 5"""
    request = a_request(b"/api/\xff".decode("utf-8", "surrogateescape"))
    message = answer_message(decided(an_engine(EVERYTHING), request))

    assert message.decision.path == "/\ufffd"


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_carries_every_field(reason: Reason) -> None:
    """V1"""
    status, sentence = REFUSED[reason]
    message = route_pb2.RouteResponse.FromString(
        encode_answer(Refusal(reason, "some-route", gate="some-gate", body="go away"))
    )

    assert shown(message.refusal) == {
        "reason": f"REFUSAL_REASON_{reason.name}",
        "status": status,
        "message": sentence,
        "route": "some-route",
        "gate": "some-gate",
        "body": "go away",
    }
    assert set(shown(message.refusal)) == {field.name for field in route_pb2.Refusal.DESCRIPTOR.fields}


def test_every_reason_has_a_value_and_every_value_a_reason() -> None:
    """V1"""
    assert set(REASONS) == set(Reason)
    assert set(REASONS.values()) | {route_pb2.REFUSAL_REASON_UNSPECIFIED} == set(
        route_pb2.RefusalReason.values()
    )


def test_every_failure_of_a_caller_has_one_in_the_core() -> None:
    """V1: REFUSED and LOST are not a caller's to tell."""
    found = {
        name: outcome_of(route_pb2.ReportOutcomeRequest(failure=name)).failure
        for name in route_pb2.Failure.keys()  # noqa: SIM118 - it is no dictionary
    }

    assert found.pop("FAILURE_UNSPECIFIED") is Failure.NONE
    assert found == {
        f"FAILURE_{failure.name}": failure
        for failure in Failure
        if failure not in {Failure.NONE, Failure.REFUSED, Failure.LOST}
    }


def test_a_request_carries_every_field() -> None:
    """V1"""
    message = route_pb2.RouteRequest(method="POST", authority="shop.test:80", path="/a?b=c")
    for name, value in (("X-A", b"1"), ("x-a", b"\xff"), ("x-b", b"")):
        message.headers.add(name=name, value=value)
    request = request_of_message(message)

    assert (request.method, request.authority, request.target) == ("POST", "shop.test:80", "/a?b=c")
    assert request.headers.values("x-a") == ["1", "\udcff"]
    assert request.headers.first("x-b") == ""


@pytest.mark.parametrize(("path", "target"), [("", "/"), ("*", "*"), ("/", "/")])
def test_a_path_may_be_empty_or_a_star(path: str, target: str) -> None:
    """V1: OPTIONS * is a request."""
    assert request_of_message(route_pb2.RouteRequest(path=path)).target == target


def test_an_outcome_carries_every_field() -> None:
    """H1"""
    message = route_pb2.ReportOutcomeRequest(
        ticket=1,
        status=503,
        duration_seconds=0.25,
        failure=route_pb2.FAILURE_TIMEOUT,
        served="10.0.0.2:80",
        attempts=3,
    )
    outcome = outcome_of(message)

    assert (outcome.status, outcome.duration_s, outcome.failure) == (503, 0.25, Failure.TIMEOUT)
    assert (outcome.served, outcome.attempts) == ("10.0.0.2:80", 3)


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        ({}, -1),
        ({"input_tokens": 0}, 0),
        ({"input_tokens": 120, "output_tokens": 35}, 155),
        ({"output_tokens": 35}, 35),
        ({"input_tokens": 100_000_000, "output_tokens": 100_000_000}, 200_000_000),
    ],
)
def test_an_outcome_tells_tokens_together_and_none_is_not_unknown(told: dict[str, Any], tokens: int) -> None:
    """Q5"""
    assert outcome_of(route_pb2.ReportOutcomeRequest(**told)).tokens == tokens


def test_an_outcome_that_tells_nothing_has_plain_defaults() -> None:
    """H1: a duration of 0 is one, no duration is unknown."""
    outcome = outcome_of(route_pb2.ReportOutcomeRequest())

    assert (outcome.status, outcome.failure, outcome.served, outcome.attempts) == (0, Failure.NONE, "", 1)
    assert outcome.duration_s < 0
    assert outcome_of(route_pb2.ReportOutcomeRequest(duration_seconds=0.0)).duration_s == 0.0


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"path": "shop"}, "path must start with /, got 'shop'"),
        ({"path": "http://a/"}, "path must start with /, got 'http://a/'"),
        ({"headers": [{"name": "a"}, {"value": b"x"}]}, "headers[1].name must not be empty"),
        ({"prefer": ["a"] * 65}, "prefer must have at most 64 words, got 65"),
        ({"exclude": ["a"] * 4097}, "exclude must have at most 4096 words, got 4097"),
    ],
)
def test_a_malformed_request_is_refused_by_field(fields: dict[str, Any], text: str) -> None:
    """V1"""
    with pytest.raises(Malformed) as told:
        request_of_message(route_pb2.RouteRequest(**fields))

    assert str(told.value) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": 99}, "status must be 100 to 599, or 0 for none, got 99"),
        ({"status": 600}, "status must be 100 to 599, or 0 for none, got 600"),
        ({"duration_seconds": -0.5}, "duration_seconds must be 0 to 1e9, got -0.5"),
        ({"duration_seconds": math.nan}, "duration_seconds must be 0 to 1e9, got nan"),
        ({"duration_seconds": math.inf}, "duration_seconds must be 0 to 1e9, got inf"),
        ({"failure": 77}, "failure must be one of the values of Failure, got 77"),
        ({"input_tokens": 100_000_001}, "input_tokens must be at most 100000000, got 100000001"),
        ({"output_tokens": 2**64 - 1}, f"output_tokens must be at most 100000000, got {2**64 - 1}"),
    ],
)
def test_a_malformed_outcome_is_refused_by_field(fields: dict[str, Any], text: str) -> None:
    """V1"""
    with pytest.raises(Malformed) as told:
        outcome_of(route_pb2.ReportOutcomeRequest(**fields))

    assert str(told.value) == text


def a_load(**fields: Any) -> route_pb2.ReportLoadRequest:
    return route_pb2.ReportLoadRequest(**{"cluster": "shop", "id": "a", **fields})


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"utilisation": 0.5}, (0.5, UNKNOWN, UNKNOWN)),
        ({"utilisation": 0.0, "quota_used": 1.5}, (0.0, 1.5, UNKNOWN)),
        ({"cache_hit_rate": 1.0, "id": "", "address": "10.0.0.1:80"}, (UNKNOWN, UNKNOWN, 1.0)),
        ({"quota_left": 25, "quota": 100}, (UNKNOWN, 0.75, UNKNOWN)),
        ({"quota_left": 0, "quota": 100}, (UNKNOWN, 1.0, UNKNOWN)),
        ({"quota_left": 200, "quota": 100}, (UNKNOWN, 0.0, UNKNOWN)),
    ],
)
def test_a_load_says_what_is_set(fields: dict[str, Any], read: tuple[float, float, float]) -> None:
    """H8 V1"""
    report = load_of(a_load(**fields))

    assert (report.utilisation, report.quota_used, report.cache_hit_rate) == read


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"utilisation": 0.5, "id": ""}, "needs exactly one of id and address, got none"),
        ({"utilisation": 0.5, "address": "a"}, "needs exactly one of id and address, got both"),
        ({}, "needs one of utilisation, quota_used, cache_hit_rate and quota_left, got none"),
        ({"utilisation": -0.1}, "utilisation must be 0 to 10, got -0.1"),
        ({"utilisation": math.nan}, "utilisation must be 0 to 10, got nan"),
        ({"quota_used": 85.0}, "quota_used must be 0 to 10, got 85.0"),
        ({"cache_hit_rate": math.inf}, "cache_hit_rate must be 0 to 1, got inf"),
        ({"quota_left": 1}, "quota_left needs quota, above 0, and stands in place of quota_used"),
        (
            {"quota_left": 1, "quota": 0},
            "quota_left needs quota, above 0, and stands in place of quota_used",
        ),
        ({"quota": 1}, "quota_left needs quota, above 0, and stands in place of quota_used"),
        (
            {"quota_left": 1, "quota": 2, "quota_used": 0.5},
            "quota_left needs quota, above 0, and stands in place of quota_used",
        ),
    ],
)
def test_a_load_that_cannot_be_is_refused_by_field(fields: dict[str, Any], text: str) -> None:
    """H8 V1"""
    with pytest.raises(Malformed) as told:
        load_of(a_load(**fields))

    assert str(told.value) == text


def test_a_long_path_is_shown_in_part() -> None:
    """V1"""
    with pytest.raises(Malformed) as told:
        request_of_message(route_pb2.RouteRequest(path="x" * 100_000))

    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    "kind", [route_pb2.RouteRequest, route_pb2.ReportOutcomeRequest, route_pb2.ExplainRequest]
)
def test_bytes_that_are_no_message_are_refused_by_name(kind: Any) -> None:
    """V1"""
    with pytest.raises(Malformed) as told:
        parsed(kind, b"\xff")

    assert str(told.value) == f"not a sidecar.v1.{kind.__name__}"


def test_an_explanation_carries_every_field() -> None:
    """O6"""
    switched_off = a_route("off", PathUnder("/api"), enabled=False, priority=7)
    halves = a_split_route("half", {"old": 1, "new": 1}, PathUnder("/api"), endpoints=2)
    engine = an_engine(switched_off, halves, a_route("other", PathUnder("/other")), a_route("default"))
    message = explanation_message(engine.explain(a_request("/api/x"), 0.0))

    found = {route.route: (route.enabled, route.matched, route.chosen) for route in message.routes}
    assert found == {
        "off": (False, False, False),
        "half": (True, True, True),
        "other": (True, False, False),
        "default": (True, True, False),
    }
    (off,) = [route for route in message.routes if route.route == "off"]
    assert off.priority == 7
    (other,) = [route for route in message.routes if route.route == "other"]
    (condition,) = other.conditions
    assert not condition.held
    assert condition.condition
    assert condition.seen == '"/api/x"'
    assert message.split == "by chance"
    assert [candidate.place for candidate in message.candidates] == [1, 2]
    assert message.answer.decision.route == "half"
    assert message.answer.decision.ticket == 0


def test_an_explanation_says_why_an_endpoint_was_passed_over() -> None:
    """C8"""
    never = a_route(to=(an_endpoint("a"), an_endpoint("never", weight=0)))
    message = explanation_message(an_engine(never).explain(a_request(), 0.0))

    assert [(each.endpoint.id, each.place, each.why) for each in message.candidates] == [
        ("a", 1, ""),
        ("never", 0, "its weight is 0"),
    ]


def test_an_explanation_says_what_each_candidate_is_judged_by() -> None:
    """C8: where the strategy judges at all, a score may be 0."""
    by_load = explanation_message(an_engine(a_route(strategy="least_connections")).explain(a_request(), 0.0))
    by_turns = explanation_message(an_engine(a_route()).explain(a_request(), 0.0))

    assert [(each.HasField("score"), each.score) for each in by_load.candidates] == [(True, 0.0)]
    assert [each.HasField("score") for each in by_turns.candidates] == [False]


def test_a_refusal_is_explained_with_every_endpoint_that_was_passed_over() -> None:
    """C8"""
    request = request_of_message(route_pb2.RouteRequest(exclude=["shop"]))
    message = explanation_message(an_engine(a_route()).explain(request, 0.0))

    assert message.answer.refusal.message == 'no endpoint for a request that excludes "shop"'
    assert [(each.endpoint.id, each.place, each.why) for each in message.candidates] == [
        ("a", 0, "the request excludes it")
    ]


def test_an_explanation_says_how_each_endpoint_stands_and_until_when() -> None:
    """O6, H5: in words, and in fields for programs."""
    engine = an_engine(a_route(to=A_AND_B))
    engine.state.standing.mark("shop/b", "breaker", Mark(OUT, "breaker open: 5 failures in a row", 30.0), 0.0)
    engine.state.standing.mark("shop/b", "probe", Mark(GONE, "probe: is gone"), 0.0)

    first, other = explanation_message(engine.explain(a_request(), 10.0)).candidates

    assert (first.level, list(first.marks), first.HasField("back_seconds")) == (
        route_pb2.LEVEL_HEALTHY,
        [],
        False,
    )
    assert first.health_score == 1.0
    assert (other.place, other.level) == (0, route_pb2.LEVEL_GONE)
    told = [(mark.cause, mark.level, mark.why, mark.HasField("seconds_left")) for mark in other.marks]
    assert told == [
        ("probe", route_pb2.LEVEL_GONE, "probe: is gone", False),
        ("breaker", route_pb2.LEVEL_OUT, "breaker open: 5 failures in a row", True),
    ]
    assert other.marks[1].seconds_left == 20.0
    assert not other.HasField("back_seconds")

    engine.state.standing.clear("shop/b", "probe", 10.0)
    (other,) = [
        each for each in explanation_message(engine.explain(a_request(), 10.0)).candidates if each.why
    ]
    assert other.back_seconds == 20.0


@pytest.mark.parametrize("level", range(HEALTHY, GONE + 1))
def test_every_level_has_its_number(level: int) -> None:
    """O6"""
    verdict = CandidateVerdict(an_endpoint("a"), 1, "", level=level)
    refused = Refusal(Reason.NO_ENDPOINT, "main")
    (told,) = explanation_message(Explanation(refused, [], [], "", [verdict], ["a panic"])).candidates

    assert route_pb2.Level.Name(told.level) in {
        f"LEVEL_{name}" for name in ("HEALTHY", "STANDBY", "DEGRADED", "RESTING", "OUT", "SPENT", "GONE")
    }
    assert told.level == level + 1


def test_a_caller_names_endpoints_that_it_excludes_and_prefers() -> None:
    """C2: whatever the file says of sources."""
    engine = an_engine(a_route(to=(*A_AND_B, an_endpoint("c")), want=3))
    asked = request_of_message(route_pb2.RouteRequest(exclude=["a", ""], prefer=["c", "10.0.0.2:80", ""]))

    decision = decided(engine, asked)

    assert [each.id for each in (decision.endpoint, *decision.fallbacks)] == ["c", "b"]
    assert request_of_message(route_pb2.RouteRequest()).wishes is None


def test_a_caller_may_say_that_there_is_no_body() -> None:
    """Q4: or it might be one whose type is not known."""
    assert request_of_message(route_pb2.RouteRequest(path="/", body_size=0)).ends
    assert not request_of_message(route_pb2.RouteRequest(path="/")).ends
    assert not request_of_message(route_pb2.RouteRequest(path="/", body_size=1)).ends
    assert not request_of_message(route_pb2.RouteRequest(path="/", body_size=0, body=b"x")).ends
