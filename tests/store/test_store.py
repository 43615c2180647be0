"""Every store keeps rows by kind and key; the SQLite file survives what happens to processes and files."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.store.base import Row, Store, StoreEmptied, StoreError
from sidecar.store.memory import MemoryStore
from sidecar.store.sqlite import APPLICATION, SqliteStore

A = Row("latency", "shop/a", b"a", 100.0)
B = Row("latency", "shop/b", b"\x00\xff", 200.5)
C = Row("spend", "shop/a", b"", 300.0)

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda folder: SqliteStore(folder / "state.db"),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = STORES[request.param](tmp_path)
    yield one
    one.close()


def file(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "state.db")


def test_gives_back_what_was_saved(store: Store) -> None:
    assert store.load() == []

    store.save([A, B, C])

    assert sorted(store.load()) == [A, B, C]


def test_a_later_row_takes_the_place_of_the_same_kind_and_key(store: Store) -> None:
    store.save([A, C])
    later = Row("latency", "shop/a", b"later", 101.0)

    store.save([later])

    assert sorted(store.load()) == [later, C]


def test_a_row_without_anything_goes(store: Store) -> None:
    store.save([A, B])

    store.save([Row("latency", "shop/a", None, 101.0), Row("latency", "unknown", None, 101.0)])

    assert store.load() == [B]


def test_names_the_rows_that_were_written_before(store: Store) -> None:
    store.save([A, B, C])

    assert sorted(store.older(200.5)) == [("latency", "shop/a")]
    assert store.older(100.0) == []


def test_takes_any_key(store: Store) -> None:
    keys = ["", " ", "'; DROP TABLE rows; --", "ü/名前", "a" * 10_000]
    rows = [Row("kind", key, b"1", 1.0) for key in keys]

    store.save(rows)

    assert sorted(store.load()) == sorted(rows)


def test_saves_nothing_of_what_cannot_be_saved_whole(tmp_path: Path) -> None:
    store = file(tmp_path)
    store.save([A])

    with pytest.raises(StoreError):
        store.save([B, Row("latency", "c", b"c", float("nan"))])  # SQLite takes NaN for NULL

    assert store.load() == [A]
    store.close()


def test_the_file_has_what_was_saved_when_it_is_opened_again(tmp_path: Path) -> None:
    first = file(tmp_path)
    first.save([A, B])
    first.close()

    second = file(tmp_path)

    assert sorted(second.load()) == [A, B]
    second.close()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = file(tmp_path)
    store.save([A])

    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
    store.close()


KILLED = """
import sys
from pathlib import Path
from sidecar.store.base import Row
from sidecar.store.sqlite import SqliteStore

store = SqliteStore(Path(sys.argv[1]))
for at in range(10**6):
    store.save([Row("kind", "first", str(at).encode(), 1.0), Row("kind", "second", str(at).encode(), 1.0)])
    if at == 20:
        print("saved", flush=True)
"""


def test_a_killed_process_leaves_a_sound_file_that_the_next_may_have(tmp_path: Path) -> None:
    """what was saved is there, and no half of a save."""
    path = tmp_path / "state.db"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"saved\n"
        with pytest.raises(StoreError, match="is in use by another sidecar"):
            SqliteStore(path)
        process.send_signal(signal.SIGKILL)
        process.wait()

    store = SqliteStore(path)

    rows = {row.key: row.packed for row in store.load()}
    assert rows["first"] == rows["second"]
    assert int(rows["first"] or b"0") >= 20
    store.close()


def test_two_cannot_have_one_file(tmp_path: Path) -> None:
    first = file(tmp_path)

    with pytest.raises(StoreError) as refused:
        file(tmp_path)

    assert str(refused.value) == (
        f"{tmp_path}/state.db is in use by another sidecar (database is locked); "
        "give each one a file of its own"
    )
    first.save([A])
    first.close()
    second = file(tmp_path)
    assert second.load() == [A]
    second.close()


def refused(path: Path) -> str:
    """What opening it says; the file is as it was."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError) as error:
        SqliteStore(path)
    assert (path.read_bytes() if path.is_file() else b"") == before
    return str(error.value).replace(str(path), "FILE")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("a shopping list\n" * 100)

    assert refused(path) == "FILE is no SQLite database (file is not a database); name another file"


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE rows (id)")
    other.close()

    assert refused(path) == "FILE is the database of another program; name another file"


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA application_id = {APPLICATION}")
        newer.execute("PRAGMA user_version = 2")
        newer.execute("CREATE TABLE rows (id)")
    newer.close()

    assert refused(path) == (
        "FILE was written by a newer version of the sidecar (its format is 2, this one knows 1); start that "
        "version, or move the file away"
    )


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    store.save([Row("kind", str(at), b"x" * 500, 1.0) for at in range(1000)])
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 8192 + whole[16384:])

    said = refused(path)

    assert said.startswith("FILE is damaged (")
    assert said.endswith("; move it away to begin with nothing known, or put a sound copy in its place")


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    store.save([Row("kind", str(at), b"x" * 500, 1.0) for at in range(1000)])
    store.close()
    with path.open("r+b") as cut:
        cut.truncate(100_000)

    assert "FILE is damaged (" in refused(path)


