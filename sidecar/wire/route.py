"""RouteService messages: the same facts and the same answers as over ext_proc, for other callers."""

import re
from typing import Any, Final

from google.protobuf.message import DecodeError

from sidecar.core.decision import Answer, Decision
from sidecar.core.endpoint import Endpoint, canonical
from sidecar.core.explanation import Explanation, back_in
from sidecar.core.filters.base import MOST_WISHES, MOST_WORDS
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Reply
from sidecar.core.report import MOST_SHARE, UNKNOWN, Report
from sidecar.core.request import UNKNOWN_SIZE, Attached, Headers, Request, Wishes
from sidecar.core.retries import EXPONENTIAL, FIBONACCI, LINEAR, NONE, Retries
from sidecar.normal import normal
from sidecar.v1 import route_pb2
from sidecar.wire.body import Given
from sidecar.wire.changes import request_changes
from sidecar.wire.request import request_of

REASONS: Final[dict[Reason, route_pb2.RefusalReason]] = {
    reason: getattr(route_pb2, f"REFUSAL_REASON_{reason.name}") for reason in Reason
}
_LEVELS: Final = (
    route_pb2.LEVEL_HEALTHY,
    route_pb2.LEVEL_STANDBY,
    route_pb2.LEVEL_DEGRADED,
    route_pb2.LEVEL_RESTING,
    route_pb2.LEVEL_OUT,
    route_pb2.LEVEL_SPENT,
    route_pb2.LEVEL_GONE,
)
_MOST_TOKENS: Final = 100_000_000
_UNSENDABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_FAILURES: Final = {
    route_pb2.FAILURE_UNSPECIFIED: Failure.NONE,
    route_pb2.FAILURE_CONNECTION: Failure.CONNECTION,
    route_pb2.FAILURE_TIMEOUT: Failure.TIMEOUT,
    route_pb2.FAILURE_RESET: Failure.RESET,
    route_pb2.FAILURE_CANCELLED: Failure.CANCELLED,
}
_SENT_FAILURES: Final = {known: number for number, known in _FAILURES.items()}
_BACKOFFS: Final = {
    NONE: route_pb2.BACKOFF_KIND_NONE,
    EXPONENTIAL: route_pb2.BACKOFF_KIND_EXPONENTIAL,
    LINEAR: route_pb2.BACKOFF_KIND_LINEAR,
    FIBONACCI: route_pb2.BACKOFF_KIND_FIBONACCI,
}


class Malformed(Exception):
    """A request that cannot be served as it is; the text says which field, its value and the remedy."""


