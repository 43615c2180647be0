"""Time windows, at moments that are written down."""

from datetime import UTC, datetime

import pytest

from sidecar.core.request import Request
from sidecar.core.rules.window import DAYS, Window
from tests.builders import a_request


def utc(_moment: float) -> int:
    return 0


def at(moment: str) -> Request:
    """A request that comes at this moment, in UTC unless it says otherwise."""
    request = a_request("/")
    when = datetime.fromisoformat(moment)
    request.received_at = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return request


def a_window(begin: str, end: str, *days: str) -> Window:
    return Window(minute(begin), minute(end), tuple(DAYS.index(day) for day in days), "UTC", utc)


def minute(clock: str) -> int:
    hour, _, minutes = clock.partition(":")
    return int(hour) * 60 + int(minutes or 0)


@pytest.mark.parametrize(
    ("window", "held", "not_held"),
    [
        (("9", "17"), ["09:00:00", "16:59:59", "12:00"], ["08:59:59", "17:00:00", "00:00"]),
        (("22", "6"), ["22:00:00", "23:59:59", "00:00", "05:59:59"], ["06:00:00", "21:59:59", "12:00"]),
        (("22:30", "6:15"), ["22:30", "06:14:59"], ["22:29:59", "06:15"]),
        (("0", "24"), ["00:00", "23:59:59"], []),
        (("0", "0:01"), ["00:00", "00:00:59"], ["00:01", "23:59"]),
        (("12", "24"), ["12:00", "23:59:59"], ["00:00", "11:59:59"]),
        (("23:59", "0:01"), ["23:59", "00:00:59"], ["00:01", "23:58:59"]),
    ],
)
def test_hours_begin_within_and_end_without(
    window: tuple[str, str], held: list[str], not_held: list[str]
) -> None:
    """M13: and may go on past midnight."""
    matcher = a_window(*window)

    assert [clock for clock in held if not matcher.matches(at(f"2026-11-21T{clock}"))] == []
    assert [clock for clock in not_held if matcher.matches(at(f"2026-11-21T{clock}"))] == []


def test_days_are_those_of_the_calendar() -> None:
    """M13: 21 November 2026 is a Saturday; 1 January 1970 was a Thursday."""
    found = [
        day
        for day in DAYS
        for moment in ("2026-11-21T12:00", "1970-01-01T00:00", "2024-02-29T23:59", "2000-03-01T00:00")
        if a_window("0", "24", day).matches(at(moment))
    ]

    assert sorted(found) == ["sat", "thu", "thu", "wed"]


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-11-20T21:59", False),
        ("2026-11-20T22:00", True),
        ("2026-11-21T05:59", True),
        ("2026-11-21T06:00", False),
        ("2026-11-21T22:00", False),
        ("2026-11-20T05:59", False),
        ("2026-11-22T05:59", False),
    ],
)
def test_a_night_belongs_to_the_day_it_began_on(moment: str, held: bool) -> None:
    """M13: that of Friday, 20 November 2026, ends on Saturday."""
    assert a_window("22", "6", "fri").matches(at(moment)) is held


def test_the_night_of_sunday_ends_on_monday() -> None:
    """M13"""
    assert a_window("22", "6", "sun").matches(at("2026-11-23T01:00"))
    assert not a_window("22", "6", "mon").matches(at("2026-11-23T01:00"))


def test_the_clocks_of_the_zone_count() -> None:
    """M13: also for the day, and where the zone is behind UTC."""
    ahead = Window(0, 60, (DAYS.index("sun"),), "UTC+14", lambda _moment: 14 * 3600)
    behind = Window(23 * 60, 24 * 60, (DAYS.index("fri"),), "UTC-9:30", lambda _moment: -34_200)

    assert ahead.matches(at("2026-11-21T10:30"))
    assert not ahead.matches(at("2026-11-21T11:00"))
    assert behind.matches(at("2026-11-21T09:00"))
    assert not behind.matches(at("2026-11-21T09:30"))


def test_a_window_says_what_it_asks_and_saw() -> None:
    """O6"""
    night = a_window("22:30", "6", "mon", "fri")

    assert night.text() == "time is 22:30 to 06:00 of a window that began on mon, fri in UTC"
    assert a_window("9", "17").text() == "time is 09:00 to 17:00 in UTC"
    assert a_window("0", "24", "sat", "sun").text() == "time on sat, sun in UTC"
    assert night.seen(at("2026-11-21T23:05:30")) == "sat 23:05 in UTC"


def test_no_answer_of_a_window_may_be_kept() -> None:
    """M19"""
    assert a_window("9", "17").reads() is None
    assert a_window("9", "17").pin() is None


@pytest.mark.parametrize(("begin", "end"), [(0, 0), (60, 60), (-1, 60), (1440, 60), (0, 1441)])
def test_a_window_that_never_was_is_refused(begin: int, end: int) -> None:
    with pytest.raises(ValueError, match="no window is from minute"):
        Window(begin, end, (), "UTC", utc)
