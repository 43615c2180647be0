"""Every lever that the configuration gives the sidecar, pulled with real requests through a real Envoy."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from sidecar import names
from sidecar.wire import reader
from tests.running.asking import ASK_WITHIN_S
from tests.running.endpoint import ECHO, Endpoint, endpoint
from tests.running.ports import free_ports
from tests.waiting import until
from tests.xds.running import running_envoy
from tests.xds.scene import Scene, a_routed_config
from tests.xds.stand_in import TICKET, no_decision, stand_in, to

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def endpoints() -> Iterator[dict[str, Endpoint]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(endpoint(name)) for name in "abc"}


@pytest.fixture(scope="module")
def running(endpoints: dict[str, Endpoint], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("usual")
    with stand_in() as sidecar:
        config = a_routed_config(endpoints, f"127.0.0.1:{sidecar.port}")
        with running_envoy(config, folder) as envoy:
            yield Scene(envoy, sidecar, endpoints)


@pytest.fixture
def scene(running: Scene) -> Scene:
    running.sidecar.answer = to("users")
    for one in running.endpoints.values():
        one.usual()
    return running


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address where no sidecar listens."""
    return f"127.0.0.1:{free_ports(1)[0]}"


def test_the_header_of_the_sidecar_picks_the_cluster(scene: Scene) -> None:
    scene.sidecar.answer = to("other")
    assert scene.ask().seen["name"] == "c"

    scene.sidecar.answer = to("users")
    assert scene.ask().seen["name"] in {"a", "b"}


def test_what_envoy_asks_is_the_usual_message(scene: Scene) -> None:
    """Or each request would take the slow way, and nobody would see it."""
    scene.sidecar.answer = to("users")
    scene.ask("/a", {"x-a": "1", "cookie": "a=b"})

    assert reader.request_headers(scene.sidecar.asked[-1]) is not None


def test_a_cluster_that_envoy_does_not_know_is_a_503(scene: Scene) -> None:
    scene.sidecar.answer = to("nowhere")

    assert scene.ask().status == 503


def test_a_client_cannot_pick_its_cluster(scene: Scene) -> None:
    scene.sidecar.answer = no_decision()

    reply = scene.ask(headers={names.CLUSTER_HEADER: "other"})

    assert reply.status == 503
    assert reply.all("content-type") == ["application/json"]
    assert reply.seen["reason"] == "no_decision"


def test_a_client_cannot_pick_its_route_or_endpoint(scene: Scene) -> None:
    scene.sidecar.answer = to("users", scene.at("a"))

    reply = scene.ask(headers={names.ROUTE_HEADER: "named", names.ENDPOINT_KEY: scene.at("b")})

    assert reply.seen["name"] == "a"
    assert reply.all("x-share") == []


def test_a_client_cannot_set_its_own_retries(scene: Scene) -> None:
    scene.sidecar.answer = to("users", f"{scene.at('a')},{scene.at('b')}")
    scene.endpoints["a"].failing = True

    reply = scene.ask(headers={"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"})

    assert reply.status == 503
    assert scene.endpoints["b"].asked == 0


@pytest.mark.parametrize("picked", ["a", "b"])
def test_every_request_goes_to_the_endpoint_named_in_metadata(scene: Scene, picked: str) -> None:
    scene.sidecar.answer = to("users", scene.at(picked))

    assert {scene.ask().seen["name"] for _ in range(6)} == {picked}


def test_an_endpoint_unknown_to_the_cluster_falls_back_to_the_cluster(scene: Scene) -> None:
    scene.sidecar.answer = to("users", scene.at("c"))

    assert {scene.ask().seen["name"] for _ in range(6)} == {"a", "b"}


def test_a_retry_goes_to_the_next_endpoint_of_the_list(scene: Scene) -> None:
    retry = {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "1"}
    scene.sidecar.answer = to("users", scene.at("b"), scene.at("a"), headers=retry)
    scene.endpoints["b"].failing = True

    reply = scene.ask()

    assert (reply.status, reply.seen["name"]) == (200, "a")
    assert scene.endpoints["b"].asked == 1


def test_an_endpoint_of_weight_0_is_reached_only_by_its_name(scene: Scene) -> None:
    scene.sidecar.answer = to("drained")
    assert {scene.ask().seen["name"] for _ in range(8)} == {"b", "c"}

    scene.sidecar.answer = to("drained", scene.at("a"))
    assert scene.ask().seen["name"] == "a"


