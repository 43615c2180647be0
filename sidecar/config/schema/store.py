"""Where what is learnt outlives the process."""

from typing import Any

from pydantic import Field, model_validator

from sidecar.config.schema.base import Section
from sidecar.config.values import SecondsAboveZero


class Store(Section):
    """A place for what is learnt."""

    sqlite: str = Field(description="a file, made where it is not there; relative to the folder of this file")
    every: SecondsAboveZero = Field(
        "5s", validate_default=True, description="how often what has changed is saved; 100ms at least"
    )
    keep: SecondsAboveZero = Field(
        "7d",
        validate_default=True,
        description="how long what nobody knows any more, such as an endpoint, stays",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_redis_yet(cls, given: Any) -> Any:
        if isinstance(given, dict) and "redis" in given:
            raise ValueError("redis is not there yet; write memory, or {sqlite: FILE}")
        return given
