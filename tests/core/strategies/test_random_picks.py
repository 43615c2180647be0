"""Drawing by chance, evenly and by weight.

Each sample is 20,000 draws with a fixed seed; each bound is five standard deviations of the binomial,
which chance leaves once in two million samples.
"""

from math import sqrt

import pytest

from tests.builders import a_route, an_engine, decided, endpoints_of, picks

DRAWS = 20_000


def within_chance(times: int, share: float) -> bool:
    return abs(times - DRAWS * share) <= 5 * sqrt(DRAWS * share * (1 - share))


@pytest.mark.parametrize("want", [1, 2])
def test_random_gives_each_endpoint_the_same_share(want: int) -> None:
    """S3"""
    engine = an_engine(
        a_route(to=endpoints_of({"a": 1, "b": 9, "c": 1, "no": 0}), strategy="random", want=want)
    )

    given = picks(engine, DRAWS).split()

    assert all(within_chance(given.count(name), 1 / 3) for name in "abc")
    assert "no" not in given


@pytest.mark.parametrize("want", [1, 2])
def test_weighted_random_gives_each_endpoint_its_weight(want: int) -> None:
    """S3"""
    weights = {"a": 700, "no": 0, "b": 290, "c": 10}
    engine = an_engine(a_route(to=endpoints_of(weights), strategy="weighted_random", want=want))

    given = picks(engine, DRAWS).split()

    assert all(within_chance(given.count(name), weight / 1000) for name, weight in weights.items())


def test_the_first_fallback_of_weighted_random_is_drawn_by_weight_among_the_others() -> None:
    """S3"""
    weights = {"a": 6, "b": 3, "c": 1}
    engine = an_engine(a_route(to=endpoints_of(weights), strategy="weighted_random", want=2))
    decisions = [decided(engine) for _ in range(DRAWS)]

    seconds = [decision.fallbacks[0].id for decision in decisions]

    # Second is c after a (0.6 x 1/4) or after b (0.3 x 1/7).
    assert within_chance(seconds.count("c"), 0.6 / 4 + 0.3 / 7)


@pytest.mark.parametrize("strategy", ["random", "weighted_random"])
def test_the_same_seed_draws_the_same(strategy: str) -> None:
    """S3"""
    to = endpoints_of({"a": 2, "b": 3, "c": 4})
    first, same, other = (an_engine(a_route(to=to, strategy=strategy), seed=seed) for seed in (7, 7, 8))

    drawn = picks(first, 50)

    assert picks(same, 50) == drawn
    assert picks(other, 50) != drawn
