"""What `sidecar demo` shows: requests, and what is to happen with them."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, Tag

from sidecar.config.schema.base import LIST, NUMBER, Section, forms
from sidecar.config.values import STATUS, HeaderName, HeaderText, Seconds, SecondsAboveZero, Share

Count = Annotated[
    Annotated[int, Tag(NUMBER)] | Annotated[list[int], Field(min_length=2, max_length=2), Tag(LIST)],
    forms("a whole number, or a list of the lowest and the highest"),
]
"""How often something happens."""


class SlowerThan(Section):
    """How many answers took their time."""

    ms: Annotated[float, Field(gt=0, le=60_000)] = Field(description="milliseconds until the whole answer")
    times: Count = Field(description="how many answers took at least so long, or [lowest, highest]")


class Expect(Section):
    """What is not given is not checked."""

    status: int | None = Field(None, description="the response's status")
    statuses: dict[Annotated[str, StringConstraints(pattern=STATUS)], Count] | None = Field(
        None, description="how often each status came in all `times`, or [lowest, highest]; others never"
    )
    cluster: str | None = Field(None, description="the cluster that was chosen")
    endpoint: str | None = Field(None, description="the endpoint that was chosen")
    endpoints: dict[str, Count] | None = Field(
        None, description="how often each endpoint was chosen in all `times`, or [lowest, highest]"
    )
    asked: dict[str, Count] | None = Field(
        None,
        description="how many requests came to each endpoint in all `times`, those sent again among them, or "
        "[lowest, highest]",
    )
    mirrored: dict[str, Count] | None = Field(
        None, description="how many copies each endpoint got in all `times`, or [lowest, highest]"
    )
    path: str | None = Field(None, description="path and query as the endpoint saw it")
    host: str | None = Field(None, description="the host as the endpoint saw it")
    headers: dict[str, str | None] = Field({}, description="as the endpoint saw them; null for absent")
    body_bytes: int | None = Field(None, description="how many bytes of body the endpoint got")
    response_headers: dict[str, str | None] = Field({}, description="as the client saw them; null for absent")
    content_type: str | None = Field(None, description="of the response, without its parameters")
    body: str | None = Field(None, description="a part of the response's body")
    slower_than: SlowerThan | None = Field(None, description="how many answers took their time")

    @property
    def counts(self) -> bool:
        """Whether anything is said of all answers together."""
        counted = (self.statuses, self.endpoints, self.asked, self.mirrored, self.slower_than)
        return any(each is not None for each in counted)


class Reports(Section):
    """What an endpoint of the demo says of its load with every answer."""

    utilisation: Share | None = Field(None, description="how busy it says it is")
    quota_used: Share | None = Field(None, description="how much of its quota it says is used")
    cache_hit_rate: Share | None = Field(None, description="how often it says its cache hits")


class Behaviour(Section):
    """How one of the demo's endpoints answers; else at once, and with 200."""

    delay: Seconds = Field("0s", validate_default=True, description="how long it waits before it answers")
    status: Annotated[int, Field(ge=200, le=599)] = Field(200, description="of its answers")
    hang: bool = Field(False, description="true takes requests and never answers")
    down: bool = Field(False, description="true refuses connections")
    reports: Reports = Field(Reports(), description="what it says of its load")
    health: Annotated[int, Field(ge=200, le=599)] | None = Field(
        None, description="the status of its answers to probes; else as `status`"
    )
    metrics: str = Field("", description="its page of metrics, for scrapes")


class Ask(Section):
    """One request of a demo's tour, and what is to happen."""

    name: str = Field("", description="what it shows")
    become: dict[str, Behaviour] = Field(
        {}, description="by id, endpoints that behave so from now on; `{}` is as usual again"
    )
    method: str = Field("GET", description="the request's method")
    path: str = Field(description="path and query, sent as they are")
    host: str | None = Field(None, description="the request's host")
    headers: dict[HeaderName, HeaderText] = Field({}, description="the request's headers")
    body: str | None = Field(None, description="the request's body")
    body_bytes: Annotated[int, Field(ge=0, le=100_000_000)] | None = Field(
        None, description="in place of `body`: one of so many bytes"
    )
    json_: Any = Field(None, alias="json", description="in place of `body`: JSON, with its content type")
    chunked: bool = Field(False, description="true sends the body without telling its length ahead")
    times: Annotated[int, Field(ge=1, le=10_000)] = Field(1, description="how often it is sent")
    parallel: bool | None = Field(
        None, description="8 at once; else so from 21 `times` on where no `endpoints` are expected"
    )
    keep_cookies: bool = Field(
        False, description="true sends back what answers to such requests set, as a browser does"
    )
    until: SecondsAboveZero | None = Field(
        None, description="all is sent again until the expected numbers come, for so long at most"
    )
    expect: Expect = Field(description="what is to happen")


class Demo(Section):
    """What `sidecar demo` shows."""

    endpoints: dict[str, Behaviour] = Field(
        {}, description="by id, endpoints that answer otherwise than at once with 200"
    )
    tour: list[Ask] = Field([], description="requests and what is to happen with them")
