"""The log's lines of who went out and who is back: one for each change that lasts, and none for a request.

Whoever finds something against an endpoint may do so while a request is answered, where nothing is logged. So
once a second those whose standing was stirred are looked at, and told where it is another than was told last.
"""

import asyncio
import time
from typing import Final

import structlog

from sidecar.core.engine import Engine
from sidecar.core.explanation import LEVELS, MarkVerdict, back_in, marks_of
from sidecar.core.state.standing import GONE, OUT, RESTING

log = structlog.get_logger("endpoints")

_AWAY: Final = frozenset({RESTING, OUT, GONE})
_EVERY_S: Final = 1.0
_MOST_LINES: Final = 20
"""A second. When a network fails, thousands go out together."""


class Notices:
    """Not safe for threads: it belongs to the event loop of the engine. Quotas are not told: who has had all
    that it may have is out for seconds, again and again, in good health."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._told: Final[dict[str, tuple[str, float]]] = {}
        """Of those that are told to be out: by which cause, and since when."""
        self._region: str = engine.state.region_failover.active

    def tell(self, now: float) -> None:
        standing = self._engine.state.standing
        lines = left_out = left_back = 0
        for key in standing.stirred():
            marks = [mark for mark in marks_of(standing.marks(key), now) if mark.level in _AWAY]
            if bool(marks) == (key in self._told):
                continue
            lines += 1
            if marks:
                self._told[key] = (marks[0].cause, now)
                if lines > _MOST_LINES:
                    left_out += 1
                else:
                    _out(key, marks)
                continue
            cause, since = self._told.pop(key)
            if not standing.knows(key):
                lines -= 1  # a new plan has no such endpoint, and that is told elsewhere
            elif lines > _MOST_LINES:
                left_back += 1
            else:
                cluster, _, endpoint = key.partition("/")
                log.info(
                    "endpoint_back",
                    cluster=cluster,
                    endpoint=endpoint,
                    cause=cause,
                    out_s=round(now - since, 1),
                )
        self._look_at_regions()
        if left_out or left_back:
            log.warning("endpoints_untold", out=left_out, back=left_back)

    def _look_at_regions(self) -> None:
        failover = self._engine.state.region_failover
        if failover.active != self._region:
            left = failover.left()
            log.warning("region_changed", active=failover.active, before=self._region, left=left)
            self._region = failover.active

    async def keep_telling(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                self.tell(time.monotonic())
            except Exception as bug:  # or nobody would ever be told of again
                log.exception("telling_failed", error=repr(bug))


def _out(key: str, marks: list[MarkVerdict]) -> None:
    cluster, _, endpoint = key.partition("/")
    back_s = back_in(marks)
    log.warning(
        "endpoint_out",
        cluster=cluster,
        endpoint=endpoint,
        standing=LEVELS[marks[0].level],
        cause=marks[0].cause,
        why="; ".join(mark.why for mark in marks),
        back_in_s=None if back_s is None else round(back_s, 1),
    )
