"""What is learnt goes into the store as it changes, comes back with the next start, and holds up nobody."""

import asyncio
import contextlib
import itertools
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.state.latency import Latency
from sidecar.core.state.tickets import Ticket
from sidecar.runtime.keeping import Keeper, Keeping
from sidecar.runtime.measures import Measures
from sidecar.store.base import Row, Store, StoreError
from sidecar.store.memory import MemoryStore
from sidecar.store.sqlite import SqliteStore
from tests.waiting import until_in_loop

DAY_S: Final = 86_400.0


class Notes:
    """A number for each key, and how long ago it was noted when the process began."""

    def __init__(self, *known: str) -> None:
        self.known: Final = set(known)
        self.notes: Final[dict[str, float]] = {}
        self.away_s: Final[dict[str, float]] = {}
        self._changed: set[str] = set()

    def note(self, key: str, number: float | None) -> None:
        if number is None:
            self.notes.pop(key)
        else:
            self.notes[key] = number
        self._changed.add(key)

    def changed(self) -> set[str]:
        changed, self._changed = self._changed, set()
        return changed

    def row(self, key: str, now: float) -> list[float] | None:
        return [self.notes[key]] if key in self.notes else None

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        if len(row) != 1 or row[0] != row[0]:
            raise ValueError("no note")
        if not self.known or key in self.known:
            self.notes[key] = row[0]
            self.away_s[key] = away_s


class Clock:
    """Of the wall, set by hand."""

    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def a_keeping(
    store: Store,
    keeper: Keeper,
    measures: Measures | None = None,
    *,
    wall: Callable[[], float] = time.time,
    every_s: float = 0.01,
    keep_s: float = 7 * DAY_S,
    kind: str = "note",
) -> Keeping:
    keepers = {kind: keeper}
    return Keeping(store, keepers, measures or Measures(), every_s=every_s, keep_s=keep_s, wall=wall)


def restarted(store: Store, wall: Callable[[], float] = time.time, *known: str) -> Notes:
    """What the next process knows."""
    notes = Notes(*known)
    a_keeping(store, notes, wall=wall).restore()
    return notes


@contextlib.asynccontextmanager
async def keeping(one: Keeping) -> Any:
    """It works while the block runs, as in the server."""
    work = asyncio.create_task(one.keep())
    try:
        yield one
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        await one.close()


def run(test: Callable[[], Awaitable[None]]) -> list[Any]:
    """Runs it; what was logged meanwhile."""

    async def main() -> None:
        await test()

    with structlog.testing.capture_logs() as logs:
        asyncio.run(main())
    return list(logs)


def saved(store: MemoryStore) -> dict[str, bytes | None]:
    return {row.key: row.packed for row in store.load()}


def test_what_changes_is_saved_and_comes_back() -> None:
    store, notes = MemoryStore(), Notes()

    async def ask() -> None:
        async with keeping(a_keeping(store, notes)):
            notes.note("a", 1.0)
            await until_in_loop(lambda: set(saved(store)) == {"a"}, "the first save")
            notes.note("b", 2.0)
            notes.note("c", 3.0)
            await until_in_loop(lambda: set(saved(store)) == {"a", "b", "c"}, "the second")
            notes.note("a", None)
            await until_in_loop(lambda: set(saved(store)) == {"b", "c"}, "the third")
            notes.note("b", 4.0)  # saved at the end

    run(ask)

    assert restarted(store).notes == {"b": 4.0, "c": 3.0}


def test_the_end_saves_what_has_changed_since() -> None:
    """Whatever `every` is."""
    store, notes = MemoryStore(), Notes()

    async def ask() -> None:
        async with keeping(a_keeping(store, notes, every_s=3600.0)):
            notes.note("a", 1.0)

    run(ask)

    assert restarted(store).notes == {"a": 1.0}


def test_time_away_is_that_of_the_wall_and_never_negative() -> None:
    """A clock that went back tells nothing."""
    store, notes, wall = MemoryStore(), Notes(), Clock()

    async def ask() -> None:
        async with keeping(a_keeping(store, notes, wall=wall)):
            notes.note("a", 1.0)

    run(ask)

    wall.at += 90.0
    assert restarted(store, wall).away_s == {"a": 90.0}
    wall.at -= 1000.0
    assert restarted(store, wall).away_s == {"a": 0.0}


