"""A path has one spelling for rules and endpoints, and callers without Envoy meet the same one."""

from collections.abc import Iterator

import grpc
import pytest

from sidecar.core.rules.path import climbs
from sidecar.normal import normal
from sidecar.v1 import route_pb2
from tests.e2e.gateway import LISTEN, Gateway, running_gateway
from tests.running.asking import Reply, ask_raw
from tests.wire.spellings import CLIMBING, REFUSED, SPELLINGS, drawn

pytestmark = pytest.mark.e2e

_CONFIG = f"""\
{LISTEN}
clusters:
  guarded: {{endpoints: [{{address: $guarded}}]}}
  open: {{endpoints: [{{address: $open}}]}}
routes:
  - {{name: admin, match: {{path: {{prefix: /admin}}}}, to: guarded}}
  - {{name: rest, to: open}}
"""
_TIMEOUT_S = 5.0
_RANDOM = 400


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(_CONFIG, tmp_path_factory.mktemp("spellings")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def channel(asked: Gateway) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(asked.grpc) as channel:
        yield channel


def _through_envoy(gateway: Gateway, path: str) -> Reply:
    """As a client asks that follows redirects: the last answer, and never more than one redirect."""
    reply = _sent(gateway, path)
    if reply.status == 307:
        (location,) = reply.all("location")
        reply = _sent(gateway, location)
    assert reply.status != 307, path
    return reply


def _sent(gateway: Gateway, path: str) -> Reply:
    return ask_raw(gateway.envoy.port, f"GET {path} HTTP/1.1\r\nhost: shop.test\r\n\r\n".encode())


def _by_route_service(channel: grpc.Channel, path: str) -> tuple[str, str]:
    """The cluster, and the path to send."""
    call = channel.unary_unary(
        "/sidecar.v1.RouteService/Route",
        request_serializer=route_pb2.RouteRequest.SerializeToString,
        response_deserializer=route_pb2.RouteResponse.FromString,
    )
    message = route_pb2.RouteRequest(method="GET", authority="shop.test", path=path)
    decision = call(message, timeout=_TIMEOUT_S).decision
    return decision.cluster, decision.path or path


def _refused_by_route_service(channel: grpc.Channel, path: str) -> route_pb2.Refusal:
    call = channel.unary_unary(
        "/sidecar.v1.RouteService/Route",
        request_serializer=route_pb2.RouteRequest.SerializeToString,
        response_deserializer=route_pb2.RouteResponse.FromString,
    )
    message = route_pb2.RouteRequest(method="GET", authority="shop.test", path=path)
    refusal: route_pb2.Refusal = call(message, timeout=_TIMEOUT_S).refusal
    return refusal


def _seen(reply: Reply) -> str:
    """Python's server takes the second slash off a path that begins with two, which only `//` still has."""
    path = str(reply.seen["path"])
    return f"/{path}" if path.partition("?")[0] == "/" else path


@pytest.mark.parametrize(("written", "seen"), SPELLINGS.items())
def test_envoy_and_route_service_see_the_same_path(
    asked: Gateway, channel: grpc.Channel, written: str, seen: str
) -> None:
    """X4, V1"""
    reply = _through_envoy(asked, written)

    assert reply.status == 200
    assert reply.seen["path"] == seen or (_seen(reply) == seen and seen.startswith("//"))
    assert _by_route_service(channel, written) == (reply.name, seen)
    assert (reply.name == "guarded") == (seen.partition("?")[0].split("/")[1] == "admin")


@pytest.mark.parametrize("path", CLIMBING)
def test_no_path_goes_up_by_a_segment_with_parameters(
    asked: Gateway, channel: grpc.Channel, path: str
) -> None:
    """X4: Envoy would send it on, to a server that may take the parameters off."""
    reply = _sent(asked, path)
    refusal = _refused_by_route_service(channel, path)

    assert (reply.status, reply.seen["reason"]) == (400, "invalid_request")
    assert (refusal.status, refusal.reason) == (400, route_pb2.REFUSAL_REASON_INVALID_REQUEST)


@pytest.mark.parametrize("path", REFUSED)
def test_what_envoy_refuses_route_service_refuses_too(
    asked: Gateway, channel: grpc.Channel, path: str
) -> None:
    """X4, V1"""
    assert _sent(asked, path).status == 400
    with pytest.raises(grpc.RpcError) as told:
        _by_route_service(channel, path)
    assert told.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_any_spelling_is_seen_as_envoy_sees_it(asked: Gateway) -> None:
    """X4"""
    different = []
    for written in drawn(seed=20, count=_RANDOM):
        reply = _through_envoy(asked, written)
        found = "refused" if reply.status == 400 else str(reply.seen["path"])
        try:
            expected = normal(written)
            if climbs(expected.partition("?")[0]):
                expected = "refused"
        except ValueError:
            expected = "refused"
        if found != expected and not (expected.startswith("//") and _seen(reply) == expected):
            different.append((written, found, expected))

    assert different == []
