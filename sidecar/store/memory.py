"""Keeps rows as long as the process lives: what every other store is measured by."""

from collections.abc import Sequence
from typing import Final

from sidecar.store.base import Row


class MemoryStore:
    """See `Store`."""

    def __init__(self) -> None:
        self._rows: Final[dict[tuple[str, str], Row]] = {}

    def load(self) -> list[Row]:
        return list(self._rows.values())

    def save(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.packed is None:
                self._rows.pop((row.kind, row.key), None)
            else:
                self._rows[row.kind, row.key] = row

    def older(self, than: float) -> list[tuple[str, str]]:
        return [place for place, row in self._rows.items() if row.written_at < than]

    def close(self) -> None:
        """Nothing is held."""
