"""YAML text to plain data in one pass over the parser's events, and the lines of places that are asked for.

The events come from PyYAML's C parser. Building the data from them here takes a fraction of the time that
`yaml.load` takes, lets other threads run in between, and leaves out what a configuration has no use for:
plain scalars mean what YAML 1.2's core schema says (`no`, `22-6` and `1:30` are text), keys are always text,
and every kind of blow-up has a bound. Lines cost time and are needed only when something is wrong, so they
are found in a second pass over the same text.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, final

import yaml
from yaml.events import AliasEvent, DocumentStartEvent, MappingStartEvent, ScalarEvent, StreamEndEvent

from sidecar.config.errors import Problem, Where, shown

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_NODES: Final = 2_000_000
MOST_DEPTH: Final = 128
_MOST_DIGITS: Final = 100

_WORDS: Final[dict[str, object]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), ".Inf": float("inf"), ".INF": float("inf"),
    "+.inf": float("inf"), "+.Inf": float("inf"), "+.INF": float("inf"),
    "-.inf": float("-inf"), "-.Inf": float("-inf"), "-.INF": float("-inf"),
    ".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan"),
}  # fmt: skip
_MAY_BEGIN_A_NUMBER: Final = frozenset("0123456789+-.")
_INT: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_TAG: Final = "tag:yaml.org,2002:"
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    f"{_TAG}null": (type(None),),
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
}


@dataclass(frozen=True, slots=True)
class Document:
    """`top` is None when the text could not be read to its end."""

    top: dict[str, object] | None
    problems: list[Problem]


def read(text: str) -> Document:
    """The mapping that the text is. Never raises: what is wrong stands in `problems`, with lines."""
    reader = _Reader(text, frozenset())
    try:
        return Document(reader.document(), reader.problems)
    except _UnreadableError as unreadable:
        return Document(None, [*reader.problems, unreadable.problem])


def lines(text: str, places: Iterable[Where]) -> dict[Where, int]:
    """The line of each place, or of the nearest place around it; counted from 1."""
    asked = set(places)
    reader = _Reader(text, frozenset(where[:end] for where in asked for end in range(1, len(where) + 1)))
    with suppress(_UnreadableError):  # what was read up to there has its lines
        reader.document()
    found = reader.lines
    return {
        where: next((found[where[:end]] for end in range(len(where), 0, -1) if where[:end] in found), 1)
        for where in asked
    }


@final
class _UnreadableError(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem: Final = problem
        super().__init__(problem.message)


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A value that may be repeated: how many nodes it stands for, and how many levels."""

    value: object
    nodes: int
    height: int