def test_a_cluster_with_nothing_but_weight_0_serves_no_request_by_itself(scene: Scene) -> None:
    scene.sidecar.answer = to("all-drained")

    assert scene.ask().status == 503


@pytest.mark.parametrize("picked", ["a", "b", "c"])
def test_an_endpoint_with_a_host_name_is_found_by_its_address_in_the_file(scene: Scene, picked: str) -> None:
    scene.sidecar.answer = to("by-name", f"localhost:{scene.endpoints[picked].port}")

    assert {scene.ask().seen["name"] for _ in range(6)} == {picked}


def test_a_list_of_host_names_takes_the_endpoints_in_turn(scene: Scene) -> None:
    listed = [f"localhost:{scene.endpoints[name].port}" for name in "ab"]
    scene.sidecar.answer = to("by-name", *listed)

    assert {scene.ask().seen["name"] for _ in range(6)} == {"a", "b", "c"}


def test_the_endpoint_sees_no_internal_header(scene: Scene) -> None:
    scene.sidecar.answer = to(
        "users", headers={names.ROUTE_HEADER: "named", names.ENDPOINT_KEY: scene.at("a")}
    )

    seen = scene.ask(headers={"x-mine": "1"}).seen["headers"]

    assert seen["x-mine"] == "1"
    assert not [name for name in seen if name in names.INTERNAL_HEADERS or name.startswith("x-sidecar-")]


def test_a_named_route_changes_response_headers(scene: Scene) -> None:
    for one in scene.endpoints.values():
        one.headers = {"x-secret": "1", "x-replaced": "by the endpoint", "x-twice": "by the endpoint"}
    scene.sidecar.answer = to("users", scene.at("b"), headers={names.ROUTE_HEADER: "named"})

    reply = scene.ask()

    assert reply.seen["name"] == "b"
    assert reply.all("x-share") == ["100%"]
    assert reply.all("x-command") == ["%PROTOCOL%"]
    assert reply.all("x-empty") == [""]
    assert reply.all("x-replaced") == ["by the route"]
    assert ", ".join(reply.all("x-twice")) == "by the endpoint, by the route"
    assert reply.all("x-secret") == []


def test_a_route_without_changes_leaves_response_headers(scene: Scene) -> None:
    scene.endpoints["a"].headers = {"x-secret": "1"}
    scene.sidecar.answer = to("users", scene.at("a"), headers={names.ROUTE_HEADER: "all"})

    reply = scene.ask()

    assert reply.seen["name"] == "a"
    assert reply.all("x-secret") == ["1"]
    assert reply.all("x-share") == []


def test_path_and_host_are_rewritten(scene: Scene) -> None:
    rewritten = {":path": "/new?x=1", ":authority": "shop.internal"}
    scene.sidecar.answer = to("users", headers=rewritten)

    seen = scene.ask("/old").seen

    assert seen["path"] == "/new?x=1"
    assert seen["headers"]["host"] == "shop.internal"


def test_the_sidecar_and_the_endpoint_see_a_normal_path(scene: Scene) -> None:
    assert scene.ask("/a//b/./c/../d").seen["path"] == "/a/b/d"


def test_a_client_cannot_hide_its_address(scene: Scene) -> None:
    seen = scene.ask(headers={"x-forwarded-for": "192.0.2.7"}).seen["headers"]

    claimed, *added = seen["x-forwarded-for"].split(",")
    assert claimed == "192.0.2.7"
    assert len(added) == 1
    assert seen["x-envoy-external-address"] == "127.0.0.1"


def test_an_escaped_slash_is_redirected_to_the_plain_path(scene: Scene) -> None:
    reply = scene.ask("/a%2Fb")

    assert reply.status == 307
    assert reply.all("location") == ["/a/b"]


def test_a_websocket_passes(scene: Scene) -> None:
    scene.sidecar.answer = to("users", scene.at("a"))
    head = b"GET /chat HTTP/1.1\r\nhost: shop.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"

    with socket.create_connection(("127.0.0.1", scene.envoy.port), timeout=ASK_WITHIN_S) as client:
        client.sendall(head)
        received = client.makefile("rb")
        status = received.readline()
        while received.readline().strip():
            pass
        client.sendall(b"hello\n")
        echoed = received.readline()
        received.close()

    assert b" 101 " in status
    assert echoed == ECHO + b"hello\n"


