"""What a store is: rows by kind and key, each with the time at which it was written.

A row is opaque to its store. Calls block and may come from any one thread at a time: whoever serves requests
makes them in a thread of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    """`written_at` is in seconds since 1970. `packed` None is a row that is to go; where it was loaded, it
    stands for one that is none, such as one whose key is no text."""

    kind: str
    key: str
    packed: bytes | None
    written_at: float


class StoreError(Exception):
    """The store cannot be used now; the text says which, why, and what to do."""


class StoreEmptied(StoreError):
    """It can be used, and what was saved is there no more: all has to be saved again."""


class Store(Protocol):
    """After a StoreError, the next call tries anew from the beginning."""

    def load(self) -> list[Row]:
        """All rows, in no order. May raise StoreError, as all calls but `close`."""

    def save(self, rows: Sequence[Row]) -> None:
        """Put these in the place of those with the same kind and key: all of them, or none and an error."""

    def older(self, than: float) -> list[tuple[str, str]]:
        """Kind and key of the rows that were written before `than`."""

    def close(self) -> None:
        """Let go of it. What was saved stays."""
