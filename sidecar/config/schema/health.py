"""By what the endpoints of a cluster are judged."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag

from sidecar.config.schema.base import MAPPING, TEXT, Section, forms
from sidecar.config.schema.routes import Respond
from sidecar.config.values import (
    HEADER_TEXT,
    HOST,
    METRIC,
    URL_PATH,
    Seconds,
    SecondsAboveZero,
    Share,
    ShareAboveZero,
    real_host,
)

Few = Annotated[int, Field(ge=1, le=1000)]
Port = Annotated[int, Field(ge=1, le=65535)]
UrlPath = Annotated[str, Field(pattern=URL_PATH, max_length=2048)]
Host = Annotated[str, Field(pattern=HOST), AfterValidator(real_host)]


class Probe(Section):
    """A question that the sidecar asks each endpoint by itself, again and again."""

    http: UrlPath | None = Field(None, description="the path of a GET; a status of 200 to 299 is healthy")
    grpc: Annotated[str, Field(pattern=HEADER_TEXT, max_length=256)] | None = Field(
        None, description="in place of http: the service that grpc.health.v1 is asked about; empty for all"
    )
    statuses: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        [], description="of http: those that are healthy; none listed: 200 to 299"
    )
    host: Host | None = Field(None, description="the host that is asked for; else the cluster's name")
    port: Port | None = Field(None, description="where to ask; else where the requests go")
    interval: SecondsAboveZero = Field(
        "15s",
        validate_default=True,
        description="from one question to the next, a tenth more or less; 100ms at least",
    )
    timeout: SecondsAboveZero = Field(
        "5s",
        validate_default=True,
        description="for all of it: the name, the connection and the whole answer; 1ms at least",
    )
    healthy: Few = Field(2, description="good answers in a row that make an endpoint healthy again")
    unhealthy: Few = Field(3, description="bad answers in a row that make it unhealthy")


class Reading(Section):
    """A number on a metrics page: the largest of the samples of its name, or their sum."""

    metric: Annotated[str, Field(pattern=METRIC)] = Field(description="the name of the samples")
    labels: dict[str, str] = Field({}, description="only of samples that have these labels")
    full: Annotated[float, Field(gt=0, le=1e12)] | None = Field(
        None, description="how much is all that there is; else the number is a share, 0 to 1"
    )
    samples: Literal["max", "sum"] = Field("max", description="of several samples: the largest, or their sum")


class Scrape(Section):
    """Reads load reports from a page of metrics in Prometheus text form that each endpoint has."""

    path: UrlPath = Field("/metrics", description="of the page")
    host: Host | None = Field(None, description="the host that is asked for; else the cluster's name")
    port: Port | None = Field(None, description="where to ask; else where the requests go")
    interval: SecondsAboveZero = Field(
        "5s",
        validate_default=True,
        description="from one question to the next, a tenth more or less; 100ms at least",
    )
    timeout: SecondsAboveZero = Field(
        "2s",
        validate_default=True,
        description="for all of it: the name, the connection and the whole page; 1ms at least",
    )
    utilisation: list[Reading] = Field([], description="how busy it is: the largest of these")
    quota_used: list[Reading] = Field([], description="how much of its quota is used: the largest of these")
    cache_hit_rate: list[Reading] = Field([], description="how often its cache hits: the largest of these")


class Outliers(Section):
    """When an endpoint is ejected for a while, by how its requests ended lately."""

    failure_rate: Share = Field(
        "50%", validate_default=True, description="the share of failures from which on; 0% for never"
    )
    p99: Seconds = Field(
        "1s",
        validate_default=True,
        description="the 99th percentile of latency above which, where others are quicker; 0s for never",
    )
    max_ejected: ShareAboveZero = Field(
        "50%",
        validate_default=True,
        description="of the cluster's endpoints at most; but always one, and never a pool's last",
    )
    window: SecondsAboveZero = Field(
        "10s", validate_default=True, description="requests of how long ago count"
    )
    requests: Few = Field(10, description="with fewer in the window nothing is concluded")
    ejected_for: SecondsAboveZero = Field(
        "30s", validate_default=True, description="the first time; the n-th time in a row n times as long"
    )
    max_ejected_for: SecondsAboveZero = Field(
        "5m", validate_default=True, description="at most; where it is not written, no less than ejected_for"
    )


class Score(Section):
    """The health score, from 0 to 1."""

    min: Share = Field(
        "70%", validate_default=True, description="an endpoint below is passed over while another is left"
    )
    alpha: ShareAboveZero = Field(
        "30%", validate_default=True, description="weight of the latest outcome in the moving averages"
    )
    window: SecondsAboveZero = Field(
        "60s", validate_default=True, description="a score that is older fades, by 5% each time"
    )
    latency: SecondsAboveZero = Field(
        "500ms", validate_default=True, description="the median latency that is worth nothing"
    )


class Health(Section):
    """Who is healthy. What is not named here is not judged."""

    probe: Probe | None = Field(None, description="ask each endpoint by itself")
    outliers: Outliers | None = Field(None, description="eject who fails or is slow more often than others")
    score: Score | None = Field(None, description="pass over who has a low score")
    failure_statuses: list[Annotated[int, Field(ge=400, le=599)]] = Field(
        [],
        description="answers that speak against an endpoint, in breakers, outliers, scores and regions; "
        "none listed: all 5xx but 501 and 505",
    )
    panic: Share = Field(
        "0%",
        validate_default=True,
        description="with fewer than this share healthy or degraded, health does not count; 0% for never",
    )


class Otherwise(Section):
    """What happens to requests while nobody in a route's pool may be picked: exactly one of to, respond."""

    to: str | None = Field(None, description="a cluster that stands in, such as a read replica")
    methods: list[str] | None = Field(
        None, description="of requests that may go there, such as GET and HEAD; else all"
    )
    respond: Respond | None = Field(None, description="the answer, in place of a refusal")


OtherwiseForm = Annotated[
    Annotated[Literal["next"], Tag(TEXT)] | Annotated[Otherwise, Tag(MAPPING)],
    forms("next, or a mapping with to or respond"),
]


class Breaker(Section):
    """A circuit breaker for each endpoint."""

    failures: Annotated[int, Field(ge=0, le=1000)] = Field(
        5, description="failures in a row that open it; 0 for never"
    )
    success_rate: Share = Field(
        "0%",
        validate_default=True,
        description="less than this share served in the window opens it; 0% for never",
    )
    requests: Few = Field(20, description="with fewer in the window, success_rate says nothing")
    window: SecondsAboveZero = Field(
        "10s", validate_default=True, description="requests of how long ago count"
    )
    open: SecondsAboveZero = Field(
        "30s", validate_default=True, description="how long it is open; twice as long when trials fail"
    )
    max_open: SecondsAboveZero = Field("60s", validate_default=True, description="at most")
    half_open: Few = Field(3, description="trials at a time when its time is over")
    close_after: Few = Field(
        2, description="trials that have to be served to close it; where it is not written, at most half_open"
    )
    otherwise: OtherwiseForm = Field(
        "next", description="while nobody is left: next, which is the route's `failover`; or to, respond"
    )
