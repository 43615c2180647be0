"""Each command's answers and exit codes: 0 yes, 1 no, 2 wrong usage or configuration."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sidecar.cli.commands import cli

SOUND = """\
clusters: {shop: {endpoints: [{address: '10.0.0.1:80', id: a}]}, spare: {}}
routes: [{name: shop, match: {path: {prefix: /shop}}, to: shop}]
"""
BAD = SOUND.replace("to: shop", "to: shopp").replace("prefix", "prefx")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return written(tmp_path, SOUND)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return written(tmp_path, BAD)


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(text)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="sidecar")


def test_check_says_that_a_file_is_sound(sound: Path) -> None:
    result = run("check", sound)

    assert result.exit_code == 0
    assert result.stdout == f"{sound}: sound: 1 routes, 2 clusters\n"


def test_check_gives_notes_on_the_error_stream(sound: Path) -> None:
    result = run("check", sound)

    (note,) = result.stderr.splitlines()
    assert note.startswith(f"note: {sound}:1: clusters.spare: ")


def test_check_tells_every_problem_and_ends_with_2(bad: Path) -> None:
    """V4"""
    result = run("check", bad)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    assert all(line.startswith(f"{bad}:2: routes[0]") for line in result.stderr.splitlines())
    assert "did you mean prefix?" in result.stderr
    assert "did you mean shop?" in result.stderr


COMMANDS = {
    "check": [],
    "envoy": [],
    "explain": ["--path", "/shop"],
    "serve": [],
    "demo": ["--check"],
    "simulate": ["scenario.yaml"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_file_ends_every_command_with_2_and_its_problems(bad: Path, command: str) -> None:
    """V4: no traceback."""
    result = run(command, bad, *COMMANDS[command])

    assert result.exit_code == 2
    assert result.stderr == run("check", bad).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_not_there_ends_every_command_with_2(tmp_path: Path, command: str) -> None:
    path = tmp_path / "gone.yaml"
    result = run(command, path, *COMMANDS[command])

    assert result.exit_code == 2
    assert result.stderr == f"{path}: cannot be read: no such file or directory\n"


@pytest.mark.parametrize("command", ["check", "envoy", "serve"])
def test_a_command_without_its_file_is_wrong_usage(command: str) -> None:
    result = run(command)

    assert result.exit_code == 2
    assert "Missing argument 'CONFIG'" in result.stderr
    assert f"Usage: sidecar {command}" in result.stderr


def test_a_command_that_is_not_there_is_wrong_usage() -> None:
    result = run("route")

    assert result.exit_code == 2
    assert "No such command 'route'" in result.stderr


def test_envoy_prints_a_bootstrap_and_nothing_else(sound: Path) -> None:
    result = run("envoy", sound)
    bootstrap = yaml.safe_load(result.stdout)

    assert result.exit_code == 0
    assert "static_resources" in bootstrap
    assert result.stdout.startswith("# Written by `sidecar envoy gateway.yaml`.")
    assert {line[:5] for line in result.stderr.splitlines()} <= {"note:"}


def test_schema_prints_the_schema_of_the_file() -> None:
    result = run("schema")
    schema = json.loads(result.stdout)

    assert result.exit_code == 0
    assert {"listen", "clusters", "routes", "envoy", "tickets", "on_error"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


NO_LISTENER = "is not an address to listen on; write host:port or unix:/path, such as 127.0.0.1:50051"
NOT_ABSOLUTE = "is not absolute; write the socket's whole path, such as unix:/run/sidecar/sidecar.sock"
NO_ADDRESS = "is not an address; write host:port, such as 127.0.0.1:8080 or [::1]:8080"


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--listen", "50051", NO_LISTENER),
        ("--listen", "127.0.0.1:70000", NO_LISTENER),
        ("--listen", "unix:sidecar.sock", NOT_ABSOLUTE),
        ("--admin", "unix:/a", NO_ADDRESS),
    ],
)
def test_serve_refuses_an_address_that_is_none(sound: Path, option: str, value: str, problem: str) -> None:
    result = run("serve", sound, option, value)

    assert result.exit_code == 2
    assert result.stderr.endswith(f'Error: {option} {value}: "{value}" {problem}\n')


@pytest.mark.parametrize(("option", "value"), [("--log-format", "xml"), ("--log-level", "loud")])
def test_serve_names_the_choices_of_an_option(sound: Path, option: str, value: str) -> None:
    result = run("serve", sound, option, value)

    assert result.exit_code == 2
    assert f"'{value}' is not one of" in result.stderr


def test_envoy_says_what_envoy_cannot_do_and_ends_with_2(tmp_path: Path) -> None:
    path = written(tmp_path, SOUND + "envoy: {listen: 'gateway.internal:10000'}\n")
    result = run("envoy", path)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"{path}: envoy.listen must be an IP address and a port")
    assert result.stderr.endswith("got gateway.internal:10000\n")
