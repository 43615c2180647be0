"""Envoy's cache of responses, for the routes that ask for one.

The cache stands behind the sidecar: each request is decided, and its gates asked, before the cache is. What
the cache has not it fetches by itself, past the filters behind it, without the metadata that names the
endpoint, and with the retries of its own client. So it fetches from a listener within Envoy, which has the
same routes, and is told in headers what the metadata and the sidecar's own headers would say. That listener
logs what the endpoint answered; the outer one logs a hit.

Envoy knows an answer by its host and path alone, and keeps none that varies by a header. So a script writes
the route, and the values of the headers that it varies by, into the path that the cache sees; another one, in
the inner listener, writes the path as it was. It also gives answers that say nothing of it a lifetime, and
takes it from those that set a cookie or vary by anything else. Whose request says in another header, or by
metadata, who asks, or asks something of endpoints, goes past the cache.
"""

from string import ascii_letters, digits
from typing import Final

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, EnvoyInternalAddress
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, Route, RouteAction
from envoy.extensions.bootstrap.internal_listener.v3.internal_listener_pb2 import InternalListener
from envoy.extensions.common.matching.v3.extension_matcher_pb2 import ExtensionWithMatcher
from envoy.extensions.filters.common.matcher.action.v3.skip_action_pb2 import SkipFilter
from envoy.extensions.filters.http.cache_v2.v3.cache_pb2 import CacheV2Config
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.extensions.http.cache_v2.simple_http_cache.v3.config_pb2 import SimpleHttpCacheV2Config
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher
from xds.type.matcher.v3.string_pb2 import StringMatcher

from sidecar.config import schema
from sidecar.config.cache import identity_of, keys_of, verified_of
from sidecar.names import (
    ABORT_HEADER,
    CLUSTER_HEADER,
    DELAY_HEADER,
    ENDPOINT_KEY,
    ENDPOINT_NAMESPACE,
    METADATA_NAMESPACE,
    MIRROR_HEADER,
    RETRIES_HEADER,
    RETRY_ON_HEADER,
    RETRY_STATUSES_HEADER,
    ROUTE_HEADER,
    TICKET_KEY,
    TIMEOUT_HEADER,
    TRY_TIMEOUT_HEADER,
)
from sidecar.xds.clusters import limits
from sidecar.xds.parts import duration, extension, packed

