"""Changes of a configuration by command: edits of the data in a file, which is then read as any other.

An edit changes the mapping it is given and nothing within: what an anchor names is one object in several
places. It says in words what it did.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

from sidecar.config import document
from sidecar.config.errors import ConfigError, Problem, choice, shown
from sidecar.config.gates import gate_name
from sidecar.config.load import Loaded, loads

Edit = Callable[[dict[str, Any]], str]

# What YAML takes only as an escape, or for the end of a line.
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@final
class NotThere(Exception):
    """There is no route or gate of this name; the text says so, and names the nearest."""


def override_countries(gate: str, *, on: bool) -> Edit:
    """Let everybody pass the country gates, or that one with the name, or no longer so."""

    def edit(top: dict[str, Any]) -> str:
        gates = list(top.get("gates") or ())
        names = {
            gate_name(each.get("name"), "country", at): at
            for at, each in enumerate(gates)
            if each.get("country") is not None
        }
        if not names:
            raise NotThere("there is no country gate")
        if gate and gate not in names:
            raise NotThere(_none("country gate", gate, list(names)))
        changed = [gate] if gate else list(names)
        for name in changed:
            at = names[name]
            gates[at] = {**gates[at], "country": {**gates[at]["country"], "override": on}}
        top["gates"] = gates
        one = len(changed) == 1
        listed = f"the country gate{'' if one else 's'} {', '.join(changed)}"
        return (
            f"{listed} let{'s' if one else ''} everybody pass"
            if on
            else f"{listed} refuse{'s' if one else ''} again"
        )

    return edit


def put_route(route: dict[str, Any]) -> Edit:
    """Replace the route of this name, or add one at the end."""

    def edit(top: dict[str, Any]) -> str:
        routes, name = list(top["routes"]), route["name"]
        at = _places(routes).get(name)
        if at is None:
            routes.append(route)
        else:
            routes[at] = route
        top["routes"] = routes
        return f"the route {name} is {'added' if at is None else 'replaced'}"

    return edit


def delete_route(name: str) -> Edit:
    def edit(top: dict[str, Any]) -> str:
        at = _place(top["routes"], name)
        top["routes"] = [*top["routes"][:at], *top["routes"][at + 1 :]]
        return f"the route {name} is deleted"

    return edit


def switch_route(name: str, *, on: bool) -> Edit:
    def edit(top: dict[str, Any]) -> str:
        routes = list(top["routes"])
        at = _place(routes, name)
        routes[at] = {**routes[at], "enabled": on}
        top["routes"] = routes
        return f"the route {name} is switched {'on' if on else 'off'}"

    return edit


def edited(loaded: Loaded, edit: Edit, path: Path, generation: int) -> tuple[Loaded, str]:
    """The configuration with the edit, and what it did. May raise NotThere, and ConfigError as `load`."""
    top = document.read(loaded.text).top
    assert top is not None  # it was loaded from this text
    name = f"{path} with this change"
    done = edit(top)
    try:
        text = json.dumps(top, indent=0, ensure_ascii=False)  # every JSON is YAML, and quotes what is text
        text = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        return loads(text, name, generation, path.parent, numbered=False), done
    except RecursionError:
        raise ConfigError(name, [Problem((), "is nested too deep")]) from None


def _places(routes: list[dict[str, Any]]) -> dict[str, int]:
    return {each["name"]: at for at, each in enumerate(routes)}


def _place(routes: list[dict[str, Any]], name: str) -> int:
    places = _places(routes)
    if name not in places:
        raise NotThere(_none("route", name, list(places)))
    return places[name]


def _none(what: str, name: str, known: list[str]) -> str:
    remedy = choice(name, known)
    return f"there is no {what} {shown(name)}" + (f"; {remedy}" if remedy else "")
