"""A condition on one request, and the exact values that an index may look it up by."""

from collections.abc import Iterable
from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.request import Request

REGEX_EFFORT: Final = 15
_MOST_READ: Final = 8


@mypyc_attr(allow_interpreted_subclasses=True)
class Field:
    """Something of a request that has text values: its method, a header, a query parameter, a cookie."""

    def read(self, request: Request) -> list[str]:
        """All its values; empty when it is absent."""
        raise NotImplementedError

    def first(self, request: Request) -> str:
        """The first of its values that is not empty; empty when there is none."""
        for value in self.read(request):
            if value:
                return value
        return ""

    def any_of(self, request: Request, values: tuple[str, ...]) -> bool:
        """Whether one of its values is one of these."""
        for value in self.read(request):
            if value in values:
                return True
        return False

    def name(self) -> str:
        """Names it in explanations, and is equal for equal fields: `header x-tenant`."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Matcher:
    """Holds or does not hold for a request; reads nothing else."""

    def matches(self, request: Request) -> bool:
        raise NotImplementedError

    def text(self) -> str:
        """The condition in words: `header x-ai-model is "gpt-4"`."""
        raise NotImplementedError

    def seen(self, request: Request) -> str:
        """What the request has where the condition looks."""
        raise NotImplementedError

    def pin(self) -> "Pin | None":
        """The field and values that this condition is equal to asking for, where it is that simple."""
        return None

    def same(self) -> tuple[str, ...] | None:
        """Equal for conditions that give the same answers: one may stand for all. None: not known."""
        pin = self.pin()
        return None if pin is None else ("is", pin.field.name(), *pin.values)

    def effort(self) -> int:
        """What an answer costs, in comparisons with a text."""
        return 1

    def reads(self) -> tuple[Field, ...] | None:
        """All fields whose values its answer depends on, besides path and host. None when it depends on
        anything else, such as the clock or what is held in memory: then no answer of it may be kept."""
        return None


@final
class Pin:
    """Holds exactly when one of the field's values is one of `values`."""

    def __init__(self, field: Field, values: tuple[str, ...]) -> None:
        self.field: Final = field
        self.values: Final = values


def read_by(matchers: Iterable[Matcher]) -> tuple[Field, ...] | None:
    """What any of them reads."""
    return union([matcher.reads() for matcher in matchers])


def union(parts: Iterable[tuple[Field, ...] | None]) -> tuple[Field, ...] | None:
    """Each field once. None when a part is None, or when they are so many that their values hardly repeat."""
    found: dict[str, Field] = {}
    for part in parts:
        if part is None:
            return None
        for field in part:
            found[field.name()] = field
    return tuple(found.values()) if len(found) <= _MOST_READ else None


def quoted(text: str) -> str:
    """Text from a request as it may be shown: cut at 200 characters, nothing unprintable."""
    shown = text if len(text) <= 200 else f"{text[:200]}…"
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown) + '"'


def shown(values: list[str]) -> str:
    return "absent" if not values else ", ".join(quoted(value) for value in values[:8])
