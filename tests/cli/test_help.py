"""Help that shows how, and a version that says what runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sidecar import __version__
from sidecar.cli.commands import cli

COMMANDS = ("check", "demo", "envoy", "explain", "override", "routes", "schema", "serve", "simulate")
NESTED = ("routes delete", "routes disable", "routes enable", "routes put")
PATHS = [*filter(None, sys.path), str(Path(__file__).parents[2])]


def help_of(*words: str) -> str:
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="sidecar")
    assert result.exit_code == 0
    return result.output


def test_help_lists_every_command_and_the_exit_codes() -> None:
    text = help_of()

    assert sorted(cli.commands) == list(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", text, re.MULTILINE)
    assert "Exit codes: 0 yes, 1 no" in text
    assert "2 wrong usage or configuration" in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("command", [*COMMANDS, *NESTED])
def test_the_help_of_each_command_ends_with_examples_that_can_be_copied(command: str) -> None:
    text = help_of(*command.split())
    _, _, examples = text.partition("\nExamples:\n")
    lines = [line for line in examples.splitlines() if line]

    assert lines
    assert all(line.startswith("  ") for line in lines)
    assert lines[0].startswith(f"  sidecar {command}")


@pytest.mark.parametrize("command", [*COMMANDS, *NESTED])
def test_the_examples_name_only_options_that_there_are(command: str) -> None:
    options, _, examples = help_of(*command.split()).partition("\nExamples:\n")

    for option in re.findall(r" (--[a-z-]+)", examples):
        assert option in options


def test_a_short_option_for_help_works_everywhere() -> None:
    for words in ([], *([command] for command in COMMANDS)):
        assert CliRunner().invoke(cli, [*words, "-h"], prog_name="sidecar").output == help_of(*words)


def test_the_version_says_whether_the_core_is_compiled() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "sidecar", "--version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert re.fullmatch(rf"sidecar {re.escape(__version__)} \(core: (compiled|pure Python)\)\n", told.stdout)
    assert told.stderr == ""


def test_help_loads_neither_grpc_nor_the_configuration() -> None:
    """Help is instant."""
    script = (
        "import sys; from sidecar.cli.commands import cli\n"
        "try: cli(['serve', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'pydantic', 'google.protobuf', 'uvicorn', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loads {heavy}' if heavy else 0)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (told.returncode, told.stderr) == (0, "")
