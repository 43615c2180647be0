"""Asks again and again: each job once in its interval, and at most so many at the same time.

The jobs wait in one heap, by when they are due, and a task is made for a question only while it is asked: ten
thousand endpoints that wait cost ten thousand entries, and no task.
"""

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Final, NamedTuple

_JITTER: Final = 0.1
_AT_A_TIME: Final = 8
"""Questions that begin before what else there is to do has its turn: a request must not wait for a
hundred."""


class Job(NamedTuple):
    """`about` is all that the question depends on: a job with another one begins anew."""

    about: object
    interval_s: float
    ask: Callable[[], Coroutine[None, None, None]]


class _Round:
    """A job on its way through the heap; `gone` once nobody wants its answer any more."""

    __slots__ = ("gone", "job", "task")

    def __init__(self, job: Job) -> None:
        self.job: Final = job
        self.gone = False
        self.task: asyncio.Task[None] | None = None


class Rounds:
    """Owned by one event loop. The first questions are spread over their interval, and each later one comes
    up to a tenth earlier or later than that, so that neither many endpoints nor many sidecars ask in step."""

    def __init__(self, rng: Random, most: int, failed: Callable[[Exception], None]) -> None:
        """At most `most` are asked at once. `failed` is told of a question that raised, which is a bug."""
        self._rng: Final = rng
        self._most: Final = most
        self._failed: Final = failed
        self._rounds: dict[str, _Round] = {}
        self._due: list[tuple[float, int, _Round]] = []
        self._number = 0
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._wake: Final = asyncio.Event()

    @property
    def asking(self) -> int:
        """How many questions are under way."""
        return len(self._tasks)

    def follow(self, jobs: Mapping[str, Job]) -> None:
        """From now on ask these and no others. A question that is under way and was not wanted so is given
        up."""
        now = time.monotonic()
        before, self._rounds = self._rounds, {}
        for key, job in jobs.items():
            known = before.get(key)
            if known is not None and known.job.about == job.about:
                self._rounds[key] = before.pop(key)
                continue
            self._rounds[key] = new = _Round(job)
            self._put(new, now + self._rng.random() * job.interval_s)
        for old in before.values():
            old.gone = True
            if old.task is not None:
                old.task.cancel()
        self._due = [entry for entry in self._due if not entry[2].gone]
        heapq.heapify(self._due)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; then nothing is under way any more."""
        try:
            while True:
                self._wake.clear()
                wait_s = self._begin(time.monotonic())
                if wait_s == 0.0:
                    await asyncio.sleep(0)
                    continue
                # Not `wait_for`: in Python 3.11 that may take its own end for the answer to a cancel.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, now: float) -> float | None:
        """Begin what is due. Returns in how many seconds the next is; None where only a change tells."""
        begun = 0
        while self._due and len(self._tasks) < self._most:
            due = self._due[0][0]
            if due > now:
                return due - now
            if begun == _AT_A_TIME:
                return 0.0
            begun += 1
            one = heapq.heappop(self._due)[2]
            jitter = 1.0 + _JITTER * (2.0 * self._rng.random() - 1.0)
            one.task = asyncio.create_task(self._asked(one, now + jitter * one.job.interval_s))
            self._tasks.add(one.task)
            one.task.add_done_callback(self._ended)
        return None

    async def _asked(self, one: _Round, again_at: float) -> None:
        try:
            await one.job.ask()
        except Exception as bug:  # noqa: BLE001 - it is told
            self._failed(bug)
        finally:
            one.task = None
            if not one.gone:
                self._put(one, again_at)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Also of one that was given up before it began: then nothing of `_asked` ever runs."""
        self._tasks.discard(task)
        self._wake.set()

    def _put(self, one: _Round, at: float) -> None:
        self._number += 1
        heapq.heappush(self._due, (at, self._number, one))
