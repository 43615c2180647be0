"""How many outcomes a second one core learns from, and what a million tickets take.

Messages as Envoy sends them (20 whole entries, about 16 KB) go through the service into the engine: reading,
settling, health scores, ejection, breakers, and the metrics. Decisions and the messages themselves are made
outside of the timed parts. Runs in the process that imports it, compiled or not.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # last, so that an installed (and compiled) package comes before the sources

from sidecar.core import engine as core_engine  # noqa: E402
from sidecar.core.decision import Decision  # noqa: E402
from sidecar.core.endpoint import Endpoint, Offer  # noqa: E402
from sidecar.core.engine import Engine  # noqa: E402
from sidecar.core.plan import Plan, Route, Variant  # noqa: E402
from sidecar.core.registry import STRATEGIES  # noqa: E402
from sidecar.core.request import Request, headers_of  # noqa: E402
from sidecar.core.rules.path import PathUnder  # noqa: E402
from sidecar.core.state.memory import State  # noqa: E402
from sidecar.core.watch import BreakerRule, OutlierRule, ScoreRule, Watch  # noqa: E402
from sidecar.runtime.measures import Measures  # noqa: E402
from sidecar.runtime.methods import ClientStream  # noqa: E402
from sidecar.runtime.router import Router  # noqa: E402
from sidecar.runtime.services import ACCESS_LOG, services  # noqa: E402
from tests.wire.entries import a_whole_entry, batch  # noqa: E402

FEW: Final = 3
MANY: Final = 1_000
TICKETS: Final = 1_000_000
_IN_A_MESSAGE: Final = 20
_MESSAGES: Final = 500
_PASSES: Final = 7
_FAILING: Final = 0.005
_WATCH: Final = Watch(ScoreRule(0.7), OutlierRule(), BreakerRule())


def _engine(endpoints: int, most_tickets: int = 200_000) -> Engine:
    offer = Offer(watch=_WATCH)
    places = tuple(
        Endpoint("shop", f"e{at}", f"10.{at >> 8}.{at & 255}.1:8080", 1, offer=offer)
        for at in range(endpoints)
    )
    variant = Variant("shop", "shop", places, STRATEGIES["round_robin"](), "round_robin")
    return Engine(Plan(1, [Route("shop", PathUnder("/"), (variant,))]), State(0, most_tickets), Random(1))


def _messages(engine: Engine, rng: Random) -> list[bytes]:
    """Of as many requests that are open now; a few of them have failed."""
    request = Request("GET", "shop.test", "/shop", headers_of([]))
    made = []
    for _ in range(_MESSAGES):
        entries: list[Any] = []
        for _ in range(_IN_A_MESSAGE):
            decision = engine.decide(request, time.monotonic())
            assert isinstance(decision, Decision)
            assert decision.ticket is not None
            entry = a_whole_entry(decision.ticket.id, 503 if rng.random() < _FAILING else 200)
            socket = entry.common_properties.upstream_remote_address.socket_address
            socket.address, _, port = decision.endpoint.address.rpartition(":")
            socket.port_value = int(port)
            entries.append(entry)
        made.append(batch(*entries))
    return made


def ingested_per_s(endpoints: int) -> float:
    """The median of several passes."""
    engine = _engine(endpoints)
    measures = Measures()
    method = services(Router(engine, measures), measures, feedback=False)[f"/{ACCESS_LOG}/StreamAccessLogs"]
    assert isinstance(method, ClientStream)
    call = method.open()
    rng = Random(2)
    rates = []
    for _ in range(_PASSES):
        messages = _messages(engine, rng)
        gc.collect()
        gc.freeze()
        begun = time.perf_counter()
        for message in messages:
            call.receive(message)
        rates.append(_MESSAGES * _IN_A_MESSAGE / (time.perf_counter() - begun))
        gc.unfreeze()
        assert len(engine.state.tickets) == 0
    assert engine.state.tickets.unknown == 0
    assert measures.bugs == 0
    return median(rates)


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def million() -> dict[str, float]:
    """Memory while a million tickets are open, after all have expired, and while the next million is."""
    engine = _engine(FEW, TICKETS)
    request = Request("GET", "shop.test", "/shop", headers_of([]))
    before = _rss_bytes()
    full: list[int] = []
    now = 0.0
    for _ in range(3):
        for _ in range(TICKETS):
            engine.decide(request, now)
        full.append(_rss_bytes())
        now += 1000.0
        engine.expire(now)
        assert len(engine.state.tickets) == 0
    return {
        "bytes_a_ticket": (full[0] - before) / TICKETS,
        "growth": (full[2] - full[1]) / max(full[1], 1),
    }


def main() -> None:
    """Print what was measured, as JSON."""
    told = {
        "compiled": not core_engine.__file__.endswith(".py"),
        "few": ingested_per_s(FEW),
        "many": ingested_per_s(MANY),
        "million": million(),
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
