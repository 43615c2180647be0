"""What goes over the wire, written down: a change of any byte that matters shows as a diff.

After a wanted change, write the answers anew and read the diff before it is kept:

    UPDATE_GOLDEN=1 python -m pytest tests/golden
"""

import os
import subprocess
import sys

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from tests.golden.replay import FOLDER, cases, read, replies, written

PATHS = [*filter(None, sys.path), str(FOLDER.parents[1])]
PHASES_SHOWN = {
    "request_headers",
    "response_headers",
    "request_body",
    "request_trailers",
    "immediate_response",
}


@pytest.mark.parametrize("case", cases())
def test_answers_as_it_is_written_down(case: str) -> None:
    """checklist 1, 2, 6, 7, 10, 13, 20"""
    answers = [ext_proc.ProcessingResponse.FromString(reply) for reply in replies(case)]
    golden = FOLDER / f"{case}.response.txtpb"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(written(answers), "utf-8")

    assert answers == read(golden, ext_proc.ProcessingResponse)
    assert written(answers) == golden.read_text("utf-8")


def test_the_bytes_are_the_same_in_another_process() -> None:
    """Answers are kept and cut at the ticket: the order of their fields must not hang on hash seeds."""
    first, second = (
        subprocess.run(
            [sys.executable, "-m", "tests.golden.replay"],
            cwd=FOLDER,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(PATHS)},
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in ("1", "2")
    )

    assert first == second
    assert first.decode() == "".join(f"{case} {reply.hex()}\n" for case in cases() for reply in replies(case))


def test_there_is_a_case_for_each_kind_of_answer() -> None:
    shown = {
        answer.WhichOneof("response")
        for case in cases()
        for answer in read(FOLDER / f"{case}.response.txtpb", ext_proc.ProcessingResponse)
    }

    assert shown >= PHASES_SHOWN