def test_a_row_that_is_none_is_refused_and_the_others_count() -> None:
    store = MemoryStore()
    notes = Notes()
    for key, packed in {
        "good": b"\x00" * 8,
        "nan": b"\x00" * 6 + b"\xf8\x7f",
        "short": b"\x00" * 7,
        "long": b"\x00" * 16,
        "empty": b"",
    }.items():
        store.save([Row("note", key, packed, 1.0)])
    store.save([Row("of-another-version", "x", b"\x00" * 8, 1.0)])

    with structlog.testing.capture_logs() as logs:
        a_keeping(store, notes).restore()

    assert notes.notes == {"good": 0.0}
    (told,) = logs
    assert (told["event"], told["rows"], told["refused"], told["unknown"]) == ("restored", 1, 4, 1)


def test_a_row_that_the_store_itself_cannot_read_is_counted_with_those_that_are_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    store.save([Row("note", "good", b"\x00" * 8, 1.0)])
    store.close()
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO rows VALUES ('note', CAST(x'ff80' AS TEXT), x'0000000000000000', 1.0)")
        other.execute("INSERT INTO rows VALUES ('note', 'when', x'0000000000000000', 'yesterday')")
    other.close()
    notes, reopened = Notes(), SqliteStore(path)

    with structlog.testing.capture_logs() as logs:
        a_keeping(reopened, notes).restore()
    reopened.close()

    assert notes.notes == {"good": 0.0}
    (told,) = logs
    assert (told["event"], told["rows"], told["refused"], told["unknown"]) == ("restored", 1, 2, 0)


def test_a_bug_in_restoring_stops_no_start() -> None:
    class Buggy(Notes):
        def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
            raise RuntimeError("a bug")

    store, measures = MemoryStore(), Measures()
    store.save([Row("note", "a", b"\x00" * 8, 1.0)])

    with structlog.testing.capture_logs() as logs:
        a_keeping(store, Buggy(), measures).restore()

    assert [log["event"] for log in logs] == ["restore_failed", "restored"]
    assert measures.bugs == 1


def test_a_store_that_dies_is_told_once_and_loses_nothing_that_is_in_memory(tmp_path: Path) -> None:
    """Its disk goes away, and comes back."""
    folder = tmp_path / "disk"
    folder.mkdir()
    store, notes, measures = SqliteStore(folder / "state.db"), Notes(), Measures()

    async def ask() -> None:
        async with keeping(a_keeping(store, notes, measures)):
            notes.note("a", 1.0)
            await until_in_loop(lambda: measures.store_saves["saved"] > 0, "the first save")
            folder.rename(tmp_path / "gone")
            notes.note("b", 2.0)
            await until_in_loop(lambda: not measures.store_up, "the failure")
            failed = measures.store_saves["failed"]
            await until_in_loop(lambda: measures.store_saves["failed"] > failed + 1, "it is tried again")
            notes.note("b", 3.0)
            notes.note("c", 4.0)
            (tmp_path / "gone").rename(folder)
            await until_in_loop(lambda: measures.store_up, "its return")

    logs = run(ask)

    events = [log["event"] for log in logs]
    assert events == ["store_down", "store_up"]
    assert f"{folder}/state.db cannot be made: no such file or directory" in logs[0]["reason"]
    assert restarted(SqliteStore(folder / "state.db")).notes == {"a": 1.0, "b": 3.0, "c": 4.0}


def test_a_file_that_was_taken_away_is_written_again_whole(tmp_path: Path) -> None:
    """What was restored and not changed since is there, too."""
    path = tmp_path / "state.db"
    first = SqliteStore(path)
    first.save([Row("note", "old", b"\x00" * 8, time.time())])
    first.close()
    store, notes, measures = SqliteStore(path), Notes(), Measures()

    async def ask() -> None:
        one = a_keeping(store, notes, measures)
        one.restore()
        async with keeping(one):
            clear(tmp_path)
            notes.note("new", 1.0)
            await until_in_loop(lambda: measures.store_saves["saved"] > 0, "it is saved")

    run(ask)

    assert restarted(SqliteStore(path)).notes == {"old": 0.0, "new": 1.0}


