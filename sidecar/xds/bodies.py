"""What Envoy does about bodies before the sidecar is asked, for just the requests of which a rule may ask it.

These are routes that match before there is a decision. They go nowhere other than the one for all requests;
they switch on, for their own requests, the filter that reads fields of JSON, or the mode in which the body
comes to the sidecar. So a condition on a body costs the requests nothing that no such route matches.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from envoy.config.core.v3.base_pb2 import DataSource, HeaderValue
from envoy.config.route.v3.route_components_pb2 import (
    HeaderMatcher,
    Route,
    RouteAction,
    RouteList,
    RouteMatch,
)
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import (
    ExtProcOverrides,
    ExtProcPerRoute,
    MetadataOptions,
)
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.extensions.filters.http.json_to_metadata.v3.json_to_metadata_pb2 import JsonToMetadata
from envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import (
    JwtAuthentication,
    JwtHeader,
    JwtProvider,
    JwtRequirement,
    JwtRequirementOrList,
    RequirementRule,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import BoolValue, UInt64Value
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher

from sidecar.config import schema
from sidecar.config.bodies import Need, Place, namespaces, needs
from sidecar.names import (
    BODY_NAMESPACE,
    CLUSTER_HEADER,
    JWT_CLAIMS,
    JWT_NAMESPACE,
    PHASES_METADATA,
    SUBSET_NAMESPACE,
    WITH_ANSWER,
    WITH_BODY,
)
from sidecar.xds.parts import duration, packed

HELD_BYTES: Final = 1 << 20
"""What Envoy holds of any body unless told otherwise."""
_PART_BYTES: Final = 128 << 10
"""What Envoy reads of a connection at once, and so the most that it hands over in one message: the sidecar
has this much in hand for each upload, a few times over."""
LEAST_UNDECIDED_S: Final = 60.0
"""How long a request may take whose body comes to the sidecar, until it is decided. With the decision Envoy
looks anew for the limit and finds none. It would not with an idle timeout: that one would go on for the
response, until something moves on the client's side."""
_SLOWEST_BYTES_PER_S: Final = 128 << 10
_FEW: Final = 16
"""So many routes are tried one after the other."""
_EXT_PROC: Final = "envoy.filters.http.ext_proc"
_JSON: Final = "envoy.filters.http.json_to_metadata"
_NAME: Final = r"[-!#$%&'*+.^_`|~0-9a-z]+"
_JSON_TYPES: Final = rf"(?i)[ \t]*((application|text)/json|{_NAME}/{_NAME}\+json)[ \t]*(;[\x00-\x7f]*)?"
"""The same as `core.rules.body.looked_into` takes for JSON."""
_PLAIN: Final = r"(?i)[ \t]*(identity)?[ \t]*"


