"""Reloads the configuration when its file changes or when told to; a bad file changes nothing.

It can be changed by command, too: until its file is read again, which it is when it has changed.

The file is looked at once a second rather than watched: that works on every file system, through the
symbolic links of a Kubernetes volume, and when the file is replaced, truncated or gone for a moment.
Loading happens in a thread, so that requests are decided on the old plan in the meantime.
"""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from sidecar.config.bodies import namespaces, needs
from sidecar.config.cache import keys_of
from sidecar.config.changes import Edit, edited
from sidecar.config.errors import ConfigError, Problem
from sidecar.config.geoip import Stamp, stamp
from sidecar.config.load import Loaded, load, loads
from sidecar.config.retries import Orders
from sidecar.config.schema import Cluster, Config, HeaderEdits, Route
from sidecar.core.plan import Plan
from sidecar.runtime.measures import Measures

log = structlog.get_logger("config")

_SWITCH_S: Final = 0.0005
_MOST_KEYS: Final = 20
"""So many keys are named that need Envoy anew."""


class Changed(NamedTuple):
    """What a command did, the generation in force, and what one should know of it, a line each."""

    done: str
    generation: int
    notes: list[str]


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
        self._seen: Stamp = stamp(path)
        self._seen_besides: dict[Path, Stamp] = dict(loaded.files)
        self._turn: Final = asyncio.Lock()
        self._printed: _ForEnvoy | None = None
        """What `sidecar envoy` makes of the file as it was last read, which is what Envoy was given as far as
        anybody knows here: no change by command gets there. None until it is asked for first."""

    def tell(self) -> None:
        """Reload now, changed or not."""
        self._told.set()

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            again = False
            try:
                async with asyncio.timeout(self._every_s):  # `wait_for` may lose a cancel that comes with it
                    await self._told.wait()
            except TimeoutError:
                if stamp(self._path) == self._seen:
                    again = _stamps(self._seen_besides) != self._seen_besides
                    if not again:
                        continue
            self._told.clear()
            self._seen = stamp(self._path)
            self._seen_besides = _stamps(self._seen_besides)
            try:
                await self._reload(again=again)
            except Exception as bug:  # or no later change would ever be read
                self._measures.reloads["refused"] += 1
                log.exception("reload_failed", error=repr(bug))

    async def change(self, edit: Edit, by: str) -> Changed:
        """Apply an edit to the configuration in force.

        May raise NotThere or ConfigError: then nothing has changed. `by` says in the log who asked for it.
        """
        async with self._turn:
            generation = self._loaded.plan.generation + 1
            with _giving_way():
                change, done, self._printed = await asyncio.to_thread(
                    _changed, self._path, generation, self._loaded, self._printed, edit
                )
                if change is None:
                    return Changed(f"nothing to do: {done}", generation - 1, [])
                await self._apply(change)
                log.info("config_changed", change=done, by=by, generation=generation)
            notes = [note for note in change.new_notes if not note.endswith(f": {done}")]
            if change.outdated:
                notes.append(
                    f"Envoy still has the old {_listed(change.outdated)}: write the change into the file, "
                    "and give Envoy what `sidecar envoy` prints then"
                )
            return Changed(done, generation, notes)

    async def _reload(self, *, again: bool) -> None:
        """From the file, or once more from the text in force, when a file that it names has changed."""
        async with self._turn:
            generation = self._loaded.plan.generation + 1
            read = _read_again if again else _read
            try:
                with _giving_way():
                    change, printed = await asyncio.to_thread(
                        read, self._path, generation, self._loaded, self._printed
                    )
                    self._printed = printed
                    if change is None:
                        self._measures.reloads["unchanged"] += 1
                        log.info("config_unchanged", generation=generation - 1)
                        return
                    await self._apply(change)
            except ConfigError as error:
                self._measures.reloads["refused"] += 1
                for problem in str(error).splitlines():
                    log.warning("config_refused", problem=problem, keeps_generation=generation - 1)

    async def _apply(self, change: "_Change") -> None:
        plan = change.loaded.plan
        self._swap(plan)
        old, self._loaded = [self._loaded], change.loaded
        self._seen_besides = dict(change.loaded.files)
        self._measures.reloads["applied"] += 1
        self._measures.forget_routes(change.routes)
        log.info(
            "config_applied",
            generation=plan.generation,
            routes=len(plan.routes),
            notes=change.loaded.notes,
        )
        if change.needs_restart:
            log.warning(
                "restart_needed",
                reason="listen, store, tickets.most, envoy.feedback, envoy.endpoint_picker and, "
                "with feedback by response, envoy.tokens are read at start only",
            )
        if change.outdated:
            log.warning(
                "envoy_outdated",
                reason="this change needs what `sidecar envoy` prints now"
                if change.from_file
                else "this change is to be written into the file, and needs what `sidecar envoy` prints then",
                keys=_listed(change.outdated),
            )
        await asyncio.to_thread(old.clear)  # a large plan takes a while to go, too
        gc.freeze()  # and what stays would make each later collection a pause of a tenth of a second


class _Change(NamedTuple):
    """What is new. `outdated` names the keys of which Envoy's configuration has other values."""

    loaded: Loaded
    routes: set[str]
    needs_restart: bool
    outdated: list[str]
    from_file: bool
    new_notes: list[str]


_ForEnvoy = dict[str, object]


