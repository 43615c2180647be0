"""What is switched on for bodies, for which requests, and that the others keep what they had."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import re2
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.route.v3.route_components_pb2 import Route, RouteList, RouteMatch
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExternalProcessor, ExtProcPerRoute
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.extensions.filters.http.json_to_metadata.v3.json_to_metadata_pb2 import JsonToMetadata
from envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import JwtAuthentication
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from xds.type.matcher.v3.matcher_pb2 import Matcher

from sidecar.config import schema
from sidecar.config.load import loads
from sidecar.core.request import Attached, Request, headers_of
from sidecar.core.rules.host import HostIs
from sidecar.runtime.reload import _for_envoy
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml
from tests.running.envoy import envoy_command
from tests.xds.running import a_config

JSON: Final = "envoy.filters.http.json_to_metadata"
EXT_PROC: Final = "envoy.filters.http.ext_proc"
JWT: Final = "envoy.filters.http.jwt_authn"
Written = Mapping[str, Any]
FIELD: Final = {"name": "field", "to": "users", "match": {"path": "/json", "body": {"a.b": 1}}}
ITEM: Final = {"name": "item", "to": "users", "match": {"path": "/whole", "body": {"items.0": 1}}}
SIZE: Final = {"name": "size", "to": "users", "match": {"path": "/sized", "size": "> 1KB"}}
PLAIN: Final = {"name": "plain", "to": "users"}
EDITED: Final = {**PLAIN, "name": "edited", "headers": {"response": {"set": {"x-a": "1"}}}}


def unpacked(box: Any, message: Any) -> Any:
    assert box.Unpack(message), box.type_url
    return message


def manager(made: Bootstrap) -> HttpConnectionManager:
    (chain,) = made.static_resources.listeners[0].filter_chains
    return unpacked(chain.filters[0].typed_config, HttpConnectionManager())


def made(*routes: Written, **changes: object) -> Bootstrap:
    return bootstrap(a_config(routes=list(routes), **changes))


def before_decision(bootstrap: Bootstrap, path: str = "/") -> list[Route]:
    """The routes that a request to this path may meet that has no decision yet, in their order."""
    (host,) = manager(bootstrap).route_config.virtual_hosts
    routes = list(host.routes)
    if not routes:
        found = (
            host.matcher.on_no_match if host.matcher.matcher_tree.exact_match_map.map else Matcher.OnMatch()
        )
        if not found.HasField("action"):
            found = by_path(found.matcher if found.HasField("matcher") else host.matcher, path)
        routes = list(unpacked(found.action.typed_config, RouteList()).routes)
    return [route for route in routes if not route.name.startswith("decided")]


def by_path(tree: Matcher, path: str) -> Matcher.OnMatch:
    """Envoy takes what stands at the longest prefix."""
    of_prefix = tree.matcher_tree.prefix_match_map.map
    fitting = [prefix for prefix in of_prefix if path.startswith(prefix)]
    return of_prefix[max(fitting, key=len)] if fitting else tree.on_no_match


def filters(bootstrap: Bootstrap) -> dict[str, HttpFilter]:
    return {each.name: each for each in manager(bootstrap).http_filters}


def header_names(match: RouteMatch) -> list[str]:
    return [header.name for header in match.headers]


def test_without_bodies_nothing_is_switched_on() -> None:
    """M7"""
    plain = made(PLAIN)

    assert [route.name for route in before_decision(plain)] == ["undecided"]
    assert next(iter(filters(plain))) == EXT_PROC
    asked = unpacked(filters(plain)[EXT_PROC].typed_config, ExternalProcessor())
    assert not asked.metadata_options.HasField("forwarding_namespaces")


def test_envoy_reads_the_fields_that_routes_ask_for() -> None:
    """M7"""
    below = {**FIELD, "name": "more", "match": {"path": {"prefix": "/json"}, "body": {"c": "x"}}}
    elsewhere = {**FIELD, "name": "other", "match": {"path": "/other", "body": {"d": "x"}}}
    bootstrap = made(FIELD, below, elsewhere)
    first, second, third, last = before_decision(bootstrap)

    assert (first.match.path, second.match.path_separated_prefix) == ("/json", "/json")
    assert (third.match.path, last.match.prefix) == ("/other", "/")
    assert header_names(first.match) == ["content-type", "content-encoding", "upgrade"]
    rules = unpacked(first.typed_per_filter_config[JSON], JsonToMetadata()).request_rules
    told = [([selector.key for selector in rule.selectors], rule.on_present) for rule in rules.rules]
    assert [(keys, to.metadata_namespace, to.key) for keys, to in told] == [
        (["a", "b"], "sidecar.body", "a.b"),
        (["c"], "sidecar.body", "c"),
    ]
    assert list(filters(bootstrap))[:2] == [JSON, EXT_PROC]
    assert filters(bootstrap)[JSON].disabled
    asked = unpacked(filters(bootstrap)[EXT_PROC].typed_config, ExternalProcessor())
    assert list(asked.metadata_options.forwarding_namespaces.untyped) == ["sidecar.body"]


@pytest.mark.parametrize(
    ("route", "headers"),
    [
        (ITEM, ["content-type", "content-encoding", "upgrade"]),
        (SIZE, ["content-length", "upgrade", "content-type"]),
    ],
)
@pytest.mark.parametrize("feedback", ["access_log", "response"])
def test_the_body_comes_where_envoy_cannot_tell(route: Written, headers: list[str], feedback: str) -> None:
    """M7 M8"""
    bootstrap = made(route, envoy={"feedback": feedback})
    first, _ = before_decision(bootstrap)

    assert header_names(first.match) == headers
    overrides = unpacked(first.typed_per_filter_config[EXT_PROC], ExtProcPerRoute()).overrides
    mode = overrides.processing_mode
    assert mode.request_body_mode == ProcessingMode.FULL_DUPLEX_STREAMED
    assert mode.request_trailer_mode == ProcessingMode.SEND
    on_response = ProcessingMode.SEND if feedback == "response" else ProcessingMode.SKIP
    assert mode.response_header_mode == on_response
    announced = {pair.key: pair.value for pair in overrides.grpc_initial_metadata}
    assert announced == {"x-sidecar-phases": "request-body"}
    assert JSON not in filters(bootstrap)


def test_the_sidecar_reads_before_envoy_does_where_both_would() -> None:
    """M7: it reads the same fields, and Envoy's route is the first that matches."""
    names = [route.name for route in before_decision(made(FIELD, SIZE, ITEM))]

    assert names == ["undecided body 1", "undecided body 2", "undecided json 3", "undecided"]


