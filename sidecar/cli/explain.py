"""`sidecar explain`: a decision and its reasons, for people and for programs."""

import sys
import time
from datetime import datetime
from random import Random
from typing import Final

import click
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.explanation import CandidateVerdict, Explanation, RouteVerdict
from sidecar.core.plan import Plan
from sidecar.core.refusal import Refusal
from sidecar.core.request import UNKNOWN_SIZE, Attached, Headers
from sidecar.core.state.memory import State
from sidecar.wire.body import Given
from sidecar.wire.request import request_of
from sidecar.wire.route import explanation_message, reason

_OF_A_BODY: Final = frozenset({"content-length", "content-type", "transfer-encoding"})


def explained(
    plan: Plan,
    method: str,
    host: str,
    target: str,
    headers: list[tuple[str, bytes]],
    at: datetime | None = None,
    body: bytes | None = None,
) -> Explanation:
    """The explanation for a sidecar that has just started with this plan, for a request at this moment.

    Without a `body`, it has one that is not known when its headers say so. With one that has no content type,
    it is JSON.
    """
    engine = Engine(plan, State(), Random())
    named = {name.lower() for name, _ in headers}
    if body is not None and "content-type" not in named:
        headers = [*headers, ("content-type", b"application/json")]

    def attach(behind: Headers) -> Attached:
        return Given(behind, body or b"", {}, UNKNOWN_SIZE, {}, plan.body_limit)

    ends = not body if body is not None else not named & _OF_A_BODY
    request = request_of(method, host, target, headers, attach if body else None, ends=ends)
    request.received_at = time.time() if at is None else at.timestamp()
    return engine.explain(request, time.monotonic())


def print_as_json(explanation: Explanation, path: str = "") -> bool:
    """`path` is how rules saw it, if it was spelled otherwise. Returns whether the request is refused."""
    click.echo(
        MessageToJson(
            explanation_message(explanation, path),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
    )
    return isinstance(explanation.answer, Refusal)


def print_as_text(explanation: Explanation, method: str, target: str) -> bool:
    """Returns whether the request would be refused."""
    if sys.stdout.isatty():
        return _print(explanation, method, target, Console(highlight=False, soft_wrap=True))
    # Into a pipe or a file: wide, and without the blanks that a table ends its lines with.
    console = Console(highlight=False, soft_wrap=True, width=200)
    with console.capture() as captured:
        refused = _print(explanation, method, target, console)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    return refused


def _print(explanation: Explanation, method: str, target: str, console: Console) -> bool:
    console.print(Text(f"{method} {target}", style="bold"))
    console.print()
    if explanation.gates:
        console.print("Gates, in the order in which they are asked:")
        gates = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
        for gate in explanation.gates:
            sign = Text("x", style="bold red") if gate.refuses else Text("+")
            said = f"refuses when {gate.text}; it is {gate.seen}"
            gates.add_row(sign, Text(gate.gate), Text(said, style="" if gate.refuses else "dim"))
        console.print(gates)
        console.print()
    console.print("Routes, in the order of precedence:")
    routes = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    for verdict in explanation.routes:
        sign, why = _route_line(verdict)
        routes.add_row(sign, Text(verdict.route), why)
    console.print(routes)
    answer = explanation.answer
    if isinstance(answer, Decision):
        console.print()
        _print_candidates(console, explanation)
        console.print()
        console.print(Text(f"Answer: {answer.endpoint.cluster}, {reason(answer)}", style="bold"))
        if answer.target is not None:
            console.print(Text(f"        sent on as {answer.target}"))
        return False
    console.print()
    if explanation.candidates:
        console.print("Endpoints, each with why it is passed over:")
        _print_endpoints(console, explanation.candidates)
        console.print()
    if isinstance(answer, Refusal):
        who = f" by the gate {answer.gate}" if answer.gate else ""
        console.print(Text(f"Answer: refused{who} with {answer.status}, {answer.message}", style="bold"))
        return True
    console.print(Text(f"Answer: {answer.status} without an endpoint, by route {answer.route}", style="bold"))
    return False


def _route_line(verdict: RouteVerdict) -> tuple[Text, Text]:
    if not verdict.enabled:
        return Text("-"), Text("switched off", style="dim")
    if verdict.chosen:
        held = "; ".join(condition.text for condition in verdict.conditions)
        return Text(">", style="bold green"), Text(held or "matches every request", style="green")
    if verdict.matched:
        return Text("="), Text("matches too, but comes later", style="dim")
    failed = "; ".join(f"{c.text}, but it is {c.seen}" for c in verdict.conditions if not c.held)
    return Text("x"), Text(failed, style="dim")


def _print_candidates(console: Console, explanation: Explanation) -> None:
    answer = explanation.answer
    assert isinstance(answer, Decision)
    if explanation.split:
        shares = ", ".join(f"{arm.name} {arm.share:.2%}" for arm in answer.route.variants)
        console.print(Text(f"Split {explanation.split} among {shares}: {answer.variant.name}"))
    console.print(Text(f"Candidates, in the order of {answer.variant.strategy_name}:"))
    _print_endpoints(console, explanation.candidates)


def _print_endpoints(console: Console, candidates: list[CandidateVerdict]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    for candidate in candidates:
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
    """Why it was passed over, or else what the strategy judges it by."""
    if candidate.why or candidate.score is None:
        return candidate.why
    parts = ", ".join(f"{name} {score:.3g}" for name, score in candidate.parts)
    return f"score {candidate.score:.3g}: {parts}" if parts else f"score {candidate.score:.3g}"
