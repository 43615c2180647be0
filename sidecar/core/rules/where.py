"""A field of the request tested against text: exact, prefix, suffix, contains, regex, present, absent."""

from collections.abc import Callable
from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import REGEX_EFFORT, Field, Matcher, Pin, quoted, shown


@final
class OneOf(Matcher):
    """Some value of the field equals one of the texts."""

    def __init__(self, field: Field, values: tuple[str, ...]) -> None:
        if not values:
            raise ValueError("needs at least one value")
        self._field: Final = field
        self._values: Final = values

    def matches(self, request: Request) -> bool:
        return self._field.any_of(request, self._values)

    def text(self) -> str:
        wanted = " or ".join(quoted(value) for value in self._values)
        return f"{self._field.name()} is {wanted}"

    def reads(self) -> tuple[Field, ...] | None:
        return (self._field,)

    def seen(self, request: Request) -> str:
        return shown(self._field.read(request))

    def pin(self) -> Pin | None:
        return Pin(self._field, self._values)


@final
class StartsWith(Matcher):
    def __init__(self, field: Field, prefix: str) -> None:
        self._field: Final = field
        self._prefix: Final = prefix

    def matches(self, request: Request) -> bool:
        for value in self._field.read(request):
            if value.startswith(self._prefix):
                return True
        return False

    def text(self) -> str:
        return f"{self._field.name()} starts with {quoted(self._prefix)}"

    def reads(self) -> tuple[Field, ...] | None:
        return (self._field,)

    def same(self) -> tuple[str, ...] | None:
        return ("starts with", self._field.name(), self._prefix)

    def seen(self, request: Request) -> str:
        return shown(self._field.read(request))


@final
class EndsWith(Matcher):
    def __init__(self, field: Field, suffix: str) -> None:
        self._field: Final = field
        self._suffix: Final = suffix

    def matches(self, request: Request) -> bool:
        for value in self._field.read(request):
            if value.endswith(self._suffix):
                return True
        return False

    def text(self) -> str:
        return f"{self._field.name()} ends with {quoted(self._suffix)}"

    def reads(self) -> tuple[Field, ...] | None:
        return (self._field,)

    def same(self) -> tuple[str, ...] | None:
        return ("ends with", self._field.name(), self._suffix)

    def seen(self, request: Request) -> str:
        return shown(self._field.read(request))


@final
class Contains(Matcher):
    def __init__(self, field: Field, part: str) -> None:
        self._field: Final = field
        self._part: Final = part

    def matches(self, request: Request) -> bool:
        for value in self._field.read(request):
            if self._part in value:
                return True
        return False

    def text(self) -> str:
        return f"{self._field.name()} contains {quoted(self._part)}"

    def reads(self) -> tuple[Field, ...] | None:
        return (self._field,)

    def same(self) -> tuple[str, ...] | None:
        return ("contains", self._field.name(), self._part)

    def seen(self, request: Request) -> str:
        return shown(self._field.read(request))


@final
class Regex(Matcher):
    """The pattern is found somewhere in a value. `search` must take linear time: it is handed in compiled."""

    def __init__(self, field: Field, pattern: str, search: Callable[[str], object]) -> None:
        self._field: Final = field
        self._pattern: Final = pattern
        self._search: Final = search

    def matches(self, request: Request) -> bool:
        for value in self._field.read(request):
            if self._search(value):
                return True
        return False

    def effort(self) -> int:
        return REGEX_EFFORT

    def text(self) -> str:
        return f"{self._field.name()} matches {self._pattern}"

    def reads(self) -> tuple[Field, ...] | None:
        return (self._field,)

    def same(self) -> tuple[str, ...] | None:
        return ("matches", self._field.name(), self._pattern)

    def seen(self, request: Request) -> str:
        return shown(self._field.read(request))


@final
class Present(Matcher):
    """The field is there, if only with an empty value."""

    def __init__(self, field: Field) -> None:
        self._field: Final = field

    def matches(self, request: Request) -> bool:
        return bool(self._field.read(request))

    def text(self) -> str:
        return f"{self._field.name()} is present"

    def reads(self) -> tuple[Field, ...] | None:
        return (self._field,)

    def same(self) -> tuple[str, ...] | None:
        return ("is present", self._field.name())

    def seen(self, request: Request) -> str:
        return shown(self._field.read(request))