class Bodies:
    """What the file needs of bodies, as Envoy is told it."""

    def __init__(self, config: schema.Config) -> None:
        self._config: Final = config
        self._needed: Final = needs(config)
        self._fields: Final = _by_prefix(self._needed)

    def usual(self, decided: Route, undecided: Route) -> "list[Route] | Matcher":
        """`decided` for requests with a decision, then those for requests that need a body, then `undecided`.

        They agree with `undecided` in all but what they switch on. The first that matches counts, and a body
        that comes to the sidecar tells more than its fields. Where they are many they are found by what the
        path begins with, so that a request costs the same with ten of them as with thousands.
        """
        routes = self._routes(undecided)
        if len(routes) <= _FEW:
            return [decided, *(route for _, route in routes), undecided]
        by_prefix: dict[str, list[int]] = {}
        for at, (prefix, _) in enumerate(routes):
            by_prefix.setdefault(prefix, []).append(at)

        def found(prefix: str) -> Matcher.OnMatch:
            """Envoy tries the longest prefix alone: so with those of which this one is a longer spelling."""
            places = sorted(at for begin in _beginnings(prefix) for at in by_prefix.get(begin, ()))
            here = RouteList(routes=[decided, *(routes[at][1] for at in places), undecided])
            return Matcher.OnMatch(
                action=TypedExtensionConfig(name=prefix or "anywhere", typed_config=packed(here))
            )

        path = TypedExtensionConfig(
            name="path", typed_config=packed(HttpRequestHeaderMatchInput(header_name=":path"))
        )
        tree = {prefix: found(prefix) for prefix in by_prefix if prefix}
        return Matcher(
            matcher_tree=Matcher.MatcherTree(
                input=path, prefix_match_map=Matcher.MatcherTree.MatchMap(map=tree)
            ),
            on_no_match=found(""),
        )

    def _routes(self, undecided: Route) -> list[tuple[str, Route]]:
        """In the order in which they are to be tried, each with what the paths begin with."""
        config, needed = self._config, self._needed
        held = connection_bytes(config) or HELD_BYTES
        made = [
            *(
                (place, _with_body(config, undecided, place, _JSON_BODY))
                for place in _places(needed, "whole")
            ),
            *(
                (place, _with_body(config, undecided, place, _NO_LENGTH))
                for place in _places(needed, "counted")
            ),
            *(
                (place, _with_fields(config, undecided, place, self._fields[place.prefix], held))
                for place in _places(needed, "fields")
            ),
            *((place, _with_answer(undecided, place)) for place in _places(needed, "answer")),
        ]
        for number, (_, route) in enumerate(made):
            route.name = f"{route.name} {number + 1}"
        return [(place.prefix, route) for place, route in made]


def _by_prefix(needed: list[Need]) -> dict[str, list[str]]:
    """By the beginning of the path, all fields that a request there may be asked for: of two places that a
    request may be at, the beginning of one begins with that of the other."""
    own: dict[str, set[str]] = {}
    for need in needed:
        if need.fields:
            own.setdefault(need.place.prefix, set()).update(need.fields)
    ordered = sorted(own)
    found: dict[str, list[str]] = {}
    for at, prefix in enumerate(ordered):
        fields: set[str] = set()
        for begin in _beginnings(prefix):
            fields |= own.get(begin, set())
        for longer in ordered[at + 1 :]:
            if not longer.startswith(prefix):
                break
            fields |= own[longer]
        found[prefix] = sorted(fields)
    return found


def _beginnings(text: str) -> Iterator[str]:
    for length in range(len(text) + 1):
        yield text[:length]


def filters_before(config: schema.Config) -> list[HttpFilter]:
    """What runs before the sidecar is asked."""
    made: list[HttpFilter] = []
    if config.envoy.jwt is not None:
        made.append(HttpFilter(name=JWT_NAMESPACE, typed_config=packed(_verified(config.envoy.jwt))))
    if any(need.fields for need in needs(config)):
        idle = JsonToMetadata(request_rules=_rules(["unused"]))  # it must have one, and routes have their own
        made.append(HttpFilter(name=_JSON, typed_config=packed(idle), disabled=True))
    return made


def forwarded(config: schema.Config) -> MetadataOptions.MetadataNamespaces | None:
    """The metadata that the sidecar is told; None for none."""
    told = namespaces(config)
    if any(need.of_the_body for need in needs(config)):
        told.append(BODY_NAMESPACE)
    if config.envoy.endpoint_picker:
        told.append(SUBSET_NAMESPACE)
    return MetadataOptions.MetadataNamespaces(untyped=told) if told else None


def connection_bytes(config: schema.Config) -> int | None:
    """What Envoy reads of a connection at once, and holds of a body; None for its default. Routes may hold
    more: see `route_bytes`."""
    needed = needs(config)
    limit = config.envoy.body_limit if any(need.fields for need in needed) else HELD_BYTES
    parts = _PART_BYTES if any(need.whole or need.counted for need in needed) else HELD_BYTES
    least = min(limit, parts)
    return least if least < HELD_BYTES else None


def route_bytes(config: schema.Config) -> UInt64Value | None:
    """What every route with a cluster may hold of a body, as if nothing were said of connections."""
    return None if connection_bytes(config) is None else UInt64Value(value=HELD_BYTES)


def _places(needed: list[Need], kind: str) -> list[Place]:
    return list(dict.fromkeys(need.place for need in needed if getattr(need, kind)))