INNER: Final = "sidecar/cached"
"""The listener that the cache fetches from, and the cluster by which it is reached."""
CACHED_HEADER: Final = "x-sidecar-cached"
"""Of requests that the cache may answer; it has the path as it was."""
_PREFIX: Final = f"{CACHED_HEADER}-"
_VARY: Final = "x-sidecar-vary"
_MOVED: Final = (
    CLUSTER_HEADER,
    ROUTE_HEADER,
    MIRROR_HEADER,
    TIMEOUT_HEADER,
    RETRY_ON_HEADER,
    RETRIES_HEADER,
    RETRY_STATUSES_HEADER,
    TRY_TIMEOUT_HEADER,
    DELAY_HEADER,
    ABORT_HEADER,
)
"""What the cache's own client would follow, and the inner listener is to follow. The first two stay: by them
Envoy finds its route to the inner listener."""
_STAY: Final = (CLUSTER_HEADER, ROUTE_HEADER)
_LUA: Final = "envoy.filters.http.lua"
_LONGEST_KEY: Final = 8192
"""Of the path with what else tells an answer from others: the path goes inwards twice."""
_NEVER_FROM_CACHE: Final = (
    "authorization",
    "proxy-authorization",
    "range",
    "upgrade",
    "content-length",
    "transfer-encoding",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
)
_OUTER_SCRIPT: Final = f"""\
local never = {{%(never)s}}
local moved = {{%(moved)s}}
local stay = {{%(stay)s}}
local verified = {{%(verified)s}}
local routes = {{
%(routes)s
}}
local function escaped(text)
  return (string.gsub(text, "[^%%w]", function(one) return string.format("%%%%%%02X", string.byte(one)) end))
end
local function told(handle, namespace, key)
  local found = handle:streamInfo():dynamicMetadata():get(namespace)
  return found ~= nil and found[key] or nil
end
function envoy_on_request(handle)
  local headers = handle:headers()
  local name = headers:get("{ROUTE_HEADER}")
  local route = routes[name or ""]
  if route == nil or headers:get(":method") ~= "GET" then return end
  if headers:get("cookie") ~= nil and not route.cookies then return end
  for _, header in ipairs(never) do
    if headers:get(header) ~= nil then return end
  end
  for _, header in ipairs(route.identity) do
    if headers:get(header) ~= nil then return end
  end
  for _, place in ipairs(verified) do
    if told(handle, place[1], place[2]) ~= nil then return end
  end
  local key = escaped(name)
  for _, header in ipairs(route.vary) do
    local value = headers:get(header)
    key = key .. "&" .. (value == nil and "" or "=" .. escaped(value))
  end
  local path = headers:get(":path")
  if #path + #key > {_LONGEST_KEY} then return end
  headers:add("{CACHED_HEADER}", path)
  headers:replace(":path", path .. (string.find(path, "?", 1, true) and "&" or "?") .. "{_PREFIX}key=" .. key)
  for _, header in ipairs(moved) do
    local value = headers:get(header)
    if value ~= nil then
      headers:add("{_PREFIX}" .. header, value)
      if not stay[header] then headers:remove(header) end
    end
  end
  local endpoint = told(handle, "{ENDPOINT_NAMESPACE}", "{ENDPOINT_KEY}")
  if endpoint ~= nil then headers:add("{_PREFIX}endpoint", endpoint) end
  local ticket = told(handle, "{METADATA_NAMESPACE}", "{TICKET_KEY}")
  if ticket ~= nil then headers:add("{_PREFIX}ticket", ticket) end
end
function envoy_on_response(handle)
  local headers = handle:headers()
  local vary = headers:get("{_VARY}")
  if vary == nil then return end
  headers:replace("vary", vary)
  headers:remove("{_VARY}")
end
"""
_INNER_SCRIPT: Final = f"""\
local moved = {{%(moved)s}}
local function taken(headers, name)
  local value = headers:get(name)
  if value ~= nil then headers:remove(name) end
  return value
end
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = taken(headers, "{CACHED_HEADER}")
  if path ~= nil then headers:replace(":path", path) end
  for _, header in ipairs(moved) do
    local value = taken(headers, "{_PREFIX}" .. header)
    if value ~= nil then headers:replace(header, value) end
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  local endpoint = taken(headers, "{_PREFIX}endpoint")
  if endpoint ~= nil then metadata:set("{ENDPOINT_NAMESPACE}", "{ENDPOINT_KEY}", endpoint) end
  local ticket = taken(headers, "{_PREFIX}ticket")
  if ticket ~= nil then metadata:set("{METADATA_NAMESPACE}", "{TICKET_KEY}", ticket) end
end
function envoy_on_response(handle)
  local told = handle:metadata()
  local lifetime = told:get("lifetime")
  if lifetime == nil then return end
  local headers = handle:headers()
  local control = headers:get("cache-control")
  local shared = headers:get("set-cookie") == nil
  local vary = headers:get("vary")
  local known = told:get("vary")
  if headers:get("content-encoding") ~= nil and not string.find(known, ",accept-encoding,", 1, true) then
    shared = false
  end
  if vary ~= nil then
    for name in string.gmatch(string.lower(vary), "[^,%%s]+") do
      if not string.find(known, "," .. name .. ",", 1, true) then shared = false end
    end
    headers:add("{_VARY}", vary)
    headers:remove("vary")
  end
  if not shared then
    headers:replace("cache-control", control == nil and "private" or control .. ", private")
  elseif headers:get(":status") == "200" and control == nil and headers:get("expires") == nil then
    headers:add("cache-control", lifetime)
  end
end
"""


def cached_routes(config: schema.Config) -> list[schema.Route]:
    """Of routes that are switched off too: they can be switched on without a new Envoy."""
    return [route for route in config.routes if route.cache is not None]


