"""The formulas of the scorers, one after the other."""

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.tokens import Tokens
from sidecar.core.scorers.cache import Cache
from sidecar.core.scorers.cost import Cost
from sidecar.core.scorers.health import Health
from sidecar.core.scorers.latency import Latency
from sidecar.core.scorers.load import Load
from sidecar.core.scorers.quota import Quota
from sidecar.core.scorers.zone import Zone
from sidecar.core.state.standing import DEGRADED, OUT, Mark
from tests.builders import a_request
from tests.core.scorers.comparing import Scene, a_scene

REFUSED = Outcome(0, 0.001, Failure.CONNECTION)


def test_load_is_the_least_requests_in_flight_over_the_endpoints() -> None:
    """S17: this request counts too: 1, 2 and 4 beside the least of 1."""
    scene = a_scene("a", "b", "c")
    scene.busy("b", 1)
    scene.busy("c", 3)

    assert scene.scores(Load()) == {"a": 1.0, "b": 0.5, "c": 0.25}


def test_load_counts_requests_by_weight() -> None:
    scene = a_scene("a", "b", weights={"a": 1, "b": 4})
    scene.busy("a", 1)
    scene.busy("b", 4)

    assert scene.scores(Load()) == {"a": 1.0, "b": 1.0}


def test_load_takes_in_what_endpoints_report_where_all_of_them_do() -> None:
    """S17: 0.25 + 0.25 beside 0.75 + 0.25."""
    scene = a_scene("a", "b")
    scene.state.reports.told("shop/a", 0.0, utilisation=0.25)
    assert scene.scores(Load()) == {"a": 1.0, "b": 1.0}

    scene.state.reports.told("shop/b", 0.0, utilisation=0.75)

    assert scene.scores(Load()) == {"a": 1.0, "b": 0.5}


def test_latency_is_the_least_median_over_the_endpoints() -> None:
    """S17: 50 ms beside 200 ms, as exact as medians are known, 5 % each."""
    scene = a_scene("a", "b")
    scene.answered("a", *[Outcome(200, 0.05)] * 10)
    scene.answered("b", *[Outcome(200, 0.2)] * 10)

    scores = scene.scores(Latency())

    assert scores["a"] == 1.0
    assert scores["b"] == pytest.approx(0.25, rel=0.1)


def test_latency_tries_an_unknown_endpoint_with_ten_requests_at_a_time() -> None:
    scene = a_scene("a", "new")
    scene.answered("a", *[Outcome(200, 0.05)] * 10)
    scene.answered("new", *[Outcome(200, 1.0)] * 9)
    scene.busy("new", 9)
    assert scene.scores(Latency())["new"] == 1.0

    scene.busy("new", 1)

    assert scene.scores(Latency())["new"] == 0.5


def test_latency_tries_an_endpoint_that_was_silent_with_one_request_at_a_time() -> None:
    scene = a_scene("a", "b")
    scene.answered("a", *[Outcome(200, 0.05)] * 10, now=40.0)
    scene.answered("b", *[Outcome(200, 5.0)] * 10, now=10.0)
    assert scene.scores(Latency(), now=39.0)["b"] < 0.02
    assert scene.scores(Latency(), now=40.0)["b"] == 1.0

    scene.busy("b", 1)

    assert scene.scores(Latency(), now=40.0)["b"] < 0.02


def test_latency_of_nothing_but_failures_is_0_and_of_durations_that_nobody_tells_a_half() -> None:
    scene = a_scene("a", "fails", "untold")
    scene.answered("a", *[Outcome(200, 0.05)] * 10)
    scene.answered("fails", *[REFUSED] * 10)
    scene.answered("untold", *[Outcome(200)] * 10)

    assert scene.scores(Latency()) == {"a": 1.0, "fails": 0.0, "untold": 0.5}


def priced(id: str, input: int, output: int) -> Endpoint:
    return Endpoint("shop", id, "10.0.0.1:80", input_micro_usd=input, output_micro_usd=output)


def test_cost_is_the_lowest_price_for_the_tokens_of_the_request_over_the_endpoints() -> None:
    """S17: 1,000 tokens in, 100 out: 1,000 + 1,000 beside 4,000 + 0."""
    scene = Scene([priced("a", 1, 10), priced("b", 4, 0)])
    request = a_request("/", ("content-length", "4000"), ("max", "100"), method="POST")
    scorer = Cost(Tokens(most=(HeaderField("max"),)))

    assert scene.scores(scorer, request) == {"a": 1.0, "b": 0.5}


