"""What the file says of scores and outliers, and what is said of mistakes in it."""

import pytest

from sidecar.config.errors import ConfigError
from sidecar.core.watch import USUAL_SCORE, Watch
from tests.config.files import a_route, loaded

AT = "gateway.yaml:2: clusters.shop.health"


def a_file(health: str) -> str:
    """The cluster `shop`, to which the route goes, stands in line 2."""
    shop = f"  shop: {{endpoints: [{{address: '10.0.0.1:80', id: a}}], health: {health}}}\n"
    return a_route("to: shop", "clusters:\n" + shop)


def watch_of(health: str) -> Watch:
    (route,) = loaded(a_file(health)).plan.routes
    return route.variants[0].endpoints[0].offer.watch


def test_nothing_is_judged_that_is_not_named() -> None:
    """H2 H3: the score is kept, and keeps nobody away."""
    watch = watch_of("{}")

    assert watch.outliers is None
    assert watch.score is USUAL_SCORE
    assert watch.score.least == 0.0


def test_a_score_has_the_usual_numbers_unless_told_otherwise() -> None:
    """H2 C4: health at least 0.7, alpha 0.3, 60 s, 500 ms."""
    usual = watch_of("{score: {}}").score
    told = watch_of("{score: {min: 0.5, alpha: 10%, window: 2m, latency: 2s}}").score

    assert (usual.least, usual.alpha, usual.window_s, usual.slow_s) == (0.7, 0.3, 60.0, 0.5)
    assert (told.least, told.alpha, told.window_s, told.slow_s) == (0.5, 0.1, 120.0, 2.0)
    assert watch_of("{score: {}}").outliers is None


def test_outliers_have_the_usual_numbers_unless_told_otherwise() -> None:
    """H3: failure rate 0.5 or p99 of 1,000 ms."""
    usual = watch_of("{outliers: {}}").outliers
    told = watch_of(
        "{outliers: {failure_rate: 20%, p99: 250ms, max_ejected: 10%, window: 30s, requests: 50, "
        "ejected_for: 5s, max_ejected_for: 20s}}"
    ).outliers

    assert usual is not None
    assert (usual.failure_rate, usual.p99_s, usual.most_ejected) == (0.5, 1.0, 0.5)
    assert (usual.window_s, usual.requests, usual.base_s, usual.most_s) == (10.0, 10, 30.0, 300.0)
    assert told is not None
    assert (told.failure_rate, told.p99_s, told.most_ejected) == (0.2, 0.25, 0.1)
    assert (told.window_s, told.requests, told.base_s, told.most_s) == (30.0, 50, 5.0, 20.0)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        pytest.param(
            "{score: {min: 100%}}",
            f"{AT}.score.min: no endpoint that takes any time reaches 100%; write less, such as 70%",
            id="a score that nobody reaches",
        ),
        pytest.param(
            "{score: {alpha: 0}}", f"{AT}.score.alpha: must be above 0, got 0", id="an alpha of nothing"
        ),
        pytest.param(
            "{score: {latncy: 1s}}",
            f"{AT}.score.latncy: unknown key; did you mean latency?",
            id="unknown key",
        ),
        pytest.param(
            "{outliers: {failure_rate: 0%, p99: 0s}}",
            f"{AT}.outliers: nothing ejects anybody; give it failure_rate or p99, or leave it out",
            id="nothing ejects",
        ),
        pytest.param(
            "{outliers: {ejected_for: 10m, max_ejected_for: 5m}}",
            f"{AT}.outliers.max_ejected_for: is less than ejected_for; write at least as much",
            id="at most less than at first",
        ),
        pytest.param(
            "{outliers: {max_ejected: 0%}}",
            f"{AT}.outliers.max_ejected: must be above 0, got 0%",
            id="nobody may be ejected",
        ),
        pytest.param(
            "{outliers: {failure_rate: 120%}}",
            f'{AT}.outliers.failure_rate: "120%" is not a share; write one such as 10%, 0.01% or 0.1',
            id="more than all",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(health: str, expected: str) -> None:
    with pytest.raises(ConfigError) as told:
        loaded(a_file(health))

    assert str(told.value).splitlines() == [expected]


def test_an_ejection_that_is_long_needs_no_second_key() -> None:
    """H3: it is out for as long each time, and no less than is written."""
    endpoint = loaded(a_file("{outliers: {ejected_for: 10m}}")).plan.routes[0].variants[0].endpoints[0]
    rule = endpoint.offer.watch.outliers
    assert rule is not None
    assert (rule.base_s, rule.most_s) == (600.0, 600.0)
