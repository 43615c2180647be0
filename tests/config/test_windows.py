"""`hours`, `days` and `zone`: what they become, on the days when clocks change too."""

from datetime import datetime

import pytest

from sidecar.core.request import Request, headers_of
from tests.config.files import a_match, loaded


def the_text(match: str) -> str:
    return loaded(a_match(match)).plan.routes[0].matcher.text()


def holds(match: str, moment: str) -> bool:
    request = Request("GET", "shop.test", "/", headers_of([]))
    request.received_at = datetime.fromisoformat(moment).timestamp()
    return loaded(a_match(match)).plan.routes[0].matcher.matches(request)


@pytest.mark.parametrize(
    ("match", "condition"),
    [
        ("{hours: 22-6}", "(time is 22:00 to 06:00 in UTC)"),
        ("{hours: 22:30-6:15}", "(time is 22:30 to 06:15 in UTC)"),
        ("{hours: 9 - 17, zone: Europe/Berlin}", "(time is 09:00 to 17:00 in Europe/Berlin)"),
        ("{hours: 17-0}", "(time is 17:00 to 24:00 in UTC)"),
        ("{hours: 17-24}", "(time is 17:00 to 24:00 in UTC)"),
        ("{days: [sat, SUN]}", "(time on sat, sun in UTC)"),
        ("{hours: 0-24}", "(time is any in UTC)"),
        ("{hours: 22-6, zone: UTC, days: [mon, fri]}",
         "(time is 22:00 to 06:00 of a window that began on mon, fri in UTC)"),
        ("{not: {hours: 9-17}}", "(not time is 09:00 to 17:00 in UTC)"),
    ],
)  # fmt: skip
def test_a_window_as_people_write_it(match: str, condition: str) -> None:
    """M13"""
    assert the_text(match) == condition


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-01-15T07:59Z", False),
        ("2026-01-15T08:00Z", True),
        ("2026-07-15T06:59Z", False),
        ("2026-07-15T07:00Z", True),
        ("2026-07-15T14:59Z", True),
        ("2026-07-15T15:00Z", False),
    ],
)
def test_the_zone_s_clock_counts_in_summer_and_winter(moment: str, held: bool) -> None:
    """M13: 9 in Berlin is 8 in UTC in winter and 7 in summer."""
    assert holds("{hours: 9-17, zone: Europe/Berlin}", moment) is held


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-03-29T00:59Z", False),  # 1:59
        ("2026-03-29T01:00Z", True),  # 3:00, an hour later than a minute ago
        ("2026-03-29T01:29Z", True),
        ("2026-03-29T01:30Z", False),
    ],
)
def test_on_the_day_clocks_go_forward(moment: str, held: bool) -> None:
    """M13: 2:00 to 3:30 in Berlin has half an hour of 29 March 2026, because 2 o'clock is 3 o'clock."""
    assert holds("{hours: 2-3:30, zone: Europe/Berlin}", moment) is held


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-10-24T23:59Z", False),  # 1:59
        ("2026-10-25T00:00Z", True),  # 2:00
        ("2026-10-25T00:59Z", True),  # 2:59
        ("2026-10-25T01:00Z", True),  # 2:00 again
        ("2026-10-25T01:59Z", True),
        ("2026-10-25T02:00Z", False),  # 3:00
    ],
)
def test_on_the_day_clocks_go_back(moment: str, held: bool) -> None:
    """M13: 2:00 to 3:00 in Berlin comes twice on 25 October 2026."""
    assert holds("{hours: 2-3, zone: Europe/Berlin}", moment) is held


def test_a_zone_of_half_hours_and_one_on_the_other_side_of_the_date() -> None:
    """M13"""
    assert holds("{hours: 9-10, zone: Asia/Kolkata}", "2026-11-21T03:30Z")
    assert not holds("{hours: 9-10, zone: Asia/Kolkata}", "2026-11-21T03:29Z")
    assert holds("{days: [sun], zone: Pacific/Kiritimati}", "2026-11-21T10:00Z")
    assert not holds("{days: [sun], zone: Pacific/Kiritimati}", "2026-11-21T09:59Z")


def test_one_window_answers_for_any_moment_in_any_order() -> None:
    """M13: what it keeps of a minute is of no other."""
    matcher = loaded(a_match("{hours: 9-17, zone: Europe/Berlin}")).plan.routes[0].matcher
    request = Request("GET", "shop.test", "/", headers_of([]))
    found = []
    for moment in ("2026-07-15T07:30Z", "2026-01-15T07:30Z", "2026-07-15T07:30Z", "2026-01-15T08:30Z"):
        request.received_at = datetime.fromisoformat(moment).timestamp()
        found.append(matcher.matches(request))

    assert found == [True, False, True, True]
