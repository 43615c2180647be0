"""Tickets that were opened, settled, given up and lost leave nothing behind."""

import gc
import sys
from typing import Final

import pytest

from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.engine import Engine
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.watch import BreakerRule, OutlierRule, ScoreRule, Watch
from tests.builders import OK, a_plan, a_request, a_route, an_engine, decided, ticket_of

AT_ONCE: Final = 2_000
WATCH: Final = Watch(ScoreRule(), OutlierRule(), BreakerRule())
FAILED: Final = Outcome(0, failure=Failure.CONNECTION, served="10.0.0.2:80", attempts=2)


def an_engine_of_three(most_tickets: int) -> Engine:
    engine = an_engine(most_tickets=most_tickets)
    offer = Offer(requests_per_minute=10_000_000, watch=WATCH)
    endpoints = [
        Endpoint("shop", name, f"10.0.0.{at}:80", 1, offer=offer) for at, name in enumerate("abc", 1)
    ]
    engine.swap(a_plan(a_route("main", to=endpoints, want=2), lease_s=10.0))
    return engine


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.parametrize(
    ("way", "tickets"),
    [("expired", 200_000), ("crowded out", 200_000), ("settled", 50_000), ("failed", 50_000)],
)
def test_tickets_by_the_hundred_thousand_leave_nothing_behind(way: str, tickets: int) -> None:
    """H1: of a million see the benchmark."""
    engine = an_engine_of_three(AT_ONCE)
    request = a_request()
    now = 0.0
    before = 0
    for turn in range(tickets // AT_ONCE):
        if turn == tickets // AT_ONCE // 10:  # by then all that is of constant size has its size
            before = blocks()
        for _ in range(AT_ONCE):
            now += 0.001
            ticket = ticket_of(decided(engine, request, now))
            if way in {"settled", "failed"}:
                engine.settle(ticket, FAILED if way == "failed" and ticket % 50 == 0 else OK, now)
        if way != "crowded out":
            now += 10.0
            engine.expire(now)
            assert len(engine.state.tickets) == 0
    left = len(engine.state.tickets)

    assert engine.state.tickets.opened == tickets
    assert left == (AT_ONCE if way == "crowded out" else 0)
    assert abs(blocks() - before) < 2_000
    engine.expire(now + 100.0)
    assert engine.state.load.total() == 0
