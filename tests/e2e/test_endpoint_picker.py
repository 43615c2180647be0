"""The sidecar as the endpoint picker of a gateway that has clusters, routes and retries of its own."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest
import yaml

from tests.running.endpoint import Endpoint, endpoint
from tests.running.envoy import RunningEnvoy, running_envoy
from tests.running.ports import free_ports
from tests.running.sidecar import RunningSidecar
from tests.waiting import until

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

PICKER = """\
listen: {grpc: "127.0.0.1:$picker", admin: "127.0.0.1:$admin"}
envoy: {endpoint_picker: true, admin: null}
clusters: {pool: {endpoints: [{address: "$a", id: a}, {address: "$b", id: b}, {address: "$c", id: c}]}}
routes:
  - {name: only-c, match: {path: {prefix: /only-a-and-b/c}}, to: c}
  - {name: closed, match: {path: {prefix: /closed}}, reject: {reason: rate_limited}}
  - {name: a-then-c, match: {path: {prefix: /list}}, to: a, failover: [c, b]}
  - name: by-body
    match: {path: {exact: /chat}, body: {model: big}}
    to: c
  - {name: pool, to: pool}
"""


@dataclass
class Picking:
    envoy: RunningEnvoy
    sidecar: RunningSidecar
    endpoints: dict[str, Endpoint]


@pytest.fixture(scope="module")
def running(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Picking]:
    folder = tmp_path_factory.mktemp("picking")
    with endpoint("a") as a, endpoint("b") as b, endpoint("c") as c:
        port, picker, admin = free_ports(3)
        words = {"port": port, "picker": picker, "admin": admin}
        words |= {f"{one.name}_port": one.port for one in (a, b, c)}
        texts = {one.name: one.address for one in (a, b, c)}
        config = folder / "gateway.yaml"
        config.write_text(Template(PICKER).substitute(words, **texts))
        sidecar = RunningSidecar(config, f"127.0.0.1:{admin}", transport)
        try:
            sidecar.start()
            gateway = Path(__file__).with_name("picking_gateway.yaml").read_text()
            # Envoy reads no anchors.
            plain = yaml.dump(yaml.safe_load(Template(gateway).substitute(words, **texts)))
            with running_envoy(plain, port, folder) as envoy:
                yield Picking(envoy, sidecar, {"a": a, "b": b, "c": c})
        finally:
            sidecar.close()


@pytest.fixture
def picking(running: Picking) -> Picking:
    for one in running.endpoints.values():
        one.usual()
    return running


def names(picking: Picking, path: str, times: int, headers: dict[str, str] | None = None) -> list[str]:
    return [picking.envoy.ask(path, headers or {}).name for _ in range(times)]


@pytest.mark.parametrize("path", ["/x", "/by-header"])
def test_the_gateway_goes_where_the_picker_says(picking: Picking, path: str) -> None:
    """checklist 25: in metadata and in the header."""
    assert sorted(names(picking, path, 6)) == list("aabbcc")


def test_nothing_of_the_sidecars_own_reaches_the_endpoint(picking: Picking) -> None:
    """checklist 25: a gateway takes away its own headers, and knows none of ours."""
    seen = picking.envoy.ask("/list").seen["headers"]

    assert [name for name in seen if name.startswith("x-sidecar-")] == []
    assert [name for name in seen if name.startswith("x-envoy-retry")] == []


def test_the_gateway_follows_the_list_with_retries_of_its_own(picking: Picking) -> None:
    """F1, checklist 25"""
    picking.endpoints["a"].failing = True

    assert names(picking, "/list", 2) == ["c", "c"]
    assert {name: one.asked for name, one in picking.endpoints.items()} == {"a": 2, "b": 0, "c": 2}


def test_nothing_is_picked_outside_of_the_subset(picking: Picking) -> None:
    """checklist 26: a list, as gateways send it, and a text with commas."""
    b, c = (picking.endpoints[name].address for name in "bc")

    assert set(names(picking, "/only-a-and-b", 8)) <= {"a", "b"}
    assert set(names(picking, "/x", 8, {"x-subset": f"{b}, {c}"})) <= {"b", "c"}
    assert set(names(picking, "/x", 4, {"x-subset": c})) == {"c"}


def test_where_the_subset_leaves_nobody_it_is_503(picking: Picking) -> None:
    """checklist 26"""
    reply = picking.envoy.ask("/only-a-and-b/c")

    assert reply.status == 503
    assert b"the subset that the gateway names" in reply.body
    assert picking.envoy.ask("/x", {"x-subset": "10.9.9.9:80"}).status == 503
    assert picking.envoy.ask("/closed").status == 429


def test_bodies_pass_whole_both_ways_and_may_decide(picking: Picking) -> None:
    """checklist 10"""
    large = bytes(range(256)) * 2000

    reply = picking.envoy.ask("/x", method="POST", body=large)

    assert reply.seen["body_sha256"] == hashlib.sha256(large).hexdigest()
    json = {"content-type": "application/json"}
    assert picking.envoy.ask("/chat", json, "POST", b'{"model": "big"}').name == "c"
    assert len(picking.envoy.ask("/download/5").body) == 5 * 65536


def test_the_response_says_how_it_ended_and_how_busy_the_endpoint_is(picking: Picking) -> None:
    """H1 H8, checklist 27"""
    picking.endpoints["a"].failing = True
    picking.endpoints["c"].headers = {"endpoint-load-metrics": "TEXT cpu_utilization=0.5"}
    sidecar = picking.sidecar
    taken = sidecar.sample("sidecar_load_reports_total", result="taken")

    reply = picking.envoy.ask("/list")

    assert (reply.name, reply.all("endpoint-load-metrics")) == ("c", [])
    until(
        lambda: sidecar.sample("sidecar_load_reports_total", result="taken") == taken + 1, "the load report"
    )
    until(lambda: sidecar.sample("sidecar_tickets_open") == 0, "the outcomes")
    assert sidecar.sample("sidecar_tickets_total", end="lost") == 0
