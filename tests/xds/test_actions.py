"""What routes do besides sending requests on, in the bootstrap; what comes of it is in `tests/e2e`."""

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.core.v3.base_pb2 import DEFAULT, HIGH
from envoy.config.route.v3.route_components_pb2 import Route, RouteList
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from xds.type.matcher.v3.matcher_pb2 import Matcher

from sidecar import names
from sidecar.xds.bootstrap import bootstrap
from tests.running.asking import ASK_WITHIN_S, ask
from tests.running.ports import free_ports
from tests.xds.running import a_config, running_envoy
from tests.xds.stand_in import stand_in, to
from tests.xds.test_bootstrap import cluster, manager, unpacked, virtual_host

_CLUSTERS: dict[str, object] = {
    name: {"endpoints": [{"address": "127.0.0.1:8080"}]} for name in ("users", "shadow", "next")
}


def made_with(*routes: Mapping[str, object]) -> Bootstrap:
    named = [{"name": f"r{at}", "to": "users", **route} for at, route in enumerate(routes)]
    return bootstrap(a_config(clusters=_CLUSTERS, routes=named))


def filters(made: Bootstrap) -> list[str]:
    return [one.name.rpartition(".")[2] for one in manager(made).http_filters]


def by_value(matcher: Matcher, header: str) -> Any:
    assert matcher.matcher_tree.input.name == header
    return matcher.matcher_tree.exact_match_map.map


def routes_of(found: Any) -> list[Route]:
    box = found.action.typed_config
    return (
        list(unpacked(box, RouteList()).routes) if box.Is(RouteList.DESCRIPTOR) else [unpacked(box, Route())]
    )


def own_route(made: Bootstrap, name: str) -> Route:
    (route,) = routes_of(by_value(virtual_host(made).matcher, names.ROUTE_HEADER)[name])
    return route


def test_faults_are_made_between_the_sidecar_and_the_router() -> None:
    """A6: by its headers, whatever Envoy itself would draw; and no endpoint sees them."""
    made = made_with({"fault": {"delay": {"for": "1s", "share": "1%"}}})

    assert filters(made) == ["ext_proc", "fault", "header_to_metadata", "router"]
    fault = unpacked(manager(made).http_filters[1].typed_config, HTTPFault())
    assert fault.delay.HasField("header_delay")
    assert fault.abort.HasField("header_abort")
    assert (fault.delay.percentage.numerator, fault.abort.percentage.numerator) == (100, 100)
    removed = virtual_host(made).request_headers_to_remove
    assert {names.DELAY_HEADER, names.ABORT_HEADER} <= set(removed)


def test_a_file_without_faults_has_no_filter_for_them() -> None:
    """A6: what a file does not use costs its requests nothing."""
    assert filters(made_with({})) == ["ext_proc", "header_to_metadata", "router"]


def test_a_route_that_is_switched_off_has_its_filter() -> None:
    """A6: it can be switched on without a new Envoy."""
    assert "fault" in filters(made_with({"enabled": False, "fault": {"abort": {}}}))


def test_idle_timeout_buffer_and_class_are_envoys_own() -> None:
    """A5"""
    made = made_with(
        {"idle_timeout": "1500ms"}, {"buffer": "8MB"}, {"priority_class": "high"}, {"timeout": "1s"}
    )

    idle, buffer, high = (own_route(made, name) for name in ("r0", "r1", "r2"))
    assert idle.route.idle_timeout.ToMilliseconds() == 1500
    assert idle.route.retry_policy.per_try_idle_timeout.ToMilliseconds() == 1500
    assert not idle.route.retry_policy.retry_on
    assert buffer.request_body_buffer_limit.value == 8 * 1024 * 1024
    assert (high.route.priority, buffer.route.priority) == (HIGH, DEFAULT)
    assert not buffer.route.HasField("retry_policy")
    named = by_value(virtual_host(made).matcher, names.ROUTE_HEADER)
    assert named.keys() == {"r0", "r1", "r2"}  # a timeout travels in a header


def test_no_stream_is_ended_before_the_longest_idle_timeout() -> None:
    """A5: until the response, a request without a body has the time of the listener."""
    limits = [manager(made_with({"idle_timeout": said})).stream_idle_timeout for said in ("1s", "900s")]

    assert [limit.ToSeconds() for limit in limits] == [300, 900]


def test_limits_of_connections_hold_for_the_usual_class_alone() -> None:
    """A5: Envoy's own limit of the high class would be 1024."""
    limits = {"max": 3, "pending": 4, "requests": 5}
    users = {"endpoints": [{"address": "127.0.0.1:8080"}], "connections": limits}
    config = a_config(
        clusters={"users": users}, routes=[{"name": "r", "to": "users", "priority_class": "high"}]
    )

    usual, high = cluster(bootstrap(config), "users").circuit_breakers.thresholds

    assert (usual.priority, high.priority) == (DEFAULT, HIGH)
    assert (usual.max_connections.value, usual.max_pending_requests.value, usual.max_requests.value) == (
        3,
        4,
        5,
    )
    assert min(high.max_connections.value, high.max_pending_requests.value, high.max_requests.value) > 1024


