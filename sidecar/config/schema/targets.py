"""Where requests are sent: a cluster, or a part of one."""

from typing import Annotated

from pydantic import Field, Tag

from sidecar.config.schema.base import MAPPING, TEXT, Section, forms


class Target(Section):
    """A cluster, or those of its endpoints with this version, region, zone and id, and all these tags."""

    cluster: str = Field(description="the cluster's name")
    version: str | None = Field(None, description="only endpoints of this version")
    tags: list[str] = Field([], description="only endpoints that have all these tags")
    region: str | None = Field(None, description="only endpoints in this region")
    zone: str | None = Field(None, description="only endpoints in this zone")
    endpoint: str | None = Field(None, description="only the endpoint with this id")


TargetForm = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[Target, Tag(MAPPING)],
    forms("a cluster's name, or a mapping with cluster and version, tags or endpoint"),
]
