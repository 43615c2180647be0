"""A route's `strategy` to what makes it: the class that the registry has under its name, with its options.

It is made once to try the options, and then once for each variant.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial

from sidecar.config.errors import Findings, Where, shown
from sidecar.core.registry import STRATEGIES
from sidecar.core.strategies.base import Strategy


def compile_strategy(
    written: str | dict[str, dict[str, object]],
    where: Where,
    findings: Findings,
    known: Mapping[str, type[Strategy]] = STRATEGIES,
) -> tuple[str, Callable[[], Strategy]] | None:
    """(name, what makes it) of `name` or `{name: {option: value}}`; None with its reason in the findings."""
    if isinstance(written, str):
        name = written
        options: dict[str, object] = {}
    elif len(written) == 1:
        name, options = next(iter(written.items()))
        where = (*where, name)
    else:
        findings.add(
            where, f"needs exactly one strategy, got {len(written)}", "write {name: {option: value}}"
        )
        return None
    made = known.get(name)
    if made is None:
        findings.unknown(where, f"unknown strategy {shown(name)}", name, known)
        return None
    names = _options(made)
    strange = [] if names is None else [option for option in options if option not in names]
    for option in strange:
        if names:
            findings.unknown((*where, option), "unknown option", option, names)
        else:
            findings.add((*where, option), "unknown option", f"{name} takes no options")
    if strange:
        return None
    try:
        made(**options)
    except ValueError as error:
        _refuse(str(error), options, where, findings)
        return None
    except TypeError:  # its text speaks of Python
        takes = ", ".join(f"{option} ({kind})" if kind else option for option, kind in (names or {}).items())
        findings.add(
            where, "an option is missing or of the wrong kind", f"{name} takes {takes}" if takes else ""
        )
        return None
    return name, partial(made, **options)


def _refuse(said: str, options: dict[str, object], where: Where, findings: Findings) -> None:
    """A class names the option first, `draw must be at least 2, got 1`: that becomes the place."""
    option, _, rest = said.partition(" ")
    if option in options and rest:
        findings.add((*where, option), rest)
    else:
        findings.add(where, f"its options are not usable: {said}")


def _options(made: type[Strategy]) -> dict[str, str] | None:
    """The class's options with their types; None when it does not say, as a compiled class may not."""
    if made.__init__ is object.__init__:
        return {}
    try:
        parameters = inspect.signature(made).parameters.values()
    except ValueError:
        return None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return {
        each.name: "" if each.annotation is each.empty else getattr(each.annotation, "__name__", "")
        for each in parameters
    }
