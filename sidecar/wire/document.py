"""The JSON of a body, of which only what rules ask for is ever made into values.

A client chooses the bytes, and what it costs to make values of them: a megabyte of long numbers takes 0.3 s,
during which nobody else is served. So a body is passed over once, which takes 1 to 4 ms for each megabyte
whatever is in it, and once more for each level of the paths that rules ask for. What they ask for is learnt
as they ask, and then found all at once.
"""

import re
import sys
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, Final, TypeVar

import msgspec

from sidecar.core.rules.body import LONGEST_TEXT, canonical

MOST_DEPTH: Final = 1000
"""Lists and mappings within one another; Envoy refuses deeper ones."""
JUDGED_BYTES: Final = 32 << 10
"""In bodies up to this size, numbers and depth are judged as Envoy does where no rule asks for them too."""
_BOM: Final = b"\xef\xbb\xbf"
_TEXT: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_DOUBTFUL: Final = re.compile(rb"[-0-9.]{19,}(?:[eE][-+]?[0-9]+)?|[-0-9.]+[eE]\+?[0-9]{3,}")
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_REFUSED: Final = range(2**63, 2**64)
_LARGEST: Final = 1.7976931348623157e308
_LONGEST_RAW: Final = 6 * LONGEST_TEXT + 2
_MOST_ASKED: Final = 10_000
_MOST_FIELDS: Final = 32  # each key of a body is compared with all of them
_MOST_PLACES: Final = 1024

_Found = dict[str, msgspec.Raw]
_Made = TypeVar("_Made")
_value: Final = msgspec.json.Decoder().decode
_passed_over: Final = msgspec.json.Decoder(msgspec.Raw).decode
_mapping: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_listing: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Document:
    """A place in a body, the body itself to begin with, and what was found below it."""

    def __init__(self, raw: msgspec.Raw) -> None:
        self._raw: Final = raw
        self._below: dict[str, Document] = {}
        self._found_by: object = None

    def below(self, asked: "_Asked", name: str) -> "Document | None":
        if self._found_by is not asked.version:  # what is asked of this place now was not when it was read
            self._below = {key: Document(raw) for key, raw in asked.within(self._raw).items()}
            self._found_by = asked.version
        return self._below.get(name)

    def value(self) -> str | None:
        """In its canonical form. None for what Envoy would not tell."""
        if len(memoryview(self._raw)) > _LONGEST_RAW or _first(self._raw) in b"[{":
            return None
        try:
            value = _value(self._raw)
        except msgspec.MsgspecError:  # a number that is too large
            return None
        return None if isinstance(value, int) and value in _REFUSED else canonical(value)


class _Asked:
    """What rules ask of one place in bodies, learnt as they do. Configurations say what is asked for, not
    clients, so it is not much."""

    def __init__(self) -> None:
        self.version: object = object()
        self._below: dict[str, _Asked] = {}
        self._in_mapping: Callable[[Any], _Found] | None = None
        self._in_list: Callable[[Any], _Found] | None = None

    def below(self, name: str) -> "_Asked":
        found = self._below.get(name)
        if found is None:
            found = self._below[name] = _Asked()
            self.version = object()
            self._in_mapping = self._in_list = None
        return found

    def within(self, raw: msgspec.Raw) -> _Found:
        first = _first(raw)
        if first in b"{":
            if self._in_mapping is None:
                self._in_mapping = _fields_of_mapping(list(self._below))
            return _with_room(self._in_mapping, raw)
        if first in b"[":
            if self._in_list is None:
                self._in_list = _items_of_list({name: int(name) for name in self._below if _is_place(name)})
            return _with_room(self._in_list, raw)
        return {}


class Memory:
    """All that was asked, of any body. Over the years a process may see many configurations."""

    def __init__(self) -> None:
        self._paths: dict[str, list[tuple[str, _Asked]]] = {}
        self._root = _Asked()

    def of(self, path: str) -> list[tuple[str, _Asked]]:
        """The parts of the path, each with what is asked of the place that it is a part of."""
        parts = self._paths.get(path)
        if parts is None:
            if len(self._paths) >= _MOST_ASKED:
                self._paths, self._root = {}, _Asked()
            parts, at = [], self._root
            for name in path.split("."):
                parts.append((name, at))
                at = at.below(name)
            self._paths[path] = parts
        return parts


_memory: Final = Memory()


def parsed(body: bytes | bytearray) -> Document:
    """The JSON of the body. ValueError when it is none."""
    body = body.removeprefix(_BOM)
    body.decode()  # or ValueError: text that is passed over is not looked at so closely
    if len(body) <= JUDGED_BYTES:
        _judge(body)
    try:
        return Document(_with_room(_passed_over, body))
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def found(document: Document | None, path: str) -> str | None:
    """The canonical value at the dotted path; a number is also the place in a list, from 0."""
    at = document
    for name, asked in _memory.of(path):
        if at is None:
            return None
        at = at.below(asked, name)
    return None if at is None else at.value()


def _judge(body: bytes | bytearray) -> None:
    """ValueError for what Envoy refuses though it is JSON."""
    if body.count(b"[") + body.count(b"{") <= MOST_DEPTH and _DOUBTFUL.search(body) is None:
        return
    bare = _TEXT.sub(b"", body)
    if max(accumulate(_STEPS.get(byte, 0) for byte in bare), default=0) > MOST_DEPTH:
        raise ValueError("nested too deep")
    for number in _DOUBTFUL.findall(bare):
        value = float(number)
        if not -_LARGEST <= value <= _LARGEST or (
            len(number) in {19, 20} and number.isdigit() and int(number) in _REFUSED
        ):
            raise ValueError("a number that is too large")


def _with_room(decode: Callable[[Any], _Made], raw: Any) -> _Made:
    """With as much room as Envoy gives: the interpreter's own limit counts the callers of this as well."""
    try:
        return decode(raw)
    except RecursionError:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + MOST_DEPTH + 100)
        try:
            return decode(raw)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        finally:
            sys.setrecursionlimit(limit)


def _fields_of_mapping(names: list[str]) -> Callable[[Any], _Found]:
    if len(names) > _MOST_FIELDS or any(
        '"' in name or "\\" in name or not name.isprintable() for name in names
    ):
        return lambda raw: _only(names, _mapping(raw))
    decode = _some(
        [
            (f"f{number}", msgspec.Raw | msgspec.UnsetType, msgspec.field(default=msgspec.UNSET, name=name))
            for number, name in enumerate(names)
        ]
    )
    return lambda raw: {
        name: value for name, value in zip(names, decode(raw), strict=True) if value is not msgspec.UNSET
    }


def _only(names: list[str], values: _Found) -> _Found:
    return {name: values[name] for name in names if name in values}


def _items_of_list(places: Mapping[str, int]) -> Callable[[Any], _Found]:
    most = max(places.values(), default=-1)
    if most < _MOST_PLACES:
        decode: Callable[[Any], Any] = _some(
            [(f"f{place}", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for place in range(most + 1)],
            array_like=True,
        )
    else:
        decode = _listing

    def items(raw: Any) -> _Found:
        values = decode(raw)
        return {
            name: values[place]
            for name, place in places.items()
            if place < len(values) and values[place] is not msgspec.UNSET
        }

    return items


def _some(fields: list[tuple[str, Any, Any]], *, array_like: bool = False) -> Callable[[Any], Any]:
    """Decodes just these fields, and passes over the others."""
    made = msgspec.defstruct("Some", fields, array_like=array_like, gc=False)
    decode = msgspec.json.Decoder(made).decode
    return lambda raw: msgspec.structs.astuple(decode(raw))


def _first(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def _is_place(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 9
