"""docs/configuration.md has every key of the file, no other, and an example of each.

After a change of the schema, write its tables anew: UPDATE_DOCS=1 python -m pytest tests/docs
"""

import os
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from sidecar.core.registry import STRATEGIES
from tests.docs.pages import ROOT, blocks
from tests.docs.reference import sections, table

PAGE: Final = ROOT / "docs/configuration.md"
TABLE: Final = re.compile(r"<!-- keys: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


def test_every_mapping_of_the_file_has_its_table_and_no_other() -> None:
    assert sorted(TABLE.findall(PAGE.read_text("utf-8"))) != []
    assert sorted(name for name, _ in TABLE.findall(PAGE.read_text("utf-8"))) == sorted(sections())


def test_the_tables_say_what_the_schema_says() -> None:
    def made(found: re.Match[str]) -> str:
        return f"<!-- keys: {found[1]} -->\n{table(found[1])}\n<!-- end -->"

    text = PAGE.read_text("utf-8")
    again = TABLE.sub(made, text)
    if os.environ.get("UPDATE_DOCS") == "1":
        PAGE.write_text(again, "utf-8")
        return
    assert again == text, "write the tables anew with UPDATE_DOCS=1"


def test_links_in_the_tables_lead_somewhere() -> None:
    headings = {line.lstrip("# ").lower() for line in PAGE.read_text("utf-8").splitlines() if line[:1] == "#"}

    assert {name.lower() for name in sections() if name != "Config"} <= headings


def test_every_key_stands_in_an_example() -> None:
    shown = {key for block in blocks(PAGE, "yaml") for key in keys_in(yaml.load(block.text, yaml.BaseLoader))}
    known = {key for section in sections().values() for key in section["properties"]}

    assert known - shown == set()


def test_the_strategies_named_are_those_that_there_are() -> None:
    (named,) = re.findall(r"The strategies are (.*?);", PAGE.read_text("utf-8"), re.DOTALL)

    assert set(re.findall(r"`(\w+)`", named)) == set(STRATEGIES)


def keys_in(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield str(key)
            yield from keys_in(value)
    elif isinstance(data, list):
        for each in data:
            yield from keys_in(each)
