"""`sidecar explain`: a decision and its reasons, for people and for programs.

Worked out here for a sidecar that has just started with a file, or asked from one that is running, which
knows who is healthy. Either way what is shown is the message of RouteService, so that both read alike.
"""

import sys
import time
from datetime import datetime
from random import Random
from typing import Final

import click
import grpc
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidecar.core.engine import Engine
from sidecar.core.plan import Plan
from sidecar.core.request import UNKNOWN_SIZE, Attached, Headers
from sidecar.core.state.memory import State
from sidecar.v1.route_pb2 import (
    CandidateVerdict,
    ExplainRequest,
    ExplainResponse,
    Header,
    RouteRequest,
    RouteVerdict,
)
from sidecar.wire.body import Given
from sidecar.wire.request import request_of
from sidecar.wire.route import explanation_message

_OF_A_BODY: Final = frozenset({"content-length", "content-type", "transfer-encoding"})
_EXPLAIN: Final = "/sidecar.v1.RouteService/Explain"
_PATIENCE_S: Final = 5.0
_MOST_BYTES: Final = 256 * 1024 * 1024
"""Of the answer: a running sidecar may have 10,000 routes and as many endpoints."""


_NAME: Final = "name an address that it listens on (listen.grpc)"
_NOT_THERE: Final = {
    "Connection refused": "nobody listens there",
    "No such file or directory": "there is no such socket",
    "Permission denied": "this user may not",
    "hostname lookup": "its name has no address",
    "": "",
}
"""What gRPC's own words say of a connection that could not be made."""
_HUNG_UP: Final = ("Socket closed", "Connection reset", "Broken pipe")


class CannotAsk(Exception):
    """Nobody could be asked; the text says why."""


def explained(
    plan: Plan,
    method: str,
    host: str,
    target: str,
    headers: list[tuple[str, bytes]],
    at: datetime | None = None,
    body: bytes | None = None,
    path: str = "",
) -> ExplainResponse:
    """The explanation for a sidecar that has just started with this plan, for a request at this moment.

    Without a `body`, it has one that is not known when its headers say so. With one that has no content type,
    it is JSON. `path` is how rules saw it, if it was spelled otherwise.
    """
    engine = Engine(plan, State(), Random())
    ends = _ends(headers, body)
    headers = _typed(headers, body)

    def attach(behind: Headers) -> Attached:
        return Given(behind, body or b"", {}, UNKNOWN_SIZE, {}, plan.body_limit)

    request = request_of(method, host, target, headers, attach if body else None, ends=ends)
    request.received_at = time.time() if at is None else at.timestamp()
    return explanation_message(engine.explain(request, time.monotonic()), path)


def asked(
    server: str,
    method: str,
    host: str,
    target: str,
    headers: list[tuple[str, bytes]],
    body: bytes | None = None,
    patience_s: float = _PATIENCE_S,
) -> ExplainResponse:
    """What the sidecar that listens there (`host:port` or `unix:/path`) says to the same request now.

    CannotAsk when it says nothing.
    """
    try:
        message = RouteRequest(method=method, authority=host, path=target, body=body or b"")
        message.headers.extend(Header(name=name, value=value) for name, value in _typed(headers, body))
    except UnicodeEncodeError as error:
        raise CannotAsk(
            f"{error.object!a} is no UTF-8, and a running sidecar cannot be asked so; ask a CONFIG"
        ) from error
    if _ends(headers, body):
        message.body_size = 0
    options = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", _MOST_BYTES))
    with grpc.insecure_channel(server, options) as channel:
        explain = channel.unary_unary(
            _EXPLAIN,
            request_serializer=ExplainRequest.SerializeToString,
            response_deserializer=ExplainResponse.FromString,
        )
        try:
            told: ExplainResponse = explain(ExplainRequest(request=message), timeout=patience_s)
        except grpc.RpcError as error:
            raise CannotAsk(_in_words(server, patience_s, error.code(), error.details() or "")) from error
    return told


