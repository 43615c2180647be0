"""Where requests can go."""

from typing import Annotated

from pydantic import Field

from sidecar.config.schema.base import Section
from sidecar.config.values import HostPort, Label, Name, SecondsAboveZero


class Endpoint(Section):
    """One address of a cluster. Its id is unique within the cluster; the address, where none is given."""

    address: HostPort = Field(description="host:port")
    id: Name | None = Field(None, description="its name in routes, metrics and headers; else the address")
    weight: Annotated[int, Field(ge=0, le=1000)] = Field(1, description="0 means never")
    version: Label = Field("", description="what a target with this version selects")
    region: Label = Field("", description="for strategies that look at regions")
    zone: Label = Field("", description="for strategies that look at zones")
    tags: list[Label] = Field([], description="what a target with these tags selects")


class Connections(Section):
    """What Envoy holds open to a cluster at once; above it requests get 503, those of class `high` never."""

    max: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(None, description="connections")
    pending: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="requests that wait for a connection"
    )
    requests: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="requests at the same time"
    )
    idle: SecondsAboveZero | None = Field(
        None, description="a connection without requests is closed after it"
    )


class Cluster(Section):
    """A named set of endpoints. Without endpoints it is one that Envoy knows by this name from elsewhere."""

    endpoints: list[Endpoint] = Field(
        [], description="the addresses; none when Envoy knows the cluster already"
    )
    connect_timeout: SecondsAboveZero = Field(
        "1s", validate_default=True, description="how long Envoy waits for a connection"
    )
    connections: Connections = Field(Connections(), description="limits of what Envoy holds open")
