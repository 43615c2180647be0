"""The calls that are open, so that a shutdown can wait for them and end those that only wait."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

ON_THE_WAY_S: Final = 0.5
"""A stream that is open may have its first message on the way: it is not idle before this is over."""


class Calls:
    """Owned by one event loop. `waiting` holds how to end each call that waits for its peer."""

    def __init__(self) -> None:
        self.waiting: Final[set[Callable[[], object]]] = set()
        self._draining = False
        self._in_flight = 0
        self._idle: asyncio.Event | None = None

    def draining(self) -> bool:
        """Whether calls that wait are ended."""
        return self._draining

    def begun(self) -> None:
        """A conversation has received its first message."""
        self._in_flight += 1

    def ended(self) -> None:
        self._in_flight -= 1
        if self._idle is not None and not self._in_flight:
            self._idle.set()

    async def finish(self, within_s: float) -> None:
        """Let conversations in flight end by themselves; then end with OK every call that waits."""
        await asyncio.sleep(min(ON_THE_WAY_S, within_s))
        self._idle = asyncio.Event()
        if self._in_flight:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._idle.wait()
        self._draining = True
        for end in list(self.waiting):
            end()