def parsed(kind: Any, data: bytes) -> Any:
    """The message of this kind. Malformed when the bytes are none."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Malformed(f"not a {kind.DESCRIPTOR.full_name}") from error


def request_of_message(message: route_pb2.RouteRequest, body_limit: int = 1 << 20) -> Request:
    """Malformed when a field cannot be part of an HTTP request. Rules look into no body above the limit."""
    if message.path and not message.path.startswith(("/", "*")):
        raise Malformed(f"path must start with /, got {message.path[:200]!r}")
    for field, text in (("method", message.method), ("authority", message.authority), ("path", message.path)):
        if _UNSENDABLE.search(text):
            raise Malformed(f"{field} must have no spaces or control characters, got {text[:200]!r}")
    for at, header in enumerate(message.headers):
        if not header.name:
            raise Malformed(f"headers[{at}].name must not be empty")
        if header.name.startswith(":") or _UNSENDABLE.search(header.name):
            raise Malformed(f"headers[{at}].name must be a header's name, got {header.name[:200]!r}")
    for field, words, most in (
        ("exclude", message.exclude, MOST_WORDS),
        ("prefer", message.prefer, MOST_WISHES),
    ):
        if len(words) > most:
            raise Malformed(f"{field} must have at most {most} words, got {len(words)}")
    try:
        target = normal(message.path)
    except ValueError as error:
        raise Malformed(str(error)) from error
    pairs = ((header.name, header.value) for header in message.headers)
    behind = message.body or message.body_fields or message.metadata or message.HasField("body_size")

    def attach(headers: Headers) -> Attached:
        size = message.body_size if message.HasField("body_size") else UNKNOWN_SIZE
        return Given(headers, message.body, message.body_fields, size, message.metadata, body_limit)

    request = request_of(
        message.method,
        message.authority,
        target,
        pairs,
        attach if behind else None,
        ends=message.HasField("body_size") and message.body_size == 0 and not message.body,
    )
    if message.exclude or message.prefer:
        request.wishes = Wishes(
            tuple(word for word in message.exclude if word), tuple(word for word in message.prefer if word)
        )
    return request


def outcome_of(message: route_pb2.ReportOutcomeRequest) -> Outcome:
    """Malformed when a field is out of its range."""
    if message.status and not 100 <= message.status <= 599:
        raise Malformed(f"status must be 100 to 599, or 0 for none, got {message.status}")
    duration = message.duration_seconds if message.HasField("duration_seconds") else -1.0
    if message.HasField("duration_seconds") and not 0.0 <= duration < 1e9:  # NaN fails this as well
        raise Malformed(f"duration_seconds must be 0 to 1e9, got {duration}")
    failure = _FAILURES.get(message.failure)
    if failure is None:
        raise Malformed(f"failure must be one of the values of Failure, got {message.failure}")
    tokens = -1
    for field in ("input_tokens", "output_tokens"):
        if message.HasField(field):
            number = getattr(message, field)
            if number > _MOST_TOKENS:
                raise Malformed(f"{field} must be at most {_MOST_TOKENS}, got {number}")
            tokens = max(tokens, 0) + number
    return Outcome(
        message.status, duration, failure, canonical(message.served), message.attempts or 1, tokens
    )


def load_of(message: route_pb2.ReportLoadRequest) -> Report:
    """Malformed when it says nothing, or what cannot be."""
    if bool(message.id) == bool(message.address):
        given = "none" if not message.id else "both"
        raise Malformed(f"needs exactly one of id and address, got {given}")
    numbers: list[float] = []
    for field, most in (("utilisation", MOST_SHARE), ("quota_used", MOST_SHARE), ("cache_hit_rate", 1.0)):
        number = getattr(message, field)
        if not message.HasField(field):
            number = UNKNOWN
        elif not 0.0 <= number <= most:  # NaN fails this as well
            raise Malformed(f"{field} must be 0 to {most:.0f}, got {number}")
        numbers.append(number)
    if message.HasField("quota_left") or message.HasField("quota"):
        if message.HasField("quota_used") or not message.HasField("quota_left") or message.quota == 0:
            raise Malformed("quota_left needs quota, above 0, and stands in place of quota_used")
        numbers[1] = max(1.0 - message.quota_left / message.quota, 0.0)
    utilisation, quota_used, cache_hit_rate = numbers
    report = Report(utilisation, quota_used, cache_hit_rate)
    if not report.says_something():
        raise Malformed("needs one of utilisation, quota_used, cache_hit_rate and quota_left, got none")
    return report


def respelled(message: route_pb2.RouteRequest, request: Request) -> str:
    """The path as rules saw it, where the caller spelled it otherwise; else empty."""
    return "" if request.target == (message.path or "/") else request.target


def encode_answer(answer: Answer, path: str = "") -> bytes:
    return answer_message(answer, path).SerializeToString()


def answer_message(answer: Answer, path: str = "") -> route_pb2.RouteResponse:
    """`path` is what the request is to be sent with where its route does not change it: rules and endpoints
    must see one and the same. Empty leaves it as it is."""
    response = route_pb2.RouteResponse()
    if isinstance(answer, Decision):
        _fill(response.decision, answer)
        response.decision.path = response.decision.path or path
    elif isinstance(answer, Refusal):
        refusal = response.refusal
        refusal.reason = REASONS[answer.reason]
        refusal.status = answer.status
        refusal.message = answer.message
        refusal.route = answer.route
        refusal.gate = answer.gate
        refusal.body = answer.body or ""
    else:
        _fill_reply(response.reply, answer)
    return response


def _fill_reply(message: route_pb2.Reply, reply: Reply) -> None:
    message.route = reply.route
    message.status = reply.status
    for name, value in reply.headers:
        message.headers.add(name=name, value=value)
    message.body = reply.body.encode() if reply.data is None else reply.data


def _fill(message: route_pb2.Decision, decision: Decision) -> None:
    route = decision.route
    variant = decision.variant
    if decision.ticket is not None:
        message.ticket = decision.ticket.id
    message.route = route.name
    message.variant = variant.name
    message.cluster = decision.endpoint.cluster
    _endpoint(message.endpoint, decision.endpoint)
    for fallback in decision.fallbacks:
        _endpoint(message.fallbacks.add(), fallback)
    changes = request_changes(decision)
    for name, value in changes.set:
        message.set_headers.add(name=name, value=value)
    for name, value in changes.add:
        message.add_headers.add(name=name, value=value)
    message.remove_headers.extend(changes.remove)
    if decision.target is not None:
        message.path = decision.target.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if route.rewrite is not None:
        message.host = route.rewrite.host
    for arm in route.variants:
        message.weights.add(variant=arm.name, share=arm.share)
    message.reason = reason(decision)
    message.candidates_considered = decision.considered
    message.strategy = variant.strategy_name
    for name, value in route.labels:
        message.labels[name] = value
    message.generation = decision.generation
    if route.timeout_s >= 0:
        message.timeout_seconds = route.timeout_s
    if decision.drawn is not None:
        drawn = decision.drawn
        message.mirror = drawn.mirror
        if drawn.delay_ms or drawn.abort_status:
            message.fault.delay_seconds = drawn.delay_ms / 1000
            message.fault.abort_status = drawn.abort_status
    message.steps.extend(step.name for step in decision.steps)
    if decision.cookie:
        message.set_cookies.append(decision.cookie)
    if decision.retries is not None:
        _retry(message.retry, decision.retries)


def _retry(message: route_pb2.RetryPolicy, retries: Retries) -> None:
    message.attempts = retries.attempts
    message.statuses.extend(retries.statuses)
    message.failures.extend(_SENT_FAILURES[failure] for failure in retries.failures)
    if retries.per_try_s >= 0:
        message.per_try_timeout_seconds = retries.per_try_s
    backoff = retries.backoff
    message.backoff.kind = _BACKOFFS[backoff.kind]
    message.backoff.base_seconds = backoff.base_s
    message.backoff.factor = backoff.factor
    message.backoff.max_seconds = backoff.max_s
    message.backoff.jitter = backoff.jitter


def reason(decision: Decision) -> str:
    """In one sentence, why this endpoint."""
    arm = f", arm {decision.variant.name}" if len(decision.route.variants) > 1 else ""
    stays = decision.turn is not None and decision.turn.stays
    who = "the session stays at" if stays else f"{decision.variant.strategy_name} picked"
    return f"route {decision.route.name}{arm}: {who} {decision.endpoint.id} of {decision.considered}"


def explanation_message(explanation: Explanation, path: str = "") -> route_pb2.ExplainResponse:
    answer = answer_message(explanation.answer, path)
    response = route_pb2.ExplainResponse(answer=answer, split=explanation.split, notes=explanation.notes)
    for gate in explanation.gates:
        response.gates.add(gate=gate.gate, condition=gate.text, seen=gate.seen, refuses=gate.refuses)
    for verdict in explanation.routes:
        route = response.routes.add(
            route=verdict.route,
            priority=verdict.priority,
            enabled=verdict.enabled,
            matched=verdict.matched,
            chosen=verdict.chosen,
        )
        for condition in verdict.conditions:
            route.conditions.add(condition=condition.text, seen=condition.seen, held=condition.held)
    for candidate in explanation.candidates:
        entry = response.candidates.add(
            place=candidate.place,
            why=candidate.why,
            score=candidate.score,
            level=_LEVELS[candidate.level],
            state=candidate.state,
            health_score=candidate.health,
        )
        _endpoint(entry.endpoint, candidate.endpoint)
        for name, score in candidate.parts:
            entry.parts.add(name=name, score=score)
        for mark in candidate.marks:
            entry.marks.add(
                cause=mark.cause, level=_LEVELS[mark.level], why=mark.why, seconds_left=mark.left_s
            )
        back_s = back_in(candidate.marks) if candidate.marks else None
        if back_s is not None:
            entry.back_seconds = back_s
    return response


def _endpoint(message: route_pb2.Endpoint, endpoint: Endpoint) -> None:
    message.cluster = endpoint.cluster
    message.id = endpoint.id
    message.address = endpoint.address
