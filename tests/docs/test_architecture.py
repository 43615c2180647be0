"""sidecar/ARCHITECTURE.md and CONTRIBUTING.md name files, tests and steps that are there and work."""

import re
import textwrap
import tomllib
from random import Random
from typing import Any, Final

import pytest

from sidecar.config.errors import Findings
from sidecar.config.strategies import compile_strategy
from sidecar.core.endpoint import eligible
from sidecar.core.registry import STRATEGIES
from sidecar.core.state.memory import State
from sidecar.core.strategies.base import Turn
from tests.builders import a_request, endpoints_of
from tests.docs.pages import ROOT, codes, rows
from tests.docs.test_features import functions_of

PAGE: Final = ROOT / "sidecar/ARCHITECTURE.md"
TEXT: Final = PAGE.read_text("utf-8")
GUIDE: Final = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_every_test_named_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)

    assert len(named) >= 15
    assert [f"{file}::{name}" for file, name in named if name not in functions_of(ROOT / file)] == []


def test_every_file_named_is_there() -> None:
    """In the table of where a line belongs; `core/gates/` and `<name>` are to be made."""
    paths = [code for cells in rows(TEXT) for cell in cells[1:] for code in codes(cell)]
    paths = [path for path in paths if "/" in path and "<" not in path and path != "core/gates/"]

    assert len(paths) > 20
    for path in paths:
        found = [base for base in (ROOT, ROOT / "sidecar") if any(base.glob(path.rstrip("/")))]
        assert found, path


def test_the_layers_are_those_that_are_enforced() -> None:
    settings: Any = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers":
            layers = [re.sub(r"sidecar\.(core\.)?(?=\w)", "", layer) for layer in contract["layers"]]
            assert " ─► ".join(layers) in TEXT


def test_every_target_of_make_is_told() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    assert [target for target in targets if f"`make {target}`" not in GUIDE and target != "help"] == []


def test_the_strategy_of_the_guide_works() -> None:
    (indented,) = re.findall(r"^   ```python\n(.*?)^   ```$", GUIDE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(indented), names)
    known = {**STRATEGIES, "less_busy": names["LessBusy"]}
    findings = Findings()
    compiled = compile_strategy({"less_busy": {"draw": 3}}, ("strategy",), findings, known)
    assert compiled is not None
    candidates = eligible(endpoints_of({"a": 1, "b": 1, "c": 1}))
    state = State()
    turn = Turn(a_request(), state.pools.arrange("main", candidates), candidates, state, Random(1), 0.0)

    assert len(compiled[1]().rank(turn, 2)) == 2


def test_the_message_of_the_guide_is_the_one_that_is_given() -> None:
    (indented,) = re.findall(r"^   ```python\n(.*?)^   ```$", GUIDE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(indented), names)

    with pytest.raises(ValueError, match="draw must be at least 2, got 1"):
        names["LessBusy"](draw=1)
    assert "draw: must be at least 2, got 1" in GUIDE
