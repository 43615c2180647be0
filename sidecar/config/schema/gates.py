"""Who gets in at all: asked before any route."""

from typing import Annotated

from pydantic import Field

from sidecar.config.schema.base import Section
from sidecar.config.values import ByteCount, HeaderName, Name

_STATUS = Annotated[int, Field(ge=400, le=599)]


class IpGate(Section):
    """By the client's address: with `allow` only these, with `block` all but these."""

    paths: list[str] = Field([], description="only for these paths, such as /admin/**; none for all")
    allow: list[str] = Field([], description="ranges such as 10.0.0.0/8; an unknown address is not allowed")
    block: list[str] = Field([], description="ranges; what is in both is blocked")
    status: _STATUS = Field(403, description="of the refusal")


class CountryGate(Section):
    """By `context.country`: with `allow` only these, with `block` all but these."""

    paths: list[str] = Field([], description="only for these paths; none for all")
    allow: list[str] = Field([], description="such as DE; a request without a country is not allowed")
    block: list[str] = Field([], description="countries; what is in both is blocked")
    override: bool = Field(False, description="true lets everybody pass, for an emergency")
    status: _STATUS = Field(403, description="of the refusal")


class RequireGate(Section):
    """A header must be there, and may have to hold one of some keys."""

    paths: list[str] = Field([], description="only for these paths; none for all")
    header: HeaderName = Field(description="the header's name")
    sha256: list[str] = Field([], description="its value must have one of these SHA-256 sums, in hexadecimal")
    status: _STATUS = Field(403, description="of the refusal")


class UploadGate(Section):
    """What may be sent to a path."""

    path: str = Field(description="such as /upload/**; without ** it is exact")
    max_size: ByteCount | None = Field(None, description="larger bodies get 413")
    types: list[str] = Field([], description="such as image/*; other content types get 415")


class Gate(Section):
    """Exactly one of ip, country, require, upload."""

    name: Name | None = Field(None, description="its name for commands and logs; else its kind and place")
    ip: IpGate | None = Field(None, description="by the client's address")
    country: CountryGate | None = Field(None, description="by country")
    require: RequireGate | None = Field(None, description="by a header")
    upload: UploadGate | None = Field(None, description="by size and type of the body")