def test_cost_of_nothing_is_1_and_no_price_is_0_beside_one() -> None:
    assert Scene([priced("a", 0, 0), priced("b", 4, 4), priced("c", -1, 4)]).scores(Cost()) == {
        "a": 1.0,
        "b": 0.0,
        "c": 0.0,
    }
    assert a_scene("a", "b").scores(Cost()) == {"a": 1.0, "b": 1.0}


def test_quota_is_what_is_left_and_the_average_where_nobody_tells() -> None:
    """S17"""
    scene = a_scene("a", "b", "over", "silent")
    for name, used in (("a", 0.25), ("b", 0.5), ("over", 1.5)):
        scene.state.reports.told(f"shop/{name}", 0.0, quota_used=used)

    scores = scene.scores(Quota())

    assert scores == {"a": 0.75, "b": 0.5, "over": 0.0, "silent": pytest.approx(1.25 / 3)}


def test_cache_is_the_hit_rate_and_the_average_where_nobody_tells() -> None:
    """S17"""
    scene = a_scene("a", "b", "silent")
    scene.state.reports.told("shop/a", 0.0, cache_hit_rate=0.9)
    scene.state.reports.told("shop/b", 0.0, cache_hit_rate=0.3)

    assert scene.scores(Cache()) == {"a": 0.9, "b": 0.3, "silent": pytest.approx(0.6)}


def test_cache_is_the_part_of_the_prompt_that_the_endpoint_has_served() -> None:
    """S17: of 1,024 characters `b` has served the first 512, and `a`, which reports a rate, all of 256."""
    scene = a_scene("a", "b", "c")
    scorer = Cache((HeaderField("prompt"),), kept_s=60.0)
    text = "x" * 512 + "y" * 512
    scene.state.reports.told("shop/a", 0.0, cache_hit_rate=0.2)
    scorer.admitted(scene.asked(a_request("/", ("prompt", text[:512]))), scene.of("b"))
    scorer.admitted(scene.asked(a_request("/", ("prompt", text[:256]))), scene.of("a"))
    request = a_request("/", ("prompt", text))

    assert scene.scores(scorer, request) == {"a": 0.25, "b": 0.5, "c": 0.2}
    assert scorer.favours(scene.asked(request)) is scene.of("b")
    assert scene.scores(scorer, request, now=60.0) == {"a": 0.5, "b": 0.5, "c": 0.5}
    assert scorer.favours(scene.asked(request, now=60.0)) is None


def test_cache_without_a_prompt_favours_nobody() -> None:
    scene = a_scene("a")
    scorer = Cache((HeaderField("prompt"),))

    assert scorer.favours(scene.asked()) is None
    assert Cache().favours(scene.asked(a_request("/", ("prompt", "x" * 999)))) is None


def test_zone_is_1_at_home_0_elsewhere_and_a_half_where_it_is_not_known() -> None:
    """S17"""
    scene = Scene(Endpoint("shop", zone or "none", "10.0.0.1:80", zone=zone) for zone in ("east", "west", ""))
    from_header = Zone((HeaderField("zone"),), "west")

    assert scene.scores(Zone(local="east")) == {"east": 1.0, "west": 0.0, "none": 0.5}
    assert scene.scores(from_header) == {"east": 0.0, "west": 1.0, "none": 0.5}
    assert scene.scores(from_header, a_request("/", ("zone", "east")))["east"] == 1.0
    assert scene.scores(Zone()) == {"east": 0.5, "west": 0.5, "none": 0.5}


def test_health_is_the_health_score_less_where_something_speaks_against_the_endpoint() -> None:
    """S17 H2: success 0.7² of b, errors 0.3 of 2/4, latency 0.8."""
    scene = a_scene("a", "b", "c", "d")
    scene.answered("b", Outcome(200, 0.1), Outcome(200, 0.1), REFUSED, REFUSED)
    scene.state.standing.mark("shop/c", "test", Mark(DEGRADED, "slow"), 0.0)
    scene.state.standing.mark("shop/d", "test", Mark(OUT, "down"), 0.0)

    assert scene.scores(Health()) == {"a": 1.0, "b": pytest.approx(0.655), "c": 0.5, "d": 0.0}


def test_a_time_that_bindings_are_kept_for_must_be_above_0() -> None:
    with pytest.raises(ValueError, match="kept_s must be above 0, got 0"):
        Cache(kept_s=0)
