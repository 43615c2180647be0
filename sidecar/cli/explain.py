"""`sidecar explain`: a decision and its reasons, for people and for programs."""

import sys
import time
from random import Random

import click
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.explanation import Explanation, RouteVerdict
from sidecar.core.plan import Plan
from sidecar.core.state.memory import State
from sidecar.wire.request import request_of
from sidecar.wire.route import explanation_message, reason


def explained(
    plan: Plan, method: str, host: str, target: str, headers: list[tuple[str, bytes]]
) -> Explanation:
    """The explanation for a sidecar that has just started with this plan."""
    engine = Engine(plan, State(), Random())
    return engine.explain(request_of(method, host, target, headers), time.monotonic())


def print_as_json(explanation: Explanation) -> bool:
    """Returns whether the request would be refused."""
    click.echo(
        MessageToJson(
            explanation_message(explanation),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
    )
    return not isinstance(explanation.answer, Decision)


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
    console.print(Text(f"Answer: refused with {answer.status}, {answer.message}", style="bold"))
    return True


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
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    for candidate in explanation.candidates:
        endpoint = candidate.endpoint
        sign = Text(">", style="bold green") if candidate.place == 1 else Text(str(candidate.place or "-"))
        where = endpoint.address or "wherever Envoy's cluster has it"
        table.add_row(
            sign, Text(f"{endpoint.cluster}/{endpoint.id}"), Text(where), Text(candidate.why, style="dim")
        )
    console.print(table)
