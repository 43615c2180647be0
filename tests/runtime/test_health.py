"""Health by every name, over gRPC and HTTP, and reflection."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2

from sidecar.runtime.health import HEALTH, Health
from sidecar.runtime.methods import Watch
from tests.runtime.caller import (
    ACCESS_LOG,
    EXT_PROC,
    NOT_SERVING,
    ROUTE,
    SERVICE_UNKNOWN,
    SERVING,
)
from tests.runtime.sidecars import Sidecar, process, with_sidecar

NAMES = ("", "readiness", "liveness", EXT_PROC, ACCESS_LOG, ROUTE)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_follows_the_readiness_but_liveness_does_not(name: str) -> None:
    """checklist 24"""

    async def ask(sidecar: Sidecar) -> None:
        assert await sidecar.caller.check(name) == SERVING
        sidecar.parts.health.draining()
        assert await sidecar.caller.check(name) == (SERVING if name == "liveness" else NOT_SERVING)
        sidecar.parts.health.ready()
        assert await sidecar.caller.check(name) == SERVING

    with_sidecar(ask)


def test_a_name_that_is_not_known_is_not_found() -> None:
    """checklist 24"""

    async def ask(sidecar: Sidecar) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await sidecar.caller.check("nobody")
        assert told.value.code() is grpc.StatusCode.NOT_FOUND
        assert told.value.details() == (
            "no service 'nobody'; known: , envoy.service.accesslog.v3.AccessLogService, "
            "envoy.service.ext_proc.v3.ExternalProcessor, readiness, sidecar.v1.RouteService"
        )

    with_sidecar(ask)


def test_watch_tells_each_change_once_and_ends_with_the_last() -> None:
    """checklist 24"""

    async def ask(sidecar: Sidecar) -> None:
        watch = sidecar.caller.watch("readiness")
        assert await watch.read() == SERVING
        sidecar.parts.health.ready()  # no change
        sidecar.parts.health.draining()
        assert await watch.read() == NOT_SERVING
        assert await watch.read() is grpc.aio.EOF
        assert await watch.code() is grpc.StatusCode.OK

    with_sidecar(ask)


def test_watch_of_a_name_that_is_not_known_says_so_and_stays() -> None:
    """checklist 24: as the health protocol asks."""

    async def ask(sidecar: Sidecar) -> None:
        watch = sidecar.caller.watch("nobody")
        assert await watch.read() == SERVICE_UNKNOWN
        assert not watch.done()
        watch.cancel()

    with_sidecar(ask)


def test_list_has_every_name() -> None:
    """checklist 24"""

    async def ask(sidecar: Sidecar) -> None:
        data = await sidecar.caller.raw("/grpc.health.v1.Health/List", b"")
        statuses = health_pb2.HealthListResponse.FromString(data).statuses
        assert {name: each.status for name, each in statuses.items()} == dict.fromkeys(NAMES, SERVING)

    with_sidecar(ask)


def test_reflection_lists_every_service() -> None:
    """V6"""

    async def ask(sidecar: Sidecar) -> None:
        answer = await sidecar.caller.reflect(list_services="")
        assert {each.name for each in answer.list_services_response.service} == {
            EXT_PROC,
            ACCESS_LOG,
            ROUTE,
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }

    with_sidecar(ask)


@pytest.mark.parametrize("service", [ROUTE, EXT_PROC, ACCESS_LOG])
def test_reflection_finds_the_descriptor_of_each_service(service: str) -> None:
    """V6"""

    async def ask(sidecar: Sidecar) -> None:
        answer = await sidecar.caller.reflect(file_containing_symbol=service)
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(data)
            for data in answer.file_descriptor_response.file_descriptor_proto
        ]
        described = {f"{file.package}.{each.name}": each for file in files for each in file.service}
        assert described[service].method

    with_sidecar(ask)


def test_reflection_says_what_it_does_not_know() -> None:
    """V6"""

    async def ask(sidecar: Sidecar) -> None:
        answer = await sidecar.caller.reflect(file_containing_symbol="no.such.Service")
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]

    with_sidecar(ask)


def test_the_admin_address_tells_liveness_readiness_and_metrics(tmp_path: Path) -> None:
    """V6, O1"""
    with process(tmp_path) as one:
        assert one.get("/livez") == (200, "ok\n")
        assert one.get("/readyz") == (200, "ok\n")
        assert one.get("/metrics")[0] == 200
        assert one.get("/")[1].splitlines()[0] == "/metrics  for Prometheus"
        assert one.get("/nowhere")[0] == 404


def test_who_watches_is_told_of_a_change_during_the_telling() -> None:
    """checklist 22, V6: the sidecar may be told to leave while its last status is on the way."""

    async def watch() -> list[int]:
        health = Health([])
        health.ready()
        method = health.methods()[f"/{HEALTH}/Watch"]
        assert isinstance(method, Watch)
        told = []
        async for reply in method.handler(b""):
            told.append(int(health_pb2.HealthCheckResponse.FromString(reply).status))
            if len(told) == 1:
                health.draining()
        return told

    assert asyncio.run(watch()) == [SERVING, NOT_SERVING]
