"""What Envoy holds open to a cluster, and how often it resolves host names."""

import json
import socket
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.extensions.clusters.dns.v3.dns_cluster_pb2 import DnsCluster
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from sidecar import names
from sidecar.xds.bootstrap import bootstrap
from tests.running.endpoint import endpoint
from tests.running.ports import free_ports
from tests.waiting import until
from tests.xds.running import a_config, running_envoy
from tests.xds.stand_in import stand_in, to
from tests.xds.test_bootstrap import cluster, unpacked


def users(address: str = "127.0.0.1:8080", **keys: object) -> Cluster:
    return cluster(
        bootstrap(a_config(clusters={"users": {"endpoints": [{"address": address}], **keys}})), "users"
    )


def idle_s(made: Cluster) -> int:
    (box,) = made.typed_extension_protocol_options.values()
    options = unpacked(box, HttpProtocolOptions())
    assert options.explicit_http_config.HasField("http_protocol_options")
    return int(options.common_http_protocol_options.idle_timeout.ToSeconds())


def held(made: Cluster) -> tuple[int, int]:
    (limits,) = made.circuit_breakers.thresholds
    return limits.max_connections.value, limits.max_pending_requests.value


def test_who_says_nothing_of_connections_has_any_number_of_them() -> None:
    """F6: a limit that nobody asked for would refuse requests."""
    assert min(held(users())) > 1024


@pytest.mark.parametrize(
    ("written", "most"),
    [
        ({}, (100, 50)),
        ({"idle": "1s"}, (100, 50)),
        ({"max": 7}, (7, 50)),
        ({"pending": 7}, (100, 7)),
        ({"max": None, "pending": 7}, (65536, 7)),
    ],
)
def test_who_limits_them_has_100_and_50_waiting_unless_said(
    written: Mapping[str, object], most: tuple[int, int]
) -> None:
    """F6"""
    assert held(users(connections=written)) == most


@pytest.mark.parametrize(("written", "after_s"), [(None, 300), ({}, 300), ({"idle": "20s"}, 20)])
def test_idle_connections_are_closed_after_300_seconds_unless_said(
    written: Mapping[str, object] | None, after_s: int
) -> None:
    """F6"""
    assert idle_s(users() if written is None else users(connections=written)) == after_s


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ({}, (60, 10, 3)),
        ({"keepalive": {"time": "30s", "probes": 5}}, (30, 10, 5)),
        ({"keepalive": {"time": "1s", "interval": "1.6s"}}, (1, 2, 3)),
        ({"keepalive": {"time": "32767s", "interval": "32767s", "probes": 127}}, (32767, 32767, 127)),
    ],
)
def test_a_connection_is_kept_alive(written: Mapping[str, object], sent: tuple[int, int, int]) -> None:
    """F6: in whole seconds, as the system counts them."""
    told = users(connections=written).upstream_connection_options.tcp_keepalive

    assert (told.keepalive_time.value, told.keepalive_interval.value, told.keepalive_probes.value) == sent


def test_the_system_takes_the_largest_numbers_that_the_file_may_hold_and_none_above() -> None:
    """F6: with one that it refuses, Envoy can make no connection, and every request gets 503."""
    bounds = ((socket.TCP_KEEPIDLE, 32767), (socket.TCP_KEEPINTVL, 32767), (socket.TCP_KEEPCNT, 127))
    with socket.socket() as one:
        for option, most in bounds:
            one.setsockopt(socket.IPPROTO_TCP, option, most)
            with pytest.raises(OSError, match="Invalid argument"):
                one.setsockopt(socket.IPPROTO_TCP, option, most + 1)


def test_keep_alive_may_be_switched_off() -> None:
    """F6"""
    assert users().HasField("upstream_connection_options")
    assert not users(connections={"keepalive": None}).HasField("upstream_connection_options")


@pytest.mark.parametrize(
    ("written", "refresh_s", "failed_s", "by_ttl"),
    [
        ({}, 300, 60, False),
        ({"refresh": "5s", "failure_refresh": "2s", "respect_ttl": True}, 5, 2, True),
    ],
)
def test_host_names_are_resolved_again(
    written: Mapping[str, object], refresh_s: int, failed_s: int, by_ttl: bool
) -> None:
    """F6"""
    dns = unpacked(users("api.internal:80", dns=written).cluster_type.typed_config, DnsCluster())

    assert dns.dns_refresh_rate.ToSeconds() == refresh_s
    assert dns.dns_failure_refresh_rate.max_interval.ToSeconds() == failed_s
    assert dns.respect_dns_ttl is by_ttl


@pytest.mark.e2e
def test_what_is_above_the_limits_is_refused_at_once(tmp_path: Path) -> None:
    """F6: one has the connection, one waits, the third gets a 503; and Envoy runs with what was written."""
    port, admin = free_ports(2)
    with endpoint("a") as one, stand_in() as sidecar:
        told = {"max": 1, "pending": 1, "idle": "123s", "keepalive": {"time": "45s"}}
        config = a_config(
            listen={"grpc": f"127.0.0.1:{sidecar.port}"},
            envoy={"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{admin}"},
            clusters={
                "users": {"endpoints": [{"address": one.address}], "connections": told},
                "named": {"endpoints": [{"address": f"localhost:{one.port}"}], "dns": {"refresh": "77s"}},
            },
        )
        sidecar.answer = to("users")
        with running_envoy(config, tmp_path) as envoy, ThreadPoolExecutor(4) as pool:
            first = pool.submit(envoy.ask, "/hold")
            until(lambda: one.held == 1, "the first request to have the connection")
            others = [pool.submit(envoy.ask, "/hold") for _ in range(2)]
            until(lambda: any(each.done() for each in others), "one of them to be refused")
            one.released.set()

            assert first.result().status == 200
            assert sorted(each.result().status for each in others) == [200, 503]
            (refused,) = [each.result() for each in others if each.result().status == 503]
            assert refused.all("x-envoy-overloaded") == ["true"]
            until(lambda: len(sidecar.logged) >= 3, "the access log")
            flags = [entry.common_properties.response_flags for entry in sidecar.logged]
            assert sum(flag.upstream_overflow for flag in flags) == 1

            sidecar.answer = to("named", f"localhost:{one.port}")
            assert envoy.ask("/").name == "a"
            running = in_force(admin)
            assert running["users"]["upstream_connection_options"]["tcp_keepalive"]["keepalive_time"] == 45
            assert running["named"]["cluster_type"]["typed_config"]["dns_refresh_rate"] == "77s"
            (options,) = running["users"]["typed_extension_protocol_options"].values()
            assert options["common_http_protocol_options"]["idle_timeout"] == "123s"
    assert names.SIDECAR_CLUSTER in running


def in_force(admin: int) -> dict[str, Any]:
    """The clusters that Envoy runs with, by name."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/config_dump?resource=static_clusters") as answer:
        dumped = json.load(answer)
    return {one["cluster"]["name"]: one["cluster"] for one in dumped["configs"]}
