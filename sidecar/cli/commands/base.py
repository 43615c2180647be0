"""What all commands have in common: the group itself, help with examples, and how a wrong file is told."""

from pathlib import Path
from typing import Any

import click

from sidecar import __version__

CONFIG = click.argument("config", type=click.Path(path_type=Path))

TRANSPORT = click.option(
    "--transport",
    type=click.Choice(["grpc", "envoy"]),
    help="grpc: gRPC's own server. envoy: the sidecar inside an Envoy, at less than half of the CPU; needs "
    "the extra `fast`. Wins over the file.",
)


class Examples(click.Command):
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


class ExamplesOfGroup(Examples, click.Group):
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


class Wrong(click.ClickException):
    """Wrong configuration or environment."""

    exit_code = 2

    def show(self, _file: Any = None) -> None:
        click.echo(self.message, err=True)


def read_config(config: Path) -> Any:
    from sidecar.config.errors import ConfigError
    from sidecar.config.load import load

    try:
        return load(config, 1)
    except ConfigError as error:
        raise Wrong(str(error)) from error


def check_addresses(listen: tuple[str, ...], admin: str | None) -> None:
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
