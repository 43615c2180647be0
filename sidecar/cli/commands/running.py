"""`sidecar override` and `sidecar routes`: commands that a running sidecar is told."""

import sys
from pathlib import Path
from typing import Any

import click

from sidecar.cli.commands.base import Examples, ExamplesOfGroup, Wrong, check_addresses, cli

_ADMIN = click.option(
    "--admin",
    default="127.0.0.1:9900",
    show_default=True,
    metavar="HOST:PORT",
    help="The admin address of the sidecar to tell.",
)


@cli.command(
    short_help="Let everybody pass the country gates, in an emergency.",
    cls=Examples,
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
    cls=ExamplesOfGroup,
    examples="""
    sidecar routes put chat.yaml
    sidecar routes disable chat
    """,
)
def routes() -> None:
    """Change the routes of a running sidecar.

    Each change lasts until the file is changed or read again; to keep it, write it there.
    """


@routes.command(short_help="Switch a route on.", cls=Examples, examples="sidecar routes enable chat")
@click.argument("name")
@_ADMIN
def enable(name: str, admin: str) -> None:
    """Switch the route NAME on."""
    _tell(admin, "POST", ("routes", name), {"enabled": True})


@routes.command(short_help="Switch a route off.", cls=Examples, examples="sidecar routes disable chat")
@click.argument("name")
@_ADMIN
def disable(name: str, admin: str) -> None:
    """Switch the route NAME off: it matches nothing."""
    _tell(admin, "POST", ("routes", name), {"enabled": False})


@routes.command(
    short_help="Add a route or replace it.",
    cls=Examples,
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
        raise Wrong(str(error)) from error
    _tell(admin, "PUT", ("routes", str(route["name"])), route)


@routes.command(short_help="Delete a route.", cls=Examples, examples="sidecar routes delete chat")
@click.argument("name")
@_ADMIN
def delete(name: str, admin: str) -> None:
    """Delete the route NAME."""
    _tell(admin, "DELETE", ("routes", name), {})


def _tell(admin: str, method: str, path: tuple[str, ...], body: dict[str, Any]) -> None:
    from sidecar.cli.changes import CannotAsk, told

    check_addresses((), admin)
    try:
        code = told(admin, method, path, body)
    except CannotAsk as error:
        raise Wrong(str(error)) from error
    sys.exit(code)
