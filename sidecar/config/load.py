"""The file to a plan, in one call: `load` for a file, `loads` for its text.

Safe to call in another thread while requests are served: it shares nothing and never keeps the
interpreter to itself for long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.config import schema
from sidecar.config.compile import compile_plan
from sidecar.config.document import MOST_BYTES, lines, read
from sidecar.config.errors import ConfigError, Findings, Problem
from sidecar.config.geoip import Databases, Stamp
from sidecar.config.sections import draft
from sidecar.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Loaded:
    """`notes` are warnings, one line each, such as a cluster that no route uses, and `noted` the same with
    their places. `text` is what was read, and `files` what was read besides, as it was then."""

    config: schema.Config
    plan: Plan
    notes: list[str]
    text: str = ""
    files: Mapping[Path, Stamp] = field(default_factory=dict)
    noted: Sequence[Problem] = ()


def load(path: Path, generation: int) -> Loaded:
    """The configuration in the file at `path`. ConfigError with everything that is wrong with it."""
    return loads(text_of(path), str(path), generation, path.parent)


def text_of(path: Path) -> str:
    """What the file holds. ConfigError when it cannot be read, or is too large or no UTF-8."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(name, [Problem((), f"cannot be read: {reason.lower()}")]) from None
    except ValueError:  # a path with a null character
        raise ConfigError(name, [Problem((), "cannot be read: not a path")]) from None
    if len(raw) > MOST_BYTES:
        raise ConfigError(name, [Problem((), f"is larger than {MOST_BYTES // 1024 // 1024} MB")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = Problem((), f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8", line)
        raise ConfigError(name, [problem]) from None


def loads(text: str, name: str, generation: int, folder: Path = Path(), *, numbered: bool = True) -> Loaded:
    """The configuration in `text`; messages call it `name`, and have its lines when they are `numbered`.

    Files that it names are looked for from `folder`. ConfigError as `load`.
    """
    document = read(text)
    if document.top is None:
        raise ConfigError(name, document.problems)
    findings = Findings()
    drawn = draft(document.top, findings)
    databases = Databases(folder)
    plan = compile_plan(drawn, generation, databases, findings)
    if document.problems or plan is None:
        rest = _without_echoes(findings.problems, document.problems)
        raise ConfigError(name, document.problems + (with_lines(text, rest) if numbered else rest))
    told = with_lines(text, findings.notes) if numbered else findings.notes
    notes = sorted(told, key=lambda note: note.line)
    return Loaded(drawn.config, plan, [note.text(name) for note in notes], text, databases.read, notes)


def _without_echoes(problems: list[Problem], told: list[Problem]) -> list[Problem]:
    """Those at other places than around or in what could not be read as YAML, where more would be noise."""
    places = {problem.where for problem in told}
    around = {place[:end] for place in places for end in range(1, len(place) + 1)}
    return [
        problem
        for problem in problems
        if problem.where not in around
        and not any(problem.where[:end] in places for end in range(1, len(problem.where)))
    ]


def with_lines(text: str, problems: list[Problem]) -> list[Problem]:
    """The problems with the lines of `text` on which they stand."""
    if not problems:
        return []
    found = lines(text, {problem.where for problem in problems})
    return [
        Problem(problem.where, problem.message, problem.remedy, found[problem.where]) for problem in problems
    ]
