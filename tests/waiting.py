"""Waiting for something to become true, with a bound, never for a length of time."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

SOON_S: Final = 10.0
_PAUSE_S: Final = 0.005


def until(condition: Callable[[], object], what: str, within_s: float = SOON_S) -> None:
    """Return once the condition holds; TimeoutError naming `what` when it never does."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        threading.Event().wait(_PAUSE_S)


async def until_in_loop(condition: Callable[[], object], what: str, within_s: float = SOON_S) -> None:
    """As `until`, while the event loop goes on."""
    deadline = time.monotonic() + within_s
    never = asyncio.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        try:
            await asyncio.wait_for(never.wait(), _PAUSE_S)
        except TimeoutError:
            continue
