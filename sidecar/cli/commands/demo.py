"""`sidecar demo`: a configuration with a real Envoy, on this machine."""

import sys
from pathlib import Path

import click

from sidecar.cli.commands.base import TRANSPORT, Examples, Wrong, cli, read_config


@cli.command(
    short_help="Run a configuration with a real Envoy, here.",
    cls=Examples,
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
@TRANSPORT
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
        read_config(path)
    try:
        if check_:
            held = check(paths, transport=transport, envoy=envoy)
        else:
            held = run(paths[0], transport=transport, envoy=envoy)
    except CannotStart as error:
        raise Wrong(str(error)) from error
    sys.exit(0 if held else 1)


def _quickstart() -> Path:
    """In the folder above where it is installed, in the examples of a checkout."""
    beside = Path(__file__).parents[1] / "quickstart.yaml"
    return beside if beside.exists() else Path(__file__).parents[3] / "deploy/examples/quickstart.yaml"