def test_a_store_that_is_down_at_the_end_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    store, notes = SqliteStore(folder / "state.db"), Notes()

    async def ask() -> None:
        async with keeping(a_keeping(store, notes, every_s=3600.0)):
            notes.note("a", 1.0)
            folder.rename(tmp_path / "gone")

    assert [log["event"] for log in run(ask)] == ["store_down", "not_saved"]


def test_rows_that_nobody_knows_stay_for_a_while_and_then_go() -> None:
    """An endpoint that is gone for a deployment comes back with what was known of it."""
    store, wall = MemoryStore(), Clock()
    store.save([Row("note", "gone", b"\x00" * 8, wall.at), Row("note", "there", b"\x00" * 8, wall.at)])
    store.save([Row("of-another-version", "x", b"\x00" * 8, wall.at)])

    def kept_after(days: float) -> set[str]:
        wall.at += days * DAY_S

        async def ask() -> None:
            notes, measures = Notes("there", "now"), Measures()
            one = a_keeping(store, notes, measures, wall=wall)
            one.restore()
            async with keeping(one):
                notes.note("now", 1.0)
                await until_in_loop(lambda: "now" in saved(store), "a save")
                await asyncio.sleep(0)
                notes.note("now", None)
                await until_in_loop(lambda: "now" not in saved(store), "and another, so that all is tidied")

        run(ask)
        return set(saved(store))

    assert kept_after(6.0) == {"gone", "there", "x"}
    assert restarted(store, wall).notes == {"gone": 0.0, "there": 0.0}
    assert kept_after(2.0) == {"there"}


def test_a_save_that_is_cut_off_at_the_end_loses_nothing() -> None:
    """It is cancelled between any two slices."""
    for turns in range(12):
        store, notes = MemoryStore(), Notes()

        async def ask(store: MemoryStore = store, notes: Notes = notes, turns: int = turns) -> None:
            async with keeping(a_keeping(store, notes, every_s=0.0)):
                for at in range(2000):
                    notes.note(str(at), float(at))
                for _ in range(turns):
                    await asyncio.sleep(0)

        run(ask)

        assert len(restarted(store).notes) == 2000


class NearlyFull(MemoryStore):
    """Every second save fails, as `fails` says."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: Callable[[int], bool] = lambda at: at % 2 == 0
        self.saved_at: Final[list[float]] = []

    def save(self, rows: Sequence[Row]) -> None:
        self.saved_at.append(time.monotonic())
        if self.fails(len(self.saved_at) - 1):
            raise StoreError("the disk is full")
        super().save(rows)


def test_a_store_that_fails_again_and_again_is_told_once_a_minute_and_back_after_a_calm_one() -> None:
    """V5: as on a disk that is nearly full."""
    store, notes, measures, clock = NearlyFull(), Notes(), Measures(), Clock()
    told: list[tuple[str, float]] = []

    async def ask() -> None:
        one = Keeping(store, {"note": notes}, measures, every_s=1.0, keep_s=DAY_S, monotonic=clock)

        async def saves(count: int, apart_s: float) -> None:
            for at in range(count):
                clock.at += apart_s
                notes.note("a", float(at))
                await one.save()
                told.extend((log["event"], clock.at) for log in logs[len(told) :])

        def up() -> bool:
            return measures.store_up

        with structlog.testing.capture_logs() as logs:
            await saves(34, 0.5)  # seventeen failures, each with a success behind it
            assert [event for event, _ in told] == ["store_down", "store_up"]
            assert not up()
            await saves(200, 0.5)
            assert [event for event, _ in told] == ["store_down", "store_up", "store_down"]
            assert told[2][1] - told[1][1] >= 60.0
            assert not up()
            store.fails = lambda _: False
            await saves(100, 0.5)
            assert not up()
            await saves(21, 0.5)
            assert up()
            assert [event for event, _ in told][3:] == ["store_up"]
        await one.close()

    run(ask)


def test_a_store_that_fails_again_and_again_is_asked_less_and_less() -> None:
    """V5: its successes in between do not count."""
    store, notes, clock = NearlyFull(), Notes(), Clock()

    async def ask() -> None:
        one = Keeping(store, {"note": notes}, Measures(), every_s=0.001, keep_s=DAY_S, monotonic=clock)

        async def change() -> None:
            while True:
                notes.note("a", 1.0)
                await asyncio.sleep(0)

        changes = asyncio.create_task(change())
        async with keeping(one):
            await until_in_loop(lambda: len(store.saved_at) >= 16, "sixteen saves")
            changes.cancel()

    run(ask)

    gaps = [after - before for before, after in itertools.pairwise(store.saved_at[:16])]
    assert gaps[-1] >= 0.064


class Hanging(MemoryStore):
    """It answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go: Final = threading.Event()

    def save(self, rows: Sequence[Row]) -> None:
        assert self.let_go.wait(10.0)
        super().save(rows)


