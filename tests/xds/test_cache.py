"""Caches and copies of responses, in the bootstrap; what comes of it is in `tests/e2e`."""

from pathlib import Path

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExtProcPerRoute
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from sidecar.xds.bootstrap import bootstrap, notes
from sidecar.xds.cache import INNER
from sidecar.xds.text import to_yaml
from tests.xds.running import a_config
from tests.xds.test_actions import filters, made_with
from tests.xds.test_bootstrap import unpacked, virtual_host
from tests.xds.test_validate import complaints


def undecided(made: Bootstrap) -> list[Route]:
    return [route for route in virtual_host(made).routes if route.name.startswith("undecided")]


def filters_of(listener: Listener) -> list[str]:
    return [one.name.rpartition("http.")[2] for one in managing(listener).http_filters]


def managing(listener: Listener) -> HttpConnectionManager:
    return unpacked(listener.filter_chains[0].filters[0].typed_config, HttpConnectionManager())


def test_a_file_without_a_cache_has_nothing_of_it() -> None:
    """F7: what a file does not use costs its requests nothing."""
    made = made_with({})

    assert filters(made) == ["ext_proc", "header_to_metadata", "router"]
    assert len(made.static_resources.listeners) == 1
    assert not made.bootstrap_extensions
    assert notes(a_config()) == []


def test_a_cache_stands_behind_the_sidecar_and_fetches_from_a_listener_within() -> None:
    """F7"""
    made = made_with({"cache": {}, "enabled": False}, {})

    outer, inner = made.static_resources.listeners
    assert [filters_of(one) for one in (outer, inner)] == [
        ["ext_proc", "lua", "cache_v2/marked", "header_to_metadata", "router"],
        ["lua", "header_to_metadata", "router"],
    ]
    assert [one.name for one in made.static_resources.listeners] == ["http", INNER]
    assert INNER in [one.name for one in made.static_resources.clusters]


def test_names_of_metadata_are_told_to_the_script_whatever_they_are() -> None:
    """F7: each beginning of a path may be a key that has dots."""
    source = {"metadata": {"namespace": 'a"\\]b.c', "path": "x.y"}}
    route = {"name": "r", "to": "users", "cache": {"vary": ["X-Shop"]}}
    made = bootstrap(a_config(context={"user": [source, {"header": "x-own"}]}, routes=[route]))

    (script, _) = [
        unpacked(one.typed_config, Lua()).default_source_code.inline_string
        for listener in made.static_resources.listeners
        for one in managing(listener).http_filters
        if one.name.endswith("lua")
    ]

    namespace = r'"a\034\092\093b.c"'
    assert f'local verified = {{{{{namespace}, "x"}}, {{{namespace}, "x.y"}}}}\n' in script
    assert '"x-own"' in script


def test_who_prints_it_is_told_what_the_cache_is_worth() -> None:
    """F7"""
    (note,) = notes(a_config(routes=[{"name": "r", "to": "users", "cache": {}}]))

    assert "work in progress" in note
    assert "no bound" in note


@pytest.mark.e2e
def test_envoy_accepts_a_cache_but_for_what_it_says_of_it(tmp_path: Path) -> None:
    """F7: with what else a route may have."""
    route = {
        "name": "a.b-c",
        "to": "users",
        "cache": {"ttl": "1h", "vary": ["Accept"]},
        "mirror": {"to": "users"},
        "fault": {"delay": {"for": "1s"}},
        "idle_timeout": "1s",
        "last_good": {},
    }
    written = tmp_path / "envoy.yaml"
    written.write_text(
        to_yaml(
            bootstrap(
                a_config(routes=[route, {"name": "cookies", "to": "users", "cache": {"cookies": True}}])
            )
        )
    )

    assert all("work-in-progress" in line for line in complaints(written))


def test_responses_are_shown_where_a_route_keeps_them_and_nowhere_else() -> None:
    """H6: to GET at its own path, part by part; and Envoy goes on without the sidecar."""
    made = made_with({"last_good": {}, "match": {"path": {"prefix": "/kept"}}}, {})

    answer, plain = undecided(made)
    assert answer.match.path_separated_prefix == "/kept"
    (method,) = answer.match.headers
    assert (method.name, method.string_match.exact) == (":method", "GET")
    assert not plain.typed_per_filter_config
    (box,) = answer.typed_per_filter_config.values()
    overrides = unpacked(box, ExtProcPerRoute()).overrides
    assert overrides.processing_mode.response_body_mode == ProcessingMode.STREAMED
    assert overrides.processing_mode.request_body_mode == ProcessingMode.NONE
    assert overrides.failure_mode_allow.value
    assert answer.direct_response.status == plain.direct_response.status == 503
    assert "lua" not in filters(made)
