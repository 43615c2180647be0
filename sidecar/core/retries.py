"""When a failed request may be sent again, and how long to wait before each attempt.

Whoever sends the request carries it out: Envoy, or a caller of RouteService. The fallbacks of the decision
say where each attempt goes.
"""

from typing import Final, final

from sidecar.core.outcome import Failure
from sidecar.core.request import Request
from sidecar.core.rules.base import Matcher

NONE: Final = "none"
EXPONENTIAL: Final = "exponential"
LINEAR: Final = "linear"
FIBONACCI: Final = "fibonacci"


@final
class Backoff:
    """The wait before retry n, which counts from 1: `base_s` times `factor` to the power of n-1
    (exponential), times n (linear), or times the n-th Fibonacci number (1, 1, 2, 3, 5…), and never above
    `max_s`. With `jitter`, any time between 0 and that."""

    def __init__(self, kind: str, base_s: float, factor: float, max_s: float, *, jitter: bool) -> None:
        self.kind: Final = kind
        self.base_s: Final = base_s
        self.factor: Final = factor
        self.max_s: Final = max_s
        self.jitter: Final = jitter


USUAL: Final = Backoff(EXPONENTIAL, 0.025, 2.0, 0.25, jitter=True)
"""What Envoy does by itself: short, because the next attempt goes to another endpoint."""


@final
class Retries:
    """At most `attempts` for one request, the first included.

    An answer with one of `statuses`, or one of `failures`, is followed by the next attempt, if the request's
    method is one of `methods` and its path is none of `not_paths`. `per_try_s` is for each attempt, negative
    where nothing but the whole request has an end. `orders` are the sequences of clusters, one for each
    attempt, that Envoy can follow where not all are one cluster.
    """

    def __init__(
        self,
        attempts: int,
        statuses: tuple[int, ...],
        failures: tuple[Failure, ...],
        methods: tuple[str, ...],
        not_paths: tuple[Matcher, ...] = (),
        per_try_s: float = -1.0,
        backoff: Backoff = USUAL,
        orders: frozenset[tuple[str, ...]] = frozenset(),
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {attempts}")
        self.attempts: Final = attempts
        self.statuses: Final = statuses
        self.failures: Final = failures
        self.methods: Final = frozenset(methods)
        self.not_paths: Final = not_paths
        self.per_try_s: Final = per_try_s
        self.backoff: Final = backoff
        self.orders: Final = orders

    def allow(self, request: Request) -> bool:
        """Whether this request may be sent more than once."""
        if request.method not in self.methods:
            return False
        for path in self.not_paths:
            if path.matches(request):
                return False
        return True
