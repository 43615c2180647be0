"""Endpoints that a request excludes or would rather have, by their names.

A client that may name endpoints chooses where it goes: so nothing of the kind is read from a request unless
the file gives it a source. Callers of RouteService are trusted to choose.
"""

from typing import Final, final

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.filters.base import Filter, Sieve, TooMany, all_words, first_words
from sidecar.core.request import Request, Wishes
from sidecar.core.rules.base import Field, quoted
from sidecar.core.state.memory import State


def is_one_of(endpoint: Endpoint, words: frozenset[str]) -> bool:
    """Whether one of the words is its id, its cluster, its key `cluster/id`, or its address."""
    return (
        endpoint.id in words
        or endpoint.cluster in words
        or endpoint.key in words
        or (endpoint.address != "" and endpoint.address in words)
    )


@final
class _Excluded(Sieve):
    def __init__(self, words: list[str]) -> None:
        super().__init__(f"a request that excludes {', '.join([quoted(word) for word in words[:8]])}")
        self._words: Final = frozenset(words)

    def why_not(self, endpoint: Endpoint) -> str:
        return "the request excludes it" if is_one_of(endpoint, self._words) else ""


@final
class Preference(Sieve):
    """Of these words, the first that names somebody who is there; `whose` wish it is, for explanations.

    An endpoint has the place of the first word that names it; those of places before `least` do not count.
    """

    def __init__(
        self,
        whose: str,
        words: tuple[str, ...],
        kept: str = "",
        *,
        least: int = 0,
        at: dict[str, int] | None = None,
    ) -> None:
        """`at` has the places of the words, where they are known already."""
        super().__init__(f"what {whose} prefers", kept, soft=True)
        self._whose: Final = whose
        self._words: Final = words
        self._least: Final = least
        self._at: Final = {word: at for at, word in reversed(list(enumerate(words)))} if at is None else at

    def why_not(self, endpoint: Endpoint) -> str:
        place = self._place(endpoint)
        if place == self._least:
            return ""
        first = [quoted(word) for word in self._words[:place]][:8]
        return f"{self._whose} prefers {', then '.join(first)}"

    def among(self, candidates: Candidates) -> list[Endpoint]:
        """Those of the first word that names any."""
        best = len(self._words)
        found: list[Endpoint] = []
        for endpoint in candidates.endpoints:
            place = self._place(endpoint)
            if place < best:
                best = place
                found = [endpoint]
            elif place == best:
                found.append(endpoint)
        return found if best < len(self._words) else []

    def levels(self, candidates: Candidates) -> dict[int, list[Endpoint]]:
        found: dict[int, list[Endpoint]] = {}
        for endpoint in candidates.endpoints:
            place = self._place(endpoint)
            if place < len(self._words):
                found.setdefault(place, []).append(endpoint)
        return found

    def behind(self, place: int) -> Sieve:
        kept = f"{self.kept} from {place}" if self.kept else ""
        return Preference(self._whose, self._words, kept, least=place, at=self._at)

    def _place(self, endpoint: Endpoint) -> int:
        """Of the first word that names it, from 0; their number when none does."""
        at = self._at
        none = len(self._words)
        place = min(none, at.get(endpoint.id, none), at.get(endpoint.cluster, none))
        place = min(place, at.get(endpoint.key, none))
        if endpoint.address:
            place = min(place, at.get(endpoint.address, none))
        return none if place < self._least else place


@final
class Excluded(Filter):
    """`fields` may hold the names, with commas between; the first that has any counts."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self._fields: Final = fields

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        words = all_words(self._fields, request)
        if words is None:
            return TooMany("what the request excludes")
        return _Excluded(words) if words else None


@final
class Preferred(Filter):
    """As `Excluded`, in the order in which they are preferred: the first 64 words count."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self._fields: Final = fields

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        words = first_words(self._fields, request)
        return Preference("the request", tuple(dict.fromkeys(words))) if words else None


def wished(wishes: Wishes) -> list[Sieve]:
    """What a caller says by itself."""
    found: list[Sieve] = []
    if wishes.exclude:
        found.append(_Excluded(list(wishes.exclude)))
    if wishes.prefer:
        found.append(Preference("the request", tuple(dict.fromkeys(wishes.prefer))))
    return found
