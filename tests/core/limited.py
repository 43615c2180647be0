"""Endpoints that have limits, and engines that keep them."""

from collections.abc import Iterable, Mapping
from random import Random

from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.filters.quota import Quota
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.tokens import Tokens
from sidecar.core.state.memory import State
from sidecar.core.strategies.base import Strategy
from tests.builders import ALWAYS, a_request

TOKENS = Tokens((HeaderField("x-prompt"),), usual=0)


def an_offer(requests: int = 0, tokens: int = 0, *, load: float = 0.0, quota: float = 0.0) -> Offer:
    return Offer(
        requests_per_minute=requests, tokens_per_minute=tokens, most_utilisation=load, most_quota=quota
    )


def limited(offers: Mapping[str, Offer]) -> tuple[Endpoint, ...]:
    """Each has an address of its own, so that an outcome can name it."""
    return tuple(
        Endpoint("shop", name, f"10.0.0.{at + 1}:80", offer=offer)
        for at, (name, offer) in enumerate(offers.items())
    )


def a_limited_plan(
    offers: Mapping[str, Offer],
    *,
    strategy: str | Strategy = "round_robin",
    want: int = 1,
    panic: float = 0.0,
    lease_s: float = 300.0,
) -> Plan:
    """One route to all of them. A request takes a token for four characters of its header `x-prompt`."""
    made = STRATEGIES[strategy]() if isinstance(strategy, str) else strategy
    variant = Variant("main", "main", limited(offers), made, "own", panic=panic)
    route = Route("main", ALWAYS, (variant,), want=want, filters=(Quota(TOKENS),))
    return Plan(1, [route], lease_s, tokens=TOKENS)


def a_limited_engine(
    offers: Mapping[str, Offer],
    *,
    strategy: str | Strategy = "round_robin",
    want: int = 1,
    panic: float = 0.0,
) -> Engine:
    return Engine(a_limited_plan(offers, strategy=strategy, want=want, panic=panic), State(), Random(1))


def asking(tokens: int) -> Request:
    """A request that is likely to take so many tokens."""
    return a_request("/", ("x-prompt", "word" * tokens))


def most_in_a_minute(times: Iterable[float], amounts: Iterable[int] | None = None) -> int:
    """The most that came in any stretch of 60 seconds; all count 1 where no amounts are given."""
    came = list(times)
    each = [1] * len(came) if amounts is None else list(amounts)
    most = within = first = 0
    for at, time in enumerate(came):
        within += each[at]
        while came[first] <= time - 60.0:
            within -= each[first]
            first += 1
        most = max(most, within)
    return most
