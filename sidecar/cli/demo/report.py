"""What a checked tour says on the terminal: each stop of one file, and one line for each of several files."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.markup import escape
from rich.table import Table

from sidecar.cli.demo.tour import Stop

_ID: Final = re.compile(r"\b[A-Z][0-9]{1,2}\b")
_LONGEST_TITLE: Final = 100


@dataclass(frozen=True)
class Checked:
    """The stops of one file's tour, and how long starting everything and sending it took."""

    path: Path
    stops: list[Stop]
    seconds: float

    @property
    def held(self) -> int:
        return sum(stop.held for stop in self.stops)

    @property
    def failed(self) -> int:
        return len(self.stops) - self.held


def title_of(text: str) -> tuple[str, str]:
    """The first sentence of the comment at a file's top, and the ids that its lines from `Shows` on name."""
    comment = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("#").strip())
    whole = " ".join(comment)
    before, _, shows = whole.partition("Shows ")
    title = before.partition(". ")[0].strip().rstrip(".")
    if len(title) > _LONGEST_TITLE:
        title = title[:_LONGEST_TITLE].rpartition(" ")[0] + " …"
    return title, " ".join(_ID.findall(shows))


def stops_table(stops: list[Stop]) -> Table:
    """Everything of one file."""
    table = Table("", "asked", "expected", "happened", show_lines=True)
    for stop in stops:
        sign = "[green]ok[/]" if stop.held else "[bold red]NO[/]"
        table.add_row(sign, escape(stop.asked), escape(stop.expected), escape(stop.happened))
    return table


def files_table(files: list[Checked]) -> Table:
    """A line for each file."""
    table = Table("", "file", "shows", "held", "failed", "seconds")
    for file in files:
        title, ids = title_of(file.path.read_text(encoding="utf-8"))
        sign = "[bold red]NO[/]" if file.failed else "[green]ok[/]"
        shows = "\n".join(line for line in (title, ids) if line)
        table.add_row(
            sign,
            escape(file.path.name),
            escape(shows),
            str(file.held),
            str(file.failed),
            f"{file.seconds:.1f}",
        )
    return table
