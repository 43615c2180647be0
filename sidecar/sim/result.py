"""What became of the requests of a simulation: who got them, how long they took, which failed."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

V = TypeVar("V")

NOBODY: Final = -1
DIRECT: Final = -2
"""In place of an endpoint: a refusal, and an answer that needs none."""

MISS: Final = 0
HIT: Final = 1


@dataclass(frozen=True)
class Bucket:
    """The requests that came in the `for_s` seconds from `at_s` on. A latency of none is 0."""

    at_s: float
    for_s: float
    requests: int
    failures: int
    refused: int
    shares: dict[str, float]
    p50_s: float
    p95_s: float
    p99_s: float


class Result:
    """In the order of arrival: when each request came, to which endpoint it went, how long it took, whether
    it failed.

    `endpoints` names the numbers in `went_to`; NOBODY is a refusal and DIRECT an answer without an endpoint,
    which take no time. `reasons` says why those went nowhere, by the request's place. `hits` has what became
    of those that asked a cache: MISS or HIT.
    """

    def __init__(
        self,
        endpoints: list[str],
        came_at: list[float],
        went_to: list[int],
        took_s: list[float],
        failed: list[bool],
        reasons: Mapping[int, str] | None = None,
        hits: Mapping[int, int] | None = None,
    ) -> None:
        self.endpoints: Final = endpoints
        self.came_at: Final = came_at
        self.went_to: Final = went_to
        self.took_s: Final = took_s
        self.failed: Final = failed
        self.reasons: Final = {} if reasons is None else reasons
        self.hits: Final = {} if hits is None else hits

    def __len__(self) -> int:
        return len(self.came_at)

    def between(self, since_s: float, until_s: float = float("inf")) -> "Result":
        """The requests that came from `since_s` until before `until_s`."""
        first, last = bisect_left(self.came_at, since_s), bisect_left(self.came_at, until_s)
        return self._chosen(range(first, last))

    def of(self, endpoint: str) -> "Result":
        """The requests that went there."""
        number = self.endpoints.index(endpoint)
        return self._chosen([at for at, went_to in enumerate(self.went_to) if went_to == number])

    def shares(self) -> dict[str, float]:
        """The share of all requests that each endpoint got."""
        counts = [0] * len(self.endpoints)
        for went_to in self.went_to:
            if went_to >= 0:
                counts[went_to] += 1
        total = max(len(self.went_to), 1)
        return {endpoint: count / total for endpoint, count in zip(self.endpoints, counts, strict=True)}

    def latency_s(self, share: float) -> float:
        """What this share of the requests did not exceed, those without an endpoint aside; 0 for none."""
        times = sorted(took_s for took_s, to in zip(self.took_s, self.went_to, strict=True) if to >= 0)
        return times[min(int(share * len(times)), len(times) - 1)] if times else 0.0

    def failures(self) -> int:
        """How many failed, refused ones among them."""
        return sum(self.failed)

    def refused(self) -> int:
        return self.went_to.count(NOBODY)

    def by_reason(self, kind: int = NOBODY) -> dict[str, int]:
        """How many were refused for each reason, or with DIRECT answered; the most frequent first."""
        counted = Counter(self.reasons.get(at, "") for at, to in enumerate(self.went_to) if to == kind)
        return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))

    def hit_rate(self) -> float | None:
        """The share of hits among those that asked a cache; None when nobody did."""
        return sum(self.hits.values()) / len(self.hits) if self.hits else None

    def buckets(self, for_s: float) -> list[Bucket]:
        """One for each stretch of `for_s` seconds, from 0 to the last arrival."""
        made: list[Bucket] = []
        last = self.came_at[-1] if self.came_at else -1.0
        at_s = 0.0
        while at_s <= last:
            part = self.between(at_s, at_s + for_s)
            made.append(
                Bucket(
                    at_s,
                    for_s,
                    len(part),
                    part.failures(),
                    part.refused(),
                    part.shares(),
                    part.latency_s(0.50),
                    part.latency_s(0.95),
                    part.latency_s(0.99),
                )
            )
            at_s += for_s
        return made

    def _chosen(self, places: Sequence[int]) -> "Result":
        return Result(
            self.endpoints,
            [self.came_at[at] for at in places],
            [self.went_to[at] for at in places],
            [self.took_s[at] for at in places],
            [self.failed[at] for at in places],
            _moved(self.reasons, places),
            _moved(self.hits, places),
        )


def _moved(by_place: Mapping[int, V], places: Sequence[int]) -> dict[int, V]:
    if not by_place:
        return {}
    return {new: by_place[old] for new, old in enumerate(places) if old in by_place}


@dataclass(frozen=True)
class Played:
    """A whole run.

    `requests` are as clients saw them, each where it was first sent. `attempts` are as the endpoints saw
    them: a request that went on to a fallback is an attempt at each. `busy` has for each endpoint which share
    of its places was taken in each stretch of `step_s` seconds.
    """

    requests: Result
    attempts: Result
    step_s: float
    busy: dict[str, list[float]]

    def busy_share(self, endpoint: str, since_s: float = 0.0) -> float:
        """The mean from `since_s` on; 0 when there is nothing to tell."""
        steps = self.busy[endpoint][int(since_s / self.step_s + 0.5) :]
        return sum(steps) / len(steps) if steps else 0.0
