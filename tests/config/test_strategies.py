"""How the options of a strategy are given to its class, and what is said when it does not take them."""

from inspect import Parameter, Signature

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


class AsCompiled(Strategy):
    """Compiled classes say what their options are by default, and nothing of types."""

    __signature__ = Signature(
        [
            Parameter("draw", Parameter.POSITIONAL_ONLY, default=2),
            Parameter("factor", Parameter.POSITIONAL_ONLY, default=1.5),
            Parameter("by", Parameter.POSITIONAL_ONLY, default="load"),
            Parameter("load", Parameter.POSITIONAL_ONLY, default=None),
        ]
    )

    def __init__(self, **options: object) -> None:
        self.options = options


class NeedsMore(Strategy):
    def __init__(self, then: Strategy, *, draw: int = 2) -> None:
        self.then = then


KNOWN: dict[str, type[Strategy]] = {
    "least_loaded": LeastLoaded,
    "compiled": AsCompiled,
    "more": NeedsMore,
}
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
        ({"draw": "two"}, '.draw: "two" is not a whole number; write one such as 8'),
        ({"draw": 2.5}, ".draw: 2.5 is not a whole number; write 2"),
        ({"draw": True}, ".draw: true is not a whole number; write one such as 8"),
        ({"draw": "50%"}, '.draw: "50%" is not a whole number; write one such as 8'),
        ({"by": 4}, ".by: 4 is not text; write a word"),
    ],
)
def test_says_which_option_is_wrong(options: dict[str, object], said: str) -> None:
    findings = Findings()

    assert compile_strategy({"least_loaded": options}, WHERE, findings, KNOWN) is None
    written = [problem.text("gateway.yaml") for problem in findings.problems]
    assert written == [f"gateway.yaml: routes[2].strategy.least_loaded{said}"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"draw": 2.5}, "draw: 2.5 is not a whole number; write 2"),
        ({"factor": "much"}, 'factor: "much" is not a number; write one such as 1.5'),
        ({"factor": float("nan")}, "factor: nan is not a number; write one such as 1.5"),
        ({"load": True}, "load: true is not a number; write one such as 1.5"),
        ({"by": 4}, "by: 4 is not text; write a word"),
    ],
)
def test_the_kind_of_an_option_is_known_by_what_it_is_by_default(
    options: dict[str, object], said: str
) -> None:
    findings = Findings()

    assert compile_strategy({"compiled": options}, WHERE, findings, KNOWN) is None
    assert [problem.text("f") for problem in findings.problems] == [f"f: routes[2].strategy.compiled.{said}"]


def test_numbers_and_shares_are_taken_where_a_number_may_stand() -> None:
    findings = Findings()

    made = compile_strategy({"compiled": {"factor": 2, "load": "40%"}}, WHERE, findings, KNOWN)

    assert not findings.problems
    assert made is not None
    strategy = made[1]()
    assert isinstance(strategy, AsCompiled)
    assert strategy.options == {"factor": 2, "load": 0.4}


def test_says_what_a_strategy_takes_where_something_is_missing() -> None:
    findings = Findings()

    assert compile_strategy({"more": {"draw": 3}}, WHERE, findings, KNOWN) is None
    (problem,) = findings.problems
    assert problem.message == "an option is missing or of the wrong kind"
    assert problem.remedy == "more takes then (Strategy), draw (int)"
