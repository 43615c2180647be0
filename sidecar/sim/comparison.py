"""Several strategies on the same scenario: the configuration with each of them in its routes, one by one."""

from pathlib import Path
from typing import Any, Final

from sidecar.config import document
from sidecar.config.changes import Edit, edited
from sidecar.config.errors import ConfigError
from sidecar.config.load import Loaded
from sidecar.core.plan import Plan

_TARGETS: Final = ("to", "pool", "split")


def with_strategy(loaded: Loaded, path: Path, written: str) -> Plan:
    """The plan of `loaded` where every route that sends requests to endpoints has this strategy.

    `written` is as in the file: a name, or `{name: {option: value}}`. ValueError says why it cannot be.
    """
    read = document.read(f"strategy: {written}\n")
    strategy = None if read.top is None or len(read.top) != 1 else read.top["strategy"]
    if read.problems or not isinstance(strategy, (str, dict)):
        raise ValueError("write a strategy's name, or {name: {option: value}}")
    try:
        return edited(loaded, _replaced(strategy), path, 1)[0].plan
    except ConfigError as error:
        raise ValueError(_told(error)) from None


def _replaced(strategy: str | dict[str, Any]) -> Edit:
    def edit(top: dict[str, Any]) -> str:
        top["routes"] = [
            {**route, "strategy": strategy} if any(key in route for key in _TARGETS) else route
            for route in top["routes"]
        ]
        return "the routes have another strategy"

    return edit


def _told(error: ConfigError) -> str:
    """What is wrong, once for all routes."""
    said: dict[str, None] = {}
    for problem in error.problems:
        place = ".".join(str(step) for step in problem.where[3:])
        said[
            ": ".join(filter(None, [place, problem.message]))
            + (f"; {problem.remedy}" if problem.remedy else "")
        ] = None
    return "\n".join(said)