def _with_fields(
    config: schema.Config, undecided: Route, place: Place, fields: list[str], held: int
) -> Route:
    made = _like(undecided, "json", place, _JSON_BODY)
    made.typed_per_filter_config[_JSON].CopyFrom(packed(JsonToMetadata(request_rules=_rules(fields))))
    if config.envoy.body_limit > held and made.HasField("direct_response"):
        # A limit above that of the connection counts on routes with a cluster only.
        _give_cluster(made)
    if made.HasField("route"):
        made.request_body_buffer_limit.CopyFrom(UInt64Value(value=config.envoy.body_limit))
    return made


def _with_body(config: schema.Config, undecided: Route, place: Place, asked: list[HeaderMatcher]) -> Route:
    made = _like(undecided, "body", place, asked)
    # Nothing else limits it: Envoy waits for no answer while it hands over a body.
    if made.HasField("direct_response"):
        _give_cluster(made)
    longest = LEAST_UNDECIDED_S + config.envoy.body_limit / _SLOWEST_BYTES_PER_S
    made.route.max_stream_duration.max_stream_duration.CopyFrom(duration(longest))
    on_response = ProcessingMode.SEND if config.envoy.shows_responses else ProcessingMode.SKIP
    mode = ProcessingMode(
        request_header_mode=ProcessingMode.SEND,
        response_header_mode=on_response,
        request_body_mode=ProcessingMode.FULL_DUPLEX_STREAMED,
        response_body_mode=ProcessingMode.NONE,
        request_trailer_mode=ProcessingMode.SEND,
        response_trailer_mode=ProcessingMode.SKIP,
    )
    overrides = ExtProcOverrides(
        processing_mode=mode, grpc_initial_metadata=[HeaderValue(key=PHASES_METADATA, value=WITH_BODY)]
    )
    made.typed_per_filter_config[_EXT_PROC].CopyFrom(packed(ExtProcPerRoute(overrides=overrides)))
    return made


def _with_answer(undecided: Route, place: Place) -> Route:
    """The response comes to the sidecar part by part. Where it gives no answer, or ends the stream, Envoy
    goes on with the response; a request without a decision is refused all the same, by having none."""
    made = _like(undecided, "answer", place, [_GET])
    mode = ProcessingMode(
        request_header_mode=ProcessingMode.SEND,
        response_header_mode=ProcessingMode.SEND,
        request_body_mode=ProcessingMode.NONE,
        response_body_mode=ProcessingMode.STREAMED,
        request_trailer_mode=ProcessingMode.SKIP,
        response_trailer_mode=ProcessingMode.SKIP,
    )
    overrides = ExtProcOverrides(
        processing_mode=mode,
        grpc_initial_metadata=[HeaderValue(key=PHASES_METADATA, value=WITH_ANSWER)],
        failure_mode_allow=BoolValue(value=True),
    )
    made.typed_per_filter_config[_EXT_PROC].CopyFrom(packed(ExtProcPerRoute(overrides=overrides)))
    return made


def _give_cluster(made: Route) -> None:
    """Some limits count on routes with a cluster only. Where there is no decision, there is none: a 503."""
    made.ClearField("direct_response")
    made.ClearField("response_headers_to_add")
    made.route.CopyFrom(RouteAction(cluster_header=CLUSTER_HEADER, timeout=duration(0)))


def _like(undecided: Route, kind: str, place: Place, asked: list[HeaderMatcher]) -> Route:
    made = Route()
    made.CopyFrom(undecided)
    made.name = f"{undecided.name} {kind}"
    made.match.CopyFrom(_match(place))
    made.match.headers.extend(asked)
    return made


def _rules(fields: list[str]) -> JsonToMetadata.MatchRules:
    return JsonToMetadata.MatchRules(
        rules=[
            JsonToMetadata.Rule(
                selectors=[JsonToMetadata.Selector(key=key) for key in path.split(".")],
                on_present=JsonToMetadata.KeyValuePair(metadata_namespace=BODY_NAMESPACE, key=path),
            )
            for path in fields
        ],
        allow_content_types_regex=RegexMatcher(regex=_JSON_TYPES),
    )


