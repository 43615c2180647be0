"""What the parts of a sidecar have of each other."""

import asyncio
from pathlib import Path

from sidecar.app import build
from sidecar.config.changes import switch_route
from sidecar.config.load import load
from tests.builders import OK, a_request, decided, ticket_of

FILE = """
clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}
routes: [{name: other, match: {path: /other}, to: shop}, {name: rest, to: shop}]
"""


def test_without_a_store_nothing_piles_up_of_endpoints_that_went(tmp_path: Path) -> None:
    """H2: what has changed is for a store, and names would be kept for ever where there is none."""
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    parts = build(path, load(path, 1), [], "")
    engine = parts.router.engine
    engine.settle(ticket_of(decided(engine, a_request())), OK, 1.0)

    asyncio.run(parts.reloader.change(switch_route("other", on=False), "a test"))

    assert engine.plan.generation == 2
    kept = {name: keeper.changed() for name, keeper in engine.state.keepers.items()}
    assert [name for name, keys in kept.items() if keys] == []
