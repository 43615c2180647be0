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
from sidecar.core.refusal import Refusal
from sidecar.core.request import Request, headers_of
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.facts import Fact
from sidecar.core.rules.fields import CookieField, HeaderField, MethodField, QueryField
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import All, AnyOf, Not
from sidecar.core.rules.path import PathIs, PathPattern, PathUnder
from sidecar.core.rules.where import OneOf, Present
from sidecar.core.state.memory import State
from sidecar.core.strategies.round_robin import RoundRobin

DECISIONS: Final = 200_000
KEPT_OVER: Final = 1_000_000
BATCH: Final = 1_000
_PASSES: Final = 5
HOSTS: Final = 500
SERVICES: Final = 4
"""Of each host; each has five routes, so that there are 10,000."""
_MIXED: Final = 20_000
_MIXED_PASSES: Final = 15
_NEW: Final = 50
Asked = tuple[int, str, str, str]
"""Number of the host, target, name and value of a header."""
_TIER: Final = Fact("user_tier", (HeaderField("x-user-tier"),))


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


def a_mixed_engine() -> Engine:
    """10,000 routes over 500 hosts: paths of all kinds, with conditions on the method, a header, a query
    parameter, a cookie and a fact, and with `not` and alternatives."""
    endpoints = tuple(Endpoint("ai", f"e{at}", f"10.0.0.{at}:8080") for at in range(3))
    made = []
    for host in range(HOSTS):
        for service in range(SERVICES):
            for kind, conditions in enumerate(_mixed_conditions(f"/s{service}")):
                name = f"route-{host}-{service}-{kind}"
                variant = Variant("ai", f"{name}/ai", endpoints, RoundRobin(), "round_robin")
                made.append(Route(name, All((HostIs((f"h{host}.shop.test",)), *conditions)), (variant,)))
    return Engine(Plan(1, made), State(), Random(1))


def _mixed_conditions(base: str) -> list[tuple[Matcher, ...]]:
    """Of the routes of one service; `mixed_asked` knows what each of them asks for."""
    plain = Not(Present(HeaderField("x-debug")))
    return [
        (PathIs(f"{base}/health"), OneOf(MethodField(), ("GET", "HEAD"))),
        (PathPattern(f"{base}/items/*/parts"), OneOf(QueryField("v"), ("2",))),
        (PathUnder(base), OneOf(HeaderField("x-ai-model"), ("gpt-4", "gpt-4o")), plain),
        (PathUnder(base), OneOf(_TIER, ("premium",)), plain),
        (PathUnder(base), AnyOf((OneOf(CookieField("beta"), ("1",)), Not(OneOf(_TIER, ("free",)))))),
    ]


def mixed_asked(count: int) -> list[Asked]:
    """Over all mixed routes, each with ordinary headers."""
    rng = Random(1)
    made = []
    for _ in range(count):
        base = f"/s{rng.randrange(SERVICES)}"
        target, name, value = rng.choice(
            [
                (f"{base}/health", "accept-language", "en"),
                (f"{base}/items/{rng.randrange(1_000_000)}/parts?v=2&page=1", "x-user-tier", "free"),
                (f"{base}/chat/completions", "x-ai-model", "gpt-4o"),
                (f"{base}/cart", "x-user-tier", "premium"),
                (f"{base}/cart", "cookie", "session=a81bc81b; beta=1"),
            ]
        )
        made.append((rng.randrange(HOSTS), target, name, value))
    return made


def asked_for_nothing(count: int) -> list[Asked]:
    """At the same hosts, for paths that no route has."""
    rng = Random(1)
    return [
        (rng.randrange(HOSTS), f"/none/{rng.randrange(1_000_000)}/parts?v=2", "x-user-tier", "premium")
        for _ in range(count)
    ]


def _arrived(asked: Asked) -> Request:
    """A new request, as in traffic: nothing of it was read yet, and it lies in the processor's cache."""
    host, target, name, value = asked
    headers = [
        ("user-agent", b"bench"),
        ("accept", b"*/*"),
        ("x-request-id", b"a81bc81b-dead-4e5d-abff-90865d1e13b1"),
        (name, value.encode()),
    ]
    return Request("GET", f"h{host}.shop.test:8080", target, headers_of(headers))


def measure_mixed() -> dict[str, float]:
    """Means in µs among mixed routes: of a look-up and of a whole decision, for requests that match, and of a
    decision for paths that match nothing."""
    engine = a_mixed_engine()
    matching = mixed_asked(_MIXED)
    nothing = asked_for_nothing(_MIXED)
    assert all(isinstance(engine.decide(_arrived(asked), 0.0), Decision) for asked in matching)
    assert all(isinstance(engine.decide(_arrived(asked), 0.0), Refusal) for asked in nothing)
    _settle_all(engine)
    gc.collect()
    gc.freeze()
    means = {
        "look_up": _mean_of_new(matching, engine, only_look_up=True),
        "match": _mean_of_new(matching, engine),
        "nothing": _mean_of_new(nothing, engine),
    }
    gc.unfreeze()
    return means


def _mean_of_new(asked: list[Asked], engine: Engine, *, only_look_up: bool = False) -> float:
    """In µs. The best of several passes counts for each small batch: others use the machine too."""
    clock = time.perf_counter_ns
    index = engine.plan.index
    best = [sys.maxsize] * (len(asked) // _NEW)
    for _ in range(_MIXED_PASSES):
        for at in range(len(best)):
            batch = [_arrived(one) for one in asked[at * _NEW : (at + 1) * _NEW]]
            begun = clock()
            if only_look_up:
                for request in batch:
                    index.find(request)
            else:
                for request in batch:
                    engine.decide(request, 0.0)
            best[at] = min(best[at], clock() - begun)
            _settle_all(engine)
    return sum(best) / len(asked) / 1000


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
    """Bytes that stay allocated for each decision, over a million decided and settled.

    Before that what is remembered of each endpoint has filled its windows. That is traced as well: else what
    takes its place would count, and what it replaces would not.
    """
    engine = an_engine(10)
    asked = requests(10)
    tracemalloc.start()
    _decide_and_settle(engine, asked, KEPT_OVER // BATCH // 2)
    gc.collect()
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
    told = {"compiled": compiled, "10": few, "10000": many, "mixed": measure_mixed()}
    json.dump({**told, "bytes_kept": bytes_kept()}, sys.stdout)


if __name__ == "__main__":
    main()
