"""What `learned` makes of endpoints that are good at different requests, at different hours.

Half of the time `a` is quick with small requests and slow with large ones, and `b` the other way round; at
night they change places. `c` is in between whatever comes. Nobody who stays with one endpoint, nor who goes
by size alone or by the hour alone, does well.
"""

from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.request import Request, headers_of
from sidecar.core.state.model import LEAST_OUTCOMES
from sidecar.core.strategies.base import Strategy, Turn
from sidecar.core.strategies.learned import Learned
from sidecar.sim.result import Result
from sidecar.sim.scenario import Change, Scenario
from tests.sim.scenes import a_scenario, a_server, played

TARGET_S: Final = 0.5
SIZES: Final = (2_000, 30_000, 200_000)
DAY_S: Final = 86_400.0


def an_upload(rng: Random) -> Request:
    length = str(rng.choice(SIZES)).encode()
    return Request("POST", "shop.test", "/", headers_of([("content-length", length)]))


def small(request: Request) -> bool:
    length = request.headers.first("content-length")
    return length is not None and int(length) < 100_000


def by_day(request: Request) -> bool:
    return 8 <= request.received_at % DAY_S / 3600 < 20


def takes(well: Callable[[Request], bool]) -> Callable[[Request], float]:
    """Eight times as long for what it does not do well."""
    return lambda request: 1.0 if well(request) else 8.0


def the_scenario(seed: int, days: float = 2.0, rate: float = 0.05) -> Scenario:
    """8,640 requests, of which none waits for another."""
    servers = {
        "a": a_server(0.2, 50, work=takes(lambda request: small(request) == by_day(request))),
        "b": a_server(0.2, 50, work=takes(lambda request: small(request) != by_day(request))),
        "c": a_server(0.2, 50, work=lambda _: 2.5),
    }
    return a_scenario(servers, rate, days * DAY_S, request=an_upload, seed=seed)


class Always(Strategy):
    def __init__(self, at: int) -> None:
        self._at = at

    def rank(self, turn: Turn, want: int) -> list[Endpoint]:
        return [turn.candidates.endpoints[self._at]]


def in_time(result: Result) -> float:
    """The share of the requests that succeeded within the target."""
    good = sum(
        took_s <= TARGET_S and not failed for took_s, failed in zip(result.took_s, result.failed, strict=True)
    )
    return good / len(result)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_beats_the_best_fixed_endpoint_where_the_best_depends_on_size_and_hour(seed: int) -> None:
    """S12: of each some 8,640 requests in two days, the learning among them. At best 92 % succeed in time, by
    the exponential service times; the best fixed endpoint gets 63 %. The bound is 25 % more than that, where
    10 % are promised, and 30 % more on the second day."""
    scenario = the_scenario(seed)
    fixed = [played(Always(at), scenario) for at in range(3)]

    learned = played(Learned(target_s=TARGET_S), scenario)

    assert in_time(learned) >= 1.25 * max(map(in_time, fixed))
    assert in_time(learned.between(DAY_S)) >= 1.3 * max(in_time(each.between(DAY_S)) for each in fixed)


def test_equals_random_before_100_outcomes() -> None:
    """S12: of 60 runs the first 99 requests each, every one answered before the next; `a` succeeds always and
    `b` never. The shares are those of the weights, 5,940 requests within four standard deviations of the
    binomial; and request by request the picks are those of weighted_random."""
    servers = {"a": a_server(0.001, 9, "constant"), "b": a_server(0.001, 9, failure_share=1.0)}
    given = {"a": 0, "b": 0}
    asked = 0
    for seed in range(60):
        scenario = a_scenario(servers, 1.0, 130.0, seed=seed)
        learned, random = played(Learned(), scenario), played("weighted_random", scenario)
        first = LEAST_OUTCOMES - 1
        assert learned.went_to[:first] == random.went_to[:first]
        assert learned.went_to[first + 5 :] != random.went_to[first + 5 :]
        for name, number in (("a", 0), ("b", 1)):
            given[name] += learned.went_to[:first].count(number)
        asked += len(learned.went_to[:first])

    assert abs(given["a"] - asked / 2) <= 4 * (asked / 4) ** 0.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_leaves_an_endpoint_that_fails_and_comes_back_to_it(seed: int) -> None:
    """S12: 10 requests a second; a is the best, fails for ten minutes from 600 s on, and is as before."""
    servers = {"a": a_server(0.1, 50), "b": a_server(0.4, 50), "c": a_server(0.6, 50)}
    changes = (Change(600.0, "shop/a", failure_share=1.0), Change(1200.0, "shop/a", failure_share=0.0))
    result = played(
        Learned(target_s=TARGET_S),
        a_scenario(servers, 10.0, 2400.0, changes=changes, seed=seed),
    )

    assert result.between(300.0, 600.0).shares()["shop/a"] >= 0.9
    assert result.between(630.0, 1200.0).shares()["shop/a"] <= 0.05
    assert result.between(1800.0).shares()["shop/a"] >= 0.9
