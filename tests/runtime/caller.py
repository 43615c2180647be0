"""A gRPC client that speaks to the sidecar as Envoy and others do."""

from types import TracebackType
from typing import Any, Final, Self

import grpc
import grpc.aio
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from sidecar.v1 import route_pb2

SERVING: Final[int] = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN: Final[int] = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
EXT_PROC: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
ACCESS_LOG: Final = "envoy.service.accesslog.v3.AccessLogService"
ROUTE: Final = "sidecar.v1.RouteService"


class Exchange:
    """One ext_proc stream."""

    def __init__(self, call: Any) -> None:
        self.call: Final = call

    async def send(self, message: Any) -> None:
        await self.call.write(message.SerializeToString())

    async def answer(self) -> Any:
        """The next answer; None when the stream has ended."""
        data = await self.call.read()
        return None if data is grpc.aio.EOF else ext_proc.ProcessingResponse.FromString(data)

    async def ask(self, message: Any) -> Any:
        await self.send(message)
        return await self.answer()

    async def status(self) -> Any:
        """How the stream ended; waits until it has."""
        return await self.call.code()

    async def finish(self) -> Any:
        """Say that nothing more comes, and see how the stream ends."""
        await self.call.done_writing()
        assert await self.answer() is None
        return await self.status()


class Caller:
    """One connection."""

    def __init__(self, address: str) -> None:
        self._channel: Final = grpc.aio.insecure_channel(
            address, options=(("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    def process(self, *metadata: tuple[str, str]) -> Exchange:
        return Exchange(self._channel.stream_stream(f"/{EXT_PROC}/Process")(metadata=metadata))

    def access_log(self) -> Any:
        return self._channel.stream_unary(f"/{ACCESS_LOG}/StreamAccessLogs")()

    async def route(self, path: str, method: str = "GET") -> Any:
        message = route_pb2.RouteRequest(path=path, method=method)
        data = await self.raw(f"/{ROUTE}/Route", message.SerializeToString())
        return route_pb2.RouteResponse.FromString(data)

    async def report(self, ticket: int, status: int = 200, **fields: Any) -> bool:
        message = route_pb2.ReportOutcomeRequest(ticket=ticket, status=status, **fields)
        data = await self.raw(f"/{ROUTE}/ReportOutcome", message.SerializeToString())
        return bool(route_pb2.ReportOutcomeResponse.FromString(data).settled)

    async def load(self, cluster: str, **fields: Any) -> None:
        message = route_pb2.ReportLoadRequest(cluster=cluster, **fields)
        await self.raw(f"/{ROUTE}/ReportLoad", message.SerializeToString())

    async def explain(self, path: str) -> Any:
        message = route_pb2.ExplainRequest(request=route_pb2.RouteRequest(path=path))
        data = await self.raw(f"/{ROUTE}/Explain", message.SerializeToString())
        return route_pb2.ExplainResponse.FromString(data)

    async def raw(self, method: str, data: bytes) -> Any:
        """The bytes that the method answers with; AioRpcError when it fails."""
        return await self._channel.unary_unary(method)(data, timeout=5)

    async def check(self, name: str) -> int:
        request = health_pb2.HealthCheckRequest(service=name).SerializeToString()
        data = await self.raw("/grpc.health.v1.Health/Check", request)
        return int(health_pb2.HealthCheckResponse.FromString(data).status)

    def watch(self, name: str) -> Any:
        """A stream of statuses."""
        watch = self._channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            response_deserializer=lambda data: health_pb2.HealthCheckResponse.FromString(data).status,
        )
        return watch(health_pb2.HealthCheckRequest(service=name).SerializeToString())

    async def reflect(self, **fields: str) -> Any:
        """One answer of server reflection."""
        method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        call = self._channel.stream_stream(method)()
        await call.write(reflection_pb2.ServerReflectionRequest(**fields).SerializeToString())
        answer = reflection_pb2.ServerReflectionResponse.FromString(await call.read())
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
        return answer
