"""docs/bad-input.md: what comes beside requests names the tests that send it."""

from typing import Final

import pytest

from tests.docs.pages import ROOT, codes, rows

_PAGE: Final = (ROOT / "docs/bad-input.md").read_text("utf-8")
ROWS: Final = rows(_PAGE.partition("\n## Beside requests\n")[2])


@pytest.mark.parametrize("row", ROWS, ids=lambda cells: cells[0])
def test_each_row_names_a_test(row: list[str]) -> None:
    """H1 H4 H8"""
    (test,) = codes(row[2])
    file, _, name = test.partition("::")
    kind = "def" if name.startswith("test_") else "class"

    assert f"\n{kind} {name}(" in (ROOT / file).read_text("utf-8"), test


@pytest.mark.parametrize(
    "word", ["forged", "twice", "another order", "before its decision", "backwards", "without end", "cut off"]
)
def test_what_an_access_log_may_do_has_a_row(word: str) -> None:
    """H1"""
    assert any(word in row[0] for row in ROWS)


@pytest.mark.parametrize("word", ["huge", "slow", "no end", "NaN", "negative", "text"])
def test_what_endpoints_may_say_has_a_row(word: str) -> None:
    """H4 H8"""
    assert any(word in row[0] for row in ROWS)
