"""The shape of the user's file. Unknown keys are errors; everything has a default.

Only the shape: what needs two places to judge (a route to a cluster that is not there) is `compile`'s.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sidecar.config.values import (
    HeaderName,
    HeaderText,
    HostPort,
    Label,
    Listener,
    Name,
    Seconds,
    SecondsAboveZero,
)

_TEXT: Final = "(text)"
_MAPPING: Final = "(mapping)"
_LIST: Final = "(list)"
_NUMBER: Final = "(number)"
# In parentheses, so that they are not taken for keys in the place of an error.


def _shape(value: object) -> str | None:
    """Which form of a value with several forms this is; the other forms' errors would only be noise."""
    if isinstance(value, str):
        return _TEXT
    if isinstance(value, (dict, BaseModel)):
        return _MAPPING
    if isinstance(value, list):
        return _LIST
    return _NUMBER if isinstance(value, int) and not isinstance(value, bool) else None


def _source_of(value: object) -> str | None:
    if isinstance(value, str):
        return _TEXT
    given = [
        source
        for source in ("header", "cookie")
        if (isinstance(value, dict) and source in value) or hasattr(value, source)
    ]
    return f"({given[0]})" if len(given) == 1 else None


def _forms(wanted: str) -> Discriminator:
    """`wanted` ends the sentence "must be …" for a value that has none of the forms."""
    return Discriminator(_shape, custom_error_type="form", custom_error_message=wanted)


class Section(BaseModel):
    """A mapping in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself, as it is frozen: pydantic copies defaults, which took half the time of a large file."""
        return self


class Listen(Section):
    """Where the sidecar listens."""

    grpc: Annotated[
        Annotated[Listener, Tag(_TEXT)] | Annotated[list[Listener], Tag(_LIST)],
        _forms("an address such as 127.0.0.1:50051, or a list of them"),
    ] = Field("127.0.0.1:50051", description="ext_proc, access logs, RouteService, health, reflection")
    admin: HostPort | None = Field(
        "127.0.0.1:9900", description="metrics and health over HTTP; null for none"
    )
    drain: Seconds = Field(
        "10s", validate_default=True, description="time for requests in flight at shutdown"
    )
    transport: Literal["grpc", "envoy"] = Field(
        "grpc",
        description="gRPC's own server, or an Envoy around the sidecar: faster, needs the extra `fast`",
    )


class Envoy(Section):
    """What `sidecar envoy` and `sidecar demo` write into Envoy's bootstrap."""

    listen: HostPort = Field("0.0.0.0:10000", description="where Envoy takes requests")
    admin: HostPort | None = Field("127.0.0.1:9901", description="Envoy's own admin page; null for none")
    feedback: Literal["access_log", "response"] = Field(
        "access_log",
        description="how outcomes come back: batched access log, or a message with each response",
    )
    message_timeout: SecondsAboveZero = Field(
        "200ms", validate_default=True, description="how long Envoy waits for one answer of the sidecar"
    )


class Tickets(Section):
    """Decisions whose outcome is awaited."""

    lease: SecondsAboveZero = Field(
        "5m", validate_default=True, description="after this the outcome counts as lost"
    )
    most: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        200_000, description="open at once; above it the oldest are given up"
    )


class Endpoint(Section):
    """One address of a cluster. Its id is unique within the cluster; the address, where none is given."""

    address: HostPort = Field(description="host:port")
    id: Name | None = Field(None, description="its name in routes, metrics and headers; else the address")
    weight: Annotated[int, Field(ge=0, le=1000)] = Field(1, description="0 means never")
    version: Label = Field("", description="what a target with this version selects")
    region: Label = Field("", description="for strategies that look at regions")
    zone: Label = Field("", description="for strategies that look at zones")
    tags: list[Label] = Field([], description="what a target with these tags selects")


class Cluster(Section):
    """A named set of endpoints. Without endpoints it is one that Envoy knows by this name from elsewhere."""

    endpoints: list[Endpoint] = Field(
        [], description="the addresses; none when Envoy knows the cluster already"
    )
    connect_timeout: SecondsAboveZero = Field(
        "1s", validate_default=True, description="how long Envoy waits for a connection"
    )


class Source(Section):
    """Where a fact may stand; exactly one of them."""

    header: HeaderName | None = Field(None, description="the header's name")
    cookie: str | None = Field(None, description="the cookie's name")
    query: str | None = Field(None, description="the query parameter's name")


