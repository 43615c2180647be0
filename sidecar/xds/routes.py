"""Envoy's routes: the cluster stands in a header that the sidecar sets, so a few routes serve all.

Envoy has one route more for each route of the user that changes response headers, found by its name
in a second header. These stand in a map, so that a request costs the same with one of them as with
thousands.
"""

import json
from typing import Final

from envoy.config.core.v3.base_pb2 import DataSource, HeaderValue, HeaderValueOption
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteList,
    RouteMatch,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher

from sidecar.config import schema
from sidecar.names import CLUSTER_HEADER, INTERNAL_HEADERS, ROUTE_HEADER
from sidecar.xds.parts import duration, packed

NO_DECISION: Final = json.dumps(
    {"reason": "no_decision", "message": "the sidecar gave no decision for this request"}
)
REFUSE: Final = "refuse"

_NAME: Final = "by_decision"


def route_configuration(config: schema.Config) -> RouteConfiguration:
    """The sidecar's cluster for every request, else the cluster of `on_error`, else a 503."""
    host = VirtualHost(name=_NAME, domains=["*"], request_headers_to_remove=INTERNAL_HEADERS)
    named = {route.name: _with_response_headers(route) for route in config.routes if changes_response(route)}
    usual = [_decided("decided"), _undecided(config.on_error)]
    if named:
        host.matcher.CopyFrom(_by_route_header(named, usual))
    else:
        host.routes.extend(usual)
    return RouteConfiguration(name=_NAME, virtual_hosts=[host])


def changes_response(route: schema.Route) -> bool:
    edits = route.headers.response
    return bool(edits.set or edits.add or edits.remove)


def _by_route_header(named: dict[str, Route], usual: list[Route]) -> Matcher:
    seen = HttpRequestHeaderMatchInput(header_name=ROUTE_HEADER)
    actions = {name: _action(name, route) for name, route in named.items()}
    return Matcher(
        matcher_tree=Matcher.MatcherTree(
            input=TypedExtensionConfig(name=ROUTE_HEADER, typed_config=packed(seen)),
            exact_match_map=Matcher.MatcherTree.MatchMap(map=actions),
        ),
        on_no_match=_action("usual", RouteList(routes=usual)),
    )


def _action(name: str, answer: Route | RouteList) -> Matcher.OnMatch:
    return Matcher.OnMatch(action=TypedExtensionConfig(name=name, typed_config=packed(answer)))


def _decided(name: str) -> Route:
    told = HeaderMatcher(name=CLUSTER_HEADER, present_match=True)
    return Route(
        name=name,
        match=RouteMatch(prefix="/", headers=[told]),
        # No limit by default (Envoy's is 15 s): answers may stream for long. One that stands still is
        # ended by the idle timeout of streams.
        route=RouteAction(
            cluster_header=CLUSTER_HEADER,
            timeout=duration(0),
        ),
    )


def _undecided(on_error: str) -> Route:
    everything = RouteMatch(prefix="/")
    if on_error != REFUSE:
        action = RouteAction(cluster=on_error, timeout=duration(0))
        return Route(name="undecided", match=everything, route=action)
    refused = DirectResponseAction(status=503, body=DataSource(inline_string=NO_DECISION))
    json_body = HeaderValueOption(
        header=HeaderValue(key="content-type", value="application/json"),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    return Route(
        name="undecided", match=everything, direct_response=refused, response_headers_to_add=[json_body]
    )


def _with_response_headers(route: schema.Route) -> Route:
    edits = route.headers.response
    made = _decided(route.name)
    made.response_headers_to_remove.extend(edits.remove)
    for changes, append_action in (
        (edits.set, HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD),
        (edits.add, HeaderValueOption.APPEND_IF_EXISTS_OR_ADD),
    ):
        for name, value in changes.items():
            made.response_headers_to_add.append(
                HeaderValueOption(
                    header=HeaderValue(key=name, value=_literal(value)),
                    append_action=append_action,
                    keep_empty_value=not value,
                )
            )
    return made


def _literal(value: str) -> str:
    """Envoy reads `%` in a header as the start of a command."""
    return value.replace("%", "%%")
