"""Databases of countries by address, in MaxMind's format, read by the package `maxminddb`.

The reader maps the file into memory, where a file that is cut short or written over would end the process.
So it gets a copy that nobody else can reach.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from sidecar.config.errors import Findings, Where, shown
from sidecar.core.ranges import address_text

Stamp = tuple[int, int, int] | None
"""What changes when a file does; None while it is not there."""

_MOST_BYTES: Final = 1 << 30


def stamp(path: Path) -> Stamp:
    try:
        return _stamp(path.stat())
    except (OSError, ValueError):
        return None


@final
class Databases:
    """Those of one configuration; each is read once. `read` has their files as they were then."""

    def __init__(self, folder: Path) -> None:
        """Names in the file are relative to `folder`."""
        self._folder: Final = folder
        self._open: Final[dict[Path, Countries | None]] = {}
        self.read: Final[dict[Path, Stamp]] = {}

    def countries(self, name: str, where: Where, findings: Findings) -> "Countries | None":
        """None when it cannot be used, which then stands in the findings."""
        path = self._folder / name
        if path not in self._open:
            self._open[path] = self._opened(name, where, findings)
        return self._open[path]

    def content(self, name: str, most_bytes: int, where: Where, findings: Findings) -> bytes | None:
        """What this file holds. None when it cannot be read, which then stands in the findings."""
        path = self._folder / name
        self.read[path] = stamp(path)
        try:
            # A pipe would be waited for without end.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - no path
                self.read[path] = _stamp(os.fstat(descriptor))
                return file.read(most_bytes)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or "not a path"
            findings.add(
                where, f"{shown(name)} cannot be read: {reason.lower()}", f"it is looked for at {path}"
            )
            return None

    def _opened(self, name: str, where: Where, findings: Findings) -> "Countries | None":
        try:
            import maxminddb  # noqa: PLC0415 - an extra
        except ImportError:
            findings.add(where, "needs the package maxminddb", "install the sidecar with its extra `geo`")
            return None
        data = self.content(name, _MOST_BYTES, where, findings)
        if data is None:
            return None
        try:
            with _private(data) as copy:
                return Countries(maxminddb.open_database(copy))
        except (maxminddb.InvalidDatabaseError, ValueError, OSError):
            findings.add(
                where, f"{shown(name)} is no MaxMind database", "give the file whose name ends in .mmdb"
            )
            return None


@final
class Countries:
    """The country of an address."""

    def __init__(self, reader: Any) -> None:
        self._get: Final = reader.get

    def __call__(self, address: int) -> str:
        """Two letters, or the empty text where the database does not know."""
        try:
            record = self._get(address_text(address))
        except (ValueError, RuntimeError):  # IPv6 in a database of IPv4; a database that is damaged there
            return ""
        country = record.get("country") if isinstance(record, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else country
        return code if isinstance(code, str) else ""


def _stamp(found: os.stat_result) -> Stamp:
    return (found.st_mtime_ns, found.st_size, found.st_ino)


@contextmanager
def _private(data: bytes) -> Iterator[str]:
    """A name under which the data can be opened while the block runs."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("countries"), "wb", closefd=True) as file:  # noqa: PTH123 - no path
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(data)
            copy.flush()
            yield copy.name
