"""What is simulated: servers, what becomes of them, and the requests that come.

Everything is a plain value, so that a scenario can be written down in a file (`sim.files`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import exp, inf, log
from random import Random
from typing import Final

from sidecar.core.request import Request, headers_of

CONSTANT: Final = "constant"
EXPONENTIAL: Final = "exponential"
LOGNORMAL: Final = "lognormal"

A_MONDAY_S: Final = 1767571200.0
"""2026-01-05 00:00 UTC, in seconds since 1970."""


@dataclass(frozen=True)
class Service:
    """How long a server works on a request, queueing aside.

    `spread` is `constant`, `exponential` or `lognormal`; the latter has a median of `mean_s` e^(-sigma²/2)
    and, with a large `sigma`, a long tail.
    """

    mean_s: float
    spread: str = EXPONENTIAL
    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not self.mean_s > 0.0:
            raise ValueError(f"mean_s must be above 0, got {self.mean_s}")
        if self.spread not in {CONSTANT, EXPONENTIAL, LOGNORMAL}:
            raise ValueError(f"spread must be constant, exponential or lognormal, got {self.spread}")

    @classmethod
    def of_median(cls, median_s: float, spread: str = LOGNORMAL, sigma: float = 1.0) -> "Service":
        """The one of which half of the requests take less than `median_s`."""
        factors = {EXPONENTIAL: 1.0 / log(2.0), LOGNORMAL: exp(sigma * sigma / 2.0)}
        return cls(median_s * factors.get(spread, 1.0), spread, sigma)

    def draw(self, rng: Random) -> float:
        if self.spread == EXPONENTIAL:
            return rng.expovariate(1.0) * self.mean_s
        if self.spread == LOGNORMAL:
            return self.mean_s * exp(self.sigma * rng.gauss(0.0, 1.0) - self.sigma * self.sigma / 2.0)
        return self.mean_s


@dataclass(frozen=True)
class Cache:
    """Holds what was asked for last, `keys` of it; asking for that again takes `hit_takes` of the time.

    What is asked for is the value of `header`, or its first `prefix` characters unless that is 0. Requests
    without the header pass by.
    """

    header: str
    keys: int
    hit_takes: float = 0.1
    prefix: int = 0

    def __post_init__(self) -> None:
        if self.keys < 1:
            raise ValueError(f"keys must be at least 1, got {self.keys}")
        if not 0.0 <= self.hit_takes <= 1.0:
            raise ValueError(f"hit_takes must be 0 to 1, got {self.hit_takes}")

    def key(self, request: Request) -> str | None:
        value = request.headers.first(self.header)
        return value[: self.prefix] if value and self.prefix else value


@dataclass(frozen=True)
class Server:
    """Works on `capacity` requests at once; others wait their turn, and beyond `queue` are answered with 503.

    `failure_share` of the requests are answered with 500, after `failure_s` seconds, or when it is negative
    after the time of a success. `work` says by the request how much longer than usual it takes. Of those that
    come within a minute of the scenario, all after the first `quota_per_minute` are answered with 429; 0 is
    no quota.
    """

    service: Service
    capacity: int = 1
    queue: int = 1_000_000
    failure_share: float = 0.0
    failure_s: float = -1.0
    work: Callable[[Request], float] | None = None
    cache: Cache | None = None
    quota_per_minute: int = 0

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")

    def rate(self) -> float:
        """The requests per second that it can do, as they usually are and none from its cache."""
        return self.capacity / self.service.mean_s


@dataclass(frozen=True)
class Change:
    """From `at_s` on the server is as said here; what is None stays as it was.

    `slower` is a factor on the service time of the scenario, so that 1 recovers. A server that is `down`
    accepts no connection and reports nothing; what it has in work it finishes.
    """

    at_s: float
    endpoint: str
    slower: float | None = None
    failure_share: float | None = None
    down: bool | None = None


def _plain(_rng: Random) -> Request:
    return Request("GET", "shop.test", "/", headers_of([]))


@dataclass(frozen=True)
class Scenario:
    """`rate` requests per second come for `duration_s` seconds, independently of one another and of what
    became of those before (a Poisson process), each to any of `sidecars`, which know nothing of one
    another.

    `servers` are by endpoint key (`cluster/id`). Each tells every sidecar each `reports_every_s` seconds
    what share of its capacity was busy since the last time, what share of its quota is used, and what share
    of those that asked its cache found something; 0 is never. An outcome is known to the sidecar `feedback_s`
    after the answer, and `lost_share` of them never. After `timeout_s` a client gives up, while the server
    goes on. `starts_at` is what the clocks on the wall show at 0, in seconds since 1970.
    """

    servers: Mapping[str, Server]
    rate: float
    duration_s: float
    changes: tuple[Change, ...] = ()
    sidecars: int = 1
    reports_every_s: float = 0.0
    feedback_s: float = 0.0
    lost_share: float = 0.0
    timeout_s: float = inf
    request: Callable[[Random], Request] = _plain
    seed: int = 1
    starts_at: float = A_MONDAY_S

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("servers must be at least one")
        if not self.rate > 0.0:
            raise ValueError(f"rate must be above 0, got {self.rate}")
        if self.sidecars < 1:
            raise ValueError(f"sidecars must be at least 1, got {self.sidecars}")
        for change in self.changes:
            if change.endpoint not in self.servers:
                raise ValueError(f"changes names {change.endpoint}, which is no server")

    def at_utilisation(self, share: float) -> "Scenario":
        """The same with as many requests as keep this share of all servers busy, as they are at first."""
        return replace(self, rate=share * sum(server.rate() for server in self.servers.values()))
