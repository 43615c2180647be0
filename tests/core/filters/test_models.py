"""Only endpoints that serve the model."""

import pytest

from sidecar.core.filters.models import Models
from sidecar.core.rules.facts import Fact
from sidecar.core.rules.fields import HeaderField
from tests.builders import a_request
from tests.core.filters.asking import a_filtered_engine, left, offering, said, whys

MODEL = Fact("model", (HeaderField("x-model"),), {"best": "gpt-4"})
NAMES = {"gpt-4": frozenset({"gpt-4", "best"}), "claude": frozenset({"claude"})}
FLEET = [
    offering("gpt", models=["gpt-4"]),
    offering("alias", models=["best"]),
    offering("both", models=["gpt-4", "claude"]),
    offering("any"),
]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("", "alias any both gpt"),
        ("gpt-4", "alias any both gpt"),
        ("best", "alias any both gpt"),
        ("claude", "any both"),
        ("unheard-of", "any"),
    ],
)
def test_only_endpoints_that_serve_the_model_are_left_and_those_that_declare_none(
    model: str, expected: str
) -> None:
    """C1: an alias means its model, in the request and in what an endpoint declares."""
    engine = a_filtered_engine(FLEET, Models(MODEL, NAMES))

    assert left(engine, a_request("/", ("x-model", model))) == expected


def test_an_unknown_model_that_nobody_serves_is_refused_by_name() -> None:
    """C1"""
    engine = a_filtered_engine(FLEET[:3], Models(MODEL, NAMES))

    assert said(engine, a_request("/", ("x-model", "gpt-9"))) == 'no_endpoint: no endpoint for model "gpt-9"'
    assert said(engine, a_request("/", ("x-model", "gpt-8"))) == 'no_endpoint: no endpoint for model "gpt-8"'


def test_says_what_the_others_serve() -> None:
    """C8"""
    engine = a_filtered_engine(FLEET, Models(MODEL, NAMES))

    assert whys(engine, a_request("/", ("x-model", "claude"))) == {
        "gpt": 'it serves gpt-4, not model "claude"',
        "alias": 'it serves best, not model "claude"',
    }


def test_any_number_of_unknown_models_is_kept_as_one() -> None:
    engine = a_filtered_engine(FLEET, Models(MODEL, NAMES))

    for at in range(50):
        engine.decide(a_request("/", ("x-model", f"m{at}")), 0.0)

    assert len(engine.state.pools.of("main").parts) == 1
