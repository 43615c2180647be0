"""`make fuzz`: the fuzzer on every core, half of the processes with the installed package, half with sources.

The installed core is compiled, and plain sources check their own types as they run: each finds what the other
does not. Prints the seed; a failing input is saved with how to try it again. Exits with 1 when there is one.
"""

import argparse
import base64
import hashlib
import json
import mmap
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # last, so that an installed (and compiled) package comes before the sources

from sidecar.app import core_kind  # noqa: E402
from tests.fuzz.fuzzer import Fuzzer, Told, replayed  # noqa: E402
from tests.fuzz.targets import BY_NAME  # noqa: E402

_FOUND: Final = ROOT / "build" / "fuzz"
_PROGRESS_S: Final = 5.0
_SILENT_S: Final = 60.0
"""A process that says nothing for so long hangs."""
_HELD_BYTES: Final = 1 << 20


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--target", action="append", help="only this one; may repeat")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=_FOUND, help="where failing inputs are saved")
    parser.add_argument("--replay", type=Path, help="try a saved input again")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.replay is not None:
        return _replay(given.replay)
    seed = secrets.randbits(32) if given.seed is None else given.seed
    if given.child is not None:
        return _child(seed, given.seconds, given.target or [], given.child)
    return _all(seed, given.seconds, given.target or [], given.processes, given.out)


@dataclass
class _Child:
    process: subprocess.Popen[str]
    held: Path
    kind: str
    seed: int
    told: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] | None = None
    heard_at: float = field(default_factory=time.monotonic)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            self.heard_at = time.monotonic()
            if "failure" in said:
                self.failure = said["failure"]
            else:
                self.told = said


def _all(seed: int, seconds: float, targets: list[str], processes: int, out: Path) -> int:
    _say(f"seed {seed}, {processes} processes, {seconds:g} s")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sidecar-fuzz-") as scratch:
        children = [
            _started(seed + number, seconds, targets, Path(scratch) / str(number), number)
            for number in range(processes)
        ]
        readers = [threading.Thread(target=child.listen, daemon=True) for child in children]
        for reader in readers:
            reader.start()
        try:
            _watched(children, begun)
        finally:
            for child in children:
                if child.process.poll() is None:
                    child.process.kill()
                child.process.wait()
            for reader in readers:
                reader.join()
        failures = [found for child in children if (found := _failure_of(child)) is not None]
    for kind in dict.fromkeys(child.kind for child in children):
        slowest = max(
            (c.told for c in children if c.kind == kind and c.told),
            key=lambda t: t["slowest_s"],
            default=None,
        )
        if slowest is not None:
            _say(
                f"{kind}: the slowest answer took {slowest['slowest_s'] * 1000:.1f} ms of CPU "
                f"({slowest['slowest_target']}, {slowest['slowest_bytes']} bytes); "
                f"memory grew by {slowest['grown_bytes'] / 1024 / 1024:.1f} MB in the second half"
            )
    total = sum(child.told.get("executions", 0) for child in children)
    spent = time.monotonic() - begun
    if not failures:
        _say(f"{total} executions in {spent:.0f} s: nothing found")
        return 0
    for failure in failures:
        path = _saved(failure, out)
        _say(f"\n{failure['trace'] or failure['message']}\n{failure['target']}: {failure['message']}")
        _say(f"saved: try it again with: make fuzz REPLAY={os.path.relpath(path, ROOT)}")
    return 1


def _started(seed: int, seconds: float, targets: list[str], held: Path, number: int) -> _Child:
    plain = number % 2 == 1 or bool(os.environ.get("PYTHONPATH"))
    held.write_bytes(bytes(_HELD_BYTES))
    words = ["--seed", str(seed), "--seconds", str(seconds), "--child", str(held)]
    for target in targets:
        words += ["--target", target]
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__)), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT) if plain else ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    return _Child(process, held, "sources" if plain else "installed", seed)


def _watched(children: list[_Child], begun: float) -> None:
    """Until all have ended, or one has failed."""
    told_at, executions = begun, 0
    while any(child.process.poll() is None for child in children):
        if any(child.process.poll() not in {None, 0} for child in children):
            return
        now = time.monotonic()
        if any(now - child.heard_at > _SILENT_S for child in children if child.process.poll() is None):
            return
        if now - told_at >= _PROGRESS_S:
            total = sum(child.told.get("executions", 0) for child in children)
            kept = sum(child.told.get("kept", 0) for child in children)
            rate = (total - executions) / (now - told_at)
            _say(f"{now - begun:4.0f} s  {total:8d} executions  {rate:6.0f}/s  {kept} kept")
            told_at, executions = now, total
        time.sleep(0.1)


def _failure_of(child: _Child) -> dict[str, Any] | None:
    if child.failure is not None:
        return child.failure
    code = child.process.returncode
    if code == 0:
        return None
    target, data = _held(child.held)
    if code == -signal.SIGKILL and time.monotonic() - child.heard_at <= _SILENT_S:
        return None  # ended because another one failed
    message = f"hangs for {_SILENT_S:.0f} s" if code == -signal.SIGKILL else f"the process ended with {code}"
    encoded = base64.b64encode(data).decode()
    return {
        "target": target,
        "message": message,
        "trace": "",
        "data": encoded,
        "seed": child.seed,
        "core": child.kind,
    }


def _saved(failure: dict[str, Any], out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(failure["data"].encode()).hexdigest()[:8]
    path = out / f"{failure['target'] or 'run'}-{digest}.json"
    path.write_text(json.dumps(failure, indent=1) + "\n", "utf-8")
    return path.resolve()


def _held(path: Path) -> tuple[str, bytes]:
    """The input that was being tried."""
    raw = path.read_bytes()
    name, size = raw[:16].rstrip(b"\0").decode(), int.from_bytes(raw[16:20])
    return name, raw[20 : 20 + size]


def _child(seed: int, seconds: float, targets: list[str], held: Path) -> int:
    with held.open("r+b") as file, mmap.mmap(file.fileno(), _HELD_BYTES) as memory:

        def before(target: str, data: bytes) -> None:
            piece = data[: _HELD_BYTES - 20]
            memory[: 20 + len(piece)] = target.encode().ljust(16, b"\0") + len(piece).to_bytes(4) + piece

        def say(told: Told) -> None:
            said = {**asdict(told), "slowest_bytes": len(told.slowest_data)}
            del said["slowest_data"]
            _say(json.dumps(said))

        fuzzer = Fuzzer(seed, [BY_NAME[name] for name in targets] or None, before)
        failure = fuzzer.run(seconds, say)
        say(fuzzer.told)
        if failure is None:
            return 0
        data = base64.b64encode(failure.data).decode()
        told = {"target": failure.target, "message": failure.message, "trace": failure.trace, "data": data}
        _say(json.dumps({"failure": {**told, "seed": seed, "core": core_kind()}}))
        return 1


def _replay(path: Path) -> int:
    saved = json.loads(path.read_text("utf-8"))
    if saved["target"] not in BY_NAME:
        _say(f"no single input did it: {saved['message']}; run again with --seed {saved['seed']}")
        return 2
    failure = replayed(BY_NAME[saved["target"]], base64.b64decode(saved["data"]))
    if failure is None:
        _say(f"{path.name}: holds now (core: {core_kind()})")
        return 0
    _say(f"{failure.trace or failure.message}\n{failure.target}: {failure.message} (core: {core_kind()})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