def _in_words(server: str, patience_s: float, code: grpc.StatusCode, details: str) -> str:
    """In words for people: what went wrong, and what to do."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"{_unavailable(server, details)}; {_NAME}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"what listens at {server} did not answer within {patience_s:.4g} s"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"what answers at {server} is no sidecar, or one that cannot explain"
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return f"the sidecar at {server} cannot take the request: {details}"
    return f"the sidecar at {server} failed: {code.name}: {details}"


def _unavailable(server: str, details: str) -> str:
    """gRPC has one status for all of it."""
    if "onnect failed" in details or "Failed to connect to remote" in details or "resolving" in details:
        why = next(why for words, why in _NOT_THERE.items() if words in details)
        return f"no sidecar can be reached at {server}" + (f": {why}" if why else "")
    if any(words in details for words in _HUNG_UP):
        return f"what listens at {server} hung up without an answer"
    if "HTTP/2" in details:
        return f"what answers at {server} is no sidecar: it speaks no gRPC"
    return f"no sidecar can be reached at {server} ({details})"


def _ends(headers: list[tuple[str, bytes]], body: bytes | None) -> bool:
    """Whether the request is known to have no body."""
    return not body if body is not None else not {name.lower() for name, _ in headers} & _OF_A_BODY


def _typed(headers: list[tuple[str, bytes]], body: bytes | None) -> list[tuple[str, bytes]]:
    if body is None or "content-type" in {name.lower() for name, _ in headers}:
        return headers
    return [*headers, ("content-type", b"application/json")]


def print_as_json(explanation: ExplainResponse) -> bool:
    """Returns whether the request is refused."""
    click.echo(
        MessageToJson(
            explanation,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
    )
    return explanation.answer.HasField("refusal")


def print_as_text(explanation: ExplainResponse, method: str, target: str, seen: str) -> bool:
    """`seen` is how rules saw the target. Returns whether the request would be refused."""
    if sys.stdout.isatty():
        return _print(explanation, method, target, seen, Console(highlight=False, soft_wrap=True))
    # Into a pipe or a file: wide, and without the blanks that a table ends its lines with.
    console = Console(highlight=False, soft_wrap=True, width=1000)
    with console.capture() as captured:
        refused = _print(explanation, method, target, seen, console)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    return refused


def _print(explanation: ExplainResponse, method: str, target: str, seen: str, console: Console) -> bool:
    console.print(Text(f"{method} {target}", style="bold"))
    console.print()
    if explanation.gates:
        console.print("Gates, in the order in which they are asked:")
        gates = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
        for gate in explanation.gates:
            sign = Text("x", style="bold red") if gate.refuses else Text("+")
            said = f"refuses when {gate.condition}; it is {gate.seen}"
            gates.add_row(sign, Text(gate.gate), Text(said, style="" if gate.refuses else "dim"))
        console.print(gates)
        console.print()
    console.print("Routes, in the order of precedence:")
    routes = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    for verdict in explanation.routes:
        sign, why = _route_line(verdict)
        routes.add_row(sign, Text(verdict.route), why)
    console.print(routes)
    console.print()
    answer = explanation.answer
    if answer.HasField("decision"):
        _print_candidates(console, explanation)
        console.print()
        decision = answer.decision
        console.print(Text(f"Answer: {decision.cluster}, {decision.reason}", style="bold"))
        if decision.path not in {"", seen}:
            console.print(Text(f"        sent on as {decision.path}"))
        return False
    if explanation.candidates:
        console.print("Endpoints, each with why it is passed over:")
        _print_endpoints(console, explanation)
        console.print()
    if answer.HasField("refusal"):
        refusal = answer.refusal
        who = f" by the gate {refusal.gate}" if refusal.gate else ""
        console.print(Text(f"Answer: refused{who} with {refusal.status}, {refusal.message}", style="bold"))
        return True
    reply = answer.reply
    console.print(Text(f"Answer: {reply.status} without an endpoint, by route {reply.route}", style="bold"))
    return False


def _route_line(verdict: RouteVerdict) -> tuple[Text, Text]:
    if not verdict.enabled:
        return Text("-"), Text("switched off", style="dim")
    if verdict.chosen:
        held = "; ".join(condition.condition for condition in verdict.conditions)
        return Text(">", style="bold green"), Text(held or "matches every request", style="green")
    if verdict.matched:
        return Text("="), Text("matches too, but comes later", style="dim")
    failed = "; ".join(f"{c.condition}, but it is {c.seen}" for c in verdict.conditions if not c.held)
    return Text("x"), Text(failed, style="dim")


def _print_candidates(console: Console, explanation: ExplainResponse) -> None:
    decision = explanation.answer.decision
    if explanation.split:
        shares = ", ".join(f"{arm.variant} {arm.share:.2%}" for arm in decision.weights)
        console.print(Text(f"Split {explanation.split} among {shares}: {decision.variant}"))
    console.print(Text(f"Candidates, in the order of {decision.strategy}:"))
    _print_endpoints(console, explanation)


def _print_endpoints(console: Console, explanation: ExplainResponse) -> None:
    for note in explanation.notes:
        console.print(Text(f"  ! {note}", style="yellow"))
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    for candidate in explanation.candidates:
        endpoint = candidate.endpoint
        sign = Text(">", style="bold green") if candidate.place == 1 else Text(str(candidate.place or "-"))
        where = endpoint.address or "wherever Envoy's cluster has it"
        table.add_row(
            sign,
            Text(f"{endpoint.cluster}/{endpoint.id}"),
            Text(where),
            Text(_judged(candidate), style="dim"),
        )
    console.print(table)


def _judged(candidate: CandidateVerdict) -> str:
    """Why it was passed over; else what the strategy judges it by, and what is to be known of its health."""
    if candidate.why:
        return candidate.why
    said = [candidate.state] if candidate.state else []
    if candidate.HasField("score"):
        parts = ", ".join(f"{part.name} {part.score:.3g}" for part in candidate.parts)
        score = f"score {candidate.score:.3g}"
        said.insert(0, f"{score}: {parts}" if parts else score)
    return "; ".join(said)