@pytest.mark.e2e
def test_an_idle_connection_to_an_endpoint_is_closed(tmp_path: Path) -> None:
    """A5"""
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as server, stand_in() as sidecar:
        server.settimeout(ASK_WITHIN_S)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        users = {"endpoints": [{"address": address}], "connections": {"idle": "100ms"}}
        config = a_config(
            listen={"grpc": f"127.0.0.1:{sidecar.port}"},
            envoy={"listen": f"127.0.0.1:{port}", "admin": None},
            clusters={"users": users},
        )
        sidecar.answer = to("users")
        with running_envoy(config, tmp_path), ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, port)
            connection, _ = server.accept()
            connection.settimeout(ASK_WITHIN_S)
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

            assert asked.result().status == 204
            assert connection.recv(1) == b""  # Envoy's usual hour is longer than the test waits
            connection.close()


def test_copies_are_found_by_the_cluster_that_gets_them() -> None:
    """A7"""
    made = made_with({"mirror": {"to": "shadow"}}, {"mirror": {"to": "next", "share": "1%"}}, {})

    matcher = virtual_host(made).matcher

    copying = by_value(matcher, names.MIRROR_HEADER)
    assert copying.keys() == {"shadow", "next"}
    first, plain, undecided = routes_of(copying["next"])
    (mirror,) = first.route.request_mirror_policies
    assert (mirror.cluster, mirror.disable_shadow_host_suffix_append) == ("next/copies", True)
    assert [one.name for one in first.match.headers] == [names.CLUSTER_HEADER, "upgrade"]
    assert not plain.route.request_mirror_policies
    assert undecided.name == "undecided"
    assert [one.name for one in routes_of(matcher.on_no_match)] == ["decided", "undecided"]
    assert names.MIRROR_HEADER in virtual_host(made).request_headers_to_remove


def test_a_route_of_its_own_is_found_with_and_without_a_copy() -> None:
    """A7"""
    own = {"headers": {"response": {"set": {"x-a": "1"}}}}
    made = made_with({"mirror": {"to": "shadow"}, **own}, {"mirror": {"to": "shadow"}}, own)

    matcher = virtual_host(made).matcher

    copying = by_value(matcher, names.MIRROR_HEADER)["shadow"].matcher
    named = by_value(copying, names.ROUTE_HEADER)
    assert named.keys() == {"r0"}
    first, plain = routes_of(named["r0"])
    assert first.route.request_mirror_policies
    assert first.response_headers_to_add[0].header.key == "x-a"
    assert plain.response_headers_to_add[0].header.key == "x-a"
    assert routes_of(copying.on_no_match)[0].route.request_mirror_policies
    assert by_value(matcher.on_no_match.matcher, names.ROUTE_HEADER).keys() == {"r0", "r2"}


def test_copies_have_a_cluster_of_their_own_with_limits() -> None:
    """A7: a mirror that hangs must not hold uploads forever, nor a connection for each copy."""
    made = made_with({"mirror": {"to": "shadow"}})

    copies = cluster(made, "shadow/copies")

    assert copies.load_assignment.endpoints == cluster(made, "shadow").load_assignment.endpoints
    (policy,) = copies.load_balancing_policy.policies
    assert policy.typed_extension_config.name == "envoy.load_balancing_policies.round_robin"
    (box,) = copies.typed_extension_protocol_options.values()
    options = unpacked(box, HttpProtocolOptions())
    assert options.common_http_protocol_options.max_stream_duration.ToSeconds() == 30
    (limits,) = copies.circuit_breakers.thresholds
    assert (
        limits.max_connections.value,
        limits.max_pending_requests.value,
        limits.max_requests.value,
    ) == (1024, 1024, 1024)
    assert [one.name for one in made.static_resources.clusters if "/" in one.name] == ["shadow/copies"]


def test_a_mirror_that_envoy_knows_from_elsewhere_gets_copies_by_its_name() -> None:
    """A7"""
    clusters = {**_CLUSTERS, "elsewhere": {}}
    routes = [{"name": "r", "to": "users", "mirror": {"to": "elsewhere"}}]

    made = bootstrap(a_config(clusters=clusters, routes=routes))

    first, *_ = routes_of(by_value(virtual_host(made).matcher, names.MIRROR_HEADER)["elsewhere"])
    assert first.route.request_mirror_policies[0].cluster == "elsewhere"
    assert not [one.name for one in made.static_resources.clusters if "/" in one.name]
