"""Keeps what is learnt over a restart: reads it from a store at the start, and saves what has changed.

Requests come first. Rows are made in the event loop, because nobody else may look at what it owns, but in
slices of half a millisecond with pauses between them; the store is asked in a thread. A store that fails
changes nothing for requests: everything stays in memory, is tried again with longer and longer pauses, and is
saved as it is by then.
"""

import asyncio
import math
import struct
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

import structlog

from sidecar.runtime.measures import Measures
from sidecar.store.base import Row, Store, StoreEmptied, StoreError

log = structlog.get_logger("store")

_SLICE_S: Final = 0.0005
_PAUSE_S: Final = 0.002
_ROWS: Final = 256
"""In one save: more would take long to make room for, and to clear away."""
_LONGEST_WAIT_S: Final = 60.0
_CALM_S: Final = 60.0
"""On a disk that is nearly full, saves succeed and fail by turns. Who fails again so soon after it was back
counts as back only when it has not failed for so long."""
_DAY_S: Final = 86_400.0

T = TypeVar("T")


class Keeper(Protocol):
    """See `core/state/base.py`: what each learner is, and anybody else can be."""

    def changed(self) -> set[str]: ...

    def row(self, key: str, now: float) -> list[float] | None: ...

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None: ...


class Keeping:
    """`keepers` by the kind of their rows. `every_s` is from the end of one save to the next.

    A row whose kind or key nobody knows, such as that of an endpoint which the plan does not name just now,
    stays for `keep_s` after it was written. A store that takes longer than `patience_s` for one answer counts
    as down until it answers; the last save may take `ends_within_s`.
    """

    def __init__(
        self,
        store: Store,
        keepers: Mapping[str, Keeper],
        measures: Measures,
        *,
        every_s: float,
        keep_s: float,
        patience_s: float = 10.0,
        ends_within_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store: Final = store
        self._keepers: Final = keepers
        self._measures: Final = measures
        self._every_s: Final = every_s
        self._keep_s: Final = keep_s
        self._patience_s: Final = patience_s
        self._ends_within_s: Final = ends_within_s
        self._monotonic: Final = monotonic
        self._wall: Final = wall
        self._unsaved: Final[dict[str, set[str]]] = {kind: set() for kind in keepers}
        self._saved: Final[dict[str, set[str]]] = {kind: set() for kind in keepers}
        """The keys with rows in the store."""
        self._tidied_at: float | None = None
        self._failed_at = self._back_at = self._told_at = -math.inf
        self._told_up = True
        self._fails_again = False
        self._thread: Final = ThreadPoolExecutor(1, "store")

    def restore(self) -> None:
        """Before the first request: take over what was saved. It blocks. May raise StoreError."""
        begun = time.monotonic()
        rows = self._store.load()
        refused = unknown = 0
        now, wall = self._monotonic(), self._wall()
        for row in rows:
            if row.packed is None:
                refused += 1
                continue
            keeper = self._keepers.get(row.kind)
            if keeper is None:
                unknown += 1
                continue
            self._saved[row.kind].add(row.key)
            try:
                # A clock that was set back since then tells nothing of how long it was.
                keeper.restore(row.key, _unpacked(row.packed), max(wall - row.written_at, 0.0), now)
            except ValueError:
                refused += 1
            except Exception as bug:
                self._measures.bugs += 1
                log.exception("restore_failed", kind=row.kind, key=row.key, error=repr(bug))
        log.info(
            "restored",
            rows=len(rows) - unknown - refused,
            refused=refused,
            unknown=unknown,
            took_ms=round((time.monotonic() - begun) * 1000),
        )

    async def keep(self) -> None:
        """Until cancelled."""
        wait_s = self._every_s
        while True:
            await asyncio.sleep(wait_s)
            try:
                saved = await self.save(_PAUSE_S)
                saved = saved and await self._tidy()
            except Exception as bug:
                saved = False
                self._measures.bugs += 1
                log.exception("save_failed", error=repr(bug))
            if not saved:
                wait_s = min(2.0 * wait_s, max(self._every_s, _LONGEST_WAIT_S))
            elif self._measures.store_up:
                wait_s = self._every_s

    async def save(self, pause_s: float = 0.0) -> bool:
        """Save what has changed, with such a pause after each slice of work. False when the store is down."""
        for kind, keeper in self._keepers.items():
            changed = keeper.changed()
            if self._unsaved[kind]:
                self._unsaved[kind] |= changed
            else:
                self._unsaved[kind] = changed
        asked = self._measures.store_up
        slices = _Slices(pause_s)
        for kind, keeper in self._keepers.items():
            while self._unsaved[kind] or not asked:
                asked = True  # where nothing has changed, one that is down is asked all the same
                if not await self._save_some(kind, keeper, slices):
                    self._measures.store_saves["failed"] += 1
                    return False
        self._measures.store_saves["saved"] += 1
        self._up()
        return True

    async def _save_some(self, kind: str, keeper: Keeper, slices: "_Slices") -> bool:
        """A part of what is unsaved of this kind: keys count as unsaved until the store has their rows."""
        keys: list[str] = []
        try:
            rows = await self._rows(kind, keeper, keys, slices)
            await self._asked(lambda: self._store.save(rows))
        except StoreError as error:
            self._unsaved[kind].update(keys)
            if isinstance(error, StoreEmptied):
                for each, saved in self._saved.items():
                    self._unsaved[each] |= saved
            self._down(str(error))
            return False
        except BaseException:
            self._unsaved[kind].update(keys)
            raise
        for row in rows:
            if row.packed is None:
                self._saved[kind].discard(row.key)
            else:
                self._saved[kind].add(row.key)
        return True

    async def _rows(self, kind: str, keeper: Keeper, keys: list[str], slices: "_Slices") -> list[Row]:
        """Of as many unsaved keys as make one save; these go into `keys`, and are taken from the unsaved."""
        rows: list[Row] = []
        unsaved = self._unsaved[kind]
        now, wall = self._monotonic(), self._wall()
        while unsaved and len(rows) < _ROWS:
            keys.append(unsaved.pop())
            row = keeper.row(keys[-1], now)
            rows.append(Row(kind, keys[-1], None if row is None else _packed(row), wall))
            if slices.over():
                await slices.pause()
                now, wall = self._monotonic(), self._wall()
        return rows

    async def close(self) -> None:
        """Save for the last time, and let go of the store; one that hangs is not waited for long."""
        try:
            async with asyncio.timeout(self._ends_within_s):
                saved = await self.save()
                await self._asked(self._store.close)
            if not saved:
                log.warning("not_saved", reason="the store is down; what was learnt since is lost")
        except TimeoutError:
            log.warning("not_saved", reason=f"the store does not answer within {self._ends_within_s:g} s")
        except Exception as bug:
            self._measures.bugs += 1
            log.exception("save_failed", error=repr(bug))
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _tidy(self) -> bool:
        """Once a day, drop the rows that nobody knew for long enough. False when the store is down."""
        wall = self._wall()
        if self._tidied_at is not None and 0.0 <= wall - self._tidied_at < _DAY_S:
            return True
        try:
            old = await self._asked(lambda: self._store.older(wall - self._keep_s))
            gone: list[Row] = []
            slices = _Slices(_PAUSE_S)
            for kind, key in old:
                keeper = self._keepers.get(kind)
                if keeper is None or keeper.row(key, self._monotonic()) is None:
                    gone.append(Row(kind, key, None, wall))
                if slices.over():
                    await slices.pause()
            if gone:
                await self._asked(lambda: self._store.save(gone))
        except StoreError as error:
            self._down(str(error))
            return False
        for row in gone:
            self._saved.get(row.kind, set()).discard(row.key)
        self._tidied_at = wall
        return True

    async def _asked(self, call: Callable[[], T]) -> T:
        """What the store answers, in its thread."""
        answer = asyncio.get_running_loop().run_in_executor(self._thread, call)
        await asyncio.wait([answer], timeout=self._patience_s)
        if not answer.done():
            self._down(f"it has not answered for {self._patience_s:g} s")
        return await answer

    def _down(self, reason: str) -> None:
        now = self._failed_at = self._monotonic()
        if self._measures.store_up:
            self._measures.store_up = False
            self._fails_again = now - self._back_at < _CALM_S
        if self._told_up and now - self._told_at >= _CALM_S:
            self._told_up, self._told_at = False, now
            log.warning(
                "store_down", reason=reason, keeps="what is learnt stays in memory, and is tried again"
            )

    def _up(self) -> None:
        if self._measures.store_up:
            return
        now = self._monotonic()
        if self._fails_again and now - self._failed_at < _CALM_S:
            return
        self._measures.store_up = True
        self._back_at = now
        if not self._told_up:
            self._told_up, self._told_at = True, now
            log.info("store_up")


class _Slices:
    """Of the event loop's time, each as long as `over` says."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s: Final = pause_s
        self._until = time.monotonic() + _SLICE_S

    def over(self) -> bool:
        return time.monotonic() >= self._until

    async def pause(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._until = time.monotonic() + _SLICE_S


def _packed(row: list[float]) -> bytes:
    return struct.pack(f"<{len(row)}d", *row)


def _unpacked(packed: bytes) -> list[float]:
    """ValueError when that are no numbers."""
    if len(packed) % 8:
        raise ValueError("no row of numbers")
    return list(struct.unpack(f"<{len(packed) // 8}d", packed))
