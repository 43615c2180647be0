"""Sharing the requests of one route among its variants: by chance, or by a key that keeps its variant.

A key keeps its variant by weighted rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings
to increase hit rates", 1998; the weights after Schindelhauer and Schomaker, "Weighted distributed hash
tables", 2005): each variant scores -weight / ln(u) with u drawn from a hash of key and variant, and the
highest score wins. When one weight grows, keys move only to that variant, and none between the others.
"""

from bisect import bisect_right
from hashlib import blake2b
from math import log
from typing import Final, final

_TWO_TO_52: Final = float(1 << 52)


def unit_hash(text: str) -> float:
    """A number in (0, 1), the same for the same text in every process and version."""
    digest = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return unit_of(int.from_bytes(digest, "big"))


def unit_of(bits: int) -> float:
    """64 random bits as a number in (0, 1). Their first 52 are used: with 53 the half would round up to 1."""
    return ((bits >> 12) + 0.5) / _TWO_TO_52


@final
class Split:
    """Chooses among variants by weight. `salt` (the route's name) makes routes split independently.

    `weights` are not negative and not all 0; only their proportions count. `names` are unique.
    """

    def __init__(self, salt: str, names: list[str], weights: list[float]) -> None:
        if len(names) != len(weights) or not names:
            raise ValueError("needs one weight for each name, and at least one")
        if min(weights) < 0 or sum(weights) <= 0:
            raise ValueError("weights must not be negative and not all 0")
        self._keys: Final = [f"{salt}\x00{name}\x00" for name in names]
        self._weights: Final = weights
        self._upto: Final[list[float]] = []
        total = 0.0
        for weight in weights:
            total += weight
            self._upto.append(total)
        self._total: Final = total
        self._last: Final = max(at for at, weight in enumerate(weights) if weight > 0)

    def share(self, at: int) -> float:
        """The share of variant `at`, 0 to 1."""
        return self._weights[at] / self._total

    def by_chance(self, u: float) -> int:
        """The variant for `u`, drawn evenly from [0, 1)."""
        return min(bisect_right(self._upto, u * self._total), self._last)

    def by_key(self, key: str) -> int:
        """The variant of `key`: the same as long as the weights stay, whatever was asked before."""
        best = self._last
        highest = 0.0
        for at, weight in enumerate(self._weights):
            if weight > 0:
                score = -weight / log(unit_hash(self._keys[at] + key))
                if score > highest:
                    best = at
                    highest = score
        return best
