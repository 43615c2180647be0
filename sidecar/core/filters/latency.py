"""Rather endpoints that answer in time: within the request's target, and before its deadline."""

from typing import Final, final

from sidecar.core.endpoint import Endpoint
from sidecar.core.filters.base import Filter, Sieve
from sidecar.core.request import Request
from sidecar.core.rules.base import Field
from sidecar.core.state.latency import Latency
from sidecar.core.state.memory import State

_LEAST: Final = 10
"""Outcomes, before anything is known; the same as for least_latency."""
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
_MOST_DIGITS: Final = 12


@final
class _InTime(Sieve):
    def __init__(self, most_s: float, whose: str, latency: Latency) -> None:
        super().__init__(f"an answer within {milliseconds(most_s)}", soft=True)
        self._most_s: Final = most_s
        self._whose: Final = whose
        self._latency: Final = latency

    def why_not(self, endpoint: Endpoint) -> str:
        track = self._latency.of(endpoint.key)
        if track is None or not track.known(_LEAST):
            return ""
        median_s = track.p50_s()
        if median_s <= self._most_s:
            return ""
        return (
            f"its median is {milliseconds(median_s)}, above the {self._whose} of {milliseconds(self._most_s)}"
        )


@final
class InTime(Filter):
    """`target` and `deadline` are fields that may hold a duration, `200ms`, `1.5s` or plain milliseconds; the
    shorter counts. An endpoint is passed over when its median, of ten outcomes at least, is longer, while
    another is left: to be late is better than not to be answered."""

    def __init__(self, target: tuple[Field, ...] = (), deadline: tuple[Field, ...] = ()) -> None:
        self._target: Final = target
        self._deadline: Final = deadline

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        target_s = _duration_of(self._target, request)
        deadline_s = _duration_of(self._deadline, request)
        if deadline_s > 0.0 and (target_s <= 0.0 or deadline_s < target_s):
            return _InTime(deadline_s, "deadline", state.latency)
        return _InTime(target_s, "target", state.latency) if target_s > 0.0 else None


def _duration_of(fields: tuple[Field, ...], request: Request) -> float:
    """0 where there is none."""
    for field in fields:
        for value in field.read(request):
            found = seconds(value.strip())
            if found > 0.0:
                return found
    return 0.0


def seconds(text: str) -> float:
    """Of `200ms`, `1.5s`, `2m`, or of milliseconds without a unit; 0 for anything else."""
    unit = 0.001
    for ending in ("ms", "s", "m"):
        if text.endswith(ending):
            unit = _UNITS[ending]
            text = text[: -len(ending)]
            break
    whole, _, part = text.partition(".")
    digits = whole + part
    if not whole or len(digits) > _MOST_DIGITS or not digits.isascii() or not digits.isdigit():
        return 0.0
    return float(f"{whole}.{part or '0'}") * unit


def milliseconds(time_s: float) -> str:
    return f"{time_s * 1000.0:.0f} ms"
