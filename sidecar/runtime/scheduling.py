"""Asks the system to schedule this process for throughput.

gRPC's thread and the event loop hand each event over to each other. Under the default policy every hand-over
interrupts the other thread at once, about six times for one request; under SCHED_BATCH the one that runs goes
on until it waits. Through Envoy at 64 connections that is 20 % less CPU a request and a lower p99 (see
docs/benchmark.md). It needs no privilege, and a policy that somebody chose for the process is left alone.
"""

import contextlib
import os


def prefer_batches() -> None:
    """Before any thread is started; without effect where the system has no such policy."""
    if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with contextlib.suppress(OSError):  # a sandbox may forbid the call
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