@pytest.mark.parametrize(("limit", "longest_s"), [("1MB", 68), ("8MB", 124)])
@pytest.mark.parametrize(("on_error", "cluster"), [("refuse", ""), ("users", "users")])
def test_a_body_that_comes_to_the_sidecar_has_a_time_limit(
    on_error: str, cluster: str, limit: str, longest_s: int
) -> None:
    """M7: until there is a decision, whoever serves without one."""
    body, last = before_decision(made(ITEM, on_error=on_error, envoy={"body_limit": limit}))

    assert body.route.max_stream_duration.max_stream_duration.seconds == longest_s
    assert body.route.cluster == cluster
    assert not last.route.HasField("max_stream_duration")


@pytest.mark.parametrize("others", [[PLAIN], [PLAIN, EDITED]])
@pytest.mark.parametrize("bodies", [[FIELD], [FIELD, ITEM, SIZE]])
def test_other_requests_keep_what_they_had(bodies: Sequence[Written], others: Sequence[Written]) -> None:
    """M7: besides the new routes ahead and a filter that is switched off, all is the same. Where bodies come
    to the sidecar, Envoy reads less at once, and routes hold as much as before."""
    without, within = made(*others), made(*bodies, *others)
    theirs = before_decision(without)
    assert before_decision(within)[-len(theirs) :] == theirs

    for one in (without, within):
        held = manager(one)
        kept = [each for each in held.http_filters if each.name != JSON]
        asked = unpacked(kept[0].typed_config, ExternalProcessor())
        asked.metadata_options.ClearField("forwarding_namespaces")
        kept[0].typed_config.Pack(asked, deterministic=True)
        del held.http_filters[:]
        held.http_filters.extend(kept)
        (host,) = held.route_config.virtual_hosts
        if len(bodies) > 1 and one is within:
            assert host.request_body_buffer_limit.value == 1 << 20
            host.ClearField("request_body_buffer_limit")
            assert one.static_resources.listeners[0].per_connection_buffer_limit_bytes.value == 131_072
            one.static_resources.listeners[0].ClearField("per_connection_buffer_limit_bytes")
        if host.routes:
            mine = [route for route in host.routes if not re.search("(body|json) [0-9]", route.name)]
            del host.routes[:]
            host.routes.extend(mine)
        else:
            found = unpacked(host.matcher.on_no_match.action.typed_config, RouteList())
            mine = [route for route in found.routes if not re.search("(body|json) [0-9]", route.name)]
            del found.routes[:]
            found.routes.extend(mine)
            host.matcher.on_no_match.action.typed_config.Pack(found, deterministic=True)
        one.static_resources.listeners[0].filter_chains[0].filters[0].typed_config.Pack(
            held, deterministic=True
        )
    assert within == without


