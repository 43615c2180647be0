"""Which request goes where, and what happens with it on the way."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from sidecar.config.schema.base import MAPPING, TEXT, Section, forms
from sidecar.config.schema.cache import Cache, LastGood
from sidecar.config.schema.match import Match
from sidecar.config.schema.retries import LinkForm, Retry
from sidecar.config.schema.targets import TargetForm
from sidecar.config.values import (
    ByteCount,
    HeaderName,
    HeaderText,
    Name,
    Seconds,
    SecondsAboveZero,
    Share,
)


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


def _sticky_form(value: object) -> str | None:
    if isinstance(value, str):
        return TEXT
    given = [
        source
        for source in ("header", "cookie")
        if (isinstance(value, dict) and source in value) or hasattr(value, source)
    ]
    return f"({given[0]})" if len(given) == 1 else None


class Sticky(Section):
    """What a client is known by that keeps its endpoint, and the arm of a split."""

    by: (
        Annotated[
            Annotated[Literal["session", "user", "tenant", "client_ip"], Tag(TEXT)]
            | Annotated[StickyHeader, Tag("(header)")]
            | Annotated[StickyCookie, Tag("(cookie)")],
            Discriminator(
                _sticky_form,
                custom_error_type="form",
                custom_error_message="session, user, tenant, client_ip, {header: name} or {cookie: name}",
            ),
        ]
        | None
    ) = Field(None, description="session, user, tenant, client_ip, or one header or cookie")
    timeout: SecondsAboveZero = Field(
        "300s", validate_default=True, description="after so long without a request it is forgotten"
    )
    cookie: str | None = Field(None, description="the name of a cookie that the sidecar writes")
    secure: bool | None = Field(
        None, description="whether that cookie is for TLS only; else if the client came over TLS"
    )


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
    """What is found by the regex is replaced, everywhere in the path, 100 times at most."""

    regex: str = Field(description="RE2 syntax, found anywhere in the path unless anchored")
    replace: str = Field(description="the new text; \\1 to \\9 are the regex's groups, \\0 is all it found")


class Rewrite(Section):
    """How the path and host change before the request goes on."""

    strip_prefix: str | None = Field(None, description="taken off at a segment border, where it stands")
    path: Replace | None = Field(None, description="replaced in the path, after strip_prefix")
    host: HeaderText | None = Field(None, description="the host that the endpoint sees")


class Redirect(Section):
    """What the client is told to ask instead. What is not given stays as it was asked."""

    path: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[Replace, Tag(MAPPING)],
            forms("a path, or a mapping with regex and replace"),
        ]
        | None
    ) = Field(None, description="the new path, or {regex, replace} of the old one")
    host: HeaderText | None = Field(None, description="the new host, with a port where it needs one")
    scheme: Literal["http", "https"] | None = Field(None, description="the new scheme")
    status: Literal[301, 302, 303, 307, 308] = Field(301, description="of the answer")
    keep_query: bool = Field(True, description="false leaves the query out")


class Respond(Section):
    """An answer that needs no endpoint."""

    status: Annotated[int, Field(ge=200, le=599)] = Field(200, description="of the answer")
    body: str = Field("", description="its body")
    content_type: HeaderText = Field("text/plain", description="of the body")
    headers: dict[HeaderName, HeaderText] = Field({}, description="more headers of the answer")


class Reject(Section):
    """Why a request is refused."""

    reason: str = Field(
        description="rate_limited, model_not_allowed, invalid_request, maintenance, or any text"
    )
    status: Annotated[int, Field(ge=400, le=599)] | None = Field(
        None, description="of the refusal; else what the reason means: 429, 403, 400, 503, any text 403"
    )
    body: str | None = Field(None, description="plain text for the client in place of the reason as JSON")


class Set(Section):
    """What a route changes for the routes after it."""

    priority: Literal["low", "normal", "high", "critical"] | None = Field(
        None, description="the request's priority"
    )


class Delay(Section):
    """Some requests wait before they go on."""

    share: Share = Field("100%", validate_default=True, description="of the requests, such as 10%")
    for_: SecondsAboveZero = Field(alias="for", description="how long they wait")


class Abort(Section):
    """Some requests fail."""

    share: Share = Field("100%", validate_default=True, description="of the requests, such as 1%")
    status: Annotated[int, Field(ge=200, le=599)] = Field(503, description="of the failure")


class Fault(Section):
    """Delays and failures on purpose, to see what clients make of them."""

    delay: Delay | None = Field(None, description="some requests wait")
    abort: Abort | None = Field(None, description="some requests fail")


class Mirror(Section):
    """Copies of requests."""

    to: str = Field(description="the cluster that gets them")
    share: Share = Field("100%", validate_default=True, description="of the requests, such as 5%")


class Route(Section):
    """A match and what to do: exactly one of to, pool, split, redirect, respond, reject, set."""

    name: Name = Field(description="unique among the routes; memory is kept by it")
    match: Match = Field(Match(), description="the conditions; none matches every request")
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = Field(
        0, description="the higher first; then the more specific, then the earlier"
    )
    enabled: bool = Field(True, description="false switches the route off")
    to: TargetForm | None = Field(None, description="a cluster, or an endpoint of one")
    pool: list[TargetForm] | None = Field(None, description="several clusters as one")
    split: list[Arm] | None = Field(None, description="variants that share the requests by weight")
    redirect: Redirect | None = Field(None, description="the client is sent elsewhere")
    respond: Respond | None = Field(None, description="a fixed answer")
    reject: Reject | None = Field(None, description="the request is refused, with a reason")
    set: Set | None = Field(None, description="changes what later routes see, and the search goes on")
    share: Share | None = Field(
        None, description="of the requests that match; the others go on to the next route"
    )
    strategy: Annotated[
        Annotated[str, Tag(TEXT)] | Annotated[dict[str, dict[str, object]], Tag(MAPPING)],
        forms("a strategy's name, or {name: {option: value}}"),
    ] = Field(
        "weighted_round_robin", description="how an endpoint is picked: a name, or {name: {option: value}}"
    )
    sticky: Sticky | None = Field(None, description="keeps each client at its endpoint, and in its arm")
    retry: Retry | None = Field(None, description="when a request is sent again; without it, never")
    failover: list[LinkForm] | None = Field(None, description="where to go next when an attempt fails")
    needs: list[Literal["streaming", "function_calling", "vision"]] | None = Field(
        None, description="only endpoints that can do this; see capabilities of clusters"
    )
    headers: Headers = Field(Headers(), description="changes of headers")
    rewrite: Rewrite | None = Field(None, description="changes of path and host")
    labels: dict[str, str] = Field({}, description="free text that travels with each decision")
    timeout: Seconds | None = Field(None, description="for the whole answer; 0s for none, which is usual")
    idle_timeout: SecondsAboveZero | None = Field(None, description="for a stream on which nothing moves")
    buffer: ByteCount | None = Field(None, description="most of a body that Envoy holds for this route")
    priority_class: Literal["default", "high"] = Field(
        "default", description="high: the limits of the cluster's connections do not count"
    )
    fault: Fault | None = Field(None, description="delays and failures on purpose")
    cache: Cache | None = Field(None, description="Envoy keeps answers to GET and gives them again")
    last_good: LastGood | None = Field(
        None, description="keep answers to GET, and give them while nobody is left to answer"
    )
    mirror: Mirror | None = Field(None, description="copies go to another cluster; their answers are dropped")
