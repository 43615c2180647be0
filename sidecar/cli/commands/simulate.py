"""`sidecar simulate`: what is asked on the command line, checked and handed on."""

from pathlib import Path

import click

from sidecar.cli.commands.base import CONFIG, Examples, Wrong, cli


@cli.command(
    short_help="Show what a policy would do to traffic, before it ships.",
    cls=Examples,
    examples="""
    sidecar simulate gateway.yaml scenario.yaml
    sidecar simulate gateway.yaml scenario.yaml --strategy round_robin --strategy least_loaded
    sidecar simulate gateway.yaml scenario.yaml --strategy '{consistent_hash: {by: user}}'
    sidecar simulate gateway.yaml scenario.yaml --plot load.svg --json > load.json
    """,
)
@CONFIG
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
        raise Wrong(str(error)) from error
    (print_as_json if as_json else print_as_text)(config, scenario, written, runs)
