"""The pages of the documentation, and the pieces of them that can be tried."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "sidecar/ARCHITECTURE.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
EXAMPLES: Final = ROOT / "docs/examples"

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW: Final = re.compile(r"^\|(.*)\|$", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`]+)`")
_CELL_BORDER: Final = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    language: str
    text: str

    def __str__(self) -> str:
        first = self.text.strip().splitlines()[0] if self.text.strip() else ""
        return f"{named(self.page)}: {first[:40]}"


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[Block]:
    return [
        Block(page, found[1], found[2])
        for found in _FENCE.finditer(page.read_text("utf-8"))
        if found[1] == language
    ]


def without_blocks(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def rows(text: str) -> list[list[str]]:
    """The cells of every line of the tables in `text`, headings and rules left out."""
    lines = [
        [cell.strip() for cell in _CELL_BORDER.split(found[1])]
        for found in _ROW.finditer(_FENCE.sub("", text))
    ]
    rules = [at for at, cells in enumerate(lines) if all(cell and not cell.strip("-: ") for cell in cells)]
    return [cells for at, cells in enumerate(lines) if at not in rules and at + 1 not in rules]


def codes(cell: str) -> list[str]:
    """What stands in backticks."""
    return _CODE.findall(cell)
