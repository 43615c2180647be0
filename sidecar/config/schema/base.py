"""What every mapping of the file is, and values that have more than one form."""

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Discriminator

TEXT: Final = "(text)"
MAPPING: Final = "(mapping)"
LIST: Final = "(list)"
NUMBER: Final = "(number)"
# In parentheses, so that they are not taken for keys in the place of an error.


def _shape(value: object) -> str | None:
    """Which form of a value with several forms this is; the other forms' errors would only be noise."""
    if isinstance(value, str):
        return TEXT
    if isinstance(value, (dict, BaseModel)):
        return MAPPING
    if isinstance(value, list):
        return LIST
    return NUMBER if isinstance(value, int) and not isinstance(value, bool) else None


def forms(wanted: str) -> Discriminator:
    """`wanted` ends the sentence "must be …" for a value that has none of the forms."""
    return Discriminator(_shape, custom_error_type="form", custom_error_message=wanted)


class Section(BaseModel):
    """A mapping in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself, as it is frozen: pydantic copies defaults, which took half the time of a large file."""
        return self
