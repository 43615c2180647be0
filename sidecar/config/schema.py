"""The shape of the user's file. Unknown keys are errors; everything has a default.

Only the shape: what needs two places to judge (a route to a cluster that is not there) is `compile`'s.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sidecar.config.values import (
    HeaderName,
    HeaderText,
    HostPort,
    Listener,
    Name,
    Seconds,
    SecondsAboveZero,
)


class Section(BaseModel):
    """A mapping in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Listen(Section):
    """Where the sidecar listens."""

    grpc: Listener | list[Listener] = Field(
        "127.0.0.1:50051", description="ext_proc, access logs, RouteService, health, reflection"
    )
    admin: HostPort | None = Field("127.0.0.1:9900", description="metrics and health over HTTP; null for none")
    drain: Seconds = Field("10s", validate_default=True, description="time for requests in flight at shutdown")


class Envoy(Section):
    """What `sidecar envoy` and `sidecar demo` write into Envoy's bootstrap."""

    listen: HostPort = "0.0.0.0:10000"
    admin: HostPort | None = Field("127.0.0.1:9901", description="Envoy's own admin page; null for none")
    feedback: Literal["access_log", "response"] = Field(
        "access_log", description="how outcomes come back: batched access log, or a message with each response"
    )
    message_timeout: SecondsAboveZero = Field(
        "200ms", validate_default=True, description="how long Envoy waits for one answer of the sidecar"
    )


class Tickets(Section):
    """Decisions whose outcome is awaited."""

    lease: SecondsAboveZero = Field("5m", validate_default=True, description="after this the outcome counts as lost")
    most: Annotated[int, Field(ge=100)] = Field(200_000, description="open at once; above it the oldest are given up")


class Endpoint(Section):
    """One address of a cluster. Its id is unique within the cluster; the address, where none is given."""

    address: HostPort
    id: Name | None = None
    weight: Annotated[int, Field(ge=0, le=1000)] = Field(1, description="0 means never")
    version: str = ""
    region: str = ""
    zone: str = ""
    tags: list[str] = []


class Cluster(Section):
    """A named set of endpoints. Without endpoints it is one that Envoy knows by this name from elsewhere."""

    endpoints: list[Endpoint] = []
    connect_timeout: SecondsAboveZero = Field("1s", validate_default=True)


class Source(Section):
    """Where a fact may stand; exactly one of them."""

    header: HeaderName | None = None
    cookie: str | None = None
    query: str | None = None


class Context(Section):
    """Where facts about a request come from; the first source that is there wins."""

    session: list[Source] = [Source(cookie="sid"), Source(header="x-session-id")]
    user: list[Source] = [Source(header="x-user-id")]
    tenant: list[Source] = [Source(header="x-tenant-id")]


class Path(Section):
    """Exactly one of exact, prefix, regex."""

    exact: str | None = None
    prefix: str | None = Field(None, description="ends at a segment border: /api is not a prefix of /apix")
    regex: str | None = Field(None, description="RE2 syntax, found anywhere in the path unless anchored")
    whole_segments: bool = Field(True, description="false lets a prefix end within a segment")


class Text(Section):
    """A header, query parameter or cookie, and exactly one thing to ask of it."""

    name: str
    exact: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    contains: str | None = None
    regex: str | None = None
    present: Literal[True] | None = None
    absent: Literal[True] | None = None


class Match(Section):
    """All that are given must hold. Nothing given matches every request."""

    path: str | Path | None = Field(None, description="/a/*/b/** or one of {exact}, {prefix}, {regex}")
    methods: list[str] | None = None
    hosts: list[str] | None = Field(None, description="shop.test, or *.shop.test for all below it")
    headers: list[Text] = []
    query: list[Text] = []
    cookies: list[Text] = []
    all: list["Match"] | None = None
    any: list["Match"] | None = None
    not_: "Match | None" = Field(None, alias="not")


class Target(Section):
    """A cluster, or those of its endpoints that have this version, all these tags, or this id."""

    cluster: Name
    version: str | None = None
    tags: list[str] = []
    endpoint: Name | None = None


class Arm(Section):
    """One variant of a split."""

    to: Name | Target
    weight: Annotated[float, Field(strict=False, le=1e9)]
    name: Name | None = None


class StickyHeader(Section):
    header: HeaderName


class StickyCookie(Section):
    cookie: str


class Sticky(Section):
    """The key by which a client keeps its arm of a split."""

    by: Literal["session", "user", "tenant"] | StickyHeader | StickyCookie


class HeaderEdits(Section):
    set: dict[HeaderName, HeaderText] = {}
    add: dict[HeaderName, HeaderText] = {}
    remove: list[HeaderName] = []


class Headers(Section):
    request: HeaderEdits = HeaderEdits()
    response: HeaderEdits = HeaderEdits()


class Replace(Section):
    regex: str
    replace: str


class Rewrite(Section):
    strip_prefix: str | None = None
    path: Replace | None = None
    host: HeaderText | None = None


class Route(Section):
    """A match and what to do with it: exactly one of to, pool, split."""

    name: Name
    match: Match = Match()
    priority: int = Field(0, description="the higher first; then the more specific, then the earlier")
    enabled: bool = True
    to: Name | Target | None = Field(None, description="a cluster, or an endpoint of one")
    pool: list[Name | Target] | None = Field(None, description="several clusters as one")
    split: list[Arm] | None = None
    strategy: str | dict[str, dict[str, object]] = "weighted_round_robin"
    sticky: Sticky | None = None
    headers: Headers = Headers()
    rewrite: Rewrite | None = None
    labels: dict[str, str] = {}


class Ask(Section):
    """One request of a demo's tour, and what is to happen."""

    name: str = ""
    method: str = "GET"
    path: str
    host: str | None = None
    headers: dict[HeaderName, HeaderText] = {}
    body: str | None = None
    times: Annotated[int, Field(ge=1, le=10_000)] = 1
    expect: "Expect"


class Expect(Section):
    """What is not given is not checked. `endpoints` are counts over all `times`; a pair of numbers is a range."""

    status: int | None = None
    cluster: str | None = None
    endpoint: str | None = None
    endpoints: dict[str, int | Annotated[list[int], Field(min_length=2, max_length=2)]] | None = None
    path: str | None = Field(None, description="path and query as the endpoint saw it")
    host: str | None = None
    headers: dict[str, str | None] = Field({}, description="as the endpoint saw them; null for absent")
    response_headers: dict[str, str | None] = {}
    body: str | None = Field(None, description="a part of the response's body")


class Demo(Section):
    tour: list[Ask] = []


class Config(Section):
    """The whole file."""

    listen: Listen = Listen()
    envoy: Envoy = Envoy()
    on_error: str = Field("refuse", description="refuse, or the cluster to use when the sidecar itself fails")
    tickets: Tickets = Tickets()
    clusters: dict[Name, Cluster] = {}
    context: Context = Context()
    routes: list[Route] = []
    demo: Demo = Demo()