class Context(Section):
    """Where facts about a request come from; the first source that is there wins."""

    session: list[Source] = Field(
        [Source(cookie="sid"), Source(header="x-session-id")], description="what names the session"
    )
    user: list[Source] = Field([Source(header="x-user-id")], description="what names the user")
    tenant: list[Source] = Field([Source(header="x-tenant-id")], description="what names the tenant")
    organization: list[Source] = Field(
        [Source(header="x-organization-id")], description="what names the organization"
    )
    tier: list[Source] = Field([Source(header="x-user-tier")], description="such as free or premium")
    segment: list[Source] = Field([Source(header="x-segment")], description="such as beta_testers")
    priority: list[Source] = Field(
        [Source(header="x-priority")], description="low, normal, high or critical; anything else is normal"
    )
    region: list[Source] = Field([Source(header="x-region")], description="where the client is")
    country: list[Source] = Field(
        [Source(header="cf-ipcountry")], description="two letters, in capitals or not"
    )
    model: list[Source] = Field([Source(header="x-ai-model")], description="the model that is asked for")
    flag: list[Source] = Field(
        [Source(header="x-feature-flag")], description="what switches flags: name=true, name=false, a list"
    )


class Path(Section):
    """Exactly one of exact, prefix, regex."""

    exact: str | None = Field(None, description="the whole path")
    prefix: str | None = Field(None, description="ends at a segment border: /api is not a prefix of /apix")
    regex: str | None = Field(None, description="RE2 syntax, found anywhere in the path unless anchored")
    whole_segments: bool = Field(True, description="false lets a prefix end within a segment")


class Text(Section):
    """A header, query parameter or cookie, and exactly one thing to ask of it."""

    name: str = Field(description="its name; headers ignore case")
    exact: str | None = Field(None, description="it is this text")
    prefix: str | None = Field(None, description="it begins with this text")
    suffix: str | None = Field(None, description="it ends with this text")
    contains: str | None = Field(None, description="it holds this text")
    regex: str | None = Field(None, description="RE2 syntax, found anywhere in it unless anchored")
    present: Literal[True] | None = Field(None, description="it is there")
    absent: Literal[True] | None = Field(None, description="it is not there")


class Match(Section):
    """All that are given must hold. Nothing given matches every request."""

    path: (
        Annotated[
            Annotated[str, Tag(_TEXT)] | Annotated[Path, Tag(_MAPPING)],
            _forms("a path such as /a/*/b/**, or a mapping with exact, prefix or regex"),
        ]
        | None
    ) = Field(None, description="/a/*/b/** or one of {exact}, {prefix}, {regex}")
    methods: list[str] | None = Field(None, description="any of these, such as GET")
    hosts: list[str] | None = Field(None, description="shop.test, or *.shop.test for all below it")
    headers: list[Text] = Field([], description="all of these conditions on headers")
    query: list[Text] = Field([], description="all of these conditions on query parameters")
    cookies: list[Text] = Field([], description="all of these conditions on cookies")
    size: str | None = Field(None, description='of the body, by content-length: "> 10MB", "1MB..10MB"')
    model: list[str] | None = Field(None, description="any of these models, or what they are aliases of")
    tenant: list[str] | None = Field(None, description="any of these, as the others by context")
    user: list[str] | None = Field(None, description="any of these")
    organization: list[str] | None = Field(None, description="any of these")
    tier: list[str] | None = Field(None, description="any of these")
    segment: list[str] | None = Field(None, description="any of these")
    region: list[str] | None = Field(None, description="any of these")
    country: list[str] | None = Field(None, description="any of these, such as DE")
    priority: str | None = Field(None, description='such as ">= high", or one priority alone')
    flag: str | None = Field(None, description="this flag is on")
    all: list["Match"] | None = Field(None, description="all of these hold")
    any: list["Match"] | None = Field(None, description="at least one of these holds")
    not_: "Match | None" = Field(None, alias="not", description="this does not hold")


class Target(Section):
    """A cluster, or those of its endpoints that have this version, all these tags, or this id."""

    cluster: str = Field(description="the cluster's name")
    version: str | None = Field(None, description="only endpoints of this version")
    tags: list[str] = Field([], description="only endpoints that have all these tags")
    endpoint: str | None = Field(None, description="only the endpoint with this id")


TargetForm = Annotated[
    Annotated[str, Tag(_TEXT)] | Annotated[Target, Tag(_MAPPING)],
    _forms("a cluster's name, or a mapping with cluster and version, tags or endpoint"),
]


class Arm(Section):
    """One variant of a split."""

    to: TargetForm = Field(description="a cluster, or some of its endpoints")
    weight: Annotated[float, Field(ge=0, le=1e9)] = Field(description="its share is its part of all weights")
    name: Name | None = Field(None, description="the variant's name in metrics; else that of the target")


class StickyHeader(Section):
    """The value of a header is the key."""

    header: HeaderName = Field(description="the header's name")


class StickyCookie(Section):
    """The value of a cookie is the key."""

    cookie: str = Field(description="the cookie's name")


class Sticky(Section):
    """The key by which a client keeps its arm of a split."""

    by: Annotated[
        Annotated[Literal["session", "user", "tenant"], Tag(_TEXT)]
        | Annotated[StickyHeader, Tag("(header)")]
        | Annotated[StickyCookie, Tag("(cookie)")],
        Discriminator(
            _source_of,
            custom_error_type="form",
            custom_error_message="session, user, tenant, {header: name} or {cookie: name}",
        ),
    ] = Field(description="session, user, tenant, or one header or cookie")


