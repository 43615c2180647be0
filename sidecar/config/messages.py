"""What pydantic found wrong, in plain sentences: the value, what it must be, and what to write instead.

Its own messages speak of its types and of the members of unions, which mean nothing to the author of a file.
"""

import re
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sidecar.config.errors import Findings, Where, one_of, shown
from sidecar.config.values import HEADER_NAME, REFUSED_PATTERNS

_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_BOUNDS: Final = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}
_SWITCHES: Final = {
    "yes": "write true",
    "on": "write true",
    "true": "write true, without quotes",
    "no": "write false",
    "off": "write false",
    "false": "write false, without quotes",
}
_SUMS: Final = "sha256"
"""What stands there may be the key itself, which no message shows."""
NO_SUM: Final = (
    "is no SHA-256 sum, which has 64 hexadecimal digits",
    "write what `printf %s KEY | sha256sum` prints",
)
_NO_SUMS: Final = (
    "must be a list of SHA-256 sums",
    "write [SUM] with what `printf %s KEY | sha256sum` prints",
)
_EXPECTED: Final = re.compile(r"'([^']*)'|\b(\d+)\b")


def translate(
    error: ValidationError, model: type[BaseModel], raw: object, where: Where, findings: Findings
) -> set[str]:
    """Add what `error` says of `raw`, which lies at `where`. Returns the keys of `raw` that are at fault."""
    faulty: set[str] = set()
    seen: set[Where] = set()
    for details in error.errors(include_url=False):
        steps = _steps(details["loc"], raw, missing=details["type"] == "missing")
        if steps and isinstance(steps[0], str):
            faulty.add(steps[0])
        if steps in seen:
            continue
        seen.add(steps)
        if details["type"] == "extra_forbidden":
            known = _keys_at(model, steps[:-1])
            findings.unknown(where + steps, "unknown key", str(steps[-1]), known)
        elif _SUMS in steps:
            findings.add(where + steps, *(_NO_SUMS if steps[-1] == _SUMS else NO_SUM))
        else:
            message, remedy = sentence(details)
            findings.add(where + steps, message, remedy)
    return faulty


def sentence(details: ErrorDetails) -> tuple[str, str]:
    """(what is wrong, what to do) of one error."""
    kind = details["type"]
    value = details.get("input")
    given: dict[str, Any] = details.get("ctx") or {}
    if kind in _WANTED:
        return (f"must be {_WANTED[kind]}, got {shown(value)}", _remedy(kind, value))
    if kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        return (f"must be {word} {_number(given[key])}, got {shown(value)}", "")
    match kind:
        case "missing":
            return ("is missing", "")
        case "form":
            return (f"must be {details['msg']}, got {shown(value)}", "")
        case "value_error":
            message, _, remedy = str(given["error"]).partition("; ")
            return (message, remedy)
        case "string_pattern_mismatch":
            if given["pattern"] == HEADER_NAME and isinstance(value, str) and value.startswith(":"):
                return (f"{shown(value)} is a pseudo-header", "change path and host with rewrite")
            message, remedy = REFUSED_PATTERNS[given["pattern"]]
            return (f"{shown(value)} {message}", remedy)
        case "string_too_long":
            return (f"must be at most {given['max_length']} characters long", "")
        case "too_short" | "too_long":
            bound = given["min_length"] if kind == "too_short" else given["max_length"]
            word = "at least" if kind == "too_short" else "at most"
            return (f"must hold {word} {bound} items, got {given['actual_length']}", "")
        case "literal_error":
            expected = ["".join(found) for found in _EXPECTED.findall(str(given["expected"]))]
            if expected:
                return (f"unknown value {shown(value)}", f"write {one_of(expected)}")
            return (f"must be true, got {shown(value)}", "leave it out for the opposite")
        case "recursion_loop":
            return ("is nested too deep", "")
    return ("is not usable", "")


def _remedy(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, (int, float)):
        return "put it in quotes"
    if kind == "list_type" and value is not None and not isinstance(value, dict):
        text = value if isinstance(value, str) and value.isprintable() and len(value) <= 40 else "…"
        return f"write [{text}]"
    if kind == "bool_type" and isinstance(value, str):
        return _SWITCHES.get(value.lower(), "")
    return ""


def _number(bound: object) -> str:
    return f"{bound:.0f}" if isinstance(bound, float) and bound == int(bound) else str(bound)


def _steps(location: Where, raw: Any, *, missing: bool) -> Where:
    """The location without the steps that are no place in the data, such as the forms of a value."""
    steps: list[str | int] = []
    last = len(location) - 1
    for at, step in enumerate(location):
        inside = step in raw if isinstance(raw, dict) else isinstance(raw, list) and isinstance(step, int)
        if inside:
            raw = raw[step]
        elif not (missing and at == last):
            continue
        steps.append(step)
    return tuple(steps)


def _keys_at(model: type[BaseModel], steps: Where) -> list[str]:
    """The keys that are known at this place."""
    models = [model]
    annotation: object = None
    for step in steps:
        found = [
            field
            for each in models
            for name, field in each.model_fields.items()
            if step in (name, field.alias)
        ]
        if found:
            annotation = found[0].annotation
        models = _models_in(annotation)
    return sorted({field.alias or name for each in models for name, field in each.model_fields.items()})


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    parts = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    return [model for part in parts for model in _models_in(part)]
