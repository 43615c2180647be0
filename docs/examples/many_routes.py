#!/usr/bin/env python3
"""Measures one decision among a few and among many routes: the cost stays flat (M20).

Give the numbers of routes as arguments: `many_routes.py 10 10000`.
"""

import sys
import time
from random import Random

from sidecar.config.load import loads
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.state.memory import State
from sidecar.wire.request import request_of

DECISIONS = 20_000


def configuration(count: int) -> str:
    routes = "".join(f"  - {{name: r{n}, match: {{path: {{prefix: /r{n}}}}}, to: a}}\n" for n in range(count))
    return f"clusters: {{a: {{endpoints: [{{address: 10.0.0.1:80}}]}}}}\nroutes:\n{routes}"


def microseconds(engine: Engine, path: str) -> float:
    """Of one decision and its outcome, on average."""
    begun = time.perf_counter()
    for _ in range(DECISIONS):
        answer = engine.decide(request_of("GET", "shop.test", path, []), 0.0)
        ticket = getattr(answer, "ticket", None)
        if ticket is not None:
            engine.settle(ticket.id, Outcome(200), 0.0)
    return (time.perf_counter() - begun) / DECISIONS * 1e6


for argument in sys.argv[1:]:
    count = int(argument)
    engine = Engine(loads(configuration(count), "many.yaml", 1).plan, State(), Random(1))
    for path in (f"/r{count - 1}/x", "/nowhere"):
        best = min(microseconds(engine, path) for _ in range(5))
        print(f"{count:>6} routes, {path}: {best:.1f} us")