def test_where_the_sidecar_fails_such_requests_go_where_all_go() -> None:
    """M7"""
    first, last = before_decision(made(FIELD, on_error="users"))

    assert first.route == last.route
    assert first.route.cluster == "users"


def test_a_larger_limit_counts_for_such_requests_only() -> None:
    """M7"""
    bootstrap = made(FIELD, envoy={"body_limit": "8MB"})
    first, last = before_decision(bootstrap)

    assert first.request_body_buffer_limit.value == 8 << 20
    assert first.route.cluster_header == "x-sidecar-cluster"
    assert not last.HasField("request_body_buffer_limit")
    assert not bootstrap.static_resources.listeners[0].HasField("per_connection_buffer_limit_bytes")


def test_a_smaller_limit_counts_for_the_connection() -> None:
    """M7: Envoy has no other that is smaller than its usual one."""
    small = {"body_limit": "64KB"}

    for routes, held in (([FIELD], 65_536), ([FIELD, ITEM], 65_536), ([ITEM], 131_072)):
        bootstrap = made(*routes, envoy=small)
        assert bootstrap.static_resources.listeners[0].per_connection_buffer_limit_bytes.value == held
        (host,) = manager(bootstrap).route_config.virtual_hosts
        assert host.request_body_buffer_limit.value == 1 << 20
    for other in (made(PLAIN, envoy=small), made(FIELD)):
        assert not other.static_resources.listeners[0].HasField("per_connection_buffer_limit_bytes")


def test_envoy_holds_what_it_reads_as_before_where_it_hands_over_less_at_once() -> None:
    """M7: a limit above that of the connection counts on routes with a cluster only."""
    _, field, _ = before_decision(made(FIELD, ITEM))

    assert field.request_body_buffer_limit.value == 1 << 20
    assert field.route.cluster_header == "x-sidecar-cluster"


def test_tokens_are_verified_before_the_sidecar_is_asked() -> None:
    """M10"""
    jwt = {"issuer": "https://login.test", "audiences": ["shop"], "jwks_file": "/etc/keys.json"}
    bootstrap = made(FIELD, envoy={"jwt": jwt}, context={"tier": [{"claim": "tier"}]})

    assert list(filters(bootstrap))[:3] == [JWT, JSON, EXT_PROC]
    verified = unpacked(filters(bootstrap)[JWT].typed_config, JwtAuthentication())
    (provider,) = verified.providers.values()
    assert (provider.issuer, list(provider.audiences)) == ("https://login.test", ["shop"])
    assert provider.local_jwks.filename == "/etc/keys.json"
    assert provider.payload_in_metadata == "claims"
    # And in no parameter of the path, where Envoy would look for them as well.
    assert [(each.name, each.value_prefix) for each in provider.from_headers] == [
        ("authorization", "Bearer ")
    ]
    assert list(provider.from_params) == []
    (rule,) = verified.rules
    either = rule.requires.requires_any.requirements
    assert [each.WhichOneof("requires_type") for each in either] == ["provider_name", "allow_missing"]
    asked = unpacked(filters(bootstrap)[EXT_PROC].typed_config, ExternalProcessor())
    assert list(asked.metadata_options.forwarding_namespaces.untyped) == [JWT, "sidecar.body"]


def _config(*routes: Written, **changes: object) -> schema.Config:
    return a_config(routes=list(routes), **changes)


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (_config(FIELD), False),
        (_config({**FIELD, "enabled": False}), False),
        (_config({**FIELD, "match": {"path": "/json", "body": {"a.b": 2}}}), False),
        (_config({**FIELD, "match": {"path": "/json", "body": {"a.c": 1}}}), True),
        (_config({**FIELD, "match": {"path": "/jsonx", "body": {"a.b": 1}}}), True),
        (_config({**FIELD, "match": {"path": "/json", "body": {"a.b": None}}}), True),
        (_config(FIELD, SIZE), True),
        (_config(FIELD, context={"tier": [{"claim": "tier"}]}), True),
        (_config(FIELD, context={"model": [{"body": "model"}]}), False),
    ],
)
def test_a_reload_tells_whether_envoy_reads_what_is_needed_now(other: schema.Config, differs: bool) -> None:
    """M7 M17"""
    assert (_for_envoy(_config(FIELD)) != _for_envoy(other)) is differs
    assert (bootstrap(_config(FIELD)) != bootstrap(other)) is differs


