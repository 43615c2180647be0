"""docs/metrics.md lists what `/metrics` gives, name by name and label by label."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.docs.pages import ROOT, codes, rows
from tests.runtime.caller import Caller
from tests.runtime.sidecars import Process, process

WATCHED: Final = """\
listen: {grpc: '127.0.0.1:0', admin: '127.0.0.1:0', drain: 1s}
regions: {primary: near, order: [far], leave: {health: < 10%}}
clusters:
  shop:
    endpoints:
      - {address: '10.0.0.1:80', id: a, region: near}
      - {address: '10.0.0.2:80', id: b, region: near}
      - {address: '10.0.0.3:80', id: c, region: near}
    limits: {load: 90%}
    health: {panic: 10%, outliers: {}}
    breaker: {failures: 1, open: 60s}
routes: [{name: shop, match: {path: {prefix: /shop}}, to: shop, strategy: round_robin}]
"""
"""So that one of each kind of series is there: one endpoint is out, and one is degraded."""
ROWS: Final = [cells for cells in rows((ROOT / "docs/metrics.md").read_text("utf-8")) if len(cells) == 4]


def test_every_metric_is_listed_with_its_kind_and_labels(tmp_path: Path) -> None:
    with process(tmp_path, WATCHED) as sidecar:
        asyncio.run(some_requests(sidecar.address))
        given = metrics(sidecar)

    listed = {codes(name)[0]: (kind, set(codes(labels))) for name, kind, labels, _ in ROWS}
    if sys.platform != "linux":  # only there are these known
        listed = {name: told for name, told in listed.items() if not name.startswith("process_")}
    assert listed == given


def test_what_is_listed_is_listed_once() -> None:
    names = [codes(cells[0])[0] for cells in ROWS]

    assert sorted(set(names)) == sorted(names)


def metrics(sidecar: Process) -> dict[str, tuple[str, set[str]]]:
    """Kind and labels of each metric by the name that its samples have; of a histogram, its own."""
    given: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(sidecar.get("/metrics")[1]):
        for sample in family.samples:
            labels = set(sample.labels)
            name = sample.name
            if family.type == "histogram":
                name = family.name
                labels -= {"le"}
            given[name] = (family.type, labels)
    return given


async def some_requests(address: str) -> None:
    async with Caller(address) as caller:
        await caller.report((await caller.route("/shop")).decision.ticket, 200)
        decision = (await caller.route("/shop")).decision
        await caller.report(decision.ticket, 503)
        others = {"a", "b", "c"} - {decision.endpoint.id}
        await caller.load("shop", id=min(others), utilisation=0.95)
