"""`sidecar check`, `sidecar envoy` and `sidecar schema`: what is to be had of a file alone."""

from pathlib import Path

import click

from sidecar.cli.commands.base import CONFIG, Examples, Wrong, cli, read_config


@cli.command(
    short_help="Say whether a configuration is sound.",
    cls=Examples,
    examples="sidecar check gateway.yaml && echo fine",
)
@CONFIG
def check(config: Path) -> None:
    """Say whether CONFIG is sound; every problem with its line, value and remedy."""
    from sidecar.config.errors import ConfigError
    from sidecar.config.load import with_lines
    from sidecar.config.store import problems_of_place

    loaded = read_config(config)
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    problems = problems_of_place(loaded.config, config.parent)
    if problems:
        raise Wrong(str(ConfigError(str(config), with_lines(loaded.text, problems))))
    clusters = len(loaded.config.clusters)
    click.echo(f"{config}: sound: {len(loaded.plan.routes)} routes, {clusters} clusters")


@cli.command(
    short_help="Print an Envoy bootstrap made from a configuration.",
    cls=Examples,
    examples="""
    sidecar envoy gateway.yaml > bootstrap.yaml
    envoy -c bootstrap.yaml
    """,
)
@CONFIG
def envoy(config: Path) -> None:
    """Print a complete Envoy bootstrap that asks this sidecar, made from CONFIG."""
    from sidecar.xds.bootstrap import bootstrap, notes
    from sidecar.xds.text import to_yaml

    loaded = read_config(config)
    try:
        text = to_yaml(bootstrap(loaded.config), header=f"Written by `sidecar envoy {config.name}`.")
    except ValueError as error:
        raise Wrong(f"{config}: {error}") from error
    for note in notes(loaded.config):
        click.echo(f"note: {note}", err=True)
    click.echo(text, nl=False)


@cli.command(
    short_help="Print the JSON Schema of the configuration.",
    cls=Examples,
    examples="sidecar schema > sidecar.schema.json",
)
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    import json

    from sidecar.config.schema_json import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
