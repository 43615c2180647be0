"""Why a request is answered as it is: every route with its conditions, every endpoint with its place."""

from typing import Final, final

from sidecar.core.decision import Answer
from sidecar.core.endpoint import Endpoint


@final
class ConditionVerdict:
    """One condition in words, what the request had where it looked, and whether it held."""

    def __init__(self, text: str, seen: str, held: bool) -> None:
        self.text: Final = text
        self.seen: Final = seen
        self.held: Final = held


@final
class GateVerdict:
    """One gate: when it refuses, what it saw, and whether it would refuse this request."""

    def __init__(self, gate: str, text: str, seen: str, refuses: bool) -> None:
        self.gate: Final = gate
        self.text: Final = text
        self.seen: Final = seen
        self.refuses: Final = refuses


@final
class RouteVerdict:
    """One route, in the order of precedence. `conditions` are those of the top level."""

    def __init__(
        self,
        route: str,
        priority: int,
        enabled: bool,
        matched: bool,
        chosen: bool,
        conditions: list[ConditionVerdict],
    ) -> None:
        self.route: Final = route
        self.priority: Final = priority
        self.enabled: Final = enabled
        self.matched: Final = matched
        self.chosen: Final = chosen
        self.conditions: Final = conditions


@final
class CandidateVerdict:
    """One endpoint of the chosen pool. `place` counts from 1; 0 is passed over, and `why` says why. `score`
    is what the strategy judges it by, None where it judges by nothing; `parts` are what that is made of, by
    name, where it is made of several."""

    def __init__(
        self,
        endpoint: Endpoint,
        place: int,
        why: str,
        score: float | None = None,
        parts: list[tuple[str, float]] | None = None,
    ) -> None:
        self.endpoint: Final = endpoint
        self.place: Final = place
        self.why: Final = why
        self.score: Final = score
        self.parts: Final = [] if parts is None else parts


@final
class Explanation:
    def __init__(
        self,
        answer: Answer,
        gates: list[GateVerdict],
        routes: list[RouteVerdict],
        split: str,
        candidates: list[CandidateVerdict],
    ) -> None:
        self.answer: Final = answer
        self.gates: Final = gates
        self.routes: Final = routes
        self.split: Final = split
        self.candidates: Final = candidates
