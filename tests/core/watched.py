"""Endpoints with breakers, and engines that watch them."""

from collections.abc import Iterable
from random import Random

from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.reply import Reply
from sidecar.core.state.memory import State
from sidecar.core.strategies.base import Strategy
from sidecar.core.watch import BreakerRule, Watch
from tests.builders import ALWAYS

RULE = BreakerRule(failures=3, open_s=10.0, most_open_s=40.0, half_open=3, close_after=2)


def watched(
    ids: str, rule: BreakerRule | None = RULE, cluster: str = "shop", *, slow_start_s: float = 0.0
) -> tuple[Endpoint, ...]:
    """An endpoint for each letter, each with an address of its own."""
    offer = Offer(slow_start_s=slow_start_s, watch=Watch(breaker=rule))
    return tuple(Endpoint(cluster, name, f"10.0.0.{ord(name)}:80", offer=offer) for name in ids)


def a_watched_plan(
    endpoints: Iterable[Endpoint],
    *,
    strategy: str | Strategy = "round_robin",
    want: int = 1,
    panic: float = 0.0,
    links: tuple[Variant, ...] = (),
    otherwise: Reply | None = None,
    generation: int = 1,
) -> Plan:
    """One route to all of them."""
    made = STRATEGIES[strategy]() if isinstance(strategy, str) else strategy
    variant = Variant(
        "main", "main", tuple(endpoints), made, "own", links=links, panic=panic, otherwise=otherwise
    )
    return Plan(generation, [Route("main", ALWAYS, (variant,), want=want)])


def a_watched_engine(plan: Plan) -> Engine:
    return Engine(plan, State(), Random(1))
