"""The conditions of a route."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from sidecar.config.schema.base import MAPPING, TEXT, Section, forms


class Path(Section):
    """Exactly one of exact, prefix, regex."""

    exact: str | None = Field(None, description="the whole path")
    prefix: str | None = Field(None, description="ends at a segment border: /api is not a prefix of /apix")
    regex: str | None = Field(None, description="RE2 syntax, found anywhere in the path unless anchored")
    whole_segments: bool = Field(True, description="false lets a prefix end within a segment")


class Text(Section):
    """A header, query parameter or cookie, and exactly one thing to ask of it."""

    name: str = Field(description="its name; headers ignore case")
    exact: str | None = Field(None, description="it is this text")
    prefix: str | None = Field(None, description="it begins with this text")
    suffix: str | None = Field(None, description="it ends with this text")
    contains: str | None = Field(None, description="it holds this text")
    regex: str | None = Field(None, description="RE2 syntax, found anywhere in it unless anchored")
    present: Literal[True] | None = Field(None, description="it is there")
    absent: Literal[True] | None = Field(None, description="it is not there")


class Match(Section):
    """All that are given must hold. Nothing given matches every request."""

    path: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[Path, Tag(MAPPING)],
            forms("a path such as /a/*/b/**, or a mapping with exact, prefix or regex"),
        ]
        | None
    ) = Field(None, description="/a/*/b/** or one of {exact}, {prefix}, {regex}")
    methods: list[str] | None = Field(None, description="any of these, such as GET")
    hosts: list[str] | None = Field(None, description="shop.test, or *.shop.test for all below it")
    headers: list[Text] = Field([], description="all of these conditions on headers")
    query: list[Text] = Field([], description="all of these conditions on query parameters")
    cookies: list[Text] = Field([], description="all of these conditions on cookies")
    size: str | None = Field(None, description='of the body, as "> 10MB", "1MB..10MB"')
    body: dict[str, object] | None = Field(
        None, description="fields of a JSON body by dotted path: a value, or a list of values"
    )
    model: list[str] | None = Field(None, description="any of these models, or what they are aliases of")
    tenant: list[str] | None = Field(None, description="any of these, as the others by context")
    user: list[str] | None = Field(None, description="any of these")
    organization: list[str] | None = Field(None, description="any of these")
    tier: list[str] | None = Field(None, description="any of these")
    segment: list[str] | None = Field(None, description="any of these")
    region: list[str] | None = Field(None, description="any of these")
    country: list[str] | None = Field(None, description="any of these, such as DE")
    client_ip: list[str] | None = Field(None, description="any of these ranges, such as 10.0.0.0/8")
    hours: str | None = Field(None, description="such as 9-17 or 22:30-6; the end is not within it")
    zone: str | None = Field(None, description="of hours and days, such as Europe/Berlin; else UTC")
    days: list[str] | None = Field(None, description="mon to sun; a night belongs to the day it began on")
    priority: str | None = Field(None, description='such as ">= high", or one priority alone')
    flag: str | None = Field(None, description="this flag is on")
    all: list["Match"] | None = Field(None, description="all of these hold")
    any: list["Match"] | None = Field(None, description="at least one of these holds")
    not_: "Match | None" = Field(None, alias="not", description="this does not hold")
