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
from typing import Final, NamedTuple

import structlog

from sidecar.config.errors import ConfigError, Problem
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
                await self._apply(generation)
        except ConfigError as error:
            self._measures.reloads["refused"] += 1
            for problem in str(error).splitlines():
                log.warning("config_refused", problem=problem, keeps_generation=generation - 1)

    async def _apply(self, generation: int) -> None:
        change = await asyncio.to_thread(_read, self._path, generation, self._loaded.config)
        if change is None:
            self._measures.reloads["unchanged"] += 1
            log.info("config_unchanged", generation=generation - 1)
            return
        plan = change.loaded.plan
        self._swap(plan)
        old, self._loaded = [self._loaded], change.loaded
        self._measures.reloads["applied"] += 1
        self._measures.forget_routes(change.routes)
        log.info("config_applied", generation=generation, routes=len(plan.routes), notes=change.loaded.notes)
        if change.needs_restart:
            log.warning(
                "restart_needed", reason="listen, tickets.most and envoy.feedback are read at start only"
            )
        if change.outdates_envoy:
            log.warning("envoy_outdated", reason="this change needs what `sidecar envoy` prints now")
        await asyncio.to_thread(old.clear)  # a large plan takes a while to go, too
        gc.freeze()  # and what stays would make each later collection a pause of a tenth of a second


class _Change(NamedTuple):
    """A file that says something new."""

    loaded: Loaded
    routes: set[str]
    needs_restart: bool
    outdates_envoy: bool


def _read(path: Path, generation: int, old: Config) -> _Change | None:
    """What the file says, None when nothing new. All that takes long for a large file is done here."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for without end
        raise ConfigError(str(path), [Problem((), "is no regular file", "put the configuration in a file")])
    loaded = load(path, generation)
    new = loaded.config
    if new == old:
        return None
    return _Change(
        loaded,
        {route.name for route in loaded.plan.routes},
        needs_restart=_at_start(old) != _at_start(new),
        outdates_envoy=_for_envoy(old) != _for_envoy(new),
    )


def _at_start(config: Config) -> object:
    """What only a start reads."""
    return config.listen, config.tickets.most, config.envoy.feedback


def _for_envoy(config: Config) -> object:
    """What Envoy's own configuration is made from, besides the addresses of the sidecar."""
    none = HeaderEdits()
    static = [(route.name, route.headers.response) for route in config.routes]
    return config.envoy, config.clusters, config.on_error, [one for one in static if one[1] != none]


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
