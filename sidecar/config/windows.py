"""`hours`, `days` and `zone` of a match to the window of the core, and the clocks of time zones."""

import functools
import re
from datetime import datetime, timedelta
from typing import Final, final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from sidecar.config import schema
from sidecar.config.errors import Findings, Where, shown
from sidecar.core.rules.window import DAY_MINUTES, DAYS, Window

_HOURS: Final = re.compile(r" *(\d{1,2})(?::(\d{2}))? *- *(\d{1,2})(?::(\d{2}))? *", re.ASCII)
_NONE: Final = timedelta(0)


def window_condition(match: schema.Match, where: Where, findings: Findings) -> Window | None:
    """What `hours` and `days` ask in `zone`; None when they ask nothing, or nothing sound."""
    if match.hours is None and match.days is None:
        if match.zone is not None:
            findings.add((*where, "zone"), "is of hours and days, and there are none", "leave it out")
        return None
    before = len(findings.problems)
    begin, end = 0, DAY_MINUTES
    if match.hours is not None:
        begin, end = _hours(match.hours, (*where, "hours"), findings)
    days = () if match.days is None else _days(match.days, (*where, "days"), findings)
    zone = match.zone or "UTC"
    offset = _offset(zone, (*where, "zone"), findings)
    if offset is None or len(findings.problems) > before:
        return None
    return Window(begin, end, days, zone, offset)


def _hours(text: str, where: Where, findings: Findings) -> tuple[int, int]:
    """The minutes of the day at which the window begins and ends."""
    found = _HOURS.fullmatch(text)
    if found is not None:
        begin = int(found[1]) * 60 + int(found[2] or 0)
        end = int(found[3]) * 60 + int(found[4] or 0)
        in_hour = all(int(minutes or 0) < 60 for minutes in (found[2], found[4]))
        if in_hour and begin == end:
            findings.add(where, f"{shown(text)} ends where it begins", "write 0-24 for the whole day")
            return 0, DAY_MINUTES
        if in_hour and begin < DAY_MINUTES and end <= DAY_MINUTES:
            return begin, end or DAY_MINUTES
    findings.add(where, f"{shown(text)} are no hours", "write such as 9-17, 22-6 or 22:30-6:15, from 0 to 24")
    return 0, DAY_MINUTES


def _days(days: list[str], where: Where, findings: Findings) -> tuple[int, ...]:
    if not days:
        findings.add(where, "must not be empty", "list at least one day, or leave it out")
    known = []
    for at, day in enumerate(days):
        if day.lower() in DAYS:
            known.append(DAYS.index(day.lower()))
        else:
            findings.unknown((*where, at), f"{shown(day)} is no day", day.lower()[:3], DAYS)
    return tuple(dict.fromkeys(known))


def _offset(zone: str, where: Where, findings: Findings) -> "_Offset | None":
    try:
        return _Offset(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # also what is no path, and what is a folder
        findings.unknown(where, f"there is no time zone {shown(zone)}", zone, _zones())
        return None


@functools.cache
def _zones() -> list[str]:
    """Found by looking at hundreds of files."""
    return sorted(available_timezones())


@final
class _Offset:
    """How far a zone is ahead of UTC, kept for a minute: zones change at whole minutes only."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone: Final = zone
        self._minute = -1
        self._seconds = 0

    def __call__(self, moment: float) -> int:
        minute = int(moment // 60)
        if minute != self._minute:
            at = datetime.fromtimestamp(moment, self._zone)
            self._seconds = int((at.utcoffset() or _NONE).total_seconds())
            self._minute = minute
        return self._seconds
