"""How the options of a strategy are given to its class, and what is said when it does not take them."""

import pytest

from sidecar.config.errors import Findings
from sidecar.config.strategies import compile_strategy
from sidecar.core.strategies.base import Strategy


class LeastLoaded(Strategy):
    def __init__(self, *, draw: int = 2, by: str = "load") -> None:
        if draw < 2:
            raise ValueError(f"draw must be at least 2, got {draw}")
        if by == "draw":
            raise ValueError("two options contradict each other")
        self.draw = draw


KNOWN: dict[str, type[Strategy]] = {"least_loaded": LeastLoaded}
WHERE = ("routes", 2, "strategy")


def test_gives_the_options_to_the_class_and_makes_a_new_one_each_time() -> None:
    compiled = compile_strategy({"least_loaded": {"draw": 5}}, WHERE, Findings(), KNOWN)

    assert compiled is not None
    name, make = compiled
    first, second = make(), make()
    assert name == "least_loaded"
    assert isinstance(first, LeastLoaded)
    assert first.draw == 5
    assert first is not second


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"draw": 1}, ".draw: must be at least 2, got 1"),
        ({"drew": 5}, ".drew: unknown option; did you mean draw?"),
        (
            {"draw": 2, "by": "draw"},
            ": its options are not usable: two options contradict each other",
        ),
        (
            {"draw": "two"},
            ": an option is missing or of the wrong kind; least_loaded takes draw (int), by (str)",
        ),
    ],
)
def test_says_which_option_is_wrong(options: dict[str, object], said: str) -> None:
    findings = Findings()

    assert compile_strategy({"least_loaded": options}, WHERE, findings, KNOWN) is None
    written = [problem.text("gateway.yaml") for problem in findings.problems]
    assert written == [f"gateway.yaml: routes[2].strategy.least_loaded{said}"]
