"""How long requests to each region take."""

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.regions import Regions
from sidecar.core.state.tickets import Ticket, Tickets


def a_ticket(region: str) -> Ticket:
    endpoint = Endpoint("shop", "a", "10.0.0.1:80", region=region)
    return Tickets(0).open("route", "variant", "pool", endpoint, 1, 0.0, 10.0)


def answered(regions: Regions, region: str, *durations: float, now: float = 0.0) -> None:
    for duration in durations:
        regions.settled(a_ticket(region), Outcome(200, duration_s=duration), now)


def test_the_mean_counts_from_five_on() -> None:
    """S14"""
    regions = Regions()
    answered(regions, "home", 0.1, 0.1, 0.1, 0.1)
    assert regions.duration_s("home") < 0

    answered(regions, "home", 0.1)

    assert regions.duration_s("home") == pytest.approx(0.1)
    assert regions.duration_s("elsewhere") < 0


def test_the_mean_follows_a_change() -> None:
    """S14: after 22 answers of 1 s nine tenths of the mean are theirs, as 0.9^22 is a tenth."""
    regions = Regions()
    answered(regions, "home", *[0.1] * 50)
    answered(regions, "home", *[1.0] * 22)

    assert regions.duration_s("home") == pytest.approx(0.9 * 1.0 + 0.1 * 0.1, abs=0.01)


def test_it_is_due_after_30_seconds_of_silence_until_five_more_begin_a_mean_of_their_own() -> None:
    """S14: a region that was left for being slow is asked again, and counts as slow until it is known."""
    regions = Regions()
    assert not regions.due("home", 0.0)
    answered(regions, "home", *[5.0] * 20, now=100.0)

    assert not regions.due("home", 129.9)
    assert regions.due("home", 130.0)
    answered(regions, "home", *[0.1] * 4, now=131.0)
    assert regions.due("home", 131.0)
    assert regions.duration_s("home") == pytest.approx(5.0)
    answered(regions, "home", 0.1, now=131.0)
    assert not regions.due("home", 131.0)
    assert regions.duration_s("home") == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Outcome(200, 1.0), True),
        (Outcome(404, 1.0), True),
        (Outcome(0, 1.0, Failure.TIMEOUT), True),
        (Outcome(503, 0.001), False),
        (Outcome(0, 0.001, Failure.CONNECTION), False),
        (Outcome(0, 0.001, Failure.CANCELLED), False),
        (Outcome(200), False),
    ],
)
def test_answers_and_timeouts_count_and_errors_do_not(outcome: Outcome, counts: bool) -> None:
    """S14: errors are fast."""
    regions = Regions()
    for _ in range(5):
        regions.settled(a_ticket("home"), outcome, 0.0)

    assert (regions.duration_s("home") >= 0) is counts


def test_endpoints_of_no_region_are_not_counted() -> None:
    regions = Regions()
    answered(regions, "", *[1.0] * 9)

    assert regions.duration_s("") < 0


def test_regions_that_no_plan_names_are_forgotten() -> None:
    regions = Regions()
    for region in ("home", "gone"):
        answered(regions, region, *[0.1] * 5)

    regions.keep_only({"home", "never"})

    assert regions.duration_s("home") == pytest.approx(0.1)
    assert regions.duration_s("gone") < 0
    assert not regions.due("gone", 100.0)
