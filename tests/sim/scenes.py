"""Scenarios that several tests play."""

from collections.abc import Mapping
from typing import Any, Final

from sidecar.core.registry import STRATEGIES
from sidecar.core.strategies.base import Strategy
from sidecar.sim.result import Result
from sidecar.sim.scenario import Scenario, Server, Service
from sidecar.sim.simulation import simulate
from tests.builders import a_plan, a_route_by, an_endpoint

WARM_S: Final = 10.0
"""Results count from here on, when queues and estimates have formed."""


def a_server(mean_s: float = 0.05, capacity: int = 4, spread: str = "exponential", **more: Any) -> Server:
    return Server(Service(mean_s, spread), capacity, **more)


def some_servers(count: int, slower: Mapping[int, float] | None = None) -> dict[str, Server]:
    """`e0`, `e1` … alike, but for those that take so many times as long."""
    return {f"e{at}": a_server(0.05 * (slower or {}).get(at, 1.0)) for at in range(count)}


def a_scenario(
    servers: Mapping[str, Server], rate: float = 1.0, duration_s: float = 60.0, **more: Any
) -> Scenario:
    """The servers are those of endpoints of the cluster `shop`."""
    return Scenario({f"shop/{name}": server for name, server in servers.items()}, rate, duration_s, **more)


def played(strategy: str | Strategy, scenario: Scenario) -> Result:
    """All endpoints have the same weight."""
    made = STRATEGIES[strategy]() if isinstance(strategy, str) else strategy
    endpoints = [an_endpoint(key.partition("/")[2]) for key in scenario.servers]
    return simulate(a_plan(a_route_by(made, endpoints)), scenario)
