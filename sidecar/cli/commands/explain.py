"""`sidecar explain`: what is asked on the command line, checked and handed on."""

import sys
from pathlib import Path
from typing import Any

import click

from sidecar.cli.commands.base import Examples, Wrong, cli, read_config


@cli.command(
    short_help="Show what would be decided for a request, and why.",
    cls=Examples,
    examples="""
    sidecar explain gateway.yaml --path /api/v1/chat
    sidecar explain gateway.yaml --method POST --host shop.test --path '/buy?x=1' --header 'x-user-id: u1'
    sidecar explain gateway.yaml --path /nowhere --json
    sidecar explain gateway.yaml --method POST --path /v1/chat --body '{"model": "gpt-4"}'
    sidecar explain gateway.yaml --path /shop --at 2026-11-21T23:00+01:00
    sidecar explain --server 127.0.0.1:50051 --path /api/v1/chat    # with who is healthy now
    sidecar explain --server unix:/run/sidecar/sidecar.sock --path /cart --json
    """,
)
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option(
    "--server",
    metavar="ADDR",
    help="In place of CONFIG: the host:port or unix:/path of a running sidecar, which knows who is healthy.",
)
@click.option("--method", default="GET", show_default=True)
@click.option("--host", default="localhost", show_default=True, help="Host or authority.")
@click.option("--path", required=True, help="Path, with its query if it has one.")
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A request header; may repeat."
)
@click.option("--body", metavar="TEXT", help="The request's body; JSON unless a header says otherwise.")
@click.option(
    "--body-file", type=click.Path(path_type=Path, allow_dash=True), help="A file with the body; - for stdin."
)
@click.option("--at", metavar="MOMENT", help="When it comes, such as 2026-11-21T23:00+01:00; else now.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the ExplainResponse message as JSON.")
def explain(
    config: Path | None,
    server: str | None,
    method: str,
    host: str,
    path: str,
    headers: tuple[str, ...],
    body: str | None,
    body_file: Path | None,
    at: str | None,
    as_json: bool,
) -> None:
    """Show what would be decided for a request and why: every route, condition and candidate.

    By CONFIG it is what a sidecar says that has just started; by --server what a running one says now.

    Exits with 1 when the request would be refused.
    """
    from sidecar.cli.explain import CannotAsk, asked, explained, print_as_json, print_as_text
    from sidecar.normal import normal

    if (config is None) == (server is None):
        raise click.UsageError("needs either CONFIG or --server, got " + ("both" if config else "none"))
    if server is not None:
        _check_server(server)
    if not path.startswith("/"):
        raise click.UsageError(f"--path must start with /, got {path!r}")
    try:
        seen = normal(path)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error
    pairs = []
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"--header must be 'name: value', got {header!r}")
        pairs.append((name.strip(), value.strip().encode("utf-8", "surrogateescape")))
    if server is not None and at is not None:
        raise click.UsageError("--at is for a CONFIG: a running sidecar answers for now")
    moment = None if at is None else _moment(at)
    behind = _body(body, body_file)
    other = "" if seen == path else seen
    if server is not None:
        try:
            explanation = asked(server, method, host, path, pairs, behind)
        except CannotAsk as error:
            raise Wrong(str(error)) from error
    else:
        assert config is not None
        plan = read_config(config).plan
        explanation = explained(plan, method, host, seen, pairs, moment, behind, other)
    spelled = f"{path}, which is {other}" if other else path
    refused = print_as_json(explanation) if as_json else print_as_text(explanation, method, spelled, seen)
    sys.exit(1 if refused else 0)


def _check_server(server: str) -> None:
    from sidecar.config.values import listener

    try:
        listener(server)
    except ValueError as error:
        raise click.UsageError(f"--server {server}: {error}") from error


def _moment(text: str) -> Any:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 < moment.year < 3000:
        raise click.UsageError(
            f"--at must be a moment with its offset from UTC, such as 2026-11-21T23:00+01:00, got {text!r}"
        )
    return moment


def _body(text: str | None, file: Path | None) -> bytes | None:
    if text is not None and file is not None:
        raise click.UsageError("--body and --body-file say the same: give one of them")
    if file is None:
        return None if text is None else text.encode("utf-8", "surrogateescape")
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"--body-file {file}: {error.strerror}") from error
