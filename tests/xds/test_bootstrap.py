"""What the bootstrap holds; what Envoy makes of it is in `test_traffic.py`."""

from typing import Any

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.health_check_pb2 import DRAINING
from envoy.config.route.v3.route_components_pb2 import Route, RouteList
from envoy.extensions.access_loggers.grpc.v3.als_pb2 import HttpGrpcAccessLogConfig
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExternalProcessor
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.extensions.filters.http.header_to_metadata.v3.header_to_metadata_pb2 import (
    Config as HeaderToMetadata,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import HeaderMutation
from envoy.extensions.load_balancing_policies.override_host.v3.override_host_pb2 import OverrideHost
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from sidecar import names
from sidecar.xds.bootstrap import bootstrap, notes
from tests.xds.running import a_config

_WITH_RESPONSE_HEADERS = {"headers": {"response": {"set": {"x-a": "1"}}}}


def unpacked(box: Any, message: Any) -> Any:
    assert box.Unpack(message), box.type_url
    return message


def manager(made: Bootstrap) -> HttpConnectionManager:
    (listener,) = made.static_resources.listeners
    (chain,) = listener.filter_chains
    return unpacked(chain.filters[0].typed_config, HttpConnectionManager())


def ext_proc(made: Bootstrap) -> ExternalProcessor:
    return unpacked(manager(made).http_filters[0].typed_config, ExternalProcessor())


def cluster(made: Bootstrap, name: str) -> Cluster:
    (found,) = [one for one in made.static_resources.clusters if one.name == name]
    return found


def address_of(made: Cluster) -> Any:
    return made.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address


def virtual_host(made: Bootstrap) -> Any:
    (host,) = manager(made).route_config.virtual_hosts
    return host


def test_listens_and_has_its_admin_page_where_the_file_says() -> None:
    made = bootstrap(a_config(envoy={"listen": "[::]:8443", "admin": "localhost:9000"}))

    listening = made.static_resources.listeners[0].address.socket_address
    assert (listening.address, listening.port_value, listening.ipv4_compat) == ("::", 8443, True)
    admin = made.admin.address.socket_address
    assert (admin.address, admin.port_value) == ("127.0.0.1", 9000)


def test_has_no_admin_page_where_the_file_says_none() -> None:
    assert not bootstrap(a_config(envoy={"admin": None})).HasField("admin")


def test_clients_lose_the_internal_headers_before_any_filter() -> None:
    (early,) = manager(bootstrap(a_config())).early_header_mutation_extensions

    mutations = unpacked(early.typed_config, HeaderMutation()).mutations
    prefixes = tuple(one.remove_on_match.key_matcher.prefix for one in mutations if not one.remove)
    removed = {one.remove for one in mutations if one.remove}

    assert prefixes == (names.INTERNAL_PREFIX, names.ENVOY_PREFIX)
    assert not [name for name in names.INTERNAL_HEADERS if not (name in removed or name.startswith(prefixes))]


def test_clients_are_limited() -> None:
    made = bootstrap(a_config())

    monitors = [one.name for one in made.overload_manager.resource_monitors]
    assert monitors == ["envoy.resource_monitors.global_downstream_max_connections"]
    limits = manager(made)
    assert limits.http2_protocol_options.max_concurrent_streams.value > 1024
    assert limits.request_headers_timeout.seconds == 10
    assert limits.stream_idle_timeout.seconds == 300
    assert limits.common_http_protocol_options.idle_timeout.seconds == 900
    assert not limits.HasField("request_timeout")


def test_the_sidecar_is_asked_before_the_router() -> None:
    filters = [one.name for one in manager(bootstrap(a_config())).http_filters]

    assert filters[0] == "envoy.filters.http.ext_proc"
    assert filters[-1] == "envoy.filters.http.router"


def test_load_reports_come_with_the_access_log_and_no_client_sees_them() -> None:
    """H8"""
    reading = manager(bootstrap(a_config())).http_filters[1]

    rules = unpacked(reading.typed_config, HeaderToMetadata()).response_rules
    assert [(rule.header, rule.remove) for rule in rules] == [
        ("endpoint-load-metrics", True),
        ("endpoint-load-metrics-bin", True),
    ]
    told = [rule.on_header_present for rule in rules]
    assert {one.metadata_namespace for one in told} == {names.LOAD_NAMESPACE}
    assert [one.key for one in told] == [names.LOAD_KEY, names.LOAD_BIN_KEY]


@pytest.mark.parametrize("loads", [True, False])
def test_tokens_come_with_the_access_log_and_stay_in_the_response(*, loads: bool) -> None:
    """H1"""
    envoy = {"tokens": {"header": "X-Usage-Tokens"}, "load_reports": loads}
    reading = manager(bootstrap(a_config(envoy=envoy))).http_filters[1]

    *others, rule = unpacked(reading.typed_config, HeaderToMetadata()).response_rules
    assert len(others) == (2 if loads else 0)
    assert (rule.header, rule.remove) == ("x-usage-tokens", False)
    told = rule.on_header_present
    assert (told.metadata_namespace, told.key) == (names.TOKENS_NAMESPACE, names.TOKENS_KEY)


def test_tokens_are_read_by_the_sidecar_where_it_sees_the_response() -> None:
    """H1"""
    envoy = {"tokens": {"header": "x-usage-tokens"}, "feedback": "response"}
    filters = [one.name for one in manager(bootstrap(a_config(envoy=envoy))).http_filters]

    assert filters == ["envoy.filters.http.ext_proc", "envoy.filters.http.router"]


@pytest.mark.parametrize("envoy", [{"load_reports": False}, {"feedback": "response"}])
def test_load_reports_that_come_otherwise_or_not_at_all_cost_nothing(envoy: dict[str, object]) -> None:
    """H8"""
    filters = [one.name for one in manager(bootstrap(a_config(envoy=envoy))).http_filters]

    assert filters == ["envoy.filters.http.ext_proc", "envoy.filters.http.router"]


def test_a_response_that_the_sidecar_sees_says_who_served_it() -> None:
    """H1 F1"""
    assert ext_proc(bootstrap(a_config(envoy={"feedback": "response"}))).response_attributes == [
        "upstream.address",
        "upstream.request_attempt_count",
        "response.flags",
        "response.code_details",
    ]
    assert not ext_proc(bootstrap(a_config())).response_attributes


def test_the_sidecar_gets_one_message_for_each_request() -> None:
    made = bootstrap(a_config(envoy={"message_timeout": "350ms"}))

    asked = ext_proc(made)

    mode = asked.processing_mode
    assert mode.request_header_mode == ProcessingMode.SEND
    assert {mode.response_header_mode, mode.request_trailer_mode, mode.response_trailer_mode} == {
        ProcessingMode.SKIP
    }
    assert {mode.request_body_mode, mode.response_body_mode} == {ProcessingMode.NONE}
    assert asked.grpc_service.envoy_grpc.cluster_name == names.SIDECAR_CLUSTER
    assert asked.message_timeout.ToMilliseconds() == 350
    assert len(manager(made).access_log) == 1


def test_feedback_by_responses_needs_no_access_log() -> None:
    made = bootstrap(a_config(envoy={"feedback": "response"}))

    assert ext_proc(made).processing_mode.response_header_mode == ProcessingMode.SEND
    assert not manager(made).access_log


def test_the_sidecar_may_rewrite_paths_and_hosts_and_set_envoys_own_headers() -> None:
    asked = ext_proc(bootstrap(a_config()))

    assert asked.mutation_rules.allow_all_routing.value
    assert asked.mutation_rules.allow_envoy.value
    received = asked.metadata_options.receiving_namespaces.untyped
    assert list(received) == [names.ENDPOINT_NAMESPACE, names.METADATA_NAMESPACE, names.LABELS_NAMESPACE]


def test_on_error_refuses_or_names_a_cluster() -> None:
    refusing, open_to_users = (bootstrap(a_config(on_error=said)) for said in ("refuse", "users"))

    assert not ext_proc(refusing).failure_mode_allow
    assert ext_proc(refusing).status_on_error.code == 503
    assert virtual_host(refusing).routes[-1].direct_response.status == 503
    assert ext_proc(open_to_users).failure_mode_allow
    assert ext_proc(open_to_users).status_on_error.code == 503  # where it may not let a request pass
    assert virtual_host(open_to_users).routes[-1].route.cluster == "users"


def test_the_access_log_sends_only_requests_with_a_ticket() -> None:
    (log,) = manager(bootstrap(a_config())).access_log

    asked = log.filter.metadata_filter
    assert asked.matcher.filter == names.METADATA_NAMESPACE
    assert [one.key for one in asked.matcher.path] == [names.TICKET_KEY]
    assert asked.HasField("match_if_key_not_found")
    assert not asked.match_if_key_not_found.value
    common = unpacked(log.typed_config, HttpGrpcAccessLogConfig()).common_config
    assert common.log_name == names.ACCESS_LOG_NAME
    assert common.grpc_service.envoy_grpc.cluster_name == names.SIDECAR_CLUSTER
    assert common.buffer_flush_interval.ToMilliseconds() == 20
    assert common.buffer_size_bytes.value == 16_384


def test_two_routes_serve_all_where_none_changes_response_headers() -> None:
    host = virtual_host(bootstrap(a_config()))

    decided, undecided = host.routes
    assert decided.route.cluster_header == names.CLUSTER_HEADER
    assert decided.match.headers[0].name == names.CLUSTER_HEADER
    assert decided.route.timeout.ToSeconds() == 0
    assert decided.route.HasField("timeout")
    assert undecided.HasField("direct_response")
    assert list(host.request_headers_to_remove) == list(names.INTERNAL_HEADERS)


def test_routes_with_response_headers_stand_in_a_map() -> None:
    routes: list[dict[str, object]] = [
        {"name": f"r{n}", "to": "users", **_WITH_RESPONSE_HEADERS} for n in range(100)
    ]
    routes.append({"name": "plain", "to": "users"})
    routes.append({"name": "off", "to": "users", "enabled": False, **_WITH_RESPONSE_HEADERS})

    host = virtual_host(bootstrap(a_config(routes=routes)))

    assert not host.routes
    found = host.matcher.matcher_tree.exact_match_map.map
    assert found.keys() == {"off", *(f"r{n}" for n in range(100))}  # `off` can be switched on without Envoy
    route = unpacked(found["r7"].action.typed_config, Route())
    assert route.route.cluster_header == names.CLUSTER_HEADER
    assert [one.header.key for one in route.response_headers_to_add] == ["x-a"]
    usual = unpacked(host.matcher.on_no_match.action.typed_config, RouteList())
    assert [one.name for one in usual.routes] == ["decided", "undecided"]


@pytest.mark.parametrize(("address", "resolved"), [("10.0.0.1:80", False), ("api.internal:80", True)])
def test_host_names_are_resolved(address: str, resolved: bool) -> None:
    config = a_config(clusters={"users": {"endpoints": [{"address": address}]}})

    made = cluster(bootstrap(config), "users")

    assert made.type == Cluster.STATIC
    assert made.cluster_type.name == ("envoy.cluster.dns" if resolved else "")


def test_the_endpoint_is_read_from_one_place_only() -> None:
    policy = cluster(bootstrap(a_config()), "users").load_balancing_policy.policies[0]

    (source,) = unpacked(policy.typed_extension_config.typed_config, OverrideHost()).override_host_sources

    assert not source.header
    assert source.metadata.key == names.ENDPOINT_NAMESPACE
    assert [one.key for one in source.metadata.path] == [names.ENDPOINT_KEY]


def test_weights_become_envoys_and_weight_0_drains() -> None:
    endpoints = [{"address": "10.0.0.1:80", "weight": 7}, {"address": "[::1]:80", "weight": 0}]
    made = cluster(bootstrap(a_config(clusters={"users": {"endpoints": endpoints}})), "users")

    weighted, drained = made.load_assignment.endpoints[0].lb_endpoints
    assert weighted.load_balancing_weight.value == 7
    assert drained.health_status == DRAINING
    assert drained.endpoint.address.socket_address.address == "::1"
    assert made.common_lb_config.healthy_panic_threshold.value == 0
    assert made.common_lb_config.HasField("healthy_panic_threshold")


def test_no_cluster_is_held_back_by_envoys_default_limits() -> None:
    for made in bootstrap(a_config()).static_resources.clusters:
        (limits,) = made.circuit_breakers.thresholds
        assert limits.max_connections.value > 1024
        assert limits.max_pending_requests.value > 1024
        assert limits.max_requests.value > 1024
        assert limits.max_retries.value > 3


def test_connect_timeouts_are_those_of_the_file() -> None:
    users = {"endpoints": [{"address": "10.0.0.1:80"}], "connect_timeout": "2500ms"}

    made = cluster(bootstrap(a_config(clusters={"users": users})), "users")

    assert made.connect_timeout.ToMilliseconds() == 2500


@pytest.mark.parametrize(
    ("listen", "reached"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("0.0.0.0:50052", "127.0.0.1:50052"),
        ("[::]:50053", "127.0.0.1:50053"),
        (["[::1]:50054", "10.0.0.1:1"], "::1:50054"),
        ("sidecar.internal:50055", "sidecar.internal:50055"),
    ],
)
def test_the_sidecar_is_reached_at_its_first_address(listen: object, reached: str) -> None:
    made = cluster(bootstrap(a_config(listen={"grpc": listen})), names.SIDECAR_CLUSTER)

    found = address_of(made).socket_address
    assert f"{found.address}:{found.port_value}" == reached
    assert made.type == (Cluster.STRICT_DNS if "internal" in reached else Cluster.STATIC)
    assert made.upstream_connection_options.HasField("tcp_keepalive")


def test_the_sidecar_is_reached_through_its_socket() -> None:
    config = a_config(listen={"grpc": ["unix:/run/sidecar/s.sock", "127.0.0.1:50051"]})

    made = cluster(bootstrap(config), names.SIDECAR_CLUSTER)

    assert address_of(made).pipe.path == "/run/sidecar/s.sock"
    assert not made.HasField("upstream_connection_options")


def test_the_sidecar_is_spoken_to_in_http_2_with_room_for_many_streams() -> None:
    made = cluster(bootstrap(a_config()), names.SIDECAR_CLUSTER)

    (options,) = made.typed_extension_protocol_options.values()
    http2 = unpacked(options, HttpProtocolOptions()).explicit_http_config.http2_protocol_options
    assert http2.max_concurrent_streams.value > 1024
    assert http2.connection_keepalive.HasField("connection_idle_interval")
    assert not http2.connection_keepalive.HasField("interval")  # a gRPC server would hang up


def test_a_cluster_without_endpoints_is_left_out_and_said() -> None:
    config = a_config(clusters={"users": {"endpoints": [{"address": "10.0.0.1:80"}]}, "elsewhere": {}})

    assert [one.name for one in bootstrap(config).static_resources.clusters] == ["users", "sidecar"]
    (said,) = notes(config)
    assert "elsewhere" in said


def test_what_host_names_cannot_do_is_said() -> None:
    config = a_config(clusters={"users": {"endpoints": [{"address": "api.internal:80"}]}})

    (said,) = notes(config)

    assert said.startswith("clusters.users has host names")


def test_there_is_nothing_to_say_of_the_smallest_file() -> None:
    assert notes(a_config()) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"clusters": {"sidecar": {}}}, "clusters.sidecar: "),
        ({"on_error": "nowhere"}, "on_error: must be refuse or a cluster, got nowhere"),
        ({"listen": {"grpc": "127.0.0.1:0"}}, "listen.grpc: "),
        ({"listen": {"grpc": []}}, "listen.grpc: "),
        ({"envoy": {"listen": "gateway.internal:80"}}, "envoy.listen must be an IP address"),
        ({"envoy": {"admin": "gateway.internal:80"}}, "envoy.admin must be an IP address"),
        (
            {"routes": [{"name": "twin", "to": "users", **_WITH_RESPONSE_HEADERS} for _ in range(2)]},
            "routes[1].name: another route is named twin",
        ),
        (
            {"routes": [{"name": "r", "to": "users", "headers": {"response": {"remove": ["Host"]}}}]},
            "routes[0].headers.response: ",
        ),
    ],
)
def test_refuses_what_envoy_cannot_do(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        bootstrap(a_config(**changes))

    assert str(refused.value).startswith(complaint)
