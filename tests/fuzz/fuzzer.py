"""One run of the fuzzer in this process: inputs are chosen, changed and tried until the time is over.

A mutator of our own rather than one guided by coverage: the core is compiled, so that instrumented bytecode
would not see it, and bytes that are no ProcessingRequest would be most of what such a tool makes. What the
answers look like is guidance enough: an input with answers never seen before joins the corpus.
"""

import gc
import time
import traceback
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.fuzz.targets import ANSWER_WITHIN_S, BY_NAME, TARGETS, Slow, Target, Violation, World

_MOST_KEPT: Final = 400
_MOST_SIGNS: Final = 20_000
_LARGEST_KEPT: Final = 20_000
_TRIES_TO_SHRINK: Final = 300
_GROWTH_BYTES: Final = 24 * 1024 * 1024
_SHORTEST_FOR_MEMORY_S: Final = 30.0
_EXPIRES_EACH: Final = 1000
_PAGE: Final = 4096


@dataclass(frozen=True)
class Failure:
    """An input that broke a promise."""

    target: str
    data: bytes
    message: str
    trace: str = ""


@dataclass
class Told:
    """How a run went."""

    executions: int = 0
    kept: int = 0
    grown_bytes: int = 0
    slowest_s: float = 0.0
    slowest_target: str = ""
    slowest_data: bytes = b""
    by_target: dict[str, int] = field(default_factory=dict)


class Fuzzer:
    """`before` is called with each input ahead of its run, so that one that ends the process is known."""

    def __init__(
        self,
        seed: int,
        targets: list[Target] | None = None,
        before: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._rng: Final = Random(seed)
        self._targets: Final = TARGETS if targets is None else targets
        self._before: Final = before
        self._world = World()
        self._corpora: Final = {target.name: target.seeds() for target in self._targets}
        self._signs: Final[dict[str, set[int]]] = {target.name: set() for target in self._targets}
        self.told: Final = Told(by_target={target.name: 0 for target in self._targets})

    def seeds(self) -> Failure | None:
        """Each seed once, unchanged."""
        for target in self._targets:
            for data in list(self._corpora[target.name]):
                failure = self._try(target, data)
                if failure is not None:
                    return failure
        return None

    def run(self, seconds: float, progress: Callable[[Told], None] = lambda _: None) -> Failure | None:
        """The first failure, made small; None when there was none."""
        shares = [target.share for target in self._targets]
        begun = time.monotonic()
        told_at, measured_at = begun, 0
        failure = self.seeds()
        gc.collect()
        gc.freeze()  # as the server does: what stays for good costs no answer any time
        while failure is None:
            now = time.monotonic()
            if now >= begun + seconds:
                break
            if now >= told_at + 1:
                told_at = now
                progress(self.told)
                if now >= begun + seconds / 2 and not measured_at and seconds >= _SHORTEST_FOR_MEMORY_S:
                    measured_at = _memory()
            for target in self._rng.choices(self._targets, shares, k=50):
                corpus = self._corpora[target.name]
                data = target.mutated(self._rng, self._rng.choice(corpus), self._rng.choice(corpus))
                failure = self._try(target, data)
                if failure is not None:
                    break
        if failure is not None:
            return self._shrunk(failure)
        if measured_at:
            self.told.grown_bytes = grown = _memory() - measured_at
            if grown > _GROWTH_BYTES:
                said = f"memory grew by {grown / 1024 / 1024:.0f} MB in the second half of the run"
                return Failure("", b"", said)
        return None

    def _try(self, target: Target, data: bytes) -> Failure | None:
        told = self.told
        told.executions += 1
        told.by_target[target.name] += 1
        if told.executions % _EXPIRES_EACH == 0:
            self._world.router.expire()
        if self._before is not None:
            self._before(target.name, data)
        self._world.watch.slowest = 0.0
        try:
            sign = target.run(self._world, data)
        except Exception as error:  # noqa: BLE001 - whatever is not promised is what is looked for
            return _failure(target, data, error)
        slowest = self._world.watch.slowest
        if slowest > target.within_s:
            slowest = self._again(target, data)
            if slowest > target.within_s:
                return _failure(target, data, Slow(f"an answer took {slowest * 1000:.0f} ms of CPU"))
        if slowest > told.slowest_s and target.within_s == ANSWER_WITHIN_S:
            slowest = self._again(target, data)
            if slowest > told.slowest_s:
                told.slowest_s, told.slowest_target, told.slowest_data = slowest, target.name, data
        self._keep(target, data, sign)
        return None

    def _again(self, target: Target, data: bytes) -> float:
        """The least of three: a collection of garbage may have fallen into the first."""
        times = []
        for _ in range(3):
            self._world.watch.slowest = 0.0
            target.run(self._world, data)
            times.append(self._world.watch.slowest)
        return min(times)

    def _keep(self, target: Target, data: bytes, sign: Hashable) -> None:
        signs = self._signs[target.name]
        seen = hash(sign)  # the signs themselves would take more memory than all else
        if seen in signs or len(data) > _LARGEST_KEPT or len(signs) > _MOST_SIGNS:
            return
        signs.add(seen)
        corpus = self._corpora[target.name]
        if len(corpus) < _MOST_KEPT:
            corpus.append(data)
        else:
            corpus[self._rng.randrange(len(corpus))] = data
        self.told.kept += 1

    def _shrunk(self, failure: Failure) -> Failure:
        """With pieces left out, as long as the same promise is broken; asked of a new sidecar each time."""
        target = BY_NAME.get(failure.target) or next(t for t in self._targets if t.name == failure.target)
        if not _same(replayed(target, failure.data), failure):
            return failure
        data, piece, tries = failure.data, max(len(failure.data) // 2, 1), 0
        while piece and tries < _TRIES_TO_SHRINK:
            at = 0
            while at < len(data) and tries < _TRIES_TO_SHRINK:
                tries += 1
                less = data[:at] + data[at + piece :]
                found = replayed(target, less)
                if _same(found, failure) and found is not None:
                    data, failure = less, found
                else:
                    at += piece
            piece //= 2
        return failure


def replayed(target: Target, data: bytes) -> Failure | None:
    """One input, asked of a sidecar that has just started."""
    world = World()
    try:
        target.run(world, data)
    except Exception as error:  # noqa: BLE001 - as in the run
        return _failure(target, data, error)
    if world.watch.slowest > target.within_s:
        return _failure(target, data, Slow(f"an answer took {world.watch.slowest * 1000:.0f} ms of CPU"))
    return None


def _failure(target: Target, data: bytes, error: Exception) -> Failure:
    kind = "" if isinstance(error, Violation) else f"{type(error).__name__}: "
    return Failure(target.name, data, f"{kind}{error}", "".join(traceback.format_exception(error)))


def _same(found: Failure | None, failure: Failure) -> bool:
    return found is not None and found.message[:20] == failure.message[:20]


def _memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
