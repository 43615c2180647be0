"""What Envoy is told of retries; how it follows a list is in `tests/e2e/test_fallbacks.py`."""

from pathlib import Path

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_components_pb2 import Route
from google.protobuf.json_format import MessageToDict

from sidecar.config import schema
from sidecar.xds.bootstrap import bootstrap
from sidecar.xds.text import to_yaml
from tests.xds.running import a_config
from tests.xds.test_bootstrap import unpacked, virtual_host
from tests.xds.test_validate import complaints

TWO = {
    "near": {"endpoints": [{"address": "10.0.0.1:80"}], "connect_timeout": "2s"},
    "far": {"endpoints": [{"address": "10.0.1.1:80"}]},
}


def a_route(**rest: object) -> schema.Config:
    return a_config(clusters=TWO, routes=[{"name": "all", "to": "near", **rest}])


def joints(config: schema.Config) -> dict[str, list[str]]:
    """The clusters that join others, by name."""
    found = [one for one in bootstrap(config).static_resources.clusters if one.HasField("cluster_type")]
    return {one.name: [each["name"] for each in _message(one)["clusters"]] for one in found}


def _message(cluster: Cluster) -> dict[str, list[dict[str, str]]]:
    assert cluster.cluster_type.name == "envoy.clusters.composite"
    made: dict[str, list[dict[str, str]]] = MessageToDict(cluster.cluster_type.typed_config)
    return made


def test_a_cluster_joins_those_of_each_order() -> None:
    """F1"""
    assert joints(a_route(failover=["far"], retry={"attempts": 2})) == {
        "near+far": ["near", "far"],
        "far+near": ["far", "near"],
    }
    assert joints(a_route(retry={})) == {}


def test_it_connects_as_long_as_the_slowest_and_retries_as_often_as_asked() -> None:
    """F1: the limit of retries at once is of the cluster that the request was sent to."""
    made = bootstrap(a_route(failover=["far"])).static_resources.clusters
    for cluster in made:
        if cluster.HasField("cluster_type"):
            assert cluster.connect_timeout.seconds == 2
            assert cluster.lb_policy == Cluster.CLUSTER_PROVIDED
            assert [limit.max_retries.value for limit in cluster.circuit_breakers.thresholds] == [65536] * 2


@pytest.mark.parametrize(
    ("backoff", "base_ms", "max_ms"),
    [
        ("exponential", 100, 5000),
        ("linear", 500, 5000),
        ("fibonacci", 100, 5000),
        ("none", 1, 1),
        ({"exponential": {"base": "3s", "max": "1s"}}, 3000, 3000),
    ],
)
def test_a_route_that_waits_otherwise_has_a_route_of_envoys_own(
    backoff: object, base_ms: int, max_ms: int
) -> None:
    """F3"""
    host = virtual_host(bootstrap(a_route(retry={"backoff": backoff})))

    own = host.matcher.matcher_tree.exact_match_map.map["all"].action.typed_config
    waits = unpacked(own, Route()).route.retry_policy.retry_back_off
    assert (waits.base_interval.ToMilliseconds(), waits.max_interval.ToMilliseconds()) == (base_ms, max_ms)


@pytest.mark.parametrize("rest", [{"retry": {}}, {"failover": ["far"]}])
def test_the_usual_wait_is_envoys_own(rest: dict[str, object]) -> None:
    """F3"""
    assert not virtual_host(bootstrap(a_route(**rest))).HasField("matcher")


@pytest.mark.e2e
def test_envoy_accepts_it(tmp_path: Path) -> None:
    """F1 F3"""
    written = tmp_path / "envoy.yaml"
    written.write_text(to_yaml(bootstrap(a_route(failover=["far"], retry={"backoff": "none"}))))

    assert complaints(written) == []
