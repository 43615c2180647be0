"""`sidecar serve`: answer Envoy and other callers, over the transport that is chosen."""

import gc
import signal
import sys
from pathlib import Path
from typing import Any

import click

from sidecar.cli.commands.base import CONFIG, TRANSPORT, Examples, Wrong, check_addresses, cli, read_config


@cli.command(
    short_help="Answer Envoy and RouteService callers.",
    cls=Examples,
    examples="""
    sidecar serve gateway.yaml
    sidecar serve gateway.yaml --listen unix:/run/sidecar/sidecar.sock --listen 127.0.0.1:50051
    kill -HUP PID                     # reload now; it also reloads when the file changes
    """,
)
@CONFIG
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
@TRANSPORT
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
    from sidecar.store.base import StoreError

    check_addresses(listen, admin)
    loaded = read_config(config)
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
                raise Wrong(str(error)) from error
        _serve_here(config, loaded, addresses, page, log_format, log_level, show_decisions=show_decisions)
    except (CannotListen, StoreError) as error:
        raise Wrong(str(error)) from error


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
    from sidecar.runtime.leaving import leave
    from sidecar.runtime.server import serve_until_told

    logs.set_up(log_format, log_level)
    parts = build(config, loaded, addresses, admin, show if show_decisions else None)

    async def serve() -> None:
        await serve_until_told(parts, GrpcShell(parts.methods))

    uvloop.run(serve())
    leave()