def filters_for_cache(config: schema.Config) -> list[HttpFilter]:
    """Behind the sidecar: the script that marks what the cache may answer, and the cache for that alone."""
    routes = cached_routes(config)
    if not routes:
        return []
    script = _OUTER_SCRIPT % {
        "never": _listed(_NEVER_FROM_CACHE),
        "moved": _listed(_MOVED),
        "stay": ", ".join(f'["{name}"] = true' for name in _STAY),
        "verified": ", ".join(
            f"{{{_quoted(namespace)}, {_quoted(key)}}}" for namespace, key in _verified(config.context)
        ),
        "routes": "\n".join(
            _row(route, varies_by(route, config), identity_of(config.context, asking=True))
            for route in routes
        ),
    }
    unmarked = Matcher.MatcherList.Predicate(
        not_matcher=Matcher.MatcherList.Predicate(
            single_predicate=Matcher.MatcherList.Predicate.SinglePredicate(
                input=TypedExtensionConfig(
                    name="cached", typed_config=packed(HttpRequestHeaderMatchInput(header_name=CACHED_HEADER))
                ),
                value_match=StringMatcher(prefix="/"),
            )
        )
    )
    skip = Matcher.OnMatch(action=TypedExtensionConfig(name="skip", typed_config=packed(SkipFilter())))
    matcher = Matcher.MatcherList.FieldMatcher(predicate=unmarked, on_match=skip)
    cache = CacheV2Config(typed_config=packed(SimpleHttpCacheV2Config()))
    wrapped = ExtensionWithMatcher(
        extension_config=extension("envoy.filters.http.cache_v2", cache),
        xds_matcher=Matcher(matcher_list=Matcher.MatcherList(matchers=[matcher])),
    )
    return [
        _script(script),
        HttpFilter(name="envoy.filters.http.cache_v2/marked", typed_config=packed(wrapped)),
    ]


def filters_told() -> list[HttpFilter]:
    """Of the inner listener, before those that fetch."""
    return [_script(_INNER_SCRIPT % {"moved": _listed(_MOVED)})]


def varies_by(route: schema.Route, config: schema.Config) -> tuple[str, ...]:
    """The headers of which each value has answers of its own."""
    assert route.cache is not None
    own = (name.lower() for name in route.cache.vary)
    return tuple(dict.fromkeys((*own, *keys_of(config.gates))))


def say_lifetime(made: Route, route: schema.Route, varies: tuple[str, ...]) -> None:
    """For the script of the inner listener."""
    assert route.cache is not None
    vary = "".join(f"{name}," for name in varies)
    made.metadata.filter_metadata[_LUA].update(
        {"lifetime": f"s-maxage={max(round(route.cache.ttl), 1)}", "vary": f",{vary}"}
    )


def through_cache(plain: Route) -> Route:
    """As the route, for requests that the cache may answer: what passes it by all the same goes that way."""
    made = Route(name=f"{plain.name} cached", match=plain.match)
    made.route.CopyFrom(RouteAction(cluster=INNER, timeout=duration(0)))
    made.match.headers.append(HeaderMatcher(name=CACHED_HEADER, present_match=True))
    return made


def add_inner(made: Bootstrap) -> None:
    """The cluster of the inner listener, and what Envoy needs to have one."""
    made.bootstrap_extensions.add(
        name="envoy.bootstrap.internal_listener", typed_config=packed(InternalListener())
    )
    address = Address(envoy_internal_address=EnvoyInternalAddress(server_listener_name=INNER))
    endpoint = LbEndpoint(endpoint=Endpoint(address=address))
    made.static_resources.clusters.append(
        Cluster(
            name=INNER,
            connect_timeout=duration(1),
            circuit_breakers=limits(),
            load_assignment=ClusterLoadAssignment(
                cluster_name=INNER, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]
            ),
        )
    )


def _row(route: schema.Route, varies: tuple[str, ...], identity: tuple[str, ...]) -> str:
    assert route.cache is not None
    cookies = "true" if route.cache.cookies else "false"
    past = _listed(tuple(name for name in identity if name not in varies))
    return (
        f'  ["{route.name}"] = {{cookies = {cookies}, vary = {{{_listed(varies)}}}, identity = {{{past}}}}},'
    )


def _verified(context: schema.Context) -> list[tuple[str, str]]:
    """By namespace and key. A key may have dots itself, so every beginning of a path may be one."""
    found: dict[tuple[str, str], None] = {}
    for namespace, path in verified_of(context, asking=True):
        parts = path.split(".")
        for end in range(1, len(parts) + 1):
            found[namespace, ".".join(parts[:end])] = None
    return list(found)


def _quoted(text: str) -> str:
    """For the script: names of metadata may have any character."""
    written = text.encode("utf-8", "surrogateescape")
    plain = frozenset((ascii_letters + digits + "._-:/").encode())
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03d}" for byte in written) + '"'


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _script(text: str) -> HttpFilter:
    return HttpFilter(name=_LUA, typed_config=packed(Lua(default_source_code=DataSource(inline_string=text))))
