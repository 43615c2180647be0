"""The commands of `sidecar`. Each imports what it needs when it runs, so that help is instant."""

import gc
import signal
import sys
from pathlib import Path
from typing import Any

import click

from sidecar import __version__

_CONFIG = click.argument("config", type=click.Path(path_type=Path))

_TRANSPORT = click.option(
    "--transport",
    type=click.Choice(["grpc", "envoy"]),
    help="grpc: gRPC's own server. envoy: the sidecar inside an Envoy, at less than half of the CPU; needs "
    "the extra `fast`. Wins over the file.",
)


class _Examples(click.Command):
    """Help that ends with examples as they were written, not refilled."""

    def __init__(self, *args: Any, examples: str = "", **rest: Any) -> None:
        super().__init__(*args, **rest)
        self._examples = examples

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self._examples:
            with formatter.section("Examples"):
                for line in self._examples.strip().splitlines():
                    formatter.write(f"  {line.strip()}\n")


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from sidecar.app import core_kind

        click.echo(f"sidecar {__version__} (core: {core_kind()})")
        ctx.exit()


class _ExamplesOfGroup(_Examples, click.Group):
    """The same for a command of commands."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and whether the core is compiled.",
)
def cli() -> None:
    """Decides where each request goes, and why: a routing service beside Envoy.

    Exit codes: 0 yes, 1 no (a request would be refused, a tour failed), 2 wrong usage or configuration.
    """


@cli.command(
    short_help="Answer Envoy and RouteService callers.",
    cls=_Examples,
    examples="""
    sidecar serve gateway.yaml
    sidecar serve gateway.yaml --listen unix:/run/sidecar/sidecar.sock --listen 127.0.0.1:50051
    kill -HUP PID                     # reload now; it also reloads when the file changes
    """,
)
@_CONFIG
@click.option(
    "--listen", multiple=True, metavar="ADDR", help="host:port or unix:/path; wins over the file; may repeat."
)
@click.option(
    "--admin", metavar="ADDR", help="host:port of metrics and health; 'none' for none; wins over the file."
)
@click.option("--log-format", type=click.Choice(["auto", "json", "text"]), default="auto", show_default=True)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option(
    "--scheduling",
    type=click.Choice(["batch", "normal"]),
    default="batch",
    show_default=True,
    help="How Linux schedules the process: batch costs less CPU a request.",
)
@_TRANSPORT
@click.option("--show-decisions", is_flag=True, help="Print a line for each decision; not for traffic.")
def serve(
    config: Path,
    listen: tuple[str, ...],
    admin: str | None,
    log_format: Any,
    log_level: str,
    scheduling: str,
    transport: str | None,
    show_decisions: bool,
) -> None:
    """Answer Envoy and RouteService callers until SIGTERM; SIGHUP reloads CONFIG."""
    for number in (signal.SIGTERM, signal.SIGINT):  # until the server takes them over
        signal.signal(number, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    gc.disable()  # until the server is ready: starting makes objects that stay
    from sidecar.runtime.scheduling import prefer_batches

    if scheduling == "batch":
        prefer_batches()
    from sidecar.runtime.addresses import CannotListen

    _check_addresses(listen, admin)
    loaded = _loaded(config)
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    told = loaded.config.listen
    addresses = list(listen) or ([told.grpc] if isinstance(told.grpc, str) else told.grpc)
    page = (told.admin or "") if admin is None else "" if admin == "none" else admin
    try:
        if (transport or told.transport) == "envoy":
            from sidecar.runtime.hosting.launch import CannotHost, Hosted, become_envoy

            hosted = Hosted(str(config), addresses, page, log_format, log_level, show_decisions)
            try:
                become_envoy(hosted, "sidecar.hosted:app")
            except CannotHost as error:
                raise _Wrong(str(error)) from error
        _serve_here(config, loaded, addresses, page, log_format, log_level, show_decisions=show_decisions)
    except CannotListen as error:
        raise _Wrong(str(error)) from error


def _serve_here(
    config: Path,
    loaded: Any,
    addresses: list[str],
    admin: str,
    log_format: Any,
    log_level: str,
    *,
    show_decisions: bool,
) -> None:
    """On gRPC's own server, in this process."""
    import uvloop

    from sidecar.app import build
    from sidecar.cli.decisions import show
    from sidecar.runtime import logs
    from sidecar.runtime.grpc_shell import GrpcShell
    from sidecar.runtime.server import serve_until_told

    logs.set_up(log_format, log_level)
    parts = build(config, loaded, addresses, admin, show if show_decisions else None)

    async def serve() -> None:
        await serve_until_told(parts, GrpcShell(parts.methods))

    uvloop.run(serve())


@cli.command(
    short_help="Say whether a configuration is sound.",
    cls=_Examples,
    examples="sidecar check gateway.yaml && echo fine",
)
@_CONFIG
def check(config: Path) -> None:
    """Say whether CONFIG is sound; every problem with its line, value and remedy."""
    loaded = _loaded(config)
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    clusters = len(loaded.config.clusters)
    click.echo(f"{config}: sound: {len(loaded.plan.routes)} routes, {clusters} clusters")


