"""What is tried again when an attempt fails, and where."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Tag, WithJsonSchema

from sidecar.config.errors import shown
from sidecar.config.schema.base import MAPPING, TEXT, Section, forms
from sidecar.config.schema.targets import TargetForm
from sidecar.config.values import SecondsAboveZero

FAILURES = ("connect", "timeout", "reset")


def _cause(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599:
        return value
    if value in FAILURES:
        return str(value)
    raise ValueError(
        f"{shown(value)} is nothing to try again for; "
        "write a status from 400 to 599, connect, timeout or reset"
    )


Cause = Annotated[
    int | str,
    BeforeValidator(_cause),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 400, "maximum": 599}, {"enum": list(FAILURES)}]}
    ),
]
Attempts = Annotated[int, Field(ge=1, le=10)]


class Exponential(Section):
    """Each wait is `factor` times the one before."""

    base: SecondsAboveZero = Field("100ms", validate_default=True, description="the first wait")
    factor: Annotated[float, Field(ge=1, le=100)] = Field(
        2.0, description="how much longer each wait is; Envoy always doubles"
    )
    max: SecondsAboveZero = Field("5s", validate_default=True, description="no wait is longer")
    jitter: bool = Field(True, description="wait any time up to that; Envoy always does")


class Linear(Section):
    """The second wait is twice the first, the third three times."""

    base: SecondsAboveZero = Field("500ms", validate_default=True, description="the first wait")
    max: SecondsAboveZero = Field("5s", validate_default=True, description="no wait is longer")
    jitter: bool = Field(True, description="wait any time up to that; Envoy always does")


class Fibonacci(Section):
    """Each wait is the sum of the two before: 1, 1, 2, 3, 5 times the first."""

    base: SecondsAboveZero = Field("100ms", validate_default=True, description="the first wait")
    max: SecondsAboveZero = Field("5s", validate_default=True, description="no wait is longer")
    jitter: bool = Field(True, description="wait any time up to that; Envoy always does")


class Backoff(Section):
    """How long to wait before each retry: exactly one of the three."""

    exponential: Exponential | None = Field(None, description="100 ms, then twice as long each time")
    linear: Linear | None = Field(None, description="500 ms, 1 s, 1.5 s and so on")
    fibonacci: Fibonacci | None = Field(None, description="100 ms, 100 ms, 200 ms, 300 ms and so on")


BackoffForm = Annotated[
    Annotated[Literal["none", "exponential", "linear", "fibonacci"], Tag(TEXT)]
    | Annotated[Backoff, Tag(MAPPING)],
    forms("none, exponential, linear, fibonacci, or a mapping with one of the last three"),
]


class Retry(Section):
    """When a request is sent again, each time to the next endpoint of the decision."""

    attempts: Attempts = Field(3, description="at most, the first included")
    on: list[Cause] = Field(
        [502, 503, 504, "connect"], description="statuses of the answer, and connect, timeout, reset"
    )
    methods: list[str] = Field(
        ["GET", "HEAD", "OPTIONS"], description="of requests that may be sent more than once"
    )
    not_paths: list[str] = Field([], description="paths, as in match, of requests that are sent once only")
    per_try_timeout: SecondsAboveZero | None = Field(
        None, description="an attempt that takes longer has failed by timeout"
    )
    backoff: BackoffForm | None = Field(
        None, description="the wait before each retry; else 25 ms, doubled up to 250 ms, at random up to that"
    )


class Link(Section):
    """Where to go next: exactly one of to, pool."""

    to: TargetForm | None = Field(None, description="a cluster, or some of its endpoints")
    pool: list[TargetForm] | None = Field(None, description="several clusters as one")
    strategy: Annotated[
        Annotated[str, Tag(TEXT)] | Annotated[dict[str, dict[str, object]], Tag(MAPPING)],
        forms("a strategy's name, or {name: {option: value}}"),
    ] = Field("weighted_round_robin", description="how an endpoint of it is picked")


LinkForm = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[Link, Tag(MAPPING)],
    forms("a cluster's name, any_for_model, or a mapping with to or pool"),
]