class HeaderEdits(Section):
    """Changes of headers: removed first, then set, then added."""

    set: dict[HeaderName, HeaderText] = Field({}, description="the header has this value and no other")
    add: dict[HeaderName, HeaderText] = Field({}, description="the header has this value too")
    remove: list[HeaderName] = Field([], description="the header is taken away")


class Headers(Section):
    """Changes of the headers on both ways."""

    request: HeaderEdits = Field(HeaderEdits(), description="before the request goes to the endpoint")
    response: HeaderEdits = Field(HeaderEdits(), description="before the response goes to the client")


class Replace(Section):
    """What is found by the regex is replaced, everywhere in the path."""

    regex: str = Field(description="RE2 syntax, found anywhere in the path unless anchored")
    replace: str = Field(description="the new text; \\1 to \\9 are the regex's groups, \\0 is all it found")


class Rewrite(Section):
    """How the path and host change before the request goes on."""

    strip_prefix: str | None = Field(None, description="taken off at a segment border, where it stands")
    path: Replace | None = Field(None, description="replaced in the path, after strip_prefix")
    host: HeaderText | None = Field(None, description="the host that the endpoint sees")


class Route(Section):
    """A match and what to do with it: exactly one of to, pool, split."""

    name: Name = Field(description="unique among the routes; memory is kept by it")
    match: Match = Field(Match(), description="the conditions; none matches every request")
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = Field(
        0, description="the higher first; then the more specific, then the earlier"
    )
    enabled: bool = Field(True, description="false switches the route off")
    to: TargetForm | None = Field(None, description="a cluster, or an endpoint of one")
    pool: list[TargetForm] | None = Field(None, description="several clusters as one")
    split: list[Arm] | None = Field(None, description="variants that share the requests by weight")
    strategy: Annotated[
        Annotated[str, Tag(_TEXT)] | Annotated[dict[str, dict[str, object]], Tag(_MAPPING)],
        _forms("a strategy's name, or {name: {option: value}}"),
    ] = Field(
        "weighted_round_robin", description="how an endpoint is picked: a name, or {name: {option: value}}"
    )
    sticky: Sticky | None = Field(None, description="keeps the arm of a split for each client")
    headers: Headers = Field(Headers(), description="changes of headers")
    rewrite: Rewrite | None = Field(None, description="changes of path and host")
    labels: dict[str, str] = Field({}, description="free text that travels with each decision")


class Expect(Section):
    """What is not given is not checked."""

    status: int | None = Field(None, description="the response's status")
    cluster: str | None = Field(None, description="the cluster that was chosen")
    endpoint: str | None = Field(None, description="the endpoint that was chosen")
    endpoints: (
        dict[
            str,
            Annotated[
                Annotated[int, Tag(_NUMBER)]
                | Annotated[list[int], Field(min_length=2, max_length=2), Tag(_LIST)],
                _forms("a whole number, or a list of the lowest and the highest"),
            ],
        ]
        | None
    ) = Field(None, description="how often each endpoint was chosen in all `times`, or [lowest, highest]")
    path: str | None = Field(None, description="path and query as the endpoint saw it")
    host: str | None = Field(None, description="the host as the endpoint saw it")
    headers: dict[str, str | None] = Field({}, description="as the endpoint saw them; null for absent")
    response_headers: dict[str, str | None] = Field({}, description="as the client saw them; null for absent")
    body: str | None = Field(None, description="a part of the response's body")


class Ask(Section):
    """One request of a demo's tour, and what is to happen."""

    name: str = Field("", description="what it shows")
    method: str = Field("GET", description="the request's method")
    path: str = Field(description="path and query")
    host: str | None = Field(None, description="the request's host")
    headers: dict[HeaderName, HeaderText] = Field({}, description="the request's headers")
    body: str | None = Field(None, description="the request's body")
    times: Annotated[int, Field(ge=1, le=10_000)] = Field(1, description="how often it is sent")
    expect: Expect = Field(description="what is to happen")


class Demo(Section):
    """What `sidecar demo` shows."""

    tour: list[Ask] = Field([], description="requests and what is to happen with them")


class Config(Section):
    """The whole file."""

    listen: Listen = Field(Listen(), description="where the sidecar listens")
    envoy: Envoy = Field(Envoy(), description="Envoy's side, for `sidecar envoy` and `sidecar demo`")
    on_error: str = Field("refuse", description="refuse, or the cluster to use when the sidecar itself fails")
    tickets: Tickets = Field(Tickets(), description="decisions whose outcome is awaited")
    clusters: dict[Name, Cluster] = Field({}, description="where requests can go")
    context: Context = Field(Context(), description="where facts about a request come from")
    models: dict[str, str] = Field(
        {}, description="other names of models: alias to model, in chains if need be"
    )
    flags: dict[str, bool] = Field({}, description="flags that are on or off where a request does not say")
    routes: list[Route] = Field([], description="which request goes where")
    demo: Demo = Field(Demo(), description="requests that show what the file does")
