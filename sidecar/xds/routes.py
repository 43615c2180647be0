"""Envoy's routes: the cluster stands in a header that the sidecar sets, so a few routes serve all.

Envoy has one route more for each route of the user with something that only Envoy's own route can say
(response headers, idle timeout, buffer, priority class), found by its name in a second header. These stand
in a map, so that a request costs the same with one of them as with thousands.

Where requests are mirrored, the cluster of the copy stands in a third header, and the routes in one such map
for each cluster that gets copies. Envoy can read that cluster from a header too, but only from one that the
endpoint would get as well.
"""

import json
from typing import Final

from envoy.config.core.v3.base_pb2 import HIGH as HIGH_PRIORITY
from envoy.config.core.v3.base_pb2 import DataSource, HeaderValue, HeaderValueOption
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    RetryPolicy,
    Route,
    RouteAction,
    RouteList,
    RouteMatch,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from google.protobuf.wrappers_pb2 import UInt64Value
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher

from sidecar.config import schema
from sidecar.names import (
    ABORT_HEADER,
    CLUSTER_HEADER,
    COOKIE_KEY,
    COOKIE_NAMESPACE,
    DELAY_HEADER,
    INTERNAL_HEADERS,
    MIRROR_HEADER,
    ROUTE_HEADER,
)
from sidecar.xds.bodies import Bodies, route_bytes
from sidecar.xds.cache import say_lifetime, through_cache, varies_by
from sidecar.xds.clusters import copies_of
from sidecar.xds.parts import duration, packed
from sidecar.xds.retries import waits_of

NO_DECISION: Final = json.dumps(
    {"reason": "no_decision", "message": "the sidecar gave no decision for this request"}
)
REFUSE: Final = "refuse"
HIGH: Final = "high"

_NAME: Final = "by_decision"


def route_configuration(config: schema.Config, *, inner: bool = False) -> RouteConfiguration:
    """The sidecar's cluster for every request, else the cluster of `on_error`, else a 503.

    `inner` is for the listener that the cache fetches from.
    """
    host = VirtualHost(
        name=_NAME,
        domains=["*"],
        request_headers_to_remove=INTERNAL_HEADERS,
        request_body_buffer_limit=route_bytes(config),
    )
    if makes_faults(config):
        host.request_headers_to_remove.extend((DELAY_HEADER, ABORT_HEADER))
    if gives_cookies(config):
        host.response_headers_to_add.append(_cookie())
    own = [route for route in config.routes if has_own_route(route)]
    within = config if inner else None
    undecided = _undecided(config.on_error)
    usual = Bodies(config).usual(_decided("decided"), undecided)
    found = _found(own, within, _usual(usual) if isinstance(usual, list) else Matcher.OnMatch(matcher=usual))
    mirrored: dict[str, list[schema.Route]] = {}
    for route in config.routes:
        if route.mirror is not None:
            mirrored.setdefault(route.mirror.to, []).append(route)
    if mirrored:
        copying = {
            to: _copying(
                [route for route in routes if has_own_route(route)],
                within,
                undecided,
                copies_of(to) if config.clusters[to].endpoints else to,  # else Envoy knows it from elsewhere
            )
            for to, routes in mirrored.items()
        }
        host.matcher.CopyFrom(_by_header(MIRROR_HEADER, copying, found))
    elif found.HasField("matcher"):
        host.matcher.CopyFrom(found.matcher)
    elif isinstance(usual, list):
        host.routes.extend(usual)
    return RouteConfiguration(name=_NAME, virtual_hosts=[host])


def changes_response(route: schema.Route) -> bool:
    edits = route.headers.response
    return bool(edits.set or edits.add or edits.remove)


def has_own_route(route: schema.Route) -> bool:
    """Whether it says what Envoy takes from its own configuration only."""
    return (
        changes_response(route)
        or route.idle_timeout is not None
        or route.buffer is not None
        or route.priority_class == HIGH
        or waits_of(route) is not None
        or route.cache is not None
    )


def gives_cookies(config: schema.Config) -> bool:
    """Of routes that are switched off too."""
    return any(route.sticky is not None and route.sticky.cookie is not None for route in config.routes)


def makes_faults(config: schema.Config) -> bool:
    """Of routes that are switched off too: they can be switched on without a new Envoy."""
    return any(route.fault is not None for route in config.routes)


def _cookie() -> HeaderValueOption:
    """For all routes, so that one more needs no new Envoy: without the metadata there is no header."""
    return HeaderValueOption(
        header=HeaderValue(key="set-cookie", value=f"%DYNAMIC_METADATA({COOKIE_NAMESPACE}:{COOKIE_KEY})%"),
        append_action=HeaderValueOption.APPEND_IF_EXISTS_OR_ADD,
    )


