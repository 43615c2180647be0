"""Reloads the configuration when its file changes or when told to; a bad file changes nothing.

The file is looked at once a second rather than watched: that works on every file system, through the
symbolic links of a Kubernetes volume, and when the file is replaced, truncated or gone for a moment.
Loading happens in a thread, so that requests are decided on the old plan in the meantime.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from sidecar.config.errors import ConfigError
from sidecar.config.load import Loaded, load
from sidecar.core.plan import Plan
from sidecar.runtime.measures import Measures

log = structlog.get_logger("config")

_Look = tuple[int, int, int] | None


class Reloader:
    """`swap` is called in the event loop with each new plan."""

    def __init__(
        self,
        path: Path,
        loaded: Loaded,
        swap: Callable[[Plan], None],
        measures: Measures,
        every_s: float = 1.0,
    ) -> None:
        self._path: Final = path
        self._loaded = loaded
        self._swap: Final = swap
        self._measures: Final = measures
        self._every_s: Final = every_s
        self._told: Final = asyncio.Event()
        self._seen: _Look = _look(path)

    def tell(self) -> None:
        """Reload now, changed or not."""
        self._told.set()

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._told.wait(), self._every_s)
            except TimeoutError:
                if _look(self._path) == self._seen:
                    continue
            self._told.clear()
            self._seen = _look(self._path)
            try:
                await self._reload()
            except Exception as bug:  # or no later change would ever be read
                self._measures.reloads["refused"] += 1
                log.exception("reload_failed", error=repr(bug))

    async def _reload(self) -> None:
        generation = self._loaded.plan.generation + 1
        try:
            loaded = await asyncio.to_thread(load, self._path, generation)
        except ConfigError as error:
            self._measures.reloads["refused"] += 1
            for problem in str(error).splitlines():
                log.warning("config_refused", problem=problem, keeps_generation=generation - 1)
            return
        if loaded.config == self._loaded.config:
            self._measures.reloads["unchanged"] += 1
            log.info("config_unchanged", generation=generation - 1)
            return
        needs_restart = [
            section
            for section in ("listen", "tickets")
            if getattr(loaded.config, section) != getattr(self._loaded.config, section)
        ]
        self._swap(loaded.plan)
        self._loaded = loaded
        self._measures.reloads["applied"] += 1
        self._measures.forget_routes({route.name for route in loaded.plan.routes})
        log.info("config_applied", generation=generation, routes=len(loaded.plan.routes), notes=loaded.notes)
        if needs_restart:
            log.warning("restart_needed", sections=needs_restart, reason="these are read at start only")


def _look(path: Path) -> _Look:
    """What changes when the file does; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
