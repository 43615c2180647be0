"""By what the endpoints of a cluster are judged."""

from typing import Annotated

from pydantic import Field

from sidecar.config.schema.base import Section
from sidecar.config.values import Seconds, SecondsAboveZero, Share, ShareAboveZero

Few = Annotated[int, Field(ge=1, le=1000)]


class Probe(Section):
    """A question that the sidecar asks each endpoint by itself, again and again."""

    http: Annotated[str, Field(pattern="^/")] | None = Field(
        None, description="the path of a GET; a status of 200 to 299 is healthy"
    )
    grpc: str | None = Field(
        None, description="in place of http: the service that grpc.health.v1 is asked about; empty for all"
    )
    interval: SecondsAboveZero = Field(
        "15s", validate_default=True, description="from one question to the next"
    )
    timeout: SecondsAboveZero = Field("5s", validate_default=True, description="how long the answer may take")
    healthy: Few = Field(2, description="good answers in a row that make an endpoint healthy again")
    unhealthy: Few = Field(3, description="bad answers in a row that make it unhealthy")


class Outliers(Section):
    """When an endpoint is ejected for a while, by how its requests ended lately."""

    failure_rate: Share = Field(
        "50%", validate_default=True, description="the share of failures from which on; 0% for never"
    )
    p99: Seconds = Field(
        "1s", validate_default=True, description="the 99th percentile of latency above which; 0s for never"
    )
    max_ejected: ShareAboveZero = Field(
        "50%", validate_default=True, description="of the cluster's endpoints at most; but always one"
    )
    window: SecondsAboveZero = Field(
        "10s", validate_default=True, description="requests of how long ago count"
    )
    requests: Few = Field(10, description="with fewer in the window nothing is concluded")
    ejected_for: SecondsAboveZero = Field(
        "30s", validate_default=True, description="the first time; the n-th time in a row n times as long"
    )
    max_ejected_for: SecondsAboveZero = Field("5m", validate_default=True, description="at most")


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
    panic: Share = Field(
        "0%",
        validate_default=True,
        description="with fewer healthy endpoints than this share, health does not count; 0% for never",
    )


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
    half_open: Few = Field(3, description="trials that are let through when its time is over")
    close_after: Few = Field(2, description="trials that have to be served to close it")
