"""What the sidecar knew of endpoints it knows after a restart, where a store is configured."""

import time
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Final

import pytest

from sidecar.store.sqlite import SqliteStore
from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.running.sidecar import run
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

OPEN_S: Final = 6.0
EVERY_S: Final = 0.2
FILE: Final = (
    LISTEN
    + f"""
store: {{sqlite: state.db, every: {EVERY_S}s}}
clusters:
  shop:
    endpoints: [{{address: $good, id: good}}, {{address: $bad, id: bad}}]
    breaker: {{failures: 3, open: {OPEN_S}s}}
    health: {{score: {{min: 0%}}}}
routes: [{{name: shop, to: shop}}]
"""
)


@pytest.fixture
def shop(transport: str, tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(FILE, tmp_path, transport) as gateway:
        yield gateway


def opened(gateway: Gateway) -> float:
    """The breaker of the bad one opens. Returns about when, by the monotonic clock."""
    gateway.endpoints["bad"].failing = True

    def out() -> bool:
        return set(gateway.names("/", 6)) == {"good"}

    until(out, "the breaker opens")
    return time.monotonic()


def back(gateway: Gateway) -> bool:
    return "bad" in gateway.names("/", 2)


def test_who_was_out_is_out_for_the_rest_of_its_time_after_a_restart(shop: Gateway) -> None:
    """H5: and comes back through trials, as without a restart."""
    opened_at = opened(shop)

    assert shop.sidecar.stop() == 0
    shop.sidecar.start()

    (told,) = shop.sidecar.events("restored")[1:]
    assert told["rows"] >= 4  # a breaker, two latencies, two scores
    assert told["refused"] == 0
    assert set(shop.names("/", 20)) == {"good"}
    shop.endpoints["bad"].usual()
    until(lambda: back(shop), "its return", within_s=OPEN_S + 5.0)
    assert time.monotonic() - opened_at > 0.7 * OPEN_S
    assert time.monotonic() - opened_at < OPEN_S + 4.0


def test_who_was_out_is_out_after_the_sidecar_was_killed(shop: Gateway) -> None:
    """What was learnt longer ago than `every` is there."""
    opened(shop)
    until(lambda: shop.sidecar.sample("sidecar_store_saves_total", result="saved") >= 1, "a first save")
    saves = shop.sidecar.sample("sidecar_store_saves_total", result="saved")
    shop.names("/", 2)
    until(lambda: shop.sidecar.sample("sidecar_store_saves_total", result="saved") > saves, "another save")

    shop.sidecar.kill()
    shop.sidecar.start()

    assert set(shop.names("/", 20)) == {"good"}


def test_a_damaged_store_is_refused_with_its_remedy_and_another_sidecars_too(
    shop: Gateway, transport: str
) -> None:
    """No start forgets what was learnt without a word."""
    opened(shop)
    file = shop.config.parent / "state.db"
    second = shop.config.with_name("second.yaml")
    text = Template(FILE).substitute({**shop.addresses, "grpc": "127.0.0.1:0", "admin": "127.0.0.1:0"})
    second.write_text(text)
    assert "is in use by another sidecar" in refused(second, transport)
    assert shop.sidecar.stop() == 0
    store = SqliteStore(file)
    kinds = {row.kind for row in store.load()}
    store.close()
    assert {"breaker", "latency", "score"} <= kinds

    file.write_bytes(file.read_bytes()[:5000])

    said = refused(second, transport)
    assert "is damaged" in said
    assert "move it away to begin with nothing known" in said


def refused(config: Path, transport: str) -> str:
    """What a start with this file says; it ends with 2."""
    said = run("serve", config, "--transport", transport)
    assert said.returncode == 2, said
    assert "Traceback" not in said.stderr
    return said.stderr