@cli.command(
    short_help="Print an Envoy bootstrap made from a configuration.",
    cls=_Examples,
    examples="""
    sidecar envoy gateway.yaml > bootstrap.yaml
    envoy -c bootstrap.yaml
    """,
)
@_CONFIG
def envoy(config: Path) -> None:
    """Print a complete Envoy bootstrap that asks this sidecar, made from CONFIG."""
    from sidecar.xds.bootstrap import bootstrap, notes
    from sidecar.xds.text import to_yaml

    loaded = _loaded(config)
    try:
        text = to_yaml(bootstrap(loaded.config), header=f"Written by `sidecar envoy {config.name}`.")
    except ValueError as error:
        raise _Wrong(f"{config}: {error}") from error
    for note in notes(loaded.config):
        click.echo(f"note: {note}", err=True)
    click.echo(text, nl=False)


@cli.command(
    short_help="Show what would be decided for a request, and why.",
    cls=_Examples,
    examples="""
    sidecar explain gateway.yaml --path /api/v1/chat
    sidecar explain gateway.yaml --method POST --host shop.test --path '/buy?x=1' --header 'x-user-id: u1'
    sidecar explain gateway.yaml --path /nowhere --json
    sidecar explain gateway.yaml --method POST --path /v1/chat --body '{"model": "gpt-4"}'
    sidecar explain gateway.yaml --path /shop --at 2026-11-21T23:00+01:00
    """,
)
@_CONFIG
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
    config: Path,
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

    Exits with 1 when the request would be refused.
    """
    from sidecar.cli.explain import explained, print_as_json, print_as_text
    from sidecar.normal import normal

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
        pairs.append((name.strip(), value.strip().encode()))
    moment = None if at is None else _moment(at)
    behind = _body(body, body_file)
    explanation = explained(_loaded(config).plan, method, host, seen, pairs, moment, behind)
    other = "" if seen == path else seen
    asked = f"{path}, which is {other}" if other else path
    refused = print_as_json(explanation, other) if as_json else print_as_text(explanation, method, asked)
    sys.exit(1 if refused else 0)


@cli.command(
    short_help="Show what a policy would do to traffic, before it ships.",
    cls=_Examples,
    examples="""
    sidecar simulate gateway.yaml scenario.yaml
    sidecar simulate gateway.yaml scenario.yaml --strategy round_robin --strategy least_loaded
    sidecar simulate gateway.yaml scenario.yaml --strategy '{consistent_hash: {by: user}}'
    sidecar simulate gateway.yaml scenario.yaml --plot load.svg --json > load.json
    """,
)
@_CONFIG
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="NAME",
    help="The routes' strategy in place of their own: a name, or {name: {option: value}}; `configured` for "
    "their own. May repeat: each meets the same requests.",
)
@click.option("--duration", metavar="TIME", help="How long requests come, such as 30s; wins over the file.")
@click.option("--seed", type=int, help="Another draw of all that is left to chance; wins over the file.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw load, latency and shares over time into this .svg or .png; needs the extra `plot`.",
)
def simulate(
    config: Path,
    scenario: Path,
    strategies: tuple[str, ...],
    duration: str | None,
    seed: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Play SCENARIO in virtual time: clients ask the sidecar of CONFIG, servers answer as they are described.

    Nothing is sent anywhere. The same seed gives the same numbers.
    """
    from sidecar.cli.simulate import (
        CannotSimulate,
        check_picture,
        print_as_json,
        print_as_text,
        simulated,
        title_of,
        write_picture,
    )
    from sidecar.config.values import above_zero

    try:
        duration_s = None if duration is None else above_zero(duration)
    except ValueError as error:
        raise click.UsageError(f"--duration {duration}: {error}") from error
    try:
        if plot is not None:
            check_picture(plot)
        written, runs = simulated(config, scenario, strategies, duration_s, seed)
        if plot is not None:
            write_picture(plot, title_of(config, scenario, written), runs)
    except CannotSimulate as error:
        raise _Wrong(str(error)) from error
    (print_as_json if as_json else print_as_text)(config, scenario, written, runs)


@cli.command(
    short_help="Print the JSON Schema of the configuration.",
    cls=_Examples,
    examples="sidecar schema > sidecar.schema.json",
)
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    import json

    from sidecar.config.schema_json import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@cli.command(
    short_help="Run a configuration with a real Envoy, here.",
    cls=_Examples,
    examples="""
    sidecar demo                      # a small built-in configuration
    sidecar demo gateway.yaml         # your own, with small endpoints in place of the real ones
    sidecar demo gateway.yaml --check # send its tour and judge the answers
    sidecar demo a.yaml b.yaml --check
    """,
)
@click.argument("configs", metavar="[CONFIG]...", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "--check", "check_", is_flag=True, help="Send the file's tour, print what happened, exit 0 if all held."
)
@_TRANSPORT
@click.option(
    "--envoy",
    type=click.Path(path_type=Path),
    help="The Envoy to run; without it the one beside this Python, or on the PATH.",
)
def demo(configs: tuple[Path, ...], check_: bool, transport: str | None, envoy: Path | None) -> None:
    """Run CONFIG with a real Envoy and small real endpoints on this machine; needs no Docker.

    Several files can be checked, one after the other.
    """
    from sidecar.cli.demo import CannotStart, check, run

    paths = list(configs) or [_quickstart()]
    if len(paths) > 1 and not check_:
        raise click.UsageError("several files can only be checked: give one, or add --check")
    for path in paths:
        _loaded(path)
    try:
        if check_:
            held = check(paths, transport=transport, envoy=envoy)
        else:
            held = run(paths[0], transport=transport, envoy=envoy)
    except CannotStart as error:
        raise _Wrong(str(error)) from error
    sys.exit(0 if held else 1)


