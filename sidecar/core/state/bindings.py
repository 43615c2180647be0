"""Which endpoint a key is bound to: a client's session, or the beginning of a prompt.

A million sessions have to fit, be found within a request, and be forgotten when nobody came for a while. So
a binding is two whole numbers in a dictionary, which the garbage collector does not visit: a hash of the key,
and in one number the endpoint and the time at which it ends. Each use moves it to the end, so that the one at
the front was used least lately. The table is cut in parts of a few thousand: a dictionary that grows, or
whose first entry is looked for where many were taken out, takes a time in proportion to its size, and a
request must not wait for a million. The price: what is given up is the oldest of a part, not of the table.
"""

from typing import Final, final

from mypy_extensions import i64

_PART: Final = 4096
"""Bindings in a part, about: the work of a moment, and small beside the table."""
_NUMBER_BITS: Final = 24
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1
_MOST_MILLIS: Final = (1 << 62 - _NUMBER_BITS) - 1
_KEY_MASK: Final = (1 << 60) - 1  # the largest whole numbers that take 32 bytes
_SWEPT_EACH_S: Final = 5.0
MOST: Final = _NUMBER_MASK


def key_of(salt: int, text: str) -> int:
    """The key for the `text` of a request, told apart by a `salt`. Means something in this process only.

    Of a million keys no two are alike, but once in two million times; two that are would share an endpoint.
    """
    bits: i64 = hash(text)
    return (bits & _KEY_MASK) ^ salt


def salt_of(scope: str) -> int:
    return (hash(scope) >> 1) & _KEY_MASK  # without the shift, a text like the scope's name would be 0


def _millis(seconds: float) -> i64:
    return i64(int(min(seconds * 1000.0, float(_MOST_MILLIS))))


@final
class Bindings:
    """At most `most` of them, about 150 bytes each; when there are more, the least used of lately go.

    Times are in seconds, not negative, and kept to the millisecond; after 8 years they stand still.
    """

    def __init__(self, most: int = 1_000_000) -> None:
        if not 1 <= most <= MOST:
            raise ValueError(f"most must be 1 to {MOST}, got {most}")
        count = 1
        while count * _PART < most:
            count *= 2
        self._most: Final = most
        self._parts: Final[list[dict[int, int]]] = [{} for _ in range(count)]
        self._swept_at: Final[list[float]] = [float("-inf")] * count
        self._mask: Final = count - 1
        self._size = 0
        # Endpoints by number. A number is free again when nothing is bound to it, so that endpoints that come
        # and go for months leave nothing behind.
        self._numbers: Final[dict[str, int]] = {}
        self._names: Final[list[str]] = []
        self._bound: Final[list[int]] = []
        self._free: Final[list[int]] = []

    def __len__(self) -> int:
        """Those that ended and were not swept yet are counted too."""
        return self._size

    def of(self, key: int, now: float) -> str | None:
        """The key of the endpoint that `key` is bound to."""
        packed: i64 = self._parts[key & self._mask].get(key, -1)
        if packed >> _NUMBER_BITS <= _millis(now):
            return None
        return self._names[packed & _NUMBER_MASK]

    def bind(self, key: int, endpoint_key: str, until: float, now: float, spare_s: float = 0.0) -> None:
        """From now on, or on, until then. Where it is bound so already and until hardly any earlier, by
        `spare_s` at most, it stays as it is: that is cheaper."""
        at = key & self._mask
        part = self._parts[at]
        ends: i64 = _millis(until)
        if spare_s > 0.0:
            packed: i64 = part.get(key, -1)
            if (
                packed >= 0
                and packed >> _NUMBER_BITS >= ends - _millis(spare_s)
                and self._names[packed & _NUMBER_MASK] == endpoint_key
            ):
                return
        # Taken out and put in again, it stands at the end.
        before: i64 = part.pop(key, -1)
        number: i64 = before & _NUMBER_MASK
        if before < 0 or self._names[number] != endpoint_key:
            released: i64 = number
            number = self._numbers.get(endpoint_key, -1)
            if number < 0:
                number = self._number(endpoint_key)
            self._bound[number] += 1
            if before >= 0:
                self._release(released)
            else:
                if now - self._swept_at[at] >= _SWEPT_EACH_S:
                    self._sweep(at, now)
                if self._size >= self._most:
                    self._give_up_oldest(at)
                self._size += 1
        part[key] = ends << _NUMBER_BITS | number

    def _sweep(self, at: int, now: float) -> None:
        """Drop those at the front that ended. Some may be left, behind one that lasts longer; they do no harm
        but take their place."""
        self._swept_at[at] = now
        millis: i64 = _millis(now)
        part = self._parts[at]
        ended: list[int] = []
        for key, packed in part.items():
            if packed >> _NUMBER_BITS > millis:
                break
            ended.append(key)
        for key in ended:
            self._drop(part.pop(key))

    def _give_up_oldest(self, at: int) -> None:
        """A hundredth of a part at once, at least one: finding the first of a dictionary may be a scan."""
        part = self._parts[at]
        while not part:  # nothing here to give up: the next part has something
            at = (at + 1) & self._mask
            part = self._parts[at]
        wanted = max(len(part) // 100, 1)
        oldest: list[int] = []
        for key in part:
            if len(oldest) == wanted:
                break
            oldest.append(key)
        for key in oldest:
            self._drop(part.pop(key))

    def _number(self, endpoint_key: str) -> int:
        if self._free:
            number = self._free.pop()
            self._names[number] = endpoint_key
        else:
            number = len(self._names)
            self._names.append(endpoint_key)
            self._bound.append(0)
        self._numbers[endpoint_key] = number
        return number

    def _drop(self, packed: int) -> None:
        self._size -= 1
        self._release(packed & _NUMBER_MASK)

    def _release(self, number: int) -> None:
        self._bound[number] -= 1
        if self._bound[number] == 0:
            del self._numbers[self._names[number]]
            self._names[number] = ""
            self._free.append(number)