class Fields(Attached):
    def __init__(self, fields: dict[str, str]) -> None:
        self.fields: Final = fields

    def body_json(self, path: str) -> str | None:
        return self.fields.get(path)


def _meets_path(match: RouteMatch, path: str) -> bool:
    match match.WhichOneof("path_specifier"):
        case "path":
            return path == str(match.path)
        case "prefix":
            return path.startswith(match.prefix)
        case "path_separated_prefix":
            return path == str(match.path_separated_prefix) or path.startswith(
                match.path_separated_prefix + "/"
            )
    return bool(re2.fullmatch(match.safe_regex.regex, path))


def meets(match: RouteMatch, request: Request) -> bool:
    """What Envoy makes of these conditions, as far as they are used here."""
    if not _meets_path(match, request.path):
        return False
    for header in match.headers:
        values = request.headers.values(header.name)
        if header.name in {":method", ":authority"}:
            values = [request.method if header.name == ":method" else request.authority]
        if header.HasField("present_match"):
            holds = bool(values) != header.invert_match
        else:
            text = ",".join(values)
            regex = header.string_match.safe_regex.regex
            holds = bool(values or header.treat_missing_header_as_empty) and bool(re2.fullmatch(regex, text))
        if not holds:
            return False
    return True


PATHS = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/ab", "/a/", "/b", "/a/x/c", "//a"])
HOSTS = ["a.test", "*.a.test", "b.test", "*.test"]
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "path": st.one_of(
            st.sampled_from(["/a", "/a/*", "/a/**", "/a/*/c", "/*b", "/**/c", "/a*", "/a/b"]),
            st.sampled_from(["/a", "/a/", "/", "/a/b"]).map(lambda prefix: {"prefix": prefix}),
            st.sampled_from(["/a", "/a/"]).map(lambda prefix: {"prefix": prefix, "whole_segments": False}),
            st.sampled_from(["^/a", "b", "b$", "(?i)/A/", "^/a/[bx]/"]).map(lambda regex: {"regex": regex}),
        ),
        "hosts": st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2),
        "methods": st.lists(st.sampled_from(["GET", "POST"]), min_size=1, max_size=2),
        "headers": st.lists(
            st.sampled_from(
                [
                    {"name": "x-a", "exact": "1"},
                    {"name": "x-b", "absent": True},
                    {"name": "x-b", "present": True},
                ]
            ),
            min_size=1,
            max_size=2,
        ),
        "body": st.sampled_from([{"n": 1}, {"m": "x"}, {"n": [1, 2], "m": "x"}]),
    },
)
MATCHES = st.recursive(
    CONDITIONS,
    lambda inner: st.builds(
        lambda own, key, below: {**own, key: below if key != "not" else below[0]},
        CONDITIONS,
        st.sampled_from(["any", "all", "not"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)
REQUESTS = st.builds(
    lambda method, host, path, headers: (method, host, path, headers),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["a.test", "x.a.test", "A.test:80", "b.test.", "c.test"]),
    PATHS,
    st.lists(st.sampled_from([("x-a", b"1"), ("x-a", b"2"), ("x-b", b"")]), max_size=2),
)


def told_by(routes: list[Route], request: Request, fields: dict[str, str]) -> dict[str, str]:
    """Of these fields, those that the sidecar is told of this request."""
    first = next(route for route in routes if meets(route.match, request))
    if EXT_PROC in first.typed_per_filter_config:
        return fields
    if JSON not in first.typed_per_filter_config:
        return {}
    rules = unpacked(first.typed_per_filter_config[JSON], JsonToMetadata()).request_rules.rules
    return {path: value for path, value in fields.items() if path in {rule.on_present.key for rule in rules}}


MANY: Final = [
    {"name": f"many-{at}", "to": "users", "match": {"path": path, "body": {f"z{at}": 1}}}
    for at, path in enumerate(
        [*(f"/x/{at}" for at in range(14)), "/a", "/a/b", {"prefix": "/a/"}, "/b", "/*"]
    )
]


@settings(max_examples=400, deadline=None)
@given(
    match=MATCHES,
    requests=st.lists(REQUESTS, min_size=1, max_size=6),
    fields=st.sampled_from([{"n": "1"}, {"n": "1", "m": '"x"'}]),
    others=st.sampled_from([[], MANY]),
)
def test_what_envoy_leaves_unread_would_change_no_answer(
    match: dict[str, Any],
    requests: list[tuple[str, str, str, list[tuple[str, bytes]]]],
    fields: dict[str, str],
    others: Sequence[Written],
) -> None:
    """M7 M15: whatever the conditions, how they nest, and how many other routes ask for bodies."""
    route = {"name": "r", "to": "users", "match": match}
    bootstrap = made(*others, route)
    text = json.dumps({"clusters": {"users": {}}, "routes": [route]})
    matcher = loads(text, "gateway.yaml", 1).plan.routes[0].matcher
    for method, host, path, more in requests:
        headers = headers_of([("content-type", b"application/json"), *more])
        read = Request(method, host, path, headers, Fields(fields))
        told = told_by(before_decision(bootstrap, path), read, fields)
        assert matcher.matches(read) == matcher.matches(Request(method, host, path, headers, Fields(told)))


AUTHORITIES: Final = st.one_of(
    st.text(max_size=30),
    st.binary(max_size=30).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.lists(
        st.sampled_from(
            ["kshop.test", "KShop.TEST", "\u212ashop.test", "a.", ".", "[", "]", ":", ":abc", ":80", "::1"]
            + ["\udcff", "é", "@", " ", "\n", "%", ",", "x" * 240]
        ),
        max_size=6,
    ).map("".join),
)


@settings(max_examples=500, deadline=None)
@given(
    hosts=st.lists(
        st.sampled_from(["kshop.test", "KSHOP.test", "*.kshop.test", "*.test", "a", "*.a", "::1", "[::1]"]),
        min_size=1,
        max_size=3,
    ),
    authority=AUTHORITIES,
)
def test_whatever_a_client_writes_around_a_host_hides_no_body_from_a_rule(
    hosts: list[str], authority: str
) -> None:
    """M7 X4: where a rule's host holds, Envoy's must."""
    match = {"hosts": hosts, "body": {"n": 1}}
    route = {"name": "r", "to": "users", "match": match}
    first, *_ = before_decision(made(route))
    asked = [header for header in first.match.headers if header.name == ":authority"]
    request = Request("POST", authority, "/", headers_of([]))

    if HostIs(tuple(host.strip("[]") for host in hosts)).matches(request):
        raw = authority.encode("utf-8", "surrogateescape")
        for header in asked:
            assert re2.fullmatch(header.string_match.safe_regex.regex.encode(), raw)


@pytest.mark.parametrize(
    "authority",
    ["kshop.test:abc", "kshop.test:", "kshop.test.:80:90", "[kshop.test]", "[kshop.test]x", "KSHOP.test.:é"],
)
def test_a_host_with_an_odd_port_is_the_same_host(authority: str) -> None:
    """M7 X4"""
    route = {"name": "r", "to": "users", "match": {"hosts": ["kshop.test"], "body": {"n": 1}}}
    bootstrap = made(route)
    (first, _) = before_decision(bootstrap)
    request = Request(
        "POST", authority, "/", headers_of([("content-type", b"application/json")]), Fields({"n": "1"})
    )

    assert HostIs(("kshop.test",)).matches(request)
    assert meets(first.match, request)


@pytest.mark.parametrize("regex", [r"/a\Q", r"^/\Qa", r"\Qa\E", "/a|b", "(?i)A"])
def test_a_regex_stays_one_whatever_it_quotes(regex: str) -> None:
    """M7"""
    match = {"path": {"regex": regex}, "body": {"n": 1}}
    (first, _) = before_decision(made({"name": "r", "to": "users", "match": match}))

    assert _meets_path(first.match, "/a")


def test_many_such_routes_are_found_by_their_path(tmp_path: Path) -> None:
    """M7 M20: Envoy takes the configuration, and a request meets few of them."""
    many = [
        {"name": f"r{at}", "to": "users", "match": {"path": f"/api/v{at}/x", "body": {"n": at}}}
        for at in range(200)
    ]
    bootstrap = made(*many, EDITED)

    assert [route.match.path for route in before_decision(bootstrap, "/api/v7/x")] == ["/api/v7/x", ""]
    assert [route.match.path for route in before_decision(bootstrap, "/elsewhere")] == [""]
    written = tmp_path / "bootstrap.yaml"
    written.write_text(to_yaml(bootstrap))
    checked = subprocess.run(
        [envoy_command(), "--mode", "validate", "-c", str(written), "--use-dynamic-base-id"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
