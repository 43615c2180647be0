"""All that can be reached from an object, as plain values, to tell whether anything in it has changed."""

from collections import deque
from collections.abc import Mapping
from enum import Enum
from random import Random

_PLAIN = (str, bytes, int, float, bool, type(None), frozenset, Enum)


def snapshot(thing: object) -> object:
    """Equal for equal contents, in the same order. Objects are known again by when they were met first, so
    that those who point to one another come to an end; code is no content."""
    met: dict[int, int] = {}
    kept: list[object] = []  # alive, so that no other object takes the place of one that was met

    def of(thing: object) -> object:
        if isinstance(thing, _PLAIN):
            return thing
        if callable(thing):
            return "code"
        known = met.get(id(thing))
        if known is not None:
            return known
        met[id(thing)] = len(met)
        kept.append(thing)
        if isinstance(thing, Random):
            return thing.getstate()
        if isinstance(thing, Mapping):
            return [(of(key), of(value)) for key, value in thing.items()]
        if isinstance(thing, list | tuple | deque):
            return [of(each) for each in thing]
        if isinstance(thing, set):
            return sorted([repr(of(each)) for each in thing])
        return type(thing).__name__, [(name, of(value)) for name, value in sorted(vars(thing).items())]

    return of(thing)
