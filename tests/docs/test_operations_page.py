"""docs/operations.md names every event of the log, every health name and every bound that it tells."""

import ast
import re
from pathlib import Path
from typing import Final

from grpc_health.v1 import health_pb2

from sidecar.app import build
from sidecar.config.document import MOST_BYTES, MOST_DEPTH, MOST_NODES
from sidecar.config.load import load
from sidecar.config.matches import MOST_DEPTH as DEEPEST_MATCH
from sidecar.config.schema import Tickets
from sidecar.runtime.methods import Unary
from tests.docs.pages import ROOT, codes, rows
from tests.runtime.sidecars import SMALL

TEXT: Final = (ROOT / "docs/operations.md").read_text("utf-8")
ROWS: Final = rows(TEXT)
LEVELS: Final = {"debug", "info", "warning", "error", "exception"}


def test_every_event_of_the_log_is_listed() -> None:
    listed = {codes(cells[0])[0] for cells in ROWS if len(cells) == 3 and cells[1] in LEVELS}
    sources = (ROOT / "sidecar/runtime").rglob("*.py")

    assert listed == {event for source in sources for event in events(source)}


def test_every_health_name_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(SMALL)
    listing = build(path, load(path, 1), [], "").methods["/grpc.health.v1.Health/List"]
    assert isinstance(listing, Unary)
    names = set(health_pb2.HealthListResponse.FromString(listing.handler(b"")).statuses)

    assert {name for name in names if name and f"`{name}`" not in TEXT} == set()
    assert "(empty)" in TEXT


def test_the_bounds_are_those_of_the_program() -> None:
    configuration = (ROOT / "docs/configuration.md").read_text("utf-8")
    bounds = f"{MOST_BYTES // 1024 // 1024} MB, {MOST_NODES:,} values"

    assert bounds in TEXT
    assert bounds in configuration
    assert f"{MOST_DEPTH} levels" in TEXT
    assert f"{MOST_DEPTH} levels, a match at most {DEEPEST_MATCH}" in configuration
    assert f"`tickets.most`, {Tickets().most:,}" in TEXT
    assert f"`tickets.lease`, {Tickets().lease / 60:.0f} minutes" in TEXT


def events(source: Path) -> set[str]:
    """First arguments of `log.info(…)` and so on, of `_tell(bug, …)`, and of what joins `warnings`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            arguments = node.args
            if ast.unparse(node.func) == "warnings.append" and isinstance(node.args[0], ast.Tuple):
                arguments = node.args[0].elts[:1]
            elif node.func.attr not in LEVELS | {"_tell"}:
                continue
            said = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
            found |= {word for word in said if isinstance(word, str)}
    return {event for event in found if re.fullmatch(r"[a-z_]+", event)}
