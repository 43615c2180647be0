"""The commands of `sidecar`. Each imports what it needs when it runs, so that help is instant."""

from sidecar.cli.commands import demo, explain, files, running, serve, simulate
from sidecar.cli.commands.base import cli

__all__ = ["cli", "demo", "explain", "files", "main", "running", "serve", "simulate"]


def main() -> None:
    cli(prog_name="sidecar")
