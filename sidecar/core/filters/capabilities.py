"""Only endpoints that can do what the request needs, and that have room for its tokens."""

from bisect import bisect_left
from typing import Final, final

from sidecar.core.endpoint import CAPABILITIES, Endpoint
from sidecar.core.filters.base import Filter, Sieve, TooMany, all_words
from sidecar.core.request import Request
from sidecar.core.rules.base import Field, quoted
from sidecar.core.rules.tokens import Tokens
from sidecar.core.state.memory import State


@final
class _Able(Sieve):
    def __init__(self, needs: frozenset[str]) -> None:
        known = [name for name in CAPABILITIES if name in needs]
        others = sorted(needs.difference(CAPABILITIES))
        named = known + [quoted(name) for name in others]
        # One key for all that nobody has: a request may ask for anything.
        super().__init__(" and ".join(named), f"can {' '.join(known)}{' ?' if others else ''}")
        self._needs: Final = needs

    def why_not(self, endpoint: Endpoint) -> str:
        has = endpoint.offer.capabilities
        if self._needs.issubset(has):
            return ""
        lacking = sorted(self._needs.difference(has))
        return f"it has no {' and no '.join([_told(name) for name in lacking])}"


def _told(name: str) -> str:
    return name if name in CAPABILITIES else quoted(name)


@final
class Capabilities(Filter):
    """`needs` is what every request needs; `fields` may hold what this one needs besides, a comma list."""

    def __init__(self, needs: frozenset[str] = frozenset(), fields: tuple[Field, ...] = ()) -> None:
        self._needs: Final = needs
        self._fields: Final = fields
        self._always: Final = _Able(needs) if needs else None

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        words = all_words(self._fields, request) if self._fields else []
        if words is None:
            return TooMany("what the request needs")
        if not words:
            return self._always
        named = frozenset([word.lower().replace("-", "_") for word in words])
        return self._always if named.issubset(self._needs) else _Able(self._needs.union(named))


@final
class _Room(Sieve):
    def __init__(self, asked: int, answered: int, kept: str) -> None:
        wanted: list[str] = []
        if asked:
            wanted.append(f"{asked} tokens")
        if answered:
            wanted.append(f"an answer of {answered} tokens")
        super().__init__(" and ".join(wanted), kept)
        self._asked: Final = asked
        self._answered: Final = answered

    def why_not(self, endpoint: Endpoint) -> str:
        offer = endpoint.offer
        if 0 < offer.context_window < self._asked:
            return f"its context window is {offer.context_window} tokens, the request has about {self._asked}"
        if 0 < offer.max_tokens < self._answered:
            return (
                f"it answers with {offer.max_tokens} tokens at most, and the request wants {self._answered}"
            )
        return ""


@final
class Room(Filter):
    """`windows` and `answers` are the different context windows and longest answers of endpoints, in tokens.

    Requests between two of them may all have the same endpoints, and share what is kept of it.
    """

    def __init__(
        self,
        tokens: Tokens,
        most: tuple[Field, ...],
        windows: frozenset[int],
        answers: frozenset[int],
    ) -> None:
        """`most` are fields that may hold how many tokens the answer may have."""
        self._tokens: Final = tokens
        self._most: Final = Tokens((), most, 0)
        self._windows: Final = sorted([window for window in windows if window > 0])
        self._answers: Final = sorted([answer for answer in answers if answer > 0])

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        asked = self._tokens.input(request) if self._windows else 0
        answered = self._most.output(request) if self._answers else 0
        small = bisect_left(self._windows, asked)
        short = bisect_left(self._answers, answered)
        if small == 0 and short == 0:
            return None
        return _Room(asked if small else 0, answered if short else 0, f"room {small} {short}")
