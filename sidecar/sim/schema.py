"""The shape of a scenario's file. Unknown keys are errors; nearly everything has a default.

Only the shape: what needs two places to judge (a placeholder without values) is `files`'.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, Tag, WithJsonSchema

from sidecar.config.errors import shown
from sidecar.config.schema.base import MAPPING, TEXT, Section, forms
from sidecar.config.values import ByteCount, HeaderName, HeaderText, Name, Seconds, SecondsAboveZero, Share

_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)/(s|min|h)", re.ASCII)
_PER: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_MOST_A_SECOND: Final = 1e6


def rate(value: object) -> float:
    """Requests a second of `100/s`, `600/min`, or the number itself. ValueError for anything else."""
    told: float | None = None
    if isinstance(value, str):
        found = _RATE.fullmatch(value)
        if found:
            told = float(found[1]) / _PER[found[2]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        told = float(value)
    if told is None:
        raise ValueError(f"{shown(value)} is not a rate; write one such as 100/s or 600/min")
    if not 0.0 < told <= _MOST_A_SECOND:
        raise ValueError(f"must be above 0 and at most 1000000/s, got {value}")
    return told


def moment(value: object) -> float:
    """Seconds since 1970 of `2026-01-05T08:00Z`. ValueError for anything else."""
    try:
        told = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        told = None
    if told is None or told.tzinfo is None or not 1970 < told.year < 3000:
        raise ValueError(
            f"{shown(value)} is not a moment; write one with its offset from UTC, such as 2026-01-05T08:00Z"
        )
    return told.astimezone(UTC).timestamp()


Rate = Annotated[
    float,
    BeforeValidator(rate),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": r"^[0-9]+(\.[0-9]+)?/(s|min|h)$",
                    "examples": ["100/s", "600/min"],
                },
            ]
        }
    ),
]
Moment = Annotated[
    float, BeforeValidator(moment), WithJsonSchema({"type": "string", "examples": ["2026-01-05T08:00Z"]})
]


class Takes(Section):
    """How long something takes: one of mean and median, and how it spreads."""

    mean: SecondsAboveZero | None = Field(None, description="the mean")
    median: SecondsAboveZero | None = Field(None, description="half of them take less")
    spread: Literal["constant", "exponential", "lognormal"] = Field(
        "exponential", description="lognormal has the longest tail"
    )
    sigma: Annotated[float, Field(gt=0, le=5)] | None = Field(
        None, description="of lognormal: how long the tail is; else 1"
    )


class Body(Section):
    """How large bodies are: one of mean and median, and how they spread."""

    mean: ByteCount | None = Field(None, description="the mean")
    median: ByteCount | None = Field(None, description="half of them are smaller")
    spread: Literal["constant", "exponential", "lognormal"] = Field(
        "exponential", description="lognormal has the longest tail"
    )
    sigma: Annotated[float, Field(gt=0, le=5)] | None = Field(
        None, description="of lognormal: how long the tail is; else 1"
    )


class Values(Section):
    """What a placeholder may stand for: one of count and of."""

    count: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="so many different ones, the numbers from 0 on"
    )
    of: Annotated[list[str], Field(min_length=1, max_length=10_000)] | None = Field(
        None, description="these texts"
    )
    spread: Literal["uniform", "zipf"] = Field(
        "uniform", description="zipf: the nth comes 1/n as often as the first"
    )
    exponent: Annotated[float, Field(gt=0, le=5)] | None = Field(
        None, description="of zipf: the nth comes 1/n to the power of this as often as the first; else 1"
    )
    letters: Annotated[int, Field(ge=1, le=8000)] | None = Field(
        None, description="with count: each stands for a text of so many letters, no two of which begin alike"
    )


class Client(Section):
    """One kind of requests. `{name}` in path, host, headers and JSON is one of the values of that name."""

    weight: Annotated[float, Field(gt=0, le=1e9)] = Field(
        1.0, description="its share is its part of all weights"
    )
    method: str = Field("GET", description="of these requests")
    host: str = Field("localhost", description="of these requests")
    path: str = Field("/", description="path and query")
    headers: dict[HeaderName, HeaderText] = Field({}, description="of these requests")
    body: (
        Annotated[
            Annotated[ByteCount, Tag(TEXT)] | Annotated[Body, Tag(MAPPING)],
            forms("a size such as 10KB, or a mapping with mean or median"),
        ]
        | None
    ) = Field(None, description="how large it is; none without it")
    json_: Any = Field(None, alias="json", description="in place of `body`: JSON that rules can look into")


class Cache(Section):
    """What a server still has need not be made again."""

    by: HeaderName = Field(description="the header that says what is asked for")
    keys: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        description="it keeps what was asked for last, so many"
    )
    prefix: Annotated[int, Field(ge=1, le=8000)] | None = Field(
        None, description="the first letters of the header alone say it; else all of them"
    )
    hit_takes: Share = Field("10%", validate_default=True, description="of the time, where it is found")


class Server(Section):
    """What stands behind an endpoint."""

    takes: Annotated[
        Annotated[SecondsAboveZero, Tag(TEXT)] | Annotated[Takes, Tag(MAPPING)],
        forms("a duration such as 50ms, or a mapping with mean or median"),
    ] = Field(description="how long it works on a request; a duration alone is the mean of exponential times")
    capacity: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        10, description="requests that it works on at once; others wait"
    )
    queue: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        1_000, description="requests that may wait; further ones are answered with 503"
    )
    failures: Share = Field("0%", validate_default=True, description="of its answers are 500")
    failures_take: SecondsAboveZero | None = Field(
        None, description="how long these take; else as long as any other answer"
    )
    doubled_by: ByteCount | None = Field(
        None, description="a body of this size takes twice as long, one of twice that three times"
    )
    cache: Cache | None = Field(None, description="what makes some requests quicker")
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        None, description="its quota; further ones in the same minute are answered with 429"
    )


class Change(Section):
    """What becomes of a server. What is left out stays as it was."""

    at: Seconds = Field(description="when, from the beginning on")
    server: str = Field(description="an endpoint, or all those of a cluster")
    slower: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        None, description="from then on it takes so many times as long as at first; 1 is as at first"
    )
    failures: Share | None = Field(None, description="from then on so many of its answers are 500")
    down: bool | None = Field(None, description="true: nobody listens there any more; false: it is back")


class Scenario(Section):
    """The whole file."""

    title: str = Field("", description="what stands above tables and pictures")
    duration: SecondsAboveZero = Field("60s", validate_default=True, description="how long requests come")
    warm_up: Seconds = Field(
        "0s", validate_default=True, description="the table leaves out the requests that come before"
    )
    rate: Rate | None = Field(None, description="how many requests come, on average")
    utilisation: Share | None = Field(
        None,
        description="in place of rate: as many as keep this share of all servers busy, as they are at first",
    )
    seed: int = Field(1, description="another seed is another draw of all that is left to chance")
    starts_at: Moment = Field(
        "2026-01-05T00:00Z", validate_default=True, description="what the clocks show at the beginning"
    )
    sidecars: Annotated[int, Field(ge=1, le=1_000)] = Field(
        1, description="how many share the requests, each by what it knows itself"
    )
    reports_every: SecondsAboveZero | None = Field(
        None, description="servers report load, quota and cache hits so often; else never"
    )
    feedback_delay: Seconds = Field(
        "0s",
        validate_default=True,
        description="how long after its end the sidecar learns how a request ended",
    )
    feedback_lost: Share = Field("0%", validate_default=True, description="of the requests it never does")
    timeout: SecondsAboveZero | None = Field(None, description="clients wait no longer; else for ever")
    values: dict[Name, Values] = Field({}, description="what placeholders stand for")
    clients: Annotated[list[Client], Field(min_length=1)] = Field(
        default_factory=lambda: [Client()], description="the kinds of requests that come; else GET / alone"
    )
    servers: dict[str, Server] = Field(
        description="by endpoint (`cluster/id`), by cluster, and `default` for all the others"
    )
    changes: list[Change] = Field([], description="what becomes of the servers in the course of time")
