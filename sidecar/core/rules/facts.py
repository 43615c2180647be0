"""Facts about a request that routes ask for by name, wherever the request carries them.

A fact is one value: the first of the first source that has any text. An empty value counts as absent, so that
an empty header does not hide the next source.
"""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Field

PRIORITIES: Final = ("low", "normal", "high", "critical")
"""Lowest first."""
USUAL_PRIORITY: Final = "normal"

ON: Final = "on"
OFF: Final = "off"
_WORDS: Final = {"true": ON, "on": ON, "1": ON, "yes": ON, "false": OFF, "off": OFF, "0": OFF, "no": OFF}
_MOST_FLAGS: Final = 100  # looked at in one request


@final
class Fact(Field):
    """The value of the first source that has one, as other names may say it: `others` maps those to it."""

    def __init__(
        self,
        fact: str,
        sources: tuple[Field, ...],
        others: dict[str, str] | None = None,
        *,
        upper: bool = False,
    ) -> None:
        """With `upper`, capitals and small letters are the same; values are compared in capitals."""
        self._fact: Final = fact
        self._sources: Final = sources
        self._others: Final = others
        self._upper: Final = upper

    def read(self, request: Request) -> list[str]:
        """Resolved once for each request, whichever rules ask."""
        known = request.facts
        if known is None:
            known = request.facts = {}
        found = known.get(self._fact)
        if found is None:
            found = known[self._fact] = self._found(request)
        return found

    def _found(self, request: Request) -> list[str]:
        for source in self._sources:
            for value in source.read(request):
                if value:
                    return [self.meant(value)]
                break
        return []

    def meant(self, value: str) -> str:
        """What a value stands for: routes compare that."""
        if self._upper:
            value = value.upper()
        return value if self._others is None else self._others.get(value, value)

    def name(self) -> str:
        return self._fact


@final
class Priority(Field):
    """One of the four priorities, `normal` when the request says none or something else.

    What a route has set for the request counts before what the request says.
    """

    def __init__(self, sources: tuple[Field, ...]) -> None:
        self._sources: Final = sources

    def read(self, request: Request) -> list[str]:
        if request.priority:
            return [request.priority]
        for source in self._sources:
            for value in source.read(request):
                lower = value[:20].strip().lower()
                if lower:
                    return [lower if lower in PRIORITIES else USUAL_PRIORITY]
                break
        return [USUAL_PRIORITY]

    def name(self) -> str:
        return "priority"


@final
class Flag(Field):
    """`on` or `off`: what the request says in a source, as `name=true`, else what is held for all."""

    def __init__(self, flag: str, sources: tuple[Field, ...], *, held: bool) -> None:
        self._flag: Final = flag
        self._sources: Final = sources
        self._held: Final = ON if held else OFF

    def read(self, request: Request) -> list[str]:
        for source in self._sources:
            for value in source.read(request):
                for pair in value.split(",", _MOST_FLAGS):
                    name, _, state = pair.partition("=")
                    if name.strip() == self._flag:
                        said = _WORDS.get(state.strip().lower() or "true")
                        if said is not None:
                            return [said]
        return [self._held]

    def name(self) -> str:
        return f"flag {self._flag}"