def test_a_store_that_hangs_is_down_until_it_answers() -> None:
    """Nobody waits for it but the thread that asks it."""
    store, notes, measures = Hanging(), Notes(), Measures()

    async def ask() -> None:
        one = Keeping(store, {"note": notes}, measures, every_s=0.01, keep_s=DAY_S, patience_s=0.01)
        async with keeping(one):
            notes.note("a", 1.0)
            await until_in_loop(lambda: not measures.store_up, "it is down")
            notes.note("a", 2.0)
            store.let_go.set()
            await until_in_loop(lambda: measures.store_up, "it answers")

    logs = run(ask)

    assert [log["event"] for log in logs] == ["store_down", "store_up"]
    assert logs[0]["reason"] == "it has not answered for 0.01 s"
    assert restarted(store).notes == {"a": 2.0}


def test_a_store_that_hangs_holds_up_no_end() -> None:
    store, notes, measures = Hanging(), Notes(), Measures()

    async def ask() -> None:
        one = Keeping(store, {"note": notes}, measures, every_s=3600.0, keep_s=DAY_S, ends_within_s=0.01)
        async with keeping(one):
            notes.note("a", 1.0)

    async def both() -> None:
        await ask()
        store.let_go.set()

    assert [(log["event"], log["reason"]) for log in run(both)] == [
        ("not_saved", "the store does not answer within 0.01 s")
    ]


def clear(folder: Path) -> None:
    for each in folder.iterdir():
        each.unlink()


def many_tracks(count: int) -> Latency:
    latency = Latency()
    endpoints = [Endpoint("shop", str(at), "10.0.0.1:80") for at in range(count)]
    latency.keep_endpoints({each.key for each in endpoints})
    for endpoint in endpoints:
        for at in range(3):
            ticket = Ticket(at, "main", "main", "main", endpoint, 1, 0.0, 300.0, "GET", [], 0)
            latency.settled(ticket, Outcome(200, 0.01 * (at + 1)), 1.0)
    return latency


@pytest.mark.alone
def test_ten_thousand_changes_hold_up_the_event_loop_for_a_millisecond_at_most(tmp_path: Path) -> None:
    """In CPU time of the loop's own thread, which nobody else on the machine can lengthen."""
    store, latency = SqliteStore(tmp_path / "state.db"), many_tracks(10_000)
    held: list[float] = []

    async def ask() -> None:
        one = a_keeping(store, latency, kind="latency")
        work = asyncio.create_task(one.save(0.002))
        while not work.done():
            before = time.thread_time()
            await asyncio.sleep(0)
            held.append(time.thread_time() - before)
        assert await work
        await one.close()

    run(ask)

    reopened = SqliteStore(tmp_path / "state.db")
    assert len(reopened.load()) == 10_000
    reopened.close()
    assert len(held) > 20
    held.sort()
    assert held[-3] < 0.0015  # the longest two may have had a garbage collection in them
