"""docs/simulation.md has every key of a scenario, its commands print what it shows and draw its pictures.

After a change of the schema, of a strategy or of matplotlib, make it anew:
UPDATE_DOCS=1 python -m pytest tests/docs/test_simulation_page.py
"""

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner, Result

from sidecar.cli.commands import cli
from sidecar.config.load import load
from sidecar.sim import schema
from sidecar.sim.files import load_scenario, loads_scenario
from tests.docs.pages import ROOT, blocks, rows
from tests.docs.reference import table
from tests.sim.files import a_gateway

PAGE: Final = ROOT / "docs/simulation.md"
TABLE: Final = re.compile(r"<!-- keys: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
SHOWN: Final = re.compile(r"```sh\n(sidecar simulate [^\n]*)\n```\n\n```text\n(.*?)```", re.DOTALL)
COMMANDS: Final = [block.text.strip() for block in blocks(PAGE, "sh")]
DRAWN: Final = [command for command in COMMANDS if "--plot" in command]
UPDATE: Final = os.environ.get("UPDATE_DOCS") == "1"
ANYTHING: Final = """\
clusters:
  shop: {endpoints: [{address: '10.0.0.1:80', id: new}, {address: '10.0.0.2:80', id: old}]}
  models: {}
routes: [{name: shop, to: shop}, {name: models, match: {path: /models}, to: models}]
"""


def sections() -> dict[str, dict[str, Any]]:
    whole: Any = schema.Scenario.model_json_schema(by_alias=True)
    return {"Scenario": whole, **whole["$defs"]}


def rewritten(text: str) -> None:
    if UPDATE:
        PAGE.write_text(text, "utf-8")
    assert text == PAGE.read_text("utf-8"), "make the page anew with UPDATE_DOCS=1"


def run(command: str) -> Result:
    words = shlex.split(command)
    assert words[:2] == ["sidecar", "simulate"]
    return CliRunner().invoke(cli, words[1:], prog_name="sidecar")


def test_every_mapping_has_its_table_and_no_other() -> None:
    assert sorted(name for name, _ in TABLE.findall(PAGE.read_text("utf-8"))) == sorted(sections())


def test_the_tables_say_what_the_schema_says() -> None:
    def made(found: re.Match[str]) -> str:
        return f"<!-- keys: {found[1]} -->\n{table(found[1], sections())}\n<!-- end -->"

    rewritten(TABLE.sub(made, PAGE.read_text("utf-8")))


def test_every_key_stands_in_an_example() -> None:
    def keys_in(data: Any) -> set[str]:
        if isinstance(data, dict):
            return set(data) | {key for each in data.values() for key in keys_in(each)}
        return {key for each in data for key in keys_in(each)} if isinstance(data, list) else set()

    given = {key for block in blocks(PAGE, "yaml") for key in keys_in(yaml.safe_load(block.text))}

    assert {key for section in sections().values() for key in section["properties"]} - given == set()


def test_every_scenario_on_the_page_is_sound() -> None:
    scenarios = [block.text for block in blocks(PAGE, "yaml") if "servers" in yaml.safe_load(block.text)]

    assert len(scenarios) >= 4
    for text in scenarios:
        gateway = blocks(PAGE, "yaml")[0].text if text.startswith("# scenario.yaml") else ANYTHING
        assert loads_scenario(text, "scenario.yaml", a_gateway(gateway)).scenario.servers


def test_every_option_is_told() -> None:
    told = " ".join(cells[0] for cells in rows(PAGE.read_text("utf-8")))
    options = [
        option.opts[0] for option in cli.commands["simulate"].params if option.opts[0].startswith("--")
    ]

    assert [option for option in options if option not in told] == []


def test_a_command_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in blocks(PAGE, "yaml"):
        name = re.match(r"# ([\w-]+\.yaml)\n", block.text)
        if name:
            (tmp_path / name[1]).write_text(block.text)
    monkeypatch.chdir(tmp_path)

    def shown(found: re.Match[str]) -> str:
        result = run(found[1])
        assert result.exit_code == 0, result.output
        return f"```sh\n{found[1]}\n```\n\n```text\n{result.stdout}```"

    text = PAGE.read_text("utf-8")
    assert len(SHOWN.findall(text)) == len(COMMANDS) - len(DRAWN) > 0
    rewritten(SHOWN.sub(shown, text))


@pytest.mark.parametrize("command", DRAWN, ids=lambda command: command.rsplit(maxsplit=1)[-1])
def test_a_command_draws_the_picture_of_the_page(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = Path(command.rsplit(maxsplit=1)[-1])
    assert f"]({picture.relative_to('docs')})" in PAGE.read_text("utf-8")
    shutil.copytree(ROOT / "deploy/scenarios", tmp_path / "deploy/scenarios")
    (tmp_path / picture).parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    result = run(command)

    assert result.exit_code == 0, result.output
    if UPDATE:
        shutil.copy(tmp_path / picture, ROOT / picture)
    assert (tmp_path / picture).read_bytes() == (ROOT / picture).read_bytes(), "draw it with UPDATE_DOCS=1"


def test_every_scenario_of_the_repository_is_on_the_page() -> None:
    folders = sorted(path.parent for path in (ROOT / "deploy/scenarios").glob("*/scenario.yaml"))

    assert len(folders) == len(DRAWN) >= 3
    for folder in folders:
        assert any(f"deploy/scenarios/{folder.name}/scenario.yaml" in command for command in DRAWN)
        loaded = load(folder / "gateway.yaml", 1)
        assert loaded.notes == []
        assert load_scenario(folder / "scenario.yaml", loaded.plan).title
