"""Whether an endpoint is well, found out by asking it: a GET, or the health protocol of gRPC."""

import asyncio
import math
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from sidecar.core.endpoint import Endpoint, names_an_ip
from sidecar.core.watch import ProbeRule
from sidecar.runtime.asking.get import PROBE, BadAnswer, Web, elsewhere, told

_MOST_BODY: Final = 8192
_MOST_WORDS: Final = 200
_LEAST_WAIT_MS: Final = 100
_DEGRADED: Final = b"x-envoy-degraded"
_CHECK: Final = "/grpc.health.v1.Health/Check"


class Found(NamedTuple):
    """`why` says what was bad."""

    good: bool
    why: str = ""
    degraded: bool = False


async def found(web: Web, endpoint: Endpoint, rule: ProbeRule) -> Found:
    """Within the rule's timeout, whatever the endpoint does."""
    try:
        async with asyncio.timeout(rule.timeout_s):
            return await (_by_http(web, endpoint, rule) if rule.http else _by_grpc(endpoint, rule))
    except TimeoutError:
        return Found(False, f"timeout after {rule.timeout_s:g} s")
    except BadAnswer as bad:
        return Found(False, str(bad))


async def _by_http(web: Web, endpoint: Endpoint, rule: ProbeRule) -> Found:
    address = elsewhere(endpoint.address, rule.port)
    answer = await web.get(address, rule.http, rule.host or endpoint.cluster, PROBE, _MOST_BODY)
    if answer.status not in rule.statuses:
        return Found(False, f"status {answer.status}")
    return Found(True, degraded=any(name == _DEGRADED for name, _ in answer.headers))


async def _by_grpc(endpoint: Endpoint, rule: ProbeRule) -> Found:
    """On a connection of its own: one that is kept would say nothing of whether new ones are taken."""
    import grpc  # noqa: PLC0415 - a sidecar within an Envoy needs it for nothing else
    import grpc.aio  # noqa: PLC0415
    from grpc_health.v1 import health_pb2  # noqa: PLC0415

    address = elsewhere(endpoint.address, rule.port)
    if names_an_ip(address):
        target = f"ipv6:{address}" if address.startswith("[") else f"ipv4:{address}"
    else:
        target = f"dns:///{address}"
    options = [
        ("grpc.default_authority", rule.host or endpoint.cluster),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        ("grpc.max_metadata_size", _MOST_BODY),
        ("grpc.max_receive_message_length", _MOST_BODY),
        # How long it waits for who accepts and says nothing. Closing the channel does not end that, and the
        # usual 20 s would be as many sockets more.
        ("grpc.min_reconnect_backoff_ms", max(math.ceil(rule.timeout_s * 1000), _LEAST_WAIT_MS)),
        ("grpc.primary_user_agent", PROBE),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    channel = grpc.aio.insecure_channel(target, options)
    try:
        question = health_pb2.HealthCheckRequest(service=rule.grpc).SerializeToString()
        answer = health_pb2.HealthCheckResponse.FromString(await channel.unary_unary(_CHECK)(question))
    except grpc.aio.AioRpcError as error:
        words = f"{error.code().name}: {error.details() or ''}".removesuffix(": ")
        return Found(False, told(BadAnswer(words))[:_MOST_WORDS])
    except DecodeError:  # of bytes that gRPC was told to leave alone: it would log each that is no message
        return Found(False, "no message of grpc.health.v1")
    finally:
        await channel.close()
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return Found(True)
    return Found(False, _status(health_pb2.HealthCheckResponse.ServingStatus, answer.status))


def _status(names: Any, number: int) -> str:
    return str(names.Name(number)) if number in names.values() else f"health status {number}"
