"""Reloads the configuration when its file changes or when told to; a bad file changes nothing.

The file is looked at once a second rather than watched: that works on every file system, through the
symbolic links of a Kubernetes volume, and when the file is replaced, truncated or gone for a moment.
Loading happens in a thread, so that requests are decided on the old plan in the meantime.
"""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from sidecar.config.errors import ConfigError
from sidecar.config.load import Loaded, load
from sidecar.config.schema import Config, HeaderEdits
from sidecar.core.plan import Plan
from sidecar.runtime.measures import Measures

log = structlog.get_logger("config")

_SWITCH_S: Final = 0.0005

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
            with _giving_way():
                loaded, changed = await asyncio.to_thread(
                    _loaded, self._path, generation, self._loaded.config
                )
        except ConfigError as error:
            self._measures.reloads["refused"] += 1
            for problem in str(error).splitlines():
                log.warning("config_refused", problem=problem, keeps_generation=generation - 1)
            return
        if not changed:
            self._measures.reloads["unchanged"] += 1
            log.info("config_unchanged", generation=generation - 1)
            return
        old = self._loaded.config
        self._swap(loaded.plan)
        self._loaded = loaded
        gc.freeze()  # a large plan would make each later collection a pause of a tenth of a second
        self._measures.reloads["applied"] += 1
        self._measures.forget_routes({route.name for route in loaded.plan.routes})
        log.info("config_applied", generation=generation, routes=len(loaded.plan.routes), notes=loaded.notes)
        new = loaded.config
        if (old.listen, old.tickets.most) != (new.listen, new.tickets.most):
            log.warning("restart_needed", reason="listen and tickets.most are read at start only")
        if _for_envoy(old) != _for_envoy(new):
            log.warning("envoy_outdated", reason="this change needs what `sidecar envoy` prints now")


def _loaded(path: Path, generation: int, old: Config) -> tuple[Loaded, bool]:
    """The file, and whether it says anything new."""
    loaded = load(path, generation)
    return loaded, loaded.config != old


def _for_envoy(config: Config) -> object:
    """What Envoy's own configuration is made from, besides the addresses of the sidecar."""
    static = [(route.name, route.headers.response) for route in config.routes]
    return config.envoy, config.clusters, config.on_error, [one for one in static if one[1] != HeaderEdits()]


@contextlib.contextmanager
def _giving_way() -> Iterator[None]:
    """The reading thread hands the interpreter to the requests' thread sooner, and looks for no garbage.

    Reading a large file makes many objects and hardly any garbage, but each search for some would visit
    them all with the interpreter held.
    """
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(interval_s)


def _look(path: Path) -> _Look:
    """What changes when the file does; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
