"""The fuzzer itself: a short run finds nothing, the same seed does the same, and what is broken is found."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from sidecar.config.load import load
from sidecar.core.request import Request
from sidecar.wire import answers, ext_proc
from sidecar.wire.request import usual_request
from tests.fuzz import mutate, targets
from tests.fuzz.fuzzer import Fuzzer, replayed
from tests.fuzz.targets import BY_NAME, TARGETS, Slow, Target, World

pytestmark = pytest.mark.alone

RUN = Path(__file__).with_name("run.py")


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """The command, with the package that this test has imported."""
    root = str(RUN.parents[2])
    return subprocess.run(
        [sys.executable, "-P", str(RUN), *map(str, words)],
        env={**os.environ, "PYTHONPATH": root if os.environ.get("PYTHONPATH") else ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    done = run("--seconds", 5, "--seed", 1, "--processes", 1, "--out", tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 1, 1 processes, 5 s" in done.stdout
    assert "nothing found" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_plan_has_a_route_for_every_condition_and_action() -> None:
    """Whatever is added to the file must be added there, or it is not fuzzed."""
    config = load(Path(__file__).with_name("gateway.yaml"), 1).config
    matches = [route.match for route in config.routes]
    for match in matches:
        matches += [*(match.all or []), *(match.any or []), *([match.not_] if match.not_ else [])]
    used = {key for match in matches for key in match.model_fields_set}
    for text in [text for match in matches for text in (*match.headers, *match.query, *match.cookies)]:
        used |= text.model_fields_set
    sources = [
        source
        for key in type(config.context).model_fields
        if key != "client_ip"
        for source in getattr(config.context, key)
    ]

    match_keys = set(type(matches[0]).model_fields)
    text_keys = {"exact", "prefix", "suffix", "contains", "regex", "present", "absent"}
    assert match_keys | text_keys <= used
    route_keys = {key for route in config.routes for key in route.model_fields_set}
    assert {
        "to",
        "pool",
        "split",
        "redirect",
        "respond",
        "reject",
        "set",
        "share",
        "sticky",
        "headers",
        "rewrite",
        "fault",
        "mirror",
        "timeout",
        "enabled",
    } <= route_keys
    gate_keys = {key for gate in config.gates for key in gate.model_fields_set}
    assert gate_keys == set(type(config.gates[0]).model_fields) - {"name"}
    source_keys = {key for source in sources for key in source.model_fields_set}
    assert source_keys == set(type(sources[0]).model_fields) - {"geoip"}


def test_the_same_seed_tries_the_same_inputs() -> None:
    def tried(seed: int) -> list[bytes]:
        rng = Random(seed)
        target = BY_NAME["stream"]
        seeds = target.seeds()
        return [target.mutated(rng, rng.choice(seeds), rng.choice(seeds)) for _ in range(200)]

    assert tried(7) == tried(7)
    assert tried(7) != tried(8)


def test_most_changed_streams_are_messages_that_the_sidecar_answers() -> None:
    rng = Random(3)
    target = BY_NAME["stream"]
    seeds = target.seeds()
    world = World()
    signs = [target.run(world, target.mutated(rng, rng.choice(seeds), rng.choice(seeds))) for _ in range(300)]

    undecodable = sum("undecodable" in str(sign) or sign == "refused" for sign in signs)
    assert undecodable < 100
    assert len(set(signs)) > 40


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_any_bytes_are_an_input(target: Target) -> None:
    rng = Random(4)
    world = World()
    for size in (0, 1, 2, 3, 4, 10, 100, 1000):
        target.run(world, rng.randbytes(size))


def found_by(name: str, executions: int = 3000) -> str:
    """What one target finds among so many inputs."""
    rng = Random(5)
    target = BY_NAME[name]
    seeds = target.seeds()
    world = World()
    inputs = [*seeds, *(target.mutated(rng, rng.choice(seeds), rng.choice(seeds)) for _ in range(executions))]
    for data in inputs:
        try:
            target.run(world, data)
        except Exception as error:  # noqa: BLE001 - what is looked for
            return f"{type(error).__name__}: {error}"
    return ""


def test_finds_a_byte_of_a_body_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = ext_proc._chunks
    monkeypatch.setattr(ext_proc, "_chunks", lambda part, phase, *, last: usual(part[:-1], phase, last=last))

    assert "the body is given back unchanged" in found_by("stream") or "every byte" in found_by("stream")


def test_finds_an_answer_of_another_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**ext_proc._GO_ON, "response_headers": ext_proc._GO_ON["request_headers"]}
    monkeypatch.setattr(ext_proc, "_GO_ON", wrong)

    assert "belongs to a message of it" in found_by("stream")


def test_finds_a_header_that_envoy_would_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_ESCAPED", {})

    assert "can be sent" in found_by("stream")


def test_finds_an_exception_that_nobody_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(_self: object, _answer: object) -> bytes:
        raise KeyError("bug")

    monkeypatch.setattr(answers.Answers, "encode", bug)

    assert "decision_failed: KeyError('bug')" in found_by("route", 0) + found_by("stream", 0)


def test_finds_a_fast_reader_that_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def otherwise(data: bytes) -> Request | None:
        read = usual_request(data)
        return read and Request(read.method, read.authority, read.target + "x", read.headers, ends=read.ends)

    monkeypatch.setattr(targets, "usual_request", otherwise)

    assert "the fast reader says what the library says" in found_by("stream")


def test_finds_an_answer_that_takes_too_long_and_makes_the_input_small() -> None:
    def busy() -> None:
        ends = time.process_time() + 0.08
        while time.process_time() < ends:
            pass

    def slow(world: World, data: bytes) -> Hashable:
        if b"slow" in data:
            world.watch(busy)
        return None

    target = Target("slow", 1, lambda: [b"a rather slow input"], mutate.mutated_bytes, slow)

    failure = Fuzzer(1, [target]).run(1.0)

    assert failure is not None
    assert "an answer took" in failure.message
    assert b"slow" in failure.data
    assert len(failure.data) < len(b"a rather slow input")  # how much shorter depends on the time there is
    again = replayed(target, failure.data)
    assert again is not None
    assert issubclass(Slow, targets.Violation)


def test_a_failing_input_is_saved_and_can_be_tried_again(tmp_path: Path) -> None:
    saved = tmp_path / "stream-1.json"
    data = "AAAA"
    saved.write_text(json.dumps({"target": "stream", "data": data, "message": "was wrong", "seed": 1}))

    done = run("--replay", saved)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("stream-1.json: holds now (core: ")


def test_what_ends_the_process_is_known_by_its_input(tmp_path: Path) -> None:
    """As an error in compiled code would."""
    planted = tmp_path / "planted.py"
    planted.write_text(
        f"""
import os, runpy, sys
sys.path.append({str(RUN.parents[2])!r})
from tests.fuzz import targets
target = targets.BY_NAME["path"]
def run(world, data):
    if data == b"/body":
        os.kill(os.getpid(), 11)
targets.BY_NAME["path"] = type(target)("path", 1, target.seeds, target.mutated, run)
sys.argv[0] = {str(RUN)!r}
runpy.run_path({str(RUN)!r}, run_name="__main__")
"""
    )
    held = tmp_path / "held"
    held.write_bytes(bytes(1 << 20))
    done = subprocess.run(
        [
            sys.executable,
            str(planted),
            "--child",
            str(held),
            "--seed",
            "1",
            "--seconds",
            "5",
            "--target",
            "path",
        ],
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == -11
    assert held.read_bytes()[20:25] == b"/body"


def test_replaces_nothing_but_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shares say how often each target is tried."""
    only = [replace(BY_NAME["path"], share=1), replace(BY_NAME["route"], share=0)]
    fuzzer = Fuzzer(1, only)
    fuzzer.run(0.2)

    assert fuzzer.told.by_target["route"] == len(BY_NAME["route"].seeds())
