"""The cheapest endpoint for the tokens of a request."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.engine import Engine
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.tokens import Tokens
from sidecar.core.state.prices import Prices, prices_of
from sidecar.core.strategies.cost_optimized import CostOptimized
from tests.builders import COMPILED, a_request, an_engine_by, decided, lines_run

PROMPT, MOST = HeaderField("x-prompt"), HeaderField("x-max-tokens")


def priced(id: str, input: int = -1, output: int = -1, weight: int = 1) -> Endpoint:
    return Endpoint("ai", id, "10.0.0.1:80", weight, input_micro_usd=input, output_micro_usd=output)


LONG_INPUT = priced("long-input", 100, 900)
LONG_OUTPUT = priced("long-output", 400, 450)
DEAR = priced("dear", 500, 1000)
UNKNOWN = priced("unknown")


def an_engine_of(*endpoints: Endpoint, want: int = 1) -> Engine:
    return an_engine_by(CostOptimized(tokens=Tokens((PROMPT,), (MOST,))), endpoints, want=want)


def asked(engine: Engine, prompt: int, answer: int) -> list[str]:
    """Who is named for a prompt of so many tokens and an answer of so many."""
    request = a_request("/", ("x-prompt", "x" * 4 * prompt), ("x-max-tokens", str(answer)))
    decision = decided(engine, request)
    return [endpoint.id for endpoint in [decision.endpoint, *decision.fallbacks]]


def test_the_cheapest_depends_on_prompt_and_answer() -> None:
    """S8: the lines cross where 300 x input is 450 x output."""
    engine = an_engine_of(DEAR, LONG_OUTPUT, LONG_INPUT)

    assert asked(engine, 1500, 999) == ["long-input"]
    assert asked(engine, 1500, 1001) == ["long-output"]
    assert asked(engine, 100, 100) == ["long-output"]
    assert asked(engine, 1000, 1) == ["long-input"]


def test_the_others_follow_by_price_and_those_without_one_come_last() -> None:
    """S8"""
    engine = an_engine_of(UNKNOWN, DEAR, LONG_OUTPUT, LONG_INPUT, want=4)

    assert asked(engine, 1000, 100) == ["long-input", "long-output", "dear", "unknown"]
    assert asked(engine, 100, 1000) == ["long-output", "long-input", "dear", "unknown"]


def test_endpoints_of_one_price_share_by_weight() -> None:
    """S8: 4,000 requests; five standard deviations of 3/4 are 137."""
    engine = an_engine_of(priced("a", 10, 20, 3), priced("b", 10, 20, 1), DEAR)

    given = Counter(asked(engine, 10, 10)[0] for _ in range(4_000))

    assert abs(given["a"] - 3_000) <= 137
    assert given["a"] + given["b"] == 4_000


def test_without_any_price_weights_count() -> None:
    """S8: 4,000 requests; five standard deviations of 3/4 are 137."""
    engine = an_engine_of(priced("a", weight=3), priced("b"))

    assert abs(Counter(asked(engine, 10, 10)[0] for _ in range(4_000))["a"] - 3_000) <= 137


def test_what_costs_nothing_has_a_price() -> None:
    """S8"""
    assert asked(an_engine_of(UNKNOWN, priced("free", 0, 0), LONG_INPUT), 10, 10) == ["free"]


def test_half_a_price_is_none() -> None:
    """S8"""
    assert asked(an_engine_of(priced("half", 1), LONG_INPUT), 10, 10) == ["long-input"]


def test_the_edge_gives_the_lowest_price_there_is() -> None:
    """S8: against looking at all, for 50 random lists of 40 prices and 100 requests each."""
    rng = Random(4)
    for _ in range(50):
        endpoints = [priced(str(at), rng.randrange(60), rng.randrange(200)) for at in range(40)]
        prices = Prices(Candidates(endpoints))
        for _ in range(100):
            asked, answered = rng.choice([0, rng.randrange(5_000)]), rng.choice([0, rng.randrange(5_000)])
            cheapest = prices.cheapest(asked, answered)
            lowest = min(
                each.input_micro_usd * asked + each.output_micro_usd * answered for each in endpoints
            )
            assert cheapest.of(asked, answered) == pytest.approx(lowest, rel=1e-9)


def test_pools_of_the_same_candidates_share_their_prices() -> None:
    candidates = Candidates([LONG_INPUT, DEAR])

    assert prices_of(candidates) is prices_of(candidates)


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines of Python")
def test_the_cheapest_of_a_thousand_is_found_as_soon_as_of_ten() -> None:
    """S8: lines of Python run for one ranking, with as many different prices as endpoints."""

    def cost(count: int) -> int:
        engine = an_engine_of(*[priced(str(at), at, 2 * count - at) for at in range(count)])
        return lines_run(lambda: asked(engine, 100, 100))

    assert cost(1_000) <= 1.1 * cost(10)


def test_says_what_it_judges_by() -> None:
    """S8, C8: the lowest price over the endpoint's."""
    strategy = CostOptimized(tokens=Tokens((PROMPT,), (MOST,)))
    engine = an_engine_by(strategy, (priced("a", 100, 100), priced("b", 400, 400), UNKNOWN))
    turn = decided(engine, a_request("/", ("x-prompt", "x" * 40), ("x-max-tokens", "10"))).turn
    assert turn is not None

    assert [(endpoint.id, score) for endpoint, score in strategy.scores(turn)] == [
        ("a", 1.0),
        ("b", 0.25),
        ("unknown", 0.0),
    ]
