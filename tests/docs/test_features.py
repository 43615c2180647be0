"""docs/features.md claims only what a test and an example show."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT, codes, rows

PAGE: Final = ROOT / "docs/features.md"
ID: Final = re.compile(r"\b[MASCHFQXROV]\d{1,2}\b")
FEATURES: Final = [cells for cells in rows(PAGE.read_text("utf-8")) if len(cells) == 5]


def test_each_id_stands_there_once() -> None:
    ids = [cells[0] for cells in FEATURES]

    assert all(ID.fullmatch(one) for one in ids)
    assert len(set(ids)) == len(ids) >= 20


@pytest.mark.parametrize("feature", FEATURES, ids=lambda cells: cells[0])
def test_a_feature_names_tests_that_say_its_id(feature: list[str]) -> None:
    tests = codes(feature[3])

    assert tests
    for test in tests:
        file, _, name = test.partition("::")
        functions = functions_of(ROOT / file)
        assert name in functions, f"{file} has no {name}"
        said = {*ID.findall(functions[name]), *ID.findall(name.upper().replace("_", " "))}
        assert feature[0] in said, f"{test} does not say {feature[0]}"


@pytest.mark.parametrize("feature", FEATURES, ids=lambda cells: cells[0])
def test_a_feature_has_an_example_that_says_its_id(feature: list[str]) -> None:
    (example,) = re.findall(r"\[([^\]]+)\]", feature[4])

    assert feature[0] in ID.findall((ROOT / example).read_text("utf-8"))


def test_no_example_shows_what_is_not_claimed() -> None:
    examples = sorted((ROOT / "deploy/examples").rglob("*.yaml"))
    shown = {one for example in examples for one in ID.findall(example.read_text("utf-8"))}

    assert examples
    assert shown - {cells[0] for cells in FEATURES} == set()


def functions_of(path: Path) -> dict[str, str]:
    """Every test function of the file with its docstring."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
