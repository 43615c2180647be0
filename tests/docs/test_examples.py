"""Every configuration in the documentation is sound, and every command in it prints what stands there."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest
import yaml
from click.testing import CliRunner

from sidecar.cli.commands import cli
from sidecar.config.load import load, loads
from sidecar.config.schema import Config
from tests.databases import write_countries
from tests.docs.pages import EXAMPLES, PAGES, ROOT, Block, blocks, named

TRIED: Final = ("sidecar check", "sidecar explain", "sidecar --version")
REST: Final = {
    "clusters": """\
clusters:
  shop:
    endpoints:
      - {address: 10.0.0.1:8080, id: shop-a, version: v1, tags: [gpu]}
      - {address: 10.0.0.2:8080, id: shop-b, version: v2}
  search: {endpoints: [{address: 10.0.1.1:8080, id: search-1}]}
""",
    "routes": "routes: [{name: default, to: shop}]\n",
}
CONFIGURATIONS: Final = [
    block
    for page in PAGES
    for block in blocks(page, "yaml")
    if set(yaml.safe_load(block.text)) <= set(Config.model_fields)
]
PAGES_WITH_COMMANDS: Final = [page for page in PAGES if blocks(page, "console")]


def whole(text: str) -> str:
    """With the clusters and routes that the text leaves out."""
    return text + "".join(
        part for key, part in REST.items() if not re.search(rf"^{key}:", text, re.MULTILINE)
    )


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_on_a_page_is_sound(block: Block, tmp_path: Path) -> None:
    write_countries(tmp_path / "GeoLite2-Country.mmdb", {"192.0.2.0/24": "DE"})
    (tmp_path / "cookies.secret").write_text("a secret of some length\n")

    assert loads(whole(block.text), "block.yaml", 1, tmp_path).plan.routes


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda example: example.name)
def test_an_example_is_sound(example: Path) -> None:
    assert load(example, 1).notes == []


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=named)
def test_a_command_prints_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are those that the page shows under a first line `# name.yaml`."""
    for block in blocks(page, "yaml"):
        name = re.match(r"# ([\w-]+\.yaml)\n", block.text)
        if name:
            (tmp_path / name[1]).write_text(block.text)
    monkeypatch.chdir(tmp_path)
    tried = 0
    for block in blocks(page, "console"):
        for command, shown in commands(block):
            if command.startswith(TRIED):
                assert printed(command) == shown, command
                tried += 1
    assert tried > 0


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert [named(page) for page in PAGES[1:] if f"({named(page)}" not in readme] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_anchors_lead_to_headings(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]+\.md)?#([^)]+)\)", page.read_text("utf-8"))

    for target, anchor in links:
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Each line after `$ ` with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line.rstrip())
    return found


def printed(command: str) -> list[str]:
    arguments = shlex.split(command.partition(" #")[0])[1:]
    result = CliRunner().invoke(cli, arguments, prog_name="sidecar")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return [line.rstrip() for line in result.output.splitlines()]


def test_the_pieces_for_an_envoy_are_those_that_are_printed() -> None:
    """The README shows the filter and the route in short: what it shows stands in the example."""
    (shown,) = [
        yaml.safe_load(block.text)
        for block in blocks(ROOT / "README.md", "yaml")
        if "http_filters:" in block.text
    ]
    bootstrap = yaml.safe_load((ROOT / "envoy/minimal.yaml").read_text("utf-8"))
    (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][0]["typed_config"]

    assert within(shown["http_filters"][0], manager["http_filters"][0])
    assert within(shown["routes"][0], manager["route_config"]["virtual_hosts"][0]["routes"][0])


def within(part: object, whole: object) -> bool:
    """Whether every key of `part` stands in `whole` with the same value."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    return part == whole