def _read(
    path: Path, generation: int, old: Loaded, printed: "_ForEnvoy | None"
) -> "tuple[_Change | None, _ForEnvoy]":
    """What the file says, None when nothing new, and what Envoy needs of it. All that takes long for a large
    file is done here."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for without end
        raise ConfigError(str(path), [Problem((), "is no regular file", "put the configuration in a file")])
    loaded = load(path, generation)
    needed = _for_envoy(loaded.config)
    before = _for_envoy(old.config) if printed is None else printed
    return _difference(loaded, old, _differing(before, needed), from_file=True), needed


def _read_again(
    path: Path, generation: int, old: Loaded, printed: "_ForEnvoy | None"
) -> "tuple[_Change | None, _ForEnvoy | None]":
    loaded = loads(old.text, str(path), generation, path.parent, numbered=False)
    return _difference(loaded, old, [], from_file=True), printed


def _changed(
    path: Path, generation: int, old: Loaded, printed: "_ForEnvoy | None", edit: Edit
) -> "tuple[_Change | None, str, _ForEnvoy]":
    loaded, done = edited(old, edit, path, generation)
    now, needed = _for_envoy(old.config), _for_envoy(loaded.config)
    if printed is None:
        printed = now
    # A change that leads back to the file needs nothing, nor does one of something else.
    new = set(_differing(now, needed))
    outdated = [key for key in _differing(printed, needed) if key in new]
    return _difference(loaded, old, outdated, from_file=False), done, printed


def _difference(loaded: Loaded, before: Loaded, outdated: list[str], *, from_file: bool) -> _Change | None:
    old, new = before.config, loaded.config
    if new == old and loaded.files == before.files:
        return None
    known = {_without_numbers(note) for note in before.noted}
    return _Change(
        loaded,
        {route.name for route in loaded.plan.routes},
        needs_restart=_at_start(old) != _at_start(new),
        outdated=outdated,
        from_file=from_file,
        new_notes=[_told(note) for note in loaded.noted if _without_numbers(note) not in known],
    )


def _told(note: Problem) -> str:
    return replace(note, line=0).text("").removeprefix(": ")


def _without_numbers(note: Problem) -> tuple[object, ...]:
    """Places in lists move when something before them comes or goes."""
    return note.message, *(step for step in note.where if not isinstance(step, int))


def _at_start(config: Config) -> object:
    """What only a start reads."""
    envoy = config.envoy
    tokens = envoy.tokens if envoy.shows_responses else None
    return config.listen, config.store, config.tickets.most, envoy.feedback, envoy.endpoint_picker, tokens


def _for_envoy(config: Config) -> _ForEnvoy:
    """What Envoy's own configuration is made from, by key, besides the addresses of the sidecar."""
    made: _ForEnvoy = {f"envoy.{key}": value for key, value in config.envoy}
    made |= {f"clusters.{name}": _cluster(cluster) for name, cluster in config.clusters.items()}
    names = []
    for route in config.routes:
        own = [
            (key, value)
            for key, value, usual in zip(_KEYS, _in_envoy(route), _NOTHING_IN_ENVOY, strict=True)
            if value != usual
        ]
        if own:
            names.append(route.name)
            made |= {f"routes[{route.name}].{key}": value for key, value in own}
    return made | {
        "on_error": config.on_error,
        "context.client_ip": config.context.client_ip,
        "routes[].fault": any(route.fault is not None for route in config.routes),
        "routes[].mirror.to": _mirrors(config),
        "routes[].failover": _orders(config),
        "routes[].sticky.cookie": any(
            route.sticky is not None and route.sticky.cookie is not None for route in config.routes
        ),
        "what gates require of requests to a cache": keys_of(config.gates)
        if any(route.cache is not None for route in config.routes)
        else (),
        "what is asked of bodies": needs(config),
        "what is asked of metadata": namespaces(config),
        _ORDER: names,
    }


def _differing(before: _ForEnvoy, now: _ForEnvoy) -> list[str]:
    """The keys that have other values; the order of routes only where their own keys say nothing."""
    keys = [key for key in before | now if (key in before, before.get(key)) != (key in now, now.get(key))]
    return [key for key in keys if key != _ORDER or not any(each.startswith("routes[") for each in keys)]


def _listed(keys: list[str]) -> str:
    more = len(keys) - _MOST_KEYS
    return ", ".join(keys[:_MOST_KEYS]) + (f" and {more} more" if more > 0 else "")


def _cluster(cluster: Cluster) -> Cluster:
    """Without what only the sidecar goes by. To which cluster a breaker leads stands in the orders."""
    return cluster.model_copy(update=dict.fromkeys(_OF_THE_SIDECAR))


_OF_THE_SIDECAR: Final = ("health", "breaker", "scrape", "slow_start", "price", "limits", "capabilities")


def _in_envoy(route: Route) -> tuple[object, ...]:
    backoff = None if route.retry is None else route.retry.backoff
    edits = route.headers.response
    return edits, route.idle_timeout, route.buffer, route.priority_class, backoff, route.cache


_ORDER: Final = "the order of routes"
_KEYS: Final = ("headers.response", "idle_timeout", "buffer", "priority_class", "retry.backoff", "cache")
_NOTHING_IN_ENVOY: Final = (HeaderEdits(), None, None, "default", None, None)


def _orders(config: Config) -> set[tuple[str, ...]]:
    """Of clusters that attempts go through."""
    orders = Orders(config.clusters)
    return {order for route in config.routes for order in orders.of(route)}


def _mirrors(config: Config) -> set[tuple[str, str]]:
    """The clusters that get copies, each with its routes that stand in Envoy by their names."""
    return {
        (route.mirror.to, "" if _in_envoy(route) == _NOTHING_IN_ENVOY else route.name)
        for route in config.routes
        if route.mirror is not None
    }


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


def _stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    return {path: stamp(path) for path in paths}
