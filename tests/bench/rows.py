"""The form in which every benchmark gives its results, and the table that shows them."""

from collections.abc import Sequence
from typing import TypedDict

from rich.console import Console
from rich.table import Table


class Row(TypedDict):
    """One measured value: `goal` is a comparison like `>= 0.85`; without one it is None, and so is `ok`."""

    name: str
    value: float
    unit: str
    goal: str | None
    ok: bool | None


def row(
    name: str, value: float, unit: str, *, at_least: float | None = None, at_most: float | None = None
) -> Row:
    """A row whose goal is one of the two bounds, or none."""
    if at_least is not None:
        return Row(name=name, value=value, unit=unit, goal=f">= {at_least:g}", ok=value >= at_least)
    if at_most is not None:
        return Row(name=name, value=value, unit=unit, goal=f"<= {at_most:g}", ok=value <= at_most)
    return Row(name=name, value=value, unit=unit, goal=None, ok=None)


def show(rows: Sequence[Row], title: str, console: Console) -> None:
    """Print `rows` as they are, one a line, with their goals."""
    table = Table("name", title=title)
    for heading in ("value", "unit", "goal", ""):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for one in rows:
        verdict = {True: "[green]met", False: "[red]missed", None: ""}[one["ok"]]
        table.add_row(one["name"], f"{one['value']:,.3f}", one["unit"], one["goal"] or "", verdict)
    console.print(table)
