"""The moments at which memory may change; reading it creates nothing."""

from math import floor, isfinite
from typing import Final, final

from mypy_extensions import mypyc_attr, trait

from sidecar.core.endpoint import Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.state.tickets import Ticket
from sidecar.core.state.verdict import Verdict

_MOST_COUNTED: Final = 2.0**53


@mypyc_attr(allow_interpreted_subclasses=True)
class Learner:
    """Remembers something about requests. `now` is in seconds, from one monotonic clock."""

    def admitted(self, ticket: Ticket, now: float) -> None:
        """A request was given to `ticket.endpoint`."""

    def settled(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        """It ended; called exactly once for each admitted ticket."""

    def took_over(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        """After `settled`: this fallback was asked last, and so the request ended. How long it took there
        alone, nobody has told."""

    def keep_endpoints(self, keys: set[str]) -> None:
        """A new plan names these endpoints and no others: what is remembered of others may go."""

    def plan_changed(self, now: float) -> None:
        """After `keep_endpoints`: what the plan says of its endpoints counts from now on."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Judge:
    """Judges endpoints by how each attempt at each of them ended, whichever request it was for."""

    def ended(
        self, endpoint: Endpoint, judged: Verdict, latency_s: float, ticket: Ticket, now: float
    ) -> None:
        """An attempt at this endpoint ended. Of each settled ticket its own endpoint is told first, at least
        once; SILENT is when nobody can tell how. `latency_s` is negative when unknown."""

    def keep_endpoints(self, keys: set[str]) -> None:
        """A new plan names these endpoints and no others: what is remembered of others may go."""

    def plan_changed(self, now: float) -> None:
        """After `keep_endpoints`: what the plan says of its endpoints counts from now on."""


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class Keeper:
    """What is worth keeping over a restart, as a row of numbers for each key.

    A clock of one process means nothing to the next: rows hold durations from and until `now`, no instants of
    it. What a row means stays with its kind: a learner that writes other rows does so under another name.
    """

    def changed(self) -> set[str]:
        """The keys that have other rows than when this was asked last, gone ones among them."""
        return set()

    def row(self, key: str, now: float) -> list[float] | None:
        """None where nothing is known of the key any more."""
        return None

    def restore(self, key: str, row: list[float], away_s: float, now: float) -> None:
        """Take over a row that was written `away_s` seconds ago, when nothing was learnt of its key yet.

        ValueError, and nothing changed, when it is none of this kind. A key that the plan does not name is
        passed over.
        """


@final
class Changes:
    """The keys that have changed since somebody took them."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def add(self, key: str) -> None:
        self._keys.add(key)

    def take(self) -> set[str]:
        keys = self._keys
        self._keys = set()
        return keys


def finite(row: list[float], least: int) -> bool:
    """Whether a row has at least so many numbers, and each is one."""
    if len(row) < least:
        return False
    for number in row:
        if not isfinite(number):
            return False
    return True


def count(number: float) -> int:
    """A whole number from 0 on, that a row can hold exactly. ValueError for any other."""
    if not 0.0 <= number <= _MOST_COUNTED or number != floor(number):
        raise ValueError(f"no whole number: {number}")
    return int(number)