def _matching(name: str, regex: str, **more: Any) -> HeaderMatcher:
    return HeaderMatcher(name=name, string_match=StringMatcher(safe_regex=RegexMatcher(regex=regex)), **more)


def _absent(name: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, present_match=True, invert_match=True)


# A client that asks for another protocol waits for the answer before it sends anything: its body would be
# waited for without end.
_JSON_BODY: Final = [
    _matching("content-type", _JSON_TYPES),
    _matching("content-encoding", _PLAIN, treat_missing_header_as_empty=True),
    _absent("upgrade"),
]
_GET: Final = HeaderMatcher(name=":method", string_match=StringMatcher(exact="GET"))
_NO_LENGTH: Final = [
    _absent("content-length"),
    _absent("upgrade"),
    HeaderMatcher(  # so does a gRPC call, whose two ways go on beside one another
        name="content-type",
        string_match=StringMatcher(prefix="application/grpc"),
        treat_missing_header_as_empty=True,
        invert_match=True,
    ),
]


def _match(place: Place) -> RouteMatch:
    made = _path(place.path)
    if place.hosts and not any(":" in host for host in place.hosts):
        made.headers.append(_matching(":authority", _hosts(place.hosts)))
    if place.methods:
        made.headers.append(_matching(":method", "|".join(re.escape(name.upper()) for name in place.methods)))
    made.headers.extend(HeaderMatcher(name=name, present_match=True) for name in sorted(place.headers))
    return made


def _path(path: str | schema.Path | None) -> RouteMatch:
    match path:
        case str() if "*" in path:
            return RouteMatch(safe_regex=RegexMatcher(regex=_pattern(path)))
        case str():
            return RouteMatch(path=path)
        case schema.Path(exact=str(exact)):
            return RouteMatch(path=exact)
        case schema.Path(prefix=str(prefix)):
            whole = prefix.rstrip("/")
            if path.whole_segments and whole:
                return RouteMatch(path_separated_prefix=whole)
            return RouteMatch(prefix=prefix)
        case schema.Path(regex=str(regex)):
            if r"\Q" not in regex:  # a quotation may go on to the end, and take what stands behind it in
                return RouteMatch(safe_regex=RegexMatcher(regex=f".*(?:{regex}).*"))
    return RouteMatch(prefix="/")


def _pattern(pattern: str) -> str:
    """`*` is any text within a segment, `/**` any number of segments, none among them."""
    return "".join(
        "(?:/.*)?" if segment == "**" else "/" + re.escape(segment).replace(r"\*", "[^/]*")
        for segment in pattern.split("/")[1:]
    )


def _hosts(hosts: tuple[str, ...]) -> str:
    """Whatever `core.request` takes for one of these hosts: what stands behind the first colon or within
    brackets is the client's to write, and so are bytes that are no text."""
    lower = [host.lower() for host in hosts]
    names = [rf"\C*{re.escape(host[1:])}" if host.startswith("*.") else re.escape(host) for host in lower]
    return rf"(?i)\[?(?:{'|'.join(names)})\.?(?:[\]:]\C*)?"


def _verified(jwt: schema.Jwt) -> JwtAuthentication:
    """A request without a token goes on without claims; one whose token is not sound is refused with 401."""
    name = "envoy.jwt"
    provider = JwtProvider(
        issuer=jwt.issuer,
        audiences=jwt.audiences,
        local_jwks=DataSource(filename=jwt.jwks_file),
        forward=True,
        # Without this, Envoy looks for tokens in the parameter `access_token` as well.
        from_headers=[JwtHeader(name="authorization", value_prefix="Bearer ")],
        payload_in_metadata=JWT_CLAIMS,
    )
    either = JwtRequirementOrList(
        requirements=[JwtRequirement(provider_name=name), JwtRequirement(allow_missing=Empty())]
    )
    rule = RequirementRule(match=RouteMatch(prefix="/"), requires=JwtRequirement(requires_any=either))
    return JwtAuthentication(providers={name: provider}, rules=[rule])
