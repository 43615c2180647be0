"""What a hundred thousand IP ranges cost: to make, to keep, and for each look-up from an address text.

Runs in the process that imports it, so that the same code measures the compiled core and the plain sources;
the goals are those of the compiled core. A look-up is timed as a plain Python loop calls it, over 20,000
different addresses, so that little of the ranges is in the processor's caches.
"""

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from random import Random
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # last, so that an installed (and compiled) package comes before the sources

from rich.console import Console  # noqa: E402

from sidecar.core import ranges as core_ranges  # noqa: E402
from sidecar.core.ranges import RangeMap, Ranges, address_of  # noqa: E402
from tests.bench.rows import Row, row, show  # noqa: E402

COMPILED: Final = not core_ranges.__file__.endswith(".py")
COUNT: Final = 100_000
ASKED: Final = 20_000
_PASSES: Final = 7


def some_cidrs(rng: Random) -> list[str]:
    """Half IPv4 of /16 to /32, half IPv6 of /32 to /64; some nest."""
    made = []
    for at in range(COUNT):
        if at % 2:
            free = rng.randint(0, 16)
            made.append(f"{IPv4Address(rng.getrandbits(32) >> free << free)}/{32 - free}")
        else:
            free = rng.randint(64, 96)
            made.append(f"{IPv6Address(rng.getrandbits(128) >> free << free)}/{128 - free}")
    return made


def some_addresses(rng: Random, cidrs: list[str]) -> dict[str, list[str]]:
    """Texts by kind: half at the beginning of a range, half anywhere; IPv6 also with all groups written."""
    four = [cidr.partition("/")[0] for cidr in rng.sample(cidrs[1::2], ASKED // 2)]
    six = [cidr.partition("/")[0] for cidr in rng.sample(cidrs[::2], ASKED // 2)]
    four += [str(IPv4Address(rng.getrandbits(32))) for _ in range(ASKED // 2)]
    whole = [str(IPv6Address(rng.getrandbits(128))) for _ in range(ASKED)]
    kinds = {"ipv4": four, "ipv6_short": six + whole[: ASKED // 2], "ipv6_whole": whole}
    for texts in kinds.values():
        rng.shuffle(texts)
    return kinds


def mean_us(texts: list[str], look_up: Callable[[int], object]) -> float:
    """Of reading an address and looking it up; the best of several passes."""
    best = float("inf")
    for _ in range(_PASSES):
        begun = time.perf_counter()
        for text in texts:
            look_up(address_of(text))
        best = min(best, time.perf_counter() - begun)
    return best * 1e6 / len(texts)


def read_us(text: str) -> float:
    """Of reading one text alone."""
    best = float("inf")
    for _ in range(_PASSES):
        begun = time.perf_counter()
        for _ in range(ASKED):
            address_of(text)
        best = min(best, time.perf_counter() - begun)
    return best * 1e6 / ASKED


def made_in(make: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds to make it; MB that it keeps, and that were taken at most while it was made."""
    begun = time.perf_counter()
    make()
    taken = time.perf_counter() - begun
    gc.collect()
    tracemalloc.start()
    made = make()
    gc.collect()
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return taken, kept / 1e6, most / 1e6


def measure(*, compiled: bool) -> list[Row]:
    rng = Random(100)
    cidrs = some_cidrs(rng)
    kinds = some_addresses(rng, cidrs)
    pairs = [(cidr, f"country {at % 250}") for at, cidr in enumerate(cidrs)]
    start = f"ranges.{'compiled' if compiled else 'pure'}"
    rows = []
    for name, make in (("set", lambda: Ranges(cidrs)), ("map", lambda: RangeMap(pairs))):
        taken, kept, most = made_in(make)
        rows += [
            row(f"{start}.{name}.making", taken, "s"),
            row(f"{start}.{name}.kept", kept, "MB", at_most=40),
            row(f"{start}.{name}.peak", most, "MB", at_most=40),
        ]
    few, many, by_range = Ranges(cidrs[:10]), Ranges(cidrs), RangeMap(pairs)
    for kind, texts in kinds.items():
        goal = 1.0 if compiled and kind == "ipv4" else None
        rows += [
            row(f"{start}.set.{kind}.10", mean_us(texts, few.holds), "us"),
            row(f"{start}.set.{kind}.{COUNT}", mean_us(texts, many.holds), "us", at_most=goal),
            row(f"{start}.map.{kind}.{COUNT}", mean_us(texts, by_range.of), "us", at_most=goal),
        ]
    for kind, text in (
        ("ipv4", "203.0.113.77"),
        ("ipv6", "2001:db8::8:800:200c:417a"),
        ("1_MB", ":" * 10**6),
    ):
        rows.append(row(f"{start}.read.{kind}", read_us(text), "us"))
    return rows


def main() -> None:
    """Print the table."""
    title = f"{COUNT:,} ranges, {'compiled' if COMPILED else 'plain sources'}"
    show(measure(compiled=COMPILED), title, Console())


if __name__ == "__main__":
    main()
