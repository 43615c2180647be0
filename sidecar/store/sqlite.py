"""Keeps rows in one SQLite file, which belongs to one process at a time.

The file is locked as long as it is open (`locking_mode=EXCLUSIVE`), by the operating system, which takes the
lock away from a process that is killed. So SQLite needs no memory that is shared through a file either, and
somebody who cuts that short cannot end the process. With a write-ahead log and `synchronous=NORMAL`, what was
saved survives any end of the process; a power failure may cost the last saves and damages nothing.

Whatever is wrong with the file when it is opened is told, and nothing in it is touched: an empty store in its
place would be a month's spend forgotten without a word.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sidecar.store.base import Row, StoreEmptied, StoreError

APPLICATION: Final = 0x53494443
"""In the file's header: the letters SIDC."""
VERSION: Final = 1

_WAITS_S: Final = 1.0
_SETTINGS: Final = ("journal_mode = WAL", "synchronous = NORMAL", "journal_size_limit = 16777216")
_ASKED: Final = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
_TABLE: Final = """
CREATE TABLE rows (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    packed BLOB NOT NULL,
    written_at REAL NOT NULL,
    PRIMARY KEY (kind, key)
)
"""
_COLUMNS: Final = [("kind", "TEXT", 1), ("key", "TEXT", 2), ("packed", "BLOB", 0), ("written_at", "REAL", 0)]
"""Names, types and places in the primary key."""
# Any column may hold anything, and text that is no UTF-8 would end the reading of all rows: so text is read
# as bytes.
_GET: Final = """
SELECT
    CAST(kind AS BLOB), CAST(key AS BLOB), CAST(packed AS BLOB),
    CASE typeof(written_at) WHEN 'real' THEN written_at END,
    typeof(kind) = 'text' AND typeof(key) = 'text' AND typeof(packed) = 'blob' AND typeof(written_at) = 'real'
FROM rows
"""
_OLDER: Final = """
SELECT CAST(kind AS BLOB), CAST(key AS BLOB) FROM rows
WHERE written_at < ? AND typeof(kind) = 'text' AND typeof(key) = 'text'
"""
_PUT: Final = "INSERT OR REPLACE INTO rows (kind, key, packed, written_at) VALUES (?, ?, ?, ?)"
_TAKE: Final = "DELETE FROM rows WHERE kind = ? AND key = ?"

_AWAY: Final = "move it away to begin with nothing known, or put a sound copy in its place"
_REASONS: Final = {
    sqlite3.SQLITE_BUSY: ("is in use by another sidecar", "give each one a file of its own"),
    sqlite3.SQLITE_NOTADB: ("is no SQLite database", "name another file"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _AWAY),
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "make room"),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written: the disk may be full, or fails",
        "make room, or see to the disk",
    ),
    sqlite3.SQLITE_READONLY: ("cannot be written", "let this user write the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "let this user read and write the file and its folder"),
}


_NO_ROW: Final = Row("", "", None, 0.0)


class SqliteStore:
    """See `Store`. Open from the beginning, or StoreError; made, for its owner alone, if it is not there."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path.absolute()
        self._inode = (0, 0)
        self._is_new = False
        self._connection: sqlite3.Connection | None = self._opened()

    def load(self) -> list[Row]:
        connection = self._ready()
        try:
            found = connection.execute(_GET).fetchall()
        except sqlite3.Error as error:
            self.close()
            raise self._wrong(error) from error
        rows: list[Row] = []
        for kind, key, packed, written_at, sound in found:
            place = _texts(kind, key) if sound else None
            rows.append(_NO_ROW if place is None else Row(*place, packed, written_at))
        return rows

    def save(self, rows: Sequence[Row]) -> None:
        connection = self._ready()
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_PUT, [row for row in rows if row.packed is not None])
            connection.executemany(_TAKE, [row[:2] for row in rows if row.packed is None])
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.close()
            raise self._wrong(error) from error

    def older(self, than: float) -> list[tuple[str, str]]:
        connection = self._ready()
        try:
            found = connection.execute(_OLDER, (than,)).fetchall()
        except sqlite3.Error as error:
            self.close()
            raise self._wrong(error) from error
        return [place for place in (_texts(*each) for each in found) if place is not None]

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _ready(self) -> sqlite3.Connection:
        """The connection to the file that is at the path now."""
        if self._connection is not None and _inode(self._path) == self._inode:
            return self._connection
        is_another = _inode(self._path) != self._inode
        self.close()
        self._connection = self._opened()
        if is_another or self._is_new:
            raise StoreEmptied(f"{self._path} is another file than before; all is written again")
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        self._make()
        try:
            connection = sqlite3.connect(
                self._path, timeout=_WAITS_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._wrong(error) from error
        try:
            self._set_up(connection)
        except sqlite3.Error as error:
            connection.close()
            raise self._wrong(error) from error
        except BaseException:
            connection.close()
            raise
        self._inode = _inode(self._path)
        return connection

    def _make(self) -> None:
        """See to it that a file is there, which nobody else may read if it is new."""
        try:
            try:
                kind = self._path.stat().st_mode
            except FileNotFoundError:
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                return
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or "not a path"
            raise StoreError(
                f"{self._path} cannot be made: {reason.lower()}; its folder must be there, and this user be "
                "allowed to write to it"
            ) from error
        if not stat.S_ISREG(kind):
            raise StoreError(f"{self._path} is no regular file; name another one")

    def _set_up(self, connection: sqlite3.Connection) -> None:
        """Nothing is written before it is known that the file is ours."""
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        application, version, tables = (connection.execute(asked).fetchone()[0] for asked in _ASKED)
        is_new = (application, version, tables) == (0, 0, 0)
        if not is_new and application != APPLICATION:
            raise StoreError(f"{self._path} is the database of another program; name another file")
        if version > VERSION:
            raise StoreError(
                f"{self._path} was written by a newer version of the sidecar (its format is {version}, this "
                f"one knows {VERSION}); start that version, or move the file away"
            )
        if not is_new and (version != VERSION or _columns(connection) != _COLUMNS):
            raise StoreError(
                f"{self._path} is damaged, or another program's: it is marked as a sidecar's and has not its "
                f"table; {_AWAY}"
            )
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        self._is_new = is_new
        connection.execute("BEGIN IMMEDIATE")
        if is_new:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreError(f"{self._path} is damaged ({found}); {_AWAY}")

    def _wrong(self, error: sqlite3.Error) -> StoreError:
        # Extended codes have the plain one in their lowest byte.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        what, remedy = _REASONS.get(code, ("cannot be used", "see to its disk, or name another file"))
        return StoreError(f"{self._path} {what} ({error}); {remedy}")


def _columns(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
    told = connection.execute("PRAGMA table_info(rows)").fetchall()
    return [(name, kind, in_key) for _, name, kind, _, _, in_key in told]


def _texts(kind: bytes, key: bytes) -> tuple[str, str] | None:
    """None where one of them is no UTF-8."""
    try:
        return (kind.decode(), key.decode())
    except UnicodeDecodeError:
        return None


def _inode(path: Path) -> tuple[int, int]:
    """(0, 0) when nothing is there."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
