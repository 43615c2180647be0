"""Answers that are given again: Envoy's cache, and the last good answer for when nobody is left."""

from typing import Annotated

from pydantic import Field

from sidecar.config.schema.base import Section
from sidecar.config.values import ByteCount, ByteCountAboveZero, HeaderName, Seconds, SecondsAboveZero


class Cache(Section):
    """Envoy's cache of answers to GET."""

    ttl: SecondsAboveZero = Field(
        "300s", validate_default=True, description="of an answer with status 200 that says nothing of it"
    )
    vary: list[HeaderName] = Field(
        [], description="headers of the request of which each value has an answer of its own"
    )
    cookies: bool = Field(
        False, description="true answers requests with cookies too; they get what everybody gets"
    )


class LastGood(Section):
    """Answers to GET that are kept for when nobody is left to answer."""

    max_age: SecondsAboveZero = Field("1h", validate_default=True, description="an older one is not given")
    max_size: ByteCountAboveZero = Field(
        "64KB", validate_default=True, description="a larger body is not kept"
    )
    entries: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1000, description="of this route at most; what was taken longest ago goes first"
    )
    memory: ByteCount = Field("16MB", validate_default=True, description="of this route at most, altogether")
    refresh: Seconds = Field(
        "10s", validate_default=True, description="one that is younger is not taken anew; 0s takes each"
    )
    vary: list[HeaderName] = Field(
        ["accept", "accept-encoding", "accept-language"],
        description="headers of the request of which each value has an answer of its own",
    )
