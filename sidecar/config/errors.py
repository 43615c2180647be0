"""What is wrong with a configuration, all of it at once, in words for the person who wrote it.

Someone who mends a file wants every mistake with its line in one go, not one mistake for each try.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, final

Where = tuple[str | int, ...]
"""The way to a place in the file: ("routes", 2, "match")."""

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/<>")
_LONGEST_SHOWN: Final = 60
_MOST_SUGGESTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` counts from 1; 0 when it stands on no line."""

    where: Where
    message: str
    remedy: str = ""
    line: int = 0

    @property
    def path(self) -> str:
        """`where` as people write it: `routes[2].match`."""
        return path_text(self.where)

    def text(self, name: str) -> str:
        """The whole problem on one line; `name` is the file's."""
        place = f"{name}:{self.line}" if self.line else name
        parts = [place, self.path, self.message] if self.where else [place, self.message]
        line = ": ".join(parts) + (f"; {self.remedy}" if self.remedy else "")
        return line if line.isprintable() else "".join(_printable(c) for c in line)


@final
class ConfigError(Exception):
    """The file cannot be used. `problems` are in the order of their lines; the text has one line for each."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name: Final = name
        self.problems: Final = sorted(problems, key=lambda problem: problem.line)
        super().__init__("\n".join(problem.text(name) for problem in self.problems))


@final
class Findings:
    """Problems and notes as they are found; reading goes on after each."""

    def __init__(self) -> None:
        self.problems: Final[list[Problem]] = []
        self.notes: Final[list[Problem]] = []

    def add(self, where: Where, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(where, message, remedy))

    def note(self, where: Where, message: str, remedy: str = "") -> None:
        self.notes.append(Problem(where, message, remedy))

    def unknown(self, where: Where, message: str, word: str, known: Iterable[str]) -> None:
        """A word that is none of the `known`: names the nearest of them, else lists them."""
        # Comparing words is slow: a file full of the same mistake needs no thousand suggestions.
        suggest = len(self.problems) < _MOST_SUGGESTIONS
        self.add(where, message, choice(word, list(known)) if suggest else "")


def choice(word: str, known: list[str]) -> str:
    """The remedy for a word that is none of `known`; empty when nothing is known."""
    near = get_close_matches(word, known, 1) if len(word) <= 64 and len(known) <= 1000 else []
    if near:
        return f"did you mean {near[0]}?"
    if len(known) > 20:
        return ""
    return f"write {one_of(known)}" if known else ""


def one_of(words: list[str]) -> str:
    if len(words) < 3:
        return " or ".join(words)
    return "one of " + ", ".join(words)


def shown(value: object) -> str:
    """A value from the file as a message may hold it: short, on one line."""
    if isinstance(value, str):
        cut = value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…"
        return '"' + "".join(_shown_character(c) for c in cut) + '"'
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _shown_character(c: str) -> str:
    if c in '"\\':
        return f"\\{c}"
    return _printable(c)


def _printable(c: str) -> str:
    return c if c.isprintable() else f"\\u{ord(c):04x}"


def path_text(where: Where) -> str:
    text = ""
    for step in where:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and len(step) <= _LONGEST_SHOWN and _PLAIN.issuperset(step):
            text += f".{step}" if text else step
        else:
            text += f"[{shown(step)}]"
    return text
