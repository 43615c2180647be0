"""`sidecar explain` with a body: each condition on it with what is there."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sidecar.cli.commands import cli

FILE = """\
clusters: {shop: {}, models: {}}
context: {model: [{body: model}]}
routes:
  - {name: high, match: {path: /json, body: {data.priority: high}}, to: shop}
  - {name: second, match: {path: /json, body: {items.1.n: [1, 2]}}, to: shop}
  - {name: large, match: {path: /json, size: "> 100B"}, to: shop}
  - {name: gpt, match: {path: /json, model: [gpt-4]}, to: models}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    return path


def explain(file: Path, *words: str, stdin: str = "") -> Result:
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(
        cli, ["explain", str(file), "--path", "/json", *words], input=stdin, prog_name="sidecar"
    )


def chosen(file: Path, *words: str, stdin: str = "") -> str:
    told: dict[str, Any] = json.loads(explain(file, *words, "--json", stdin=stdin).stdout)
    return str(told["answer"]["decision"]["route"])


def test_shows_each_condition_with_the_value_that_is_there(file: Path) -> None:
    """O6 M7"""
    result = explain(
        file, "--body", '{"data": {"priority": "low"}, "items": [0, {"n": 2.0}], "model": "gpt-4"}'
    )

    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()][3:7] == [
        '  x    high      body data.priority is "high", but it is "low"',
        '  >    second    path is "/json"; body items.1.n is 1 or 2',
        "  x    large     body has at least 101 bytes, but it is 73 bytes",
        "  =    gpt       matches too, but comes later",
    ]


def test_takes_the_body_from_a_file_or_from_standard_input(file: Path, tmp_path: Path) -> None:
    """O6 M7 M9"""
    body = tmp_path / "body.json"
    body.write_text('{"model": "gpt-4"}')

    assert chosen(file, "--body-file", str(body)) == "gpt"
    assert chosen(file, "--body-file", "-", stdin='{"model": "gpt-4"}') == "gpt"
    assert chosen(file, "--body", "x" * 101, "--header", "content-type: text/plain") == "large"


@pytest.mark.parametrize(
    "words",
    [
        ("--body", '{"model": "gpt-4"}', "--header", "content-type: text/plain"),
        ("--body", '{"model": "gpt-4"'),
        ("--body", ""),
        (),
    ],
)
def test_a_body_that_is_not_json_matches_nothing(file: Path, words: tuple[str, ...]) -> None:
    """O6 M7"""
    result = explain(file, *words)

    assert result.exit_code == 1
    assert 'body data.priority is "high", but it is absent' in result.stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--body", "{}", "--body-file", "-"), "--body and --body-file say the same: give one of them"),
        (
            ("--body-file", "/nowhere/to/be/found"),
            "--body-file /nowhere/to/be/found: No such file or directory",
        ),
    ],
)
def test_says_what_is_wrong_with_the_options(file: Path, words: tuple[str, ...], problem: str) -> None:
    result = explain(file, *words)

    assert result.exit_code == 2
    assert problem in result.stderr
