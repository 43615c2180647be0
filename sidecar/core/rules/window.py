"""Conditions on the time of day and the day of the week, as the clocks of a zone show them.

The moment is the request's `received_at`. The calendar is arithmetic on days since 1970; only how far a zone
is from UTC at a moment must be known, and that is handed in.
"""

from collections.abc import Callable
from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60

_DAY_S: Final = 86_400
_FIRST_DAY: Final = 3  # 1 January 1970 was a Thursday


@final
class Window(Matcher):
    """From the minute `begin` of the day up to and without the minute `end`, on some days of the week.

    Where `end` is not after `begin` the window goes on past midnight, and belongs to the day it began on.
    `days` count from 0 for Monday; none are all. `offset` is how many seconds the zone is ahead of UTC at a
    moment in seconds since 1970.
    """

    def __init__(
        self, begin: int, end: int, days: tuple[int, ...], zone: str, offset: Callable[[float], int]
    ) -> None:
        if not (0 <= begin < DAY_MINUTES and 0 < end <= DAY_MINUTES and begin != end):
            raise ValueError(f"no window is from minute {begin} to minute {end}")
        self._begin: Final = begin
        self._end: Final = end
        self._wraps: Final = end < begin
        self._on: Final = [not days or day in days for day in range(7)]
        self._zone: Final = zone
        self._offset: Final = offset

    def matches(self, request: Request) -> bool:
        day, minute = self._local(request)
        if not self._wraps:
            return self._begin <= minute < self._end and self._on[day]
        if minute >= self._begin:
            return self._on[day]
        return minute < self._end and self._on[day - 1]

    def text(self) -> str:
        parts = []
        if self._begin != 0 or self._end != DAY_MINUTES:
            parts.append(f"is {_clock(self._begin)} to {_clock(self._end)}")
        if not all(self._on):
            on = ", ".join(name for name, is_on in zip(DAYS, self._on, strict=True) if is_on)
            parts.append(f"{'of a window that began ' if self._wraps else ''}on {on}")
        return f"time {' '.join(parts) or 'is any'} in {self._zone}"

    def seen(self, request: Request) -> str:
        day, minute = self._local(request)
        return f"{DAYS[day]} {_clock(minute)} in {self._zone}"

    def _local(self, request: Request) -> tuple[int, int]:
        """The day of the week and the minute of the day."""
        moment = request.received_at
        seconds = int(moment // 1) + self._offset(moment)
        return (seconds // _DAY_S + _FIRST_DAY) % 7, seconds % _DAY_S // 60


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
