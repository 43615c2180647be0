"""How long a whole decision takes by each strategy, among three endpoints and among a thousand.

Runs in the process that imports it, as `core.py` does. One route with a path prefix takes every request; a
hundred are in flight at most. What endpoints report and how requests ended is told between the timed batches,
while the time goes on by 10 ms for each, so that what is made anew every so often is in the mean. With
fallbacks, three endpoints are named.
"""

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Final

from sidecar.core import engine as core_engine
from sidecar.core.decision import Decision
from sidecar.core.endpoint import Endpoint
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Plan, Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request, headers_of
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.path import PathUnder
from sidecar.core.state.bindings import Bindings, key_of, salt_of
from sidecar.core.state.memory import State
from sidecar.core.strategies.base import Strategy
from sidecar.core.strategies.cache_aware import CacheAware
from sidecar.core.strategies.consistent_hash import ConsistentHash
from sidecar.core.strategies.geo_nearest import GeoNearest
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.strategies.sticky import Sticky
from sidecar.core.strategies.zone_aware import ZoneAware

FEW: Final = 3
MANY: Final = 1_000
SESSIONS: Final = 1_000_000
_BATCH: Final = 100
_BATCHES: Final = 100
_PASSES: Final = 7
_SWITCHES: Final = 2_000
_USER: Final = HeaderField("x-user")
_PROMPT: Final = HeaderField("x-prompt")
_REGIONS: Final = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1", "sa-east-1")

Asked = tuple[str, list[tuple[str, bytes]]]
"""Target and headers."""

MADE: Final[dict[str, Callable[[], Strategy]]] = {
    **STRATEGIES,
    "affinity": lambda: Sticky(RoundRobin(), (_USER,)),
    "cache_aware_by_prompt": lambda: CacheAware(by=(_PROMPT,)),
    "consistent_hash": lambda: ConsistentHash(by=(_USER,)),
    "consistent_hash_bounded": lambda: ConsistentHash(by=(_USER,), load_factor=1.25),
    "geo_nearest": lambda: GeoNearest(by=(HeaderField("x-region"),)),
    "geo_nearest_by_point": lambda: GeoNearest(by=(HeaderField("x-point"),)),
    "zone_aware": lambda: ZoneAware(by=(HeaderField("x-zone"),)),
}
"""With a key in the request where the strategy takes one."""


def endpoints(count: int) -> tuple[Endpoint, ...]:
    """In three zones and six regions, with two weights and four prices."""
    return tuple(
        Endpoint(
            "ai",
            f"e{at}",
            f"10.{at >> 8}.{at & 255}.1:8080",
            1 + at % 2,
            region=_REGIONS[at % len(_REGIONS)],
            zone="abc"[at % 3],
            input_micro_usd=100 + at % 4,
            output_micro_usd=900 - at % 4,
        )
        for at in range(count)
    )


def a_plan(name: str, count: int, want: int = 1) -> Plan:
    variant = Variant("ai", "chat/ai", endpoints(count), MADE[name](), name)
    return Plan(1, [Route("chat", PathUnder("/api"), (variant,), want=want)])


def asked_for() -> list[Asked]:
    """By users, with prompts that share their beginnings by tens, from regions and zones."""
    rng = Random(1)
    return [
        (
            f"/api/chat/{at}",
            [
                ("user-agent", b"bench"),
                ("accept", b"*/*"),
                ("x-request-id", b"a81bc81b-dead-4e5d-abff-90865d1e13b1"),
                ("x-user", b"user-%d" % rng.randrange(5_000)),
                ("x-prompt", b"%05d" % rng.randrange(1_000) * 300 + b"question %d" % at),
                ("x-region", rng.choice(_REGIONS).encode()),
                ("x-point", b"%.2f,%.2f" % (rng.uniform(-60, 70), rng.uniform(-180, 180))),
                ("x-zone", rng.choice([b"a", b"b", b"c"])),
            ],
        )
        for at in range(_BATCH * _BATCHES)
    ]


def arrived(asked: list[Asked]) -> list[Request]:
    """New requests, as in traffic: nothing of them was read yet, and they lie in the processor's cache."""
    return [
        Request(
            "POST", "shop.test", target, headers_of([(name, bytes(bytearray(raw))) for name, raw in pairs])
        )
        for target, pairs in asked
    ]


