"""How long the core takes for one decision, and whether it keeps anything: no socket, no protobuf, no Envoy.

Runs in the process that imports it, so that the same code measures the compiled core and the plain sources.
Each decision is for another request object of a ring, as in traffic; outcomes are reported between the timed
batches, so that tickets do not pile up. The quantiles contain the clock's own time, about 0.05 µs.
"""

import gc
import json
import sys
import time
import tracemalloc
from random import Random
from typing import Final

from sidecar.core import engine as core_engine
from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.request import Request, headers_of
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.logic import All
from sidecar.core.rules.path import PathUnder
from sidecar.core.rules.where import OneOf
from sidecar.core.state.memory import State
from sidecar.core.strategies.round_robin import RoundRobin

DECISIONS: Final = 200_000
KEPT_OVER: Final = 1_000_000
BATCH: Final = 1_000
_PASSES: Final = 5


def an_engine(routes: int) -> Engine:
    """Routes with a path prefix and a header condition each, three endpoints."""
    endpoints = tuple(Endpoint("ai", f"e{at}", f"10.0.0.{at}:8080") for at in range(3))
    made = []
    for at in range(routes):
        matcher = All((PathUnder(f"/api/v{at}/ai"), OneOf(HeaderField("x-ai-model"), ("gpt-4",))))
        variant = Variant("ai", f"route-{at}/ai", endpoints, RoundRobin(), "round_robin")
        made.append(Route(f"route-{at}", matcher, (variant,)))
    return Engine(Plan(1, made), State(), Random(1))


def requests(routes: int) -> list[Request]:
    """A thousand requests over all routes, each with ordinary headers."""
    headers = [
        ("user-agent", b"bench"),
        ("accept", b"*/*"),
        ("x-request-id", b"a81bc81b-dead-4e5d-abff-90865d1e13b1"),
        ("x-ai-model", b"gpt-4"),
    ]
    step = max(routes // BATCH, 1)
    return [
        Request("GET", "shop.test", f"/api/v{at * step % routes}/ai/chat", headers_of(headers))
        for at in range(BATCH)
    ]


def measure(routes: int) -> dict[str, float]:
    """mean, p50 and p99 in µs. The mean is the best of several passes, each of 200,000 decisions."""
    engine = an_engine(routes)
    asked = requests(routes)
    clock = time.perf_counter_ns
    best = float("inf")
    gc.collect()
    gc.freeze()  # as the server does at its start
    for _ in range(_PASSES):
        taken = 0
        for _ in range(DECISIONS // BATCH):
            begun = clock()
            for request in asked:
                engine.decide(request, 0.0)
            taken += clock() - begun
            _settle_all(engine)
        best = min(best, taken / DECISIONS)
    times: list[int] = []
    for _ in range(DECISIONS // BATCH):
        for request in asked:
            begun = clock()
            engine.decide(request, 0.0)
            times.append(clock() - begun)
        _settle_all(engine)
    times.sort()
    gc.unfreeze()
    return {
        "mean": best / 1000,
        "p50": times[len(times) // 2] / 1000,
        "p99": times[len(times) * 99 // 100] / 1000,
    }


def bytes_kept() -> float:
    """Bytes that stay allocated for each decision, over a million decided and settled."""
    engine = an_engine(10)
    asked = requests(10)
    _decide_and_settle(engine, asked, 20)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    _decide_and_settle(engine, asked, KEPT_OVER // BATCH)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return max(after - before, 0) / KEPT_OVER


def _decide_and_settle(engine: Engine, asked: list[Request], batches: int) -> None:
    outcome = Outcome(200, 0.01)
    for _ in range(batches):
        for request in asked:
            answer = engine.decide(request, 0.0)
            assert isinstance(answer, Decision)
            assert answer.ticket is not None
            engine.settle(answer.ticket.id, outcome, 0.0)


def _settle_all(engine: Engine) -> None:
    engine.expire(1e9)


def main() -> None:
    """Print what was measured, as JSON."""
    compiled = not core_engine.__file__.endswith(".py")
    few = measure(10)
    many = measure(10_000)
    json.dump({"compiled": compiled, "10": few, "10000": many, "bytes_kept": bytes_kept()}, sys.stdout)


if __name__ == "__main__":
    main()
