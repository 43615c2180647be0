"""What a request asks of the endpoints, besides what counts for all: its tenant, its model, its budget.

Most requests ask nothing, and cost nothing. What is asked often in the same words (a model, a tenant) is
answered once and kept with the pool; only what is another thing for each request (an excluded endpoint, how
fast it must be) is looked for among the candidates anew.
"""

from typing import Final, final

from mypy_extensions import mypyc_attr

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.refusal import Reason
from sidecar.core.request import Request
from sidecar.core.rules.base import Field
from sidecar.core.state.memory import State
from sidecar.core.state.tickets import Ticket

MOST_WISHES: Final = 64
"""Words by which a request may prefer endpoints."""
MOST_WORDS: Final = 4096
"""Words of a hard condition: none may be left out, so that a request with more is refused."""
_MOST_TEXT: Final = 65_536


@mypyc_attr(allow_interpreted_subclasses=True)
class Sieve:
    """What one request asks. `name` is what it asks for, in words that may be told to the client.

    `kept` is empty where the answer may change with time; else it tells this question from all others of
    its filter, of which there are no more than the configuration has words: answers are kept by it. A `soft`
    one counts only while it leaves somebody. `reason` is why a request is refused that this one
    leaves nobody.
    """

    def __init__(
        self,
        name: str,
        kept: str = "",
        *,
        soft: bool = False,
        reason: Reason = Reason.NO_ENDPOINT,
    ) -> None:
        self.name: Final = name
        self.kept: Final = kept
        self.soft: Final = soft
        self.reason: Final = reason

    def why_not(self, endpoint: Endpoint) -> str:
        """Why this endpoint is passed over, in words; empty when it is not."""
        raise NotImplementedError

    def among(self, candidates: Candidates) -> list[Endpoint]:
        """Those that are left, in their order."""
        return [endpoint for endpoint in candidates.endpoints if not self.why_not(endpoint)]

    def levels(self, candidates: Candidates) -> dict[int, list[Endpoint]]:
        """Of a soft one that has an order: all whom it names, by their place in it. Those of the first place
        are whom it leaves, and fallbacks come from the next."""
        return {}

    def behind(self, place: int) -> "Sieve":
        """For one with an order: the same wish, without the places before this one."""
        raise NotImplementedError


@final
class TooMany(Sieve):
    """A hard condition of so many words that it was not read: the request is refused."""

    def __init__(self, what: str) -> None:
        said = f"{what} has more than {MOST_WORDS} words or {_MOST_TEXT} characters"
        super().__init__(said, reason=Reason.INVALID_REQUEST)

    def why_not(self, endpoint: Endpoint) -> str:
        return self.name

    def among(self, candidates: Candidates) -> list[Endpoint]:
        return []


@mypyc_attr(allow_interpreted_subclasses=True)
class Filter:
    """One kind of such a condition. It has options but no memory."""

    def sieve(self, request: Request, state: State, now: float) -> Sieve | None:
        """What this request asks; None when it asks nothing of the kind. Writes nothing."""
        raise NotImplementedError

    def admitted(self, request: Request, ticket: Ticket, state: State) -> None:
        """The request was given to `ticket.endpoint`: tell the state what only this filter knows of it."""


def hard_and_soft(sieves: list[Sieve]) -> list[Sieve]:
    """The hard ones first; each kind in its order, because of soft ones the earlier counts more."""
    return [each for each in sieves if not each.soft] + [each for each in sieves if each.soft]


def left_by(sieves: list[Sieve], candidates: Candidates) -> Candidates:
    """Those that all leave, one after the other; a soft one only as far as it leaves somebody."""
    for sieve in sieves:
        left = sieve.among(candidates)
        if len(left) != len(candidates.endpoints) and (left or not sieve.soft):
            candidates = Candidates(left)
    return candidates


def in_common_words(sieves: list[Sieve]) -> list[Sieve]:
    """Those that may be answered for all requests alike: what is kept of the hard ones, and of the soft ones
    behind them, while nothing stands before these that is of this request alone."""
    common: list[Sieve] = []
    for sieve in sieves:
        if sieve.kept:
            common.append(sieve)
        elif sieve.soft:
            break
        else:
            return [each for each in sieves if each.kept and not each.soft]
    return common


def first_words(fields: tuple[Field, ...], request: Request) -> list[str]:
    """The first words of a comma list, in the first field that has any: for what need not be heeded."""
    for field in fields:
        found: list[str] = []
        for value in field.read(request):
            for word in value.split(",", MOST_WISHES)[:MOST_WISHES]:
                word = word.strip()
                if word and len(found) < MOST_WISHES:
                    found.append(word)
        if found:
            return found
    return []


def all_words(fields: tuple[Field, ...], request: Request) -> list[str] | None:
    """The words of a comma list, in the first field that has any; None when they are too many."""
    for field in fields:
        found: list[str] = []
        length = 0
        for value in field.read(request):
            length += len(value)
            if length > _MOST_TEXT:
                return None
            for word in value.split(","):
                word = word.strip()
                if word:
                    found.append(word)
            if len(found) > MOST_WORDS:
                return None
        if found:
            return found
    return []
