"""Drawing endpoints by shares. Bounds are five standard deviations of the binomial."""

from functools import partial
from math import sqrt
from random import Random

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.shares import Shares
from tests.builders import COMPILED, a_route, an_endpoint, an_engine, decided, lines_run

DRAWS = 20_000


def endpoints(count: int) -> list[Endpoint]:
    return [an_endpoint(f"e{at}") for at in range(count)]


def within_chance(times: int, share: float) -> bool:
    return abs(times - DRAWS * share) <= 5 * sqrt(DRAWS * share * (1 - share))


def test_each_is_drawn_by_its_share() -> None:
    shares = Shares(endpoints(3), [0.5, 0.125, 0.375])
    rng = Random(1)

    drawn = [shares.draw(1, rng)[0].id for _ in range(DRAWS)]

    for at, share in enumerate([0.5, 0.125, 0.375]):
        assert within_chance(drawn.count(f"e{at}"), share)


@pytest.mark.parametrize("count", [3, 12])
def test_the_second_is_drawn_by_its_share_among_the_others(count: int) -> None:
    """Of 3 the others are put in order, of 12 they are drawn anew: both come to the same. The second is `e1`
    after `e0` with 0.6 x 0.3/0.4, and after each of the last with its share x 0.3/(1 - its share)."""
    last = 0.1 / (count - 2)
    shares = Shares(endpoints(count), [0.6, 0.3] + [last] * (count - 2))
    rng = Random(2)

    seconds = [shares.draw(2, rng)[1].id for _ in range(DRAWS)]

    assert within_chance(seconds.count("e1"), 0.6 * 0.3 / 0.4 + (count - 2) * last * 0.3 / (1 - last))


@pytest.mark.parametrize("want", [1, 2, 3, 7, 20, 50])
def test_none_is_drawn_twice_and_no_more_than_there_are(want: int) -> None:
    shares = Shares(endpoints(20), [1e-9, 1e9, 0.0, *[1.0] * 17])
    rng = Random(3)

    for _ in range(50):
        drawn = [endpoint.id for endpoint in shares.draw(want, rng)]
        assert len(drawn) == len(set(drawn)) == min(want, 20)
        assert "e2" not in drawn[:19]


def test_where_nobody_has_a_share_weights_count() -> None:
    shares = Shares([an_endpoint("a", 3), an_endpoint("b", 1)], [0.0, 0.0])
    rng = Random(4)

    drawn = [shares.draw(1, rng)[0].id for _ in range(DRAWS)]

    assert within_chance(drawn.count("a"), 0.75)


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines of Python")
@pytest.mark.parametrize("strategy", ["quota_aware", "cache_aware"])
def test_while_requests_come_few_of_them_make_shares(strategy: str) -> None:
    """S9, S10: lines of Python run for each of 100 requests, 10 ms apart, after as many before. Among 200
    endpoints the median is that among 5 but for six more steps of a bisection, and only the costliest few
    make the shares of all."""

    def costs(count: int) -> list[int]:
        engine = an_engine(a_route(to=endpoints(count), strategy=strategy))
        for at in range(100):
            decided(engine, now=at / 100)
        return sorted(lines_run(partial(decided, engine, now=1 + at / 100)) for at in range(100))

    few, many = costs(5), costs(200)

    assert many[50] <= few[50] + 40
    assert many[95] <= many[50] + 40
    assert many[99] > many[95] + 200


def test_grow_old() -> None:
    shares = Shares(endpoints(1), [1.0], made_at=10.0)

    assert [shares.due(now) for now in (10.0, 10.24, 10.25)] == [False, False, True]
    assert [shares.old(now) for now in (10.25, 10.99, 11.0)] == [False, False, True]
