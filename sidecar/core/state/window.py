"""How many of the latest attempts were served, failed, and were slow."""

from typing import Final, final

_SLOTS: Final = 10


@final
class Window:
    """Counts of the last `span_s` seconds, exact to a tenth of that: what is older falls out a slot at once.

    A clock that runs backwards counts as one that stands still.
    """

    def __init__(self, span_s: float) -> None:
        if span_s <= 0.0:
            raise ValueError(f"span_s must be above 0, got {span_s}")
        self.span_s: Final = span_s
        self.served: int = 0
        self.failed: int = 0
        self.slow: int = 0
        self._slot_s: Final = span_s / _SLOTS
        self._at: int = 0
        """The number of the slot in use, counted from the beginning of the clock."""
        self._slots: Final[list[int]] = [0] * (3 * _SLOTS)

    @property
    def total(self) -> int:
        return self.served + self.failed

    def add(self, now: float, *, failed: bool, slow: bool = False) -> None:
        self.pass_time(now)
        at = 3 * (self._at % _SLOTS)
        if failed:
            self.failed += 1
            self._slots[at + 1] += 1
        else:
            self.served += 1
            self._slots[at] += 1
        if slow:
            self.slow += 1
            self._slots[at + 2] += 1

    def pass_time(self, now: float) -> None:
        """Forget what is too old by now."""
        at = int(now / self._slot_s)
        if at <= self._at:
            return
        if at - self._at >= _SLOTS:
            self.forget()
            self._at = at
            return
        while self._at < at:
            self._at += 1
            place = 3 * (self._at % _SLOTS)
            self.served -= self._slots[place]
            self.failed -= self._slots[place + 1]
            self.slow -= self._slots[place + 2]
            self._slots[place] = self._slots[place + 1] = self._slots[place + 2] = 0

    def take_away(self, part: "Window") -> None:
        """Forget what is in another of the same span, of which every attempt was added here too. Both are
        brought to the same time first."""
        for place, counted in enumerate(part.slots()):
            self._slots[place] -= counted
        self.served -= part.served
        self.failed -= part.failed
        self.slow -= part.slow

    def slots(self) -> list[int]:
        """Served, failed and slow ones of each slot in turn."""
        return list(self._slots)

    def forget(self) -> None:
        self.served = self.failed = self.slow = 0
        for place in range(3 * _SLOTS):
            self._slots[place] = 0
