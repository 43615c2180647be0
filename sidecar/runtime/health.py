"""gRPC health and reflection as services on bytes.

Readiness is one state with several names: empty, `readiness` and the names of the services. `liveness` is
serving as long as anything answers at all.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from sidecar.runtime.methods import Bidirectional, Code, Failed, Methods, Unary, Watch

HEALTH: Final = "grpc.health.v1.Health"
REFLECTION: Final = "grpc.reflection.v1alpha.ServerReflection"

_Status = health_pb2.HealthCheckResponse


class Health:
    """Not serving until `ready()`; not serving again after `draining()`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names: Final = {"", "readiness", *names}
        self._ready = False
        self._leaving = False
        self._changed: asyncio.Event = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        return self._ready

    def ready(self) -> None:
        self._turn(ready=True)

    def draining(self) -> None:
        self._leaving = True
        self._turn(ready=False)

    def _turn(self, *, ready: bool) -> None:
        self._ready = ready
        self._changed.set()
        self._changed = asyncio.Event()

    def status(self, name: str) -> int | None:
        """The protocol's status number; None for a name that is not known."""
        if name == "liveness":
            return int(_Status.SERVING)
        if name not in self._names:
            return None
        return int(_Status.SERVING if self._ready else _Status.NOT_SERVING)

    def methods(self) -> Methods:
        return {
            f"/{HEALTH}/Check": Unary(self._check),
            f"/{HEALTH}/Watch": Watch(self._watch),
            f"/{HEALTH}/List": Unary(self._list),
        }

    def _check(self, data: bytes) -> bytes:
        name = _parsed(health_pb2.HealthCheckRequest, data).service
        status = self.status(name)
        if status is None:
            raise Failed(
                Code.NOT_FOUND, f"no service {name[:200]!r}; known: {', '.join(sorted(self._names))}"
            )
        return _encoded(_Status(status=status))

    def _list(self, data: bytes) -> bytes:
        _parsed(health_pb2.HealthListRequest, data)
        names = sorted(self._names | {"liveness"})
        return _encoded(
            health_pb2.HealthListResponse(
                statuses={name: _Status(status=self.status(name)) for name in names}
            )
        )

    async def _watch(self, data: bytes) -> AsyncIterator[bytes]:
        name = _parsed(health_pb2.HealthCheckRequest, data).service
        told = -1
        while True:
            changed, leaving = self._changed, self._leaving  # either may change while a status is sent
            known = self.status(name)
            status = int(_Status.SERVICE_UNKNOWN) if known is None else known
            if status != told:
                told = status
                yield _encoded(_Status(status=status))
            if leaving:  # this was the last change: the stream ends with OK
                return
            await changed.wait()


class _Reflection:
    """grpcio-reflection's servicer, made when somebody first asks: with it comes all of gRPC's server."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names: Final = names
        self._servicer: Any = None

    def answers(self, request: Any) -> Sequence[bytes]:
        if self._servicer is None:
            from grpc_reflection.v1alpha.reflection import ReflectionServicer  # noqa: PLC0415

            self._servicer = ReflectionServicer(self._names, pool=descriptor_pool.Default())
        return [_encoded(reply) for reply in self._servicer.ServerReflectionInfo(iter([request]), None)]


class _ReflectionCall:
    """Asks one message at a time."""

    def __init__(self, reflection: _Reflection) -> None:
        self._reflection: Final = reflection
        self.finished = False

    def receive(self, data: bytes) -> Sequence[bytes]:
        return self._reflection.answers(_parsed(reflection_pb2.ServerReflectionRequest, data))

    def half_closed(self) -> Sequence[bytes]:
        return ()

    def closed(self) -> None:
        """Nothing is held."""


def reflection_methods(names: Sequence[str]) -> Methods:
    """Server reflection for the services of these full names."""
    reflection = _Reflection([*names, REFLECTION])
    return {
        f"/{REFLECTION}/ServerReflectionInfo": Bidirectional(
            lambda: _ReflectionCall(reflection), awaited=False
        )
    }


def _parsed(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Failed(Code.INVALID_ARGUMENT, f"not a {kind.DESCRIPTOR.full_name}") from error


def _encoded(message: Any) -> bytes:
    encoded: bytes = message.SerializeToString()
    return encoded
