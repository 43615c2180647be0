"""The file is edited while requests come."""

import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.e2e.load import load
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

CLUSTERS = """
clusters:
  old: {endpoints: [{address: $old}]}
  new: {endpoints: [{address: $new}]}
"""
ROUTE = "  - {name: NAME, match: {path: {prefix: /PATH}}, to: TO, enabled: ENABLED, labels: {edit: EDIT}}\n"
EDITS = count()
SWAPS = 200
SWAPPING_S = 5.0


def a_file(*routes: tuple[str, str], off: tuple[str, ...] = (), more: str = "", patience: str = "1s") -> str:
    """Routes by their prefix and cluster; those in `off` are switched off."""
    lines = [
        ROUTE.replace("NAME", path.replace("/", "-"))
        .replace("PATH", path)
        .replace("TO", to)
        .replace("ENABLED", str(path not in off).lower())
        for path, to in routes
    ]
    listen = LISTEN.replace("message_timeout: 1s", f"message_timeout: {patience}")
    return listen + CLUSTERS + "routes:\n" + "".join(lines) + more


START = a_file(("shop", "old"), ("shop/sale", "new"))


@pytest.fixture(scope="module")
def running(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(START, tmp_path_factory.mktemp("changes"), transport) as gateway:
        yield gateway


@pytest.fixture
def editable(running: Gateway) -> Gateway:
    if "# changed" in running.config.read_text():
        change(running, START)
    return running


def change(gateway: Gateway, text: str, within_s: float = 10.0) -> None:
    """Edit the file, such that it is another than before, and wait until the sidecar has it."""
    before = gateway.generation
    gateway.write(f"# changed\n{text.replace('EDIT', f'e{next(EDITS)}')}")
    gateway.sidecar.tell(signal.SIGHUP)
    until(lambda: gateway.generation > before, "the new configuration", within_s)


def test_a_file_that_changes_is_read_without_being_told(editable: Gateway) -> None:
    """V4: within two looks at it."""
    before = editable.generation
    editable.write("# changed\n" + a_file(("shop", "new")))

    until(lambda: editable.generation > before, "the new configuration", within_s=3.0)

    assert editable.ask("/shop").name == "new"


def test_a_route_that_is_switched_off_never_matches(editable: Gateway) -> None:
    """M17"""
    assert editable.ask("/shop/sale").name == "new"

    change(editable, a_file(("shop", "old"), ("shop/sale", "new"), off=("shop/sale",)))
    assert editable.names("/shop/sale", 5) == ["old"] * 5

    change(editable, START)
    assert editable.ask("/shop/sale").name == "new"


def test_routes_are_added_replaced_and_removed(editable: Gateway) -> None:
    """M17"""
    assert editable.ask("/added").status == 404

    change(editable, a_file(("shop", "new"), ("added", "old")))

    assert editable.ask("/added").name == "old"
    assert editable.ask("/shop").name == "new"
    assert editable.ask("/shop/sale").name == "new"
    assert editable.sidecar.events("config_applied")[-1]["routes"] == 2


def test_a_default_route_takes_what_nothing_matches(editable: Gateway) -> None:
    """M18: without one it is a 404."""
    assert editable.ask("/nowhere").status == 404

    change(editable, a_file(("shop", "old"), more="  - {name: default, to: new}\n"))

    assert editable.ask("/nowhere").name == "new"
    assert editable.ask("/shop").name == "old"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("routes: [", "gateway.yaml:3: not valid YAML"),
        (START.replace("to: new", "to: nwe"), 'there is no cluster or endpoint "nwe"'),
        (START.replace("enabled", "enabeld"), "did you mean enabled?"),
        ("", "the file is empty"),
    ],
    ids=["no YAML", "no such cluster", "an unknown key", "empty"],
)
def test_a_bad_file_is_refused_with_its_reason_and_the_old_one_stays(
    editable: Gateway, text: str, problem: str
) -> None:
    """V4"""
    sidecar = editable.sidecar
    generation = editable.generation
    refused = sidecar.sample("sidecar_config_reloads_total", result="refused")
    told = len(sidecar.events("config_refused"))

    editable.write(f"# changed\n{text}")
    sidecar.tell(signal.SIGHUP)
    until(lambda: sidecar.sample("sidecar_config_reloads_total", result="refused") > refused, "the refusal")

    assert problem in " ".join(line["problem"] for line in sidecar.events("config_refused")[told:])
    assert editable.generation == generation
    assert editable.ask("/shop").name == "old"


def test_no_request_fails_while_the_configuration_is_swapped(
    editable: Gateway, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """V4: 200 swaps, or as many as 5 s hold, under 8 clients; both places are seen."""
    texts = [a_file(("shop", to)) for to in ("new", "old")]
    swaps = 0
    with load(editable.envoy.port, "/shop") as seen:
        until(lambda: seen.answered > 50, "the first requests")
        deadline = time.monotonic() + SWAPPING_S
        while swaps < SWAPS and time.monotonic() < deadline:
            change(editable, texts[swaps % 2])
            swaps += 1

    record_testsuite_property("swapping.swaps", swaps)
    record_testsuite_property("swapping.requests", seen.answered)
    record_testsuite_property("swapping.longest_s", seen.longest_s)
    assert seen.failed == []
    assert swaps > 20
    assert seen.names["old"] > 50
    assert seen.names["new"] > 50


def test_no_request_fails_while_10_000_routes_are_read(
    transport: str, tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """V4 M20: nor does one wait longer than Envoy's usual 200 ms, which would fail it."""
    few, many = (
        a_file(("shop", to), *((f"many/{number}", "old") for number in range(routes)), patience="200ms")
        for to, routes in (("old", 1), ("new", 10_000))
    )
    with running_gateway(few, tmp_path, transport) as gateway:
        with load(gateway.envoy.port, "/shop") as before:
            until(lambda: before.answered > 500, "requests before")
        with load(gateway.envoy.port, "/shop") as seen:
            change(gateway, many, within_s=60.0)
            until(lambda: seen.names["new"] > 500, "requests on the new configuration")

        record_testsuite_property("reading_10_000_routes.longest_before_s", before.longest_s)
        record_testsuite_property("reading_10_000_routes.longest_s", seen.longest_s)
        record_testsuite_property("reading_10_000_routes.requests", seen.answered)
        assert seen.failed == []
        assert gateway.ask("/many/9999").name == "old"
        assert gateway.ask("/many/10000").status == 404