def test_a_folder_a_pipe_and_a_place_without_a_folder_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert refused(tmp_path) == "FILE is no regular file; name another one"
    assert refused(tmp_path / "pipe") == "FILE is no regular file; name another one"
    assert refused(tmp_path / "none" / "state.db") == (
        "FILE cannot be made: no such file or directory; its folder must be there, and this user be allowed "
        "to write to it"
    )


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE rows (a)",
        "CREATE TABLE other (a)",
        "CREATE TABLE rows (kind TEXT, key TEXT, packed BLOB, written_at REAL)",
    ],
    ids=["other columns", "another table", "no primary key"],
)
@pytest.mark.parametrize("version", [1, 0, -3])
def test_a_file_with_our_mark_and_not_our_table_is_refused(tmp_path: Path, made: str, version: int) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA application_id = {APPLICATION}")
        other.execute(f"PRAGMA user_version = {version}")
        other.execute(made)
    other.close()

    assert refused(path) == (
        "FILE is damaged, or another program's: it is marked as a sidecar's and has not its table; move it "
        "away to begin with nothing known, or put a sound copy in its place"
    )


def test_a_row_that_is_none_hides_no_other(tmp_path: Path) -> None:
    """Text that is no UTF-8, and what is of another type, in any column."""
    store = file(tmp_path)
    store.save([A, B])
    store.close()
    with sqlite3.connect(tmp_path / "state.db") as other:
        for values in (
            "'latency', CAST(x'ff80' AS TEXT), x'00', 1.0",
            "CAST(x'ff80' AS TEXT), 'a', x'00', 1.0",
            "x'6c', 'a', x'00', 1.0",
            "'latency', x'ff', x'00', 1.0",
            "'latency', 'text', CAST(x'ff80' AS TEXT), 1.0",
            "'latency', 'number', 5, 1.0",
            "'latency', 'yesterday', x'00', 'yesterday'",
            "'latency', 'bytes', x'00', CAST(x'ff80' AS TEXT)",
        ):
            other.execute(f"INSERT INTO rows VALUES ({values})")
    other.close()

    again = file(tmp_path)

    rows = again.load()
    assert sorted(row for row in rows if row.packed is not None) == [A, B]
    assert sum(row.packed is None for row in rows) == 8
    assert sorted(key for _, key in again.older(300.0)) == ["number", "shop/a", "shop/b", "text"]
    again.save([C])
    assert len(again.load()) == 11
    again.close()


SMALL_DISK = """
import resource
import signal
import sys
from pathlib import Path
from sidecar.store.base import Row, StoreError
from sidecar.store.sqlite import SqliteStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = SqliteStore(Path(sys.argv[1]))
try:
    store.save([Row("kind", str(at), bytes(1000), 1.0) for at in range(1000)])
except StoreError as error:
    print(error)
"""


def test_a_file_that_cannot_grow_says_that_the_disk_may_be_full(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    told = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )

    assert told.stdout == (
        f"{path} cannot be read or written: the disk may be full, or fails (disk I/O error); make room, or "
        "see to the disk\n"
    )


def test_a_file_that_went_away_is_made_anew_and_says_that_it_is_empty(tmp_path: Path) -> None:
    store = file(tmp_path)
    store.save([A, B])
    for each in tmp_path.iterdir():
        each.unlink()

    with pytest.raises(StoreEmptied):
        store.save([C])
    store.save([A, C])

    store.close()
    again = file(tmp_path)
    assert sorted(again.load()) == [A, C]
    again.close()


def test_a_store_that_failed_can_be_used_once_its_place_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    store = file(folder)
    store.save([A])
    folder.rename(tmp_path / "gone")
    with pytest.raises(StoreError, match="no such file or directory"):
        store.save([B])

    (tmp_path / "gone").rename(folder)
    store.save([B])

    assert sorted(store.load()) == [A, B]
    store.close()
