"""Where things are: regions and zones, for strategies that look at distance and capacity."""

from typing import Annotated

from pydantic import ConfigDict, Field

from sidecar.config.schema.base import Section
from sidecar.config.values import (
    Label,
    SecondsAbove,
    SecondsAboveZero,
    Share,
    ShareAbove,
    ShareBelow,
)

Degrees = Annotated[float, Field(ge=-180, le=180)]


class Leave(Section):
    """When a region is left for the next; what is not given is no reason."""

    health: ShareBelow | None = Field(
        None, description="the share of its endpoints that may be picked; under it, as `< 95%`"
    )
    response_time: SecondsAbove | None = Field(
        None, description="how long the median of its answers took; above it, as `> 1s`"
    )
    error_rate: ShareAbove | None = Field(
        None, description="the share of its requests that failed; above it, as `> 5%`"
    )
    window: SecondsAboveZero = Field(
        "10s", validate_default=True, description="requests of how long ago count for answers and errors"
    )
    requests: Annotated[int, Field(ge=1, le=100_000)] = Field(
        20, description="with fewer, neither answers nor errors say anything"
    )


class Regions(Section):
    """The regions' order and places. Those of the large clouds have their places already."""

    primary: Label = Field("", description="the first choice where nothing is nearer")
    order: list[Label] = Field([], description="the next choices, in this order")
    leave: Leave | None = Field(
        None, description="one region has the traffic, until it is left for one of these reasons"
    )
    return_after: SecondsAboveZero = Field(
        "60s", validate_default=True, description="how long a region that was left has to be good again"
    )
    latency_threshold: SecondsAboveZero = Field(
        "200ms", validate_default=True, description="a region that took longer lately is passed over"
    )
    places: dict[str, Annotated[list[Degrees], Field(min_length=2, max_length=2)]] = Field(
        {}, description="latitude and longitude in degrees of regions that are not known by name"
    )

    @property
    def all_in_order(self) -> list[str]:
        """The primary region first, and none twice."""
        return list(dict.fromkeys([self.primary, *self.order] if self.primary else self.order))


class CrossZone(Section):
    """Requests that leave their zone."""

    penalty: Annotated[float, Field(ge=1, le=1000)] = Field(
        1.5, description="another zone looks so many times as full as it is"
    )
    max_share: Share = Field("30%", validate_default=True, description="of a zone's requests, at most")


class Zones(Section):
    """Zones and what each can take; zones that are not named have none. Without any, weights say it."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Share]

    cross_zone: CrossZone = Field(CrossZone(), description="requests that leave their zone")
    local: Label = Field("", description="the zone of this sidecar, for requests that name none")

    @property
    def capacity(self) -> dict[str, float]:
        """By zone, 0 to 1."""
        return dict(self.__pydantic_extra__ or {})
