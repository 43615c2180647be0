"""Where requests can go."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from sidecar.config.schema.base import Section
from sidecar.config.schema.health import Breaker, Health, Scrape
from sidecar.config.schema.places import Degrees
from sidecar.config.values import (
    HostPort,
    Label,
    Name,
    Seconds,
    SecondsAboveZero,
    ShareAboveZero,
    whole_millionths,
)

Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000), AfterValidator(whole_millionths)]


class Endpoint(Section):
    """One address of a cluster. Its id is unique within the cluster; the address, where none is given."""

    address: HostPort = Field(description="host:port")
    id: Name | None = Field(None, description="its name in routes, metrics and headers; else the address")
    weight: Annotated[int, Field(ge=0, le=1000)] = Field(1, description="0 means never")
    version: Label = Field("", description="what a target with this version selects")
    region: Label = Field("", description="for strategies that look at regions")
    zone: Label = Field("", description="for strategies that look at zones")
    tags: list[Label] = Field([], description="what a target with these tags selects")
    location: Annotated[list[Degrees], Field(min_length=2, max_length=2)] | None = Field(
        None, description="latitude and longitude in degrees; else where the region is"
    )


class Capabilities(Section):
    """What requests may ask of a model server; see `needs` of routes and `context.capabilities`."""

    streaming: bool = Field(True, description="whether it can answer in parts")
    function_calling: bool = Field(True, description="whether it can call functions")
    vision: bool = Field(True, description="whether it can look at pictures")
    context_window: Tokens = Field(0, description="most tokens of a request; 0 for any")
    max_tokens: Tokens = Field(0, description="most tokens of an answer; 0 for any")


class Price(Section):
    """What tokens cost, in US dollars for 1,000."""

    input_per_1k: Dollars = Field(description="tokens of the request")
    output_per_1k: Dollars = Field(description="tokens of the answer")


class Limits(Section):
    """What each endpoint of the cluster may be given."""

    requests_per_minute: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        None, description="requests in any minute; an endpoint that had as many gets no more"
    )
    tokens_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000_000)] | None = Field(
        None, description="tokens in any minute, estimated before the request and settled after it"
    )
    load: ShareAboveZero | None = Field(
        None, description="an endpoint that reports more is passed over while another is left"
    )
    quota: ShareAboveZero | None = Field(
        None,
        description="one that reports more of its quota as used, or was given more of its limits, is passed "
        "over while another is left",
    )


class KeepAlive(Section):
    """Empty packets on a connection that stands still, which tell when its other end has gone."""

    time: SecondsAboveZero = Field(
        "60s", validate_default=True, description="without anything else until the first; 1s to 32767s"
    )
    interval: SecondsAboveZero = Field(
        "10s", validate_default=True, description="from one to the next, until one is answered; 1s to 32767s"
    )
    probes: Annotated[int, Field(ge=1, le=127)] = Field(
        3, description="so many without an answer, and the connection is closed"
    )


class Connections(Section):
    """What Envoy holds open to a cluster at once; above it requests get 503, those of class `high` never."""

    max: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        100, description="connections; null for any number, as where there is no `connections`"
    )
    pending: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        50, description="requests that wait for a connection; null likewise"
    )
    requests: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="requests at the same time"
    )
    idle: SecondsAboveZero = Field(
        "300s", validate_default=True, description="a connection without requests is closed after it"
    )
    keepalive: KeepAlive | None = Field(
        KeepAlive(), description="finds connections whose other end has gone; null for never"
    )


UNBOUNDED: Final = Connections(max=None, pending=None)
"""Of a cluster that says nothing of its connections: a limit that nobody asked for would refuse requests."""


class Dns(Section):
    """How often Envoy asks for the addresses of a cluster's host names."""

    refresh: SecondsAboveZero = Field(
        "300s", validate_default=True, description="from one answer to the next question; 1s at least"
    )
    failure_refresh: SecondsAboveZero = Field(
        "60s", validate_default=True, description="at most, after a question without an answer; 1s at least"
    )
    respect_ttl: bool = Field(
        False, description="true asks again when an answer says that its time is over, instead of `refresh`"
    )


class Cluster(Section):
    """A named set of endpoints. Without endpoints it is one that Envoy knows by this name from elsewhere."""

    endpoints: list[Endpoint] = Field(
        [], description="the addresses; none when Envoy knows the cluster already"
    )
    connect_timeout: SecondsAboveZero = Field(
        "1s", validate_default=True, description="how long Envoy waits for a connection"
    )
    connections: Connections = Field(
        UNBOUNDED, description="what Envoy holds open; without it, as much as it takes"
    )
    dns: Dns = Field(Dns(), description="how often host names are resolved")
    models: list[str] = Field([], description="the models that it serves; none listed: any")
    capabilities: Capabilities = Field(Capabilities(), description="what requests may ask of it")
    price: Price | None = Field(None, description="what its tokens cost")
    limits: Limits = Field(Limits(), description="what each endpoint may be given")
    health: Health = Field(Health(), description="by what its endpoints are judged")
    scrape: Scrape | None = Field(None, description="read load reports from the metrics of its endpoints")
    breaker: Breaker | None = Field(None, description="who fails too often is left alone for a while")
    slow_start: Seconds = Field(
        "30s",
        validate_default=True,
        description="how long strategies by load and latency take to give a new endpoint its full share",
    )