_ADMIN = click.option(
    "--admin",
    default="127.0.0.1:9900",
    show_default=True,
    metavar="HOST:PORT",
    help="The admin address of the sidecar to tell.",
)


@cli.command(
    short_help="Let everybody pass the country gates, in an emergency.",
    cls=_Examples,
    examples="""
    sidecar override country on       # every country gate lets everybody pass
    sidecar override country off
    sidecar override country on --gate country-3 --admin 127.0.0.1:9900
    """,
)
@click.argument("what", type=click.Choice(["country"]))
@click.argument("state", type=click.Choice(["on", "off"]))
@click.option("--gate", metavar="NAME", help="Only this gate: its name, else its kind and place: country-3.")
@_ADMIN
def override(what: str, state: str, gate: str | None, admin: str) -> None:
    """Tell a running sidecar that its country gates let everybody pass, or no longer so.

    It lasts until the file is changed or read again; to keep it, write override: true there.
    """
    _tell(admin, "POST", ("override", what), {"on": state == "on", "gate": gate})


@cli.group(
    short_help="Change the routes of a running sidecar.",
    cls=_ExamplesOfGroup,
    examples="""
    sidecar routes put chat.yaml
    sidecar routes disable chat
    """,
)
def routes() -> None:
    """Change the routes of a running sidecar.

    Each change lasts until the file is changed or read again; to keep it, write it there.
    """


@routes.command(short_help="Switch a route on.", cls=_Examples, examples="sidecar routes enable chat")
@click.argument("name")
@_ADMIN
def enable(name: str, admin: str) -> None:
    """Switch the route NAME on."""
    _tell(admin, "POST", ("routes", name), {"enabled": True})


@routes.command(short_help="Switch a route off.", cls=_Examples, examples="sidecar routes disable chat")
@click.argument("name")
@_ADMIN
def disable(name: str, admin: str) -> None:
    """Switch the route NAME off: it matches nothing."""
    _tell(admin, "POST", ("routes", name), {"enabled": False})


@routes.command(
    short_help="Add a route or replace it.",
    cls=_Examples,
    examples="""
    sidecar routes put chat.yaml      # one route, as it stands in the file
    echo '{name: chat, match: {path: /chat}, to: shop}' | sidecar routes put -
    """,
)
@click.argument("file", type=click.Path(path_type=Path))
@_ADMIN
def put(file: Path, admin: str) -> None:
    """Add the route in FILE, or replace the one of its name. FILE is one route as YAML; - reads it."""
    from sidecar.cli.changes import CannotAsk, route_in

    try:
        route = route_in(file)
    except CannotAsk as error:
        raise _Wrong(str(error)) from error
    _tell(admin, "PUT", ("routes", str(route["name"])), route)


@routes.command(short_help="Delete a route.", cls=_Examples, examples="sidecar routes delete chat")
@click.argument("name")
@_ADMIN
def delete(name: str, admin: str) -> None:
    """Delete the route NAME."""
    _tell(admin, "DELETE", ("routes", name), {})


def _tell(admin: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> None:
    from sidecar.cli.changes import CannotAsk, told

    _check_addresses((), admin)
    try:
        code = told(admin, method, path, body)
    except CannotAsk as error:
        raise _Wrong(str(error)) from error
    sys.exit(code)


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


def _quickstart() -> Path:
    """Beside this file where it is installed, in the examples of a checkout."""
    beside = Path(__file__).with_name("quickstart.yaml")
    return beside if beside.exists() else Path(__file__).parents[2] / "deploy/examples/quickstart.yaml"


class _Wrong(click.ClickException):
    """Wrong configuration or environment."""

    exit_code = 2

    def show(self, _file: Any = None) -> None:
        click.echo(self.message, err=True)


def _loaded(config: Path) -> Any:
    from sidecar.config.errors import ConfigError
    from sidecar.config.load import load

    try:
        return load(config, 1)
    except ConfigError as error:
        raise _Wrong(str(error)) from error


def _check_addresses(listen: tuple[str, ...], admin: str | None) -> None:
    from sidecar.config.values import host_port, listener

    for address in listen:
        try:
            listener(address)
        except ValueError as error:
            raise click.UsageError(f"--listen {address}: {error}") from error
    if admin not in {None, "none"}:
        try:
            host_port(admin)
        except ValueError as error:
            raise click.UsageError(f"--admin {admin}: {error}") from error


def main() -> None:
    cli(prog_name="sidecar")