def _copying(
    own: list[schema.Route], inner: schema.Config | None, undecided: Route, mirror: str
) -> Matcher.OnMatch:
    """As `_found`, with copies for the cluster `mirror`."""
    return _found(own, inner, _usual([*_copied("decided", None, mirror), undecided]), mirror)


def _usual(routes: list[Route]) -> Matcher.OnMatch:
    return _action("usual", routes)


def _found(
    own: list[schema.Route], inner: schema.Config | None, usual: Matcher.OnMatch, mirror: str = ""
) -> Matcher.OnMatch:
    """The user's own route by its name, else the one for all; the cluster `mirror` gets a copy. `inner` is
    the configuration in the listener that the cache fetches from."""
    if not own:
        return usual
    named = {route.name: _action(route.name, _named(route, inner, mirror)) for route in own}
    return Matcher.OnMatch(matcher=_by_header(ROUTE_HEADER, named, usual))


def _named(route: schema.Route, inner: schema.Config | None, mirror: str) -> list[Route]:
    made = _copied(route.name, route, mirror)
    if route.cache is None:
        return made
    if inner is not None:
        for one in made:
            say_lifetime(one, route, varies_by(route, inner))
        return made
    return [through_cache(_decided(route.name)), *made]


def _by_header(name: str, by_value: dict[str, Matcher.OnMatch], otherwise: Matcher.OnMatch) -> Matcher:
    seen = HttpRequestHeaderMatchInput(header_name=name)
    return Matcher(
        matcher_tree=Matcher.MatcherTree(
            input=TypedExtensionConfig(name=name, typed_config=packed(seen)),
            exact_match_map=Matcher.MatcherTree.MatchMap(map=by_value),
        ),
        on_no_match=otherwise,
    )


def _action(name: str, routes: list[Route]) -> Matcher.OnMatch:
    answer = routes[0] if len(routes) == 1 else RouteList(routes=routes)
    return Matcher.OnMatch(action=TypedExtensionConfig(name=name, typed_config=packed(answer)))


def _copied(name: str, route: schema.Route | None, mirror: str) -> list[Route]:
    """The route; before it, where there is a mirror, the same one with copies, for all but upgrades."""
    plain = _decided(name, route)
    if not mirror:
        return [plain]
    copying = Route()
    copying.CopyFrom(plain)
    copying.match.headers.append(HeaderMatcher(name="upgrade", present_match=True, invert_match=True))
    copying.route.request_mirror_policies.append(
        # Without it the copy's host would end in -shadow, and a mirror that serves by host would not know it.
        RouteAction.RequestMirrorPolicy(cluster=mirror, disable_shadow_host_suffix_append=True)
    )
    return [copying, plain]


def _decided(name: str, route: schema.Route | None = None) -> Route:
    told = HeaderMatcher(name=CLUSTER_HEADER, present_match=True)
    made = Route(
        name=name,
        match=RouteMatch(prefix="/", headers=[told]),
        # No limit by default (Envoy's is 15 s): answers may stream for long. One that stands still is
        # ended by the idle timeout of streams.
        route=RouteAction(cluster_header=CLUSTER_HEADER, timeout=duration(0)),
    )
    if route is not None:
        _add_own(made, route)
    return made


def _add_own(made: Route, route: schema.Route) -> None:
    if route.idle_timeout is not None:
        made.route.idle_timeout.CopyFrom(duration(route.idle_timeout))
        # The one above counts from the first thing that moves on the client's side after the sidecar's
        # answer. With a request without a body that is the response. So the time until then, from sending
        # the request on, is limited by this one. By itself it retries nothing.
        waiting = RetryPolicy(per_try_idle_timeout=duration(route.idle_timeout))
        made.route.retry_policy.CopyFrom(waiting)
    waits = waits_of(route)
    if waits is not None:
        made.route.retry_policy.retry_back_off.CopyFrom(waits)
    if route.buffer is not None:
        made.request_body_buffer_limit.CopyFrom(UInt64Value(value=route.buffer))
    if route.priority_class == HIGH:
        made.route.priority = HIGH_PRIORITY
    _add_response_headers(made, route.headers.response)


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


def _add_response_headers(made: Route, edits: schema.HeaderEdits) -> None:
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


def _literal(value: str) -> str:
    """Envoy reads `%` in a header as the start of a command."""
    return value.replace("%", "%%")
