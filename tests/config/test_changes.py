"""Edits of a configuration: each is read like a file, and changes nothing else."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.config.changes import (
    Edit,
    NotThere,
    delete_route,
    edited,
    override_countries,
    put_route,
    switch_route,
)
from sidecar.config.errors import ConfigError
from sidecar.config.load import Loaded
from tests.config.files import loaded

FILE = """\
clusters: {shop: {}, other: {}}
gates:
  - {ip: {block: [192.0.2.0/24]}}
  - {country: {allow: [DE]}}
  - {name: taxes, country: {block: [XX], override: true}}
routes:
  - {name: first, match: {path: /a}, to: shop}
  - {name: rest, to: other}
"""
PATH = Path("/nowhere/gateway.yaml")


def changed(edit: Edit, text: str = FILE) -> tuple[Loaded, str]:
    return edited(loaded(text), edit, PATH, 2)


def routes_of(one: Loaded) -> list[tuple[str, bool]]:
    return [(route.name, route.enabled) for route in one.config.routes]


def overridden(one: Loaded) -> list[bool]:
    return [gate.country.override for gate in one.config.gates if gate.country is not None]


def test_a_route_is_added_at_the_end() -> None:
    """M17"""
    one, done = changed(put_route({"name": "new", "match": {"path": "/n"}, "to": "shop"}))

    assert routes_of(one) == [("first", True), ("rest", True), ("new", True)]
    assert (done, one.plan.generation) == ("the route new is added", 2)


def test_a_route_is_replaced_in_its_place() -> None:
    """M17"""
    one, done = changed(put_route({"name": "first", "match": {"path": "/n"}, "to": "other"}))

    assert [(route.name, route.match.path) for route in one.config.routes] == [
        ("first", "/n"),
        ("rest", None),
    ]
    assert done == "the route first is replaced"


def test_a_route_is_deleted() -> None:
    """M17"""
    one, done = changed(delete_route("first"))

    assert routes_of(one) == [("rest", True)]
    assert done == "the route first is deleted"


def test_a_route_is_switched_off_and_on() -> None:
    """M17"""
    off, done = changed(switch_route("first", on=False))
    assert (routes_of(off), done) == ([("first", False), ("rest", True)], "the route first is switched off")

    on, done = edited(off, switch_route("first", on=True), PATH, 3)
    assert (routes_of(on), done) == ([("first", True), ("rest", True)], "the route first is switched on")
    assert on.config == loaded(FILE).config


def test_country_gates_are_overridden_together_or_by_name() -> None:
    """X2"""
    everything, done = changed(override_countries("", on=True))
    assert overridden(everything) == [True, True]
    assert done == "the country gates country-2, taxes let everybody pass"
    nothing, done = changed(override_countries("", on=False))
    assert overridden(nothing) == [False, False]
    assert done == "the country gates country-2, taxes refuse again"
    one, done = changed(override_countries("country-2", on=True))
    assert overridden(one) == [True, True]
    assert done == "the country gate country-2 lets everybody pass"
    named, done = changed(override_countries("taxes", on=False))
    assert overridden(named) == [False, False]
    assert done == "the country gate taxes refuses again"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (delete_route("frist"), 'there is no route "frist"; did you mean first?'),
        (
            switch_route("nothing-like-it", on=True),
            'there is no route "nothing-like-it"; write first or rest',
        ),
        (override_countries("tax", on=True), 'there is no country gate "tax"; did you mean taxes?'),
        (override_countries("ip-1", on=True), 'there is no country gate "ip-1"; write country-2 or taxes'),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(edit: Edit, said: str) -> None:
    with pytest.raises(NotThere) as refused:
        changed(edit)

    assert str(refused.value) == said


def test_without_a_country_gate_there_is_nothing_to_override() -> None:
    """X2"""
    with pytest.raises(NotThere, match="there is no country gate"):
        changed(override_countries("", on=True), "clusters: {shop: {}}\nroutes: [{name: r, to: shop}]\n")


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (
            put_route({"name": "new", "to": "shp"}),
            'routes[2].to: there is no cluster or endpoint "shp"; did you mean shop?',
        ),
        (put_route({"name": "new", "too": "shop"}), "routes[2].too: unknown key; did you mean to?"),
        (put_route({"name": "a b", "to": "shop"}), 'routes[2].name: "a b" is not a name'),
    ],
)
def test_what_is_not_sound_is_refused_like_a_file_but_without_lines(edit: Edit, problem: str) -> None:
    """M17 V4: its lines would be those of no file."""
    with pytest.raises(ConfigError) as refused:
        changed(edit)

    assert f"{PATH} with this change: {problem}" in str(refused.value)


def test_the_last_route_stays() -> None:
    """M17"""
    with pytest.raises(ConfigError, match="there are no routes"):
        changed(delete_route("r"), "clusters: {shop: {}}\nroutes: [{name: r, to: shop}]\n")


def test_what_an_anchor_names_changes_in_one_place_only() -> None:
    """M17"""
    text = """\
clusters: {shop: {}}
gates: [{name: a, country: &one {allow: [DE]}}, {name: b, country: *one}]
routes: [{name: r, to: shop}]
"""
    one, _ = changed(override_countries("a", on=True), text)

    assert overridden(one) == [True, False]


@pytest.mark.parametrize(
    "text", ["\u2028", "\x85", "\x7f", "\ufeff", "é", "😀", 'a "b" \\ c', "\t", "22-6", "null", "no", "1.0"]
)
def test_text_stays_the_same_text(text: str) -> None:
    """M17: what is changed is written once more, and read again."""
    route: dict[str, Any] = {"name": "n", "to": "shop", "labels": {"said": text}}
    one, _ = changed(put_route(route))
    again, _ = edited(one, switch_route("first", on=False), PATH, 3)

    assert again.config.routes[2].labels == {"said": text}


def test_what_is_nested_beyond_measure_is_refused() -> None:
    """M17"""
    match: dict[str, Any] = {}
    for _ in range(5000):
        match = {"not": match}

    with pytest.raises(ConfigError, match="nested"):
        changed(put_route({"name": "n", "to": "shop", "match": match}))
