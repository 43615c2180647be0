"""Endpoints that are compared by one scorer, after what was learnt and reported."""

from collections.abc import Iterable, Mapping

from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.outcome import Outcome
from sidecar.core.request import Request
from sidecar.core.scorers.base import Asked, Scorer
from sidecar.core.state.memory import State
from sidecar.core.state.standing import Roster
from sidecar.core.state.verdict import verdict
from tests.builders import a_request, an_endpoint


class Scene:
    """Endpoints of the cluster `shop`, by id."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.state = State()
        self.candidates = Candidates(list(endpoints))
        self.state.latency.keep_endpoints(set(self.candidates.by_key))
        self.state.standing.adopt([Roster(tuple(self.candidates.endpoints))], 0.0)

    def of(self, id: str) -> Endpoint:
        return self.candidates.by_key[f"shop/{id}"]

    def busy(self, id: str, count: int) -> None:
        """It is given so many requests, which stay."""
        for _ in range(count):
            ticket = self.state.tickets.open("main", "main", "main", self.of(id), 1, 0.0, 300.0)
            self.state.load.admitted(ticket, 0.0)

    def answered(self, id: str, *outcomes: Outcome, now: float = 0.0) -> None:
        for outcome in outcomes:
            ticket = self.state.tickets.open("main", "main", "main", self.of(id), 1, now, 300.0)
            self.state.latency.settled(ticket, outcome, now)
            judged = verdict(ticket, outcome)
            self.state.scores.ended(ticket.endpoint, judged, outcome.latency_s(), ticket, now)

    def asked(self, request: Request | None = None, now: float = 0.0) -> Asked:
        return Asked(a_request() if request is None else request, self.candidates, 7, self.state, now)

    def scores(self, scorer: Scorer, request: Request | None = None, now: float = 0.0) -> dict[str, float]:
        endpoints = self.candidates.endpoints
        weights = [float(endpoint.weight) for endpoint in endpoints]
        scores = scorer.score(self.asked(request, now), endpoints, weights)
        return {endpoint.id: score for endpoint, score in zip(endpoints, scores, strict=True)}


def a_scene(*names: str, weights: Mapping[str, int] | None = None) -> Scene:
    return Scene(an_endpoint(name, (weights or {}).get(name, 1)) for name in names)
