"""All of, any of, not: conditions made of conditions, and their form for the index."""

from typing import Final, final

from sidecar.core.request import Request
from sidecar.core.rules.base import Field, Matcher, Pin, read_by


@final
class All(Matcher):
    """Holds when every part holds; no parts always hold."""

    def __init__(self, parts: tuple[Matcher, ...]) -> None:
        self.parts: Final = parts

    def matches(self, request: Request) -> bool:
        for part in self.parts:
            if not part.matches(request):
                return False
        return True

    def text(self) -> str:
        return "always" if not self.parts else "(" + " and ".join(part.text() for part in self.parts) + ")"

    def seen(self, request: Request) -> str:
        return "; ".join(part.seen(request) for part in self.parts)

    def reads(self) -> tuple[Field, ...] | None:
        return read_by(self.parts)

    def effort(self) -> int:
        return sum([part.effort() for part in self.parts])


@final
class AnyOf(Matcher):
    """Holds when some part holds; no parts never hold."""

    def __init__(self, parts: tuple[Matcher, ...]) -> None:
        self.parts: Final = parts

    def matches(self, request: Request) -> bool:
        for part in self.parts:
            if part.matches(request):
                return True
        return False

    def text(self) -> str:
        return "never" if not self.parts else "(" + " or ".join(part.text() for part in self.parts) + ")"

    def seen(self, request: Request) -> str:
        return "; ".join(part.seen(request) for part in self.parts)

    def reads(self) -> tuple[Field, ...] | None:
        return read_by(self.parts)

    def effort(self) -> int:
        return sum([part.effort() for part in self.parts])

    def pin(self) -> Pin | None:
        """Alternatives on one field are one pin; anything else is none."""
        values: list[str] = []
        first: Pin | None = None
        for part in self.parts:
            pin = part.pin()
            if pin is None or (first is not None and pin.field.name() != first.field.name()):
                return None
            if first is None:
                first = pin
            values.extend(pin.values)
        return None if first is None else Pin(first.field, tuple(dict.fromkeys(values)))


@final
class Not(Matcher):
    def __init__(self, part: Matcher) -> None:
        self.part: Final = part

    def reads(self) -> tuple[Field, ...] | None:
        return self.part.reads()

    def effort(self) -> int:
        return self.part.effort()

    def same(self) -> tuple[str, ...] | None:
        same = self.part.same()
        return None if same is None else ("not", *same)

    def matches(self, request: Request) -> bool:
        return not self.part.matches(request)

    def text(self) -> str:
        return f"not {self.part.text()}"

    def seen(self, request: Request) -> str:
        return self.part.seen(request)


def alternatives(matcher: Matcher, most: int = 64) -> list[tuple[Matcher, ...]]:
    """The matcher as "any of these, each all of those" (disjunctive normal form).

    Negations are pushed inwards. Where the form would have more than `most` alternatives, an `AnyOf`
    stays whole as one condition, so that nesting can never grow the index beyond measure.
    """
    return _alternatives(matcher, True, most)


def _alternatives(matcher: Matcher, positive: bool, most: int) -> list[tuple[Matcher, ...]]:
    if isinstance(matcher, Not):
        return _alternatives(matcher.part, not positive, most)
    if isinstance(matcher, All) if positive else isinstance(matcher, AnyOf):
        return _product(_parts(matcher), positive, most)
    if isinstance(matcher, AnyOf) if positive else isinstance(matcher, All):
        if positive and matcher.pin() is not None:
            return [(matcher,)]
        found: list[tuple[Matcher, ...]] = []
        for part in _parts(matcher):
            found.extend(_alternatives(part, positive, most))
        return found if len(found) <= most else [(matcher if positive else Not(matcher),)]
    return [(matcher if positive else Not(matcher),)]


def _parts(matcher: Matcher) -> tuple[Matcher, ...]:
    if isinstance(matcher, (All, AnyOf)):
        return matcher.parts
    return ()


def _product(parts: tuple[Matcher, ...], positive: bool, most: int) -> list[tuple[Matcher, ...]]:
    rows: list[tuple[Matcher, ...]] = [()]
    for part in parts:
        choices = _alternatives(part, positive, most)
        if len(rows) * len(choices) > most:
            choices = [(part if positive else Not(part),)]
        rows = [row + choice for row in rows for choice in choices]
    return rows
