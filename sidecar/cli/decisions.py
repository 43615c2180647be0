"""One line for each decision, for people who watch a demo or look for a fault."""

from rich.console import Console
from rich.markup import escape

from sidecar.core.decision import Answer
from sidecar.core.refusal import Refusal
from sidecar.core.reply import Reply
from sidecar.core.request import Request
from sidecar.wire.route import reason

_console = Console(highlight=False)


def show(request: Request, answer: Answer) -> None:
    """Print the line on standard output."""
    _console.print(_line(request, answer), soft_wrap=True)


def _line(request: Request, answer: Answer) -> str:
    asked = escape(f"{request.method} {request.target[:80]}")
    if isinstance(answer, Refusal):
        return f"{asked} -> [red]refused with {answer.status}[/]: {answer.message}"
    if isinstance(answer, Reply):
        return f"{asked} -> answered with {answer.status} (route {escape(answer.route)})"
    endpoint = answer.endpoint
    return (
        f"{asked} -> [green]{escape(endpoint.cluster)}/{escape(endpoint.id)}[/]  ({escape(reason(answer))})"
    )