def test_the_access_log_brings_back_the_ticket_and_who_served(scene: Scene) -> None:
    scene.sidecar.answer = to("other")
    scene.ask("/logged")

    until(lambda: any(one.request.path == "/logged" for one in scene.sidecar.logged), "the log")

    (entry,) = [one for one in scene.sidecar.logged if one.request.path == "/logged"]
    common = entry.common_properties
    assert common.metadata.filter_metadata[names.METADATA_NAMESPACE][names.TICKET_KEY] == TICKET
    assert common.upstream_cluster == "other"
    assert common.upstream_remote_address.socket_address.port_value == scene.endpoints["c"].port
    assert entry.response.response_code.value == 200
    assert scene.sidecar.log_names == {names.ACCESS_LOG_NAME}


def test_the_access_log_can_tell_the_labels(scene: Scene) -> None:
    """A8"""
    labelled = to("other")
    labelled.dynamic_metadata.update({names.LABELS_NAMESPACE: {"gpu": "1", "sla": "99.9%"}})
    scene.sidecar.answer = labelled
    scene.ask("/labelled")

    until(lambda: any(one.request.path == "/labelled" for one in scene.sidecar.logged), "the log")

    (entry,) = [one for one in scene.sidecar.logged if one.request.path == "/labelled"]
    told = entry.common_properties.metadata.filter_metadata
    assert MessageToDict(told[names.LABELS_NAMESPACE]) == {"gpu": "1", "sla": "99.9%"}
    assert MessageToDict(told[names.METADATA_NAMESPACE]) == {names.TICKET_KEY: TICKET}


def test_a_request_without_a_ticket_is_not_logged(scene: Scene) -> None:
    def logged(path: str) -> bool:
        return any(entry.request.path == path for entry in scene.sidecar.logged)

    scene.sidecar.answer = to("other", ticket="")
    scene.ask("/without")
    scene.sidecar.answer = to("other")
    scene.ask("/with")

    until(lambda: logged("/with"), "the log of the later request")

    assert not logged("/without")


def test_the_response_is_not_sent_to_the_sidecar_when_the_access_log_is(scene: Scene) -> None:
    scene.sidecar.phases.clear()
    scene.ask()
    scene.ask()

    assert scene.sidecar.phases == ["request_headers", "request_headers"]


def test_a_broken_stream_is_a_503_and_a_late_answer_a_504(scene: Scene) -> None:
    scene.sidecar.answer = ValueError("broken")
    assert scene.ask().status == 503

    scene.sidecar.answer = None
    assert scene.ask().status == 504


def test_no_sidecar_is_a_503(endpoints: dict[str, Endpoint], nobody: str, tmp_path: Path) -> None:
    with running_envoy(a_routed_config(endpoints, nobody), tmp_path) as envoy:
        assert envoy.ask().status == 503
        assert envoy.ask(headers={names.CLUSTER_HEADER: "other"}).status == 503


def test_the_cluster_of_on_error_serves_while_there_is_no_sidecar(
    endpoints: dict[str, Endpoint], nobody: str, tmp_path: Path
) -> None:
    with running_envoy(a_routed_config(endpoints, nobody, on_error="other"), tmp_path) as envoy:
        assert envoy.ask().seen["name"] == "c"
        assert envoy.ask(headers={names.CLUSTER_HEADER: "users"}).seen["name"] == "c"


def test_over_a_unix_socket_with_feedback_by_responses(
    endpoints: dict[str, Endpoint], tmp_path: Path
) -> None:
    with stand_in(f"unix:{tmp_path}/s") as sidecar:
        config = a_routed_config(endpoints, f"unix:{tmp_path}/s", on_error="other", feedback="response")
        with running_envoy(config, tmp_path) as envoy:
            sidecar.answer = to("users")
            assert envoy.ask().seen["name"] in {"a", "b"}
            until(lambda: len(sidecar.phases) == 2, "the response phase")
            assert sidecar.phases == ["request_headers", "response_headers"]

            sidecar.answer = None  # too late
            assert envoy.ask().seen["name"] == "c"
            assert sidecar.logged == []
