"""The client in docs/route-service.md is the one in the examples, and prints what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from sidecar.v1 import route_pb2
from tests.docs.pages import EXAMPLES, ROOT, blocks, codes, rows
from tests.runtime.sidecars import PATHS, process

PAGE: Final = ROOT / "docs/route-service.md"
CLIENT: Final = EXAMPLES / "route_client.py"


def test_the_page_shows_the_example() -> None:
    (shown,) = blocks(PAGE, "python")

    assert shown.text == CLIENT.read_text("utf-8")


def test_the_client_prints_what_the_page_shows(tmp_path: Path) -> None:
    (first,) = [block for block in blocks(ROOT / "README.md", "yaml") if "gateway.yaml" in block.text]
    (shown,) = blocks(PAGE, "text")

    with process(tmp_path, first.text, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0") as sidecar:
        done = run(CLIENT, sidecar.address)

    assert done.splitlines() == shown.text.splitlines()


def test_every_field_of_a_decision_is_told() -> None:
    told = {name for cells in rows(PAGE.read_text("utf-8")) for name in codes(cells[0])}

    assert {field.name for field in route_pb2.Decision.DESCRIPTOR.fields} <= told


def test_every_method_is_told() -> None:
    (service,) = route_pb2.DESCRIPTOR.services_by_name.values()
    told = {name for cells in rows(PAGE.read_text("utf-8")) for name in codes(cells[0])}

    assert {method.name for method in service.methods} <= told


def test_many_routes_are_measured() -> None:
    lines = run(EXAMPLES / "many_routes.py", "2", "200").splitlines()

    assert [line.partition(":")[0].strip() for line in lines] == [
        "2 routes, /r1/x",
        "2 routes, /nowhere",
        "200 routes, /r199/x",
        "200 routes, /nowhere",
    ]
    assert all(re.search(r": \d+\.\d us$", line) for line in lines)


def run(script: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
