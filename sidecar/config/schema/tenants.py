"""What is set down for tenants, and the strategies that tenants and requests may choose."""

from typing import Annotated

from pydantic import AfterValidator, Field, Tag

from sidecar.config.schema.base import MAPPING, TEXT, Section, forms
from sidecar.config.values import whole_millionths

StrategyForm = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[dict[str, dict[str, object]], Tag(MAPPING)],
    forms("a strategy's name, or {name: {option: value}}"),
]
Spending = Annotated[float, Field(ge=0, le=1_000_000_000), AfterValidator(whole_millionths)]


class Budget(Section):
    """What a tenant may spend, in US dollars, by the prices of clusters and the tokens that are estimated."""

    per_request: Spending | None = Field(None, description="at most for one request")
    per_month: Spending | None = Field(None, description="at most in a calendar month of UTC")


class Tenant(Section):
    """What counts for the requests of one tenant, as `context.tenant` finds it."""

    allow: list[str] | None = Field(
        None, description="the clusters and endpoints that it may have, by cluster, id or address; else all"
    )
    prefer: list[str] = Field([], description="those that it would rather have, the first most of all")
    strategy: StrategyForm | None = Field(
        None, description="how its endpoints are picked: a word of `strategies`, or a strategy"
    )
    budget: Budget | None = Field(None, description="what it may spend")