@final
class _Reader:
    def __init__(self, text: str, wanted: frozenset[Where]) -> None:
        self._text: Final = text
        self._wanted: Final = wanted
        self._anchors: Final[dict[str, _Anchored]] = {}
        self._path: Final[list[str | int]] = []
        self._nodes = 0
        self._deepest = 0
        self._next: Any = None
        self.lines: Final[dict[Where, int]] = {}
        self.problems: Final[list[Problem]] = []

    def document(self) -> dict[str, object]:
        try:
            self._next = yaml.CSafeLoader(self._text).get_event
            return self._document()
        except yaml.MarkedYAMLError as error:
            raise _UnreadableError(_syntax(error)) from None
        except yaml.reader.ReaderError as error:
            raise _UnreadableError(_character(error, self._text)) from None
        except UnicodeEncodeError as error:
            line = self._text.count("\n", 0, error.start) + 1
            raise _UnreadableError(
                Problem((), "holds a lone surrogate, which is no text", "", line)
            ) from None

    def _document(self) -> dict[str, object]:
        self._next()  # the start of the stream
        if type(self._next()) is StreamEndEvent:
            raise _UnreadableError(_empty(1))
        first = self._next()
        value = self._value(first, 1)
        self._next()  # the end of the document
        after = self._next()
        if type(after) is DocumentStartEvent:
            raise self._unreadable(after, "begins a second document", "keep one document in a file")
        if value is None:
            raise _UnreadableError(_empty(1))
        if not isinstance(value, dict):
            raise self._unreadable(
                first, f"the file must be a mapping, got {shown(value)}", "begin with clusters: and routes:"
            )
        return value

    def _value(self, event: Any, depth: int) -> object:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._unreadable(event, f"holds more than {MOST_NODES} values", "repeat less with aliases")
        if depth > self._deepest:
            self._deepest = depth
            if depth > MOST_DEPTH:
                raise self._unreadable(event, f"is nested more than {MOST_DEPTH} deep")
        if type(event) is AliasEvent:
            return self._repeated(event, depth)
        if event.anchor is not None:
            return self._anchored(event, depth)
        return self._plain(event, depth)

    def _plain(self, event: Any, depth: int) -> object:
        if type(event) is ScalarEvent:
            if event.implicit[0]:
                return self._resolved(event)
            return event.value if event.tag is None else self._tagged(event)
        if type(event) is MappingStartEvent:
            if event.tag not in {None, "!", f"{_TAG}map"}:
                self._unknown_tag(event)
            return self._mapping(depth)
        if event.tag not in {None, "!", f"{_TAG}seq"}:
            self._unknown_tag(event)
        return self._sequence(depth)

    def _mapping(self, depth: int) -> dict[str, object]:
        mapping: dict[str, object] = {}
        path = self._path
        while True:
            key = self._next()
            if type(key) is not ScalarEvent:
                if hasattr(key, "anchor"):
                    raise self._unreadable(key, "a key must be plain text")
                return mapping
            name = key.value
            if key.anchor is not None:
                self._anchors[key.anchor] = _Anchored(name, 1, 0)
            path.append(name)
            if self._wanted:
                self._mark(key)
            value = self._value(self._next(), depth + 1)
            if name == "<<" and key.implicit[0]:
                self._problem(
                    key, "merge keys are not supported", "repeat the keys, or alias the whole value"
                )
            elif name in mapping:
                self._problem(key, "this key is here twice", "keep one of them")
            else:
                mapping[name] = value
            path.pop()

    def _sequence(self, depth: int) -> list[object]:
        items: list[object] = []
        path = self._path
        while True:
            event = self._next()
            if not hasattr(event, "anchor"):
                return items
            path.append(len(items))
            if self._wanted:
                self._mark(event)
            items.append(self._value(event, depth + 1))
            path.pop()

    def _anchored(self, event: Any, depth: int) -> object:
        nodes_before = self._nodes
        deepest_before = self._deepest
        self._deepest = depth
        value = self._plain(event, depth)
        # Known only from here on, so that nothing can hold itself.
        height = self._deepest - depth
        self._anchors[event.anchor] = _Anchored(value, self._nodes - nodes_before + 1, height)
        self._deepest = max(deepest_before, self._deepest)
        return value

    def _repeated(self, event: Any, depth: int) -> object:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            self._problem(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
            return None
        self._nodes += anchored.nodes - 1
        self._deepest = max(self._deepest, depth + anchored.height)
        if self._nodes > MOST_NODES or self._deepest > MOST_DEPTH:
            raise self._unreadable(
                event,
                f"the alias *{event.anchor} makes more than {MOST_NODES} values or {MOST_DEPTH} levels",
                "repeat less with aliases",
            )
        return anchored.value

    def _resolved(self, event: Any) -> object:
        """The value of a plain scalar by the core schema of YAML 1.2.2, section 10.3.2."""
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in _MAY_BEGIN_A_NUMBER:
            return text
        try:
            if _INT.fullmatch(text):
                return int(text) if len(text) <= _MOST_DIGITS else self._long_number(event)
            if _FLOAT.fullmatch(text):
                return float(text) if len(text) <= _MOST_DIGITS else self._long_number(event)
            if _HEX.fullmatch(text) or _OCTAL.fullmatch(text):
                return int(text, 0) if len(text) <= _MOST_DIGITS else self._long_number(event)
        except OverflowError:
            return self._long_number(event)
        return text

    def _long_number(self, event: Any) -> object:
        self._problem(event, f"a number of more than {_MOST_DIGITS} digits", "put it in quotes if it is text")
        return 0

    def _tagged(self, event: Any) -> object:
        if event.tag in {"!", f"{_TAG}str"}:
            return event.value
        wanted = _TYPES.get(event.tag)
        if wanted is None:
            self._unknown_tag(event)
            return event.value
        value = self._resolved(event)
        if type(value) not in wanted:
            name = event.tag.removeprefix(_TAG)
            self._problem(event, f"{shown(event.value)} is not what its tag !!{name} says", "remove the tag")
        return value

    def _unknown_tag(self, event: Any) -> None:
        tag = event.tag
        named = f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
        self._problem(event, f"unknown tag {shown(named)}", "remove it")

    def _mark(self, event: Any) -> None:
        where = tuple(self._path)
        if where in self._wanted:
            self.lines.setdefault(where, event.start_mark.line + 1)

    def _problem(self, event: Any, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(tuple(self._path), message, remedy, event.start_mark.line + 1))

    def _unreadable(self, event: Any, message: str, remedy: str = "") -> _UnreadableError:
        line = event.start_mark.line + 1
        if len(self._path) > 8:  # such a path says more about the depth than about the place
            return _UnreadableError(Problem((), message, remedy, line))
        return _UnreadableError(Problem(tuple(self._path), message, remedy, line))


def _empty(line: int) -> Problem:
    return Problem((), "the file is empty", "give at least one cluster and one route", line)


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem((), f"not valid YAML: {said}", "", 0 if mark is None else mark.line + 1)


def _character(error: yaml.reader.ReaderError, text: str) -> Problem:
    before = text.encode("utf-8", "surrogatepass")[: error.position]
    character = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
    return Problem(
        (),
        f"not valid YAML: the character U+{character:04X} may not stand in it",
        'remove it, or escape it in double quotes as "\\x.."',
        before.count(b"\n") + 1,
    )