class _Bench:
    """One engine, its time, and what has to be told to it."""

    def __init__(self, plan: Plan) -> None:
        self.engine: Final = Engine(plan, State(), Random(1))
        self.now = 0.0
        self._settled = 0
        self._rng: Final = Random(2)
        self._keys: Final = [endpoint.key for endpoint in plan.routes[0].variants[0].endpoints]

    def warm(self, asked: list[Asked]) -> None:
        """Until endpoints have answered and reported."""
        self._report(self._keys)
        for at in range(_BATCHES):
            self.decide(asked[at * _BATCH : (at + 1) * _BATCH])

    def decide(self, asked: list[Asked]) -> int:
        """What it takes in ns; all of them have ended after it, and told so."""
        requests, now = arrived(asked), self.now
        decide = self.engine.decide
        clock = time.perf_counter_ns
        begun = clock()
        for request in requests:
            decide(request, now)
        taken = clock() - begun
        self._settle()
        self.now += 0.01
        self._report(self._rng.choices(self._keys, k=min(len(self._keys), 20)))
        return taken

    def _settle(self) -> None:
        """Each after 20 to 80 ms, one of a hundred with an error."""
        random = self._rng.random
        opened = self.engine.state.tickets.opened
        for ticket in range(self._settled + 1, opened + 1):  # as an epoch of 0 numbers them
            status = 503 if random() < 0.01 else 200
            self.engine.settle(ticket, Outcome(status, 0.02 + 0.06 * random()), self.now)
        self._settled = opened

    def _report(self, keys: list[str]) -> None:
        random = self._rng.random
        for key in keys:
            self.engine.state.reports.told(
                key, self.now, utilisation=0.8 * random(), quota_used=0.9 * random(), cache_hit_rate=random()
            )


def measure(name: str, count: int, asked: list[Asked], want: int = 1) -> float:
    """Mean in µs. The best of several passes counts for each batch: others use the machine too."""
    bench = _Bench(a_plan(name, count, want))
    bench.warm(asked)
    gc.collect()
    gc.freeze()
    best = [sys.maxsize] * _BATCHES
    for _ in range(_PASSES):
        for at in range(_BATCHES):
            best[at] = min(best[at], bench.decide(asked[at * _BATCH : (at + 1) * _BATCH]))
    gc.unfreeze()
    return sum(best) / (_BATCHES * _BATCH) / 1000


def measure_switch(asked: list[Asked]) -> float:
    """In µs, by how much the first decision after a change of strategy takes longer than the second."""
    plans = [a_plan("round_robin", FEW), a_plan("least_loaded", FEW)]
    bench = _Bench(plans[0])
    bench.warm(asked)
    clock = time.perf_counter_ns
    decide = bench.engine.decide
    requests = arrived(asked[:_SWITCHES])
    firsts: list[int] = []
    seconds: list[int] = []
    for at in range(_SWITCHES):
        bench.engine.swap(plans[at % 2])
        for times in (firsts, seconds):
            begun = clock()
            decide(requests[at], bench.now)
            times.append(clock() - begun)
        bench.engine.expire(1e9)
    return (sorted(firsts)[_SWITCHES // 2] - sorted(seconds)[_SWITCHES // 2]) / 1000


def bytes_a_session() -> float:
    """Of a million sessions, a third of them used again since."""
    rng = Random(1)
    salt = salt_of("chat/ai")
    gc.collect()
    tracemalloc.start()
    sessions = Bindings(SESSIONS)
    for at in range(SESSIONS):
        sessions.bind(key_of(salt, f"session-{at}"), f"ai/e{at % 30}", 300.0, 0.0)
    for _ in range(SESSIONS // 3):
        at = rng.randrange(SESSIONS)
        sessions.bind(key_of(salt, f"session-{at}"), f"ai/e{at % 30}", 400.0, 100.0)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sessions) == SESSIONS
    return taken / SESSIONS


def main() -> None:
    """Print what was measured, as JSON. Arguments are the strategies to measure; none are all."""
    asked = asked_for()
    bench = _Bench(a_plan("round_robin", FEW))
    assert all(isinstance(bench.engine.decide(request, 0.0), Decision) for request in arrived(asked))
    means = {
        name: {
            "few": measure(name, FEW, asked),
            "many": measure(name, MANY, asked),
            "fallbacks": measure(name, MANY, asked, want=3),
        }
        for name in (sys.argv[1:] or sorted(MADE))
    }
    told = {
        "compiled": not core_engine.__file__.endswith(".py"),
        "means": means,
        "switch": measure_switch(asked),
    }
    if not sys.argv[1:]:
        told["bytes_a_session"] = bytes_a_session()
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
