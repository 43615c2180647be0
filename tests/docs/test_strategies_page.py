"""docs/strategies.md tells of every strategy, and of its options with what they are unless written."""

import inspect
import re
from typing import Any, Final

import pytest
import yaml

from sidecar.config.strategies import NOT_WRITTEN, written_name
from sidecar.core.registry import STRATEGIES
from tests.docs.pages import ROOT, rows

TEXT: Final = (ROOT / "docs/strategies.md").read_text("utf-8")
SECTIONS: Final = dict(re.findall(r"^### (.+?)\n\n(.*?)(?=^###? |\Z)", TEXT, re.MULTILINE | re.DOTALL))
WEIGHTS: Final = {"load": 0.3, "latency": 0.3, "cost": 0.2, "cache": 0.2}
"""Of best_score, where none is written."""
ELSEWHERE: Final = {"by", "prompt", "threshold", "penalty", "most_across", "target"}
"""What other sections of the file say, or what is shown by an example."""


def section(strategy: str) -> str:
    (found,) = [text for title, text in SECTIONS.items() if strategy in title.split(", ")]
    return str(found)


def takes(strategy: str) -> dict[str, Any]:
    """By name as it is written, what it is unless it is."""
    made = STRATEGIES[strategy]
    if made.__init__ is object.__init__:
        return {}
    return {
        written_name(each.name): each.default
        for each in inspect.signature(made).parameters.values()
        if each.name not in NOT_WRITTEN
    }


def told(strategy: str) -> dict[str, Any]:
    """The options that the section begins with, as `{option: value}` or `{strategy: {option: value}}`."""
    found = re.match(r"`(\{.*?\})`", section(strategy), re.DOTALL)
    options: Any = yaml.safe_load(found[1]) if found else {}
    return dict(options.get(strategy, options))


def plain(value: object) -> object:
    if isinstance(value, str) and value.endswith("%"):
        return float(value[:-1]) / 100
    if isinstance(value, str) and (duration := re.fullmatch(r"([0-9.]+)(ms|s|m)", value)):
        return float(duration[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[duration[2]]
    return value


def test_the_table_names_every_strategy() -> None:
    named = {name for cells in rows(TEXT) for name in re.findall(r"`(\w+)`", cells[0])}

    assert set(STRATEGIES) <= named


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_section_tells_the_options_that_there_are(strategy: str) -> None:
    there, said = takes(strategy), told(strategy)

    assert said.keys() <= there.keys()
    assert there.keys() - said.keys() - ELSEWHERE <= {"quota", "health", "zone"}


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_section_tells_what_options_are_unless_they_are_written(strategy: str) -> None:
    there = takes(strategy)
    for option, value in told(strategy).items():
        if option not in ELSEWHERE and option != "load_factor":
            usual = WEIGHTS[option] if there[option] is None else there[option]
            assert plain(value) == pytest.approx(usual) if isinstance(usual, float) else value == usual, (
                option
            )
