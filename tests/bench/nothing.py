"""Ext_proc servers that do nothing but answer with one constant: the floor under every Python server.

The answer is encoded once, at start, and the handlers take and give raw bytes, so what is left is the
transport: `grpc.aio`, gRPC's threads, or ASGI inside an Envoy.

Run as `python -m tests.bench.nothing aio --listen 127.0.0.1:50051 --cluster upstream`.
"""

import argparse
import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
import grpc.aio
import uvloop
from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from sidecar.runtime.hosting.launch import Hosted, become_envoy

SERVICE: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
ROUTING_HEADER: Final = "x-bench-cluster"
MORE_THAN_THE_LOAD: Final = 256  # a thread is held by each stream that is open


def routed_to(cluster: str) -> bytes:
    """The encoded answer to request headers that sends the request to `cluster`."""
    option = base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=ROUTING_HEADER, raw_value=cluster.encode()),
        append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    common = ext_proc.CommonResponse(
        header_mutation=ext_proc.HeaderMutation(set_headers=[option]),
        clear_route_cache=True,
    )
    answer = ext_proc.ProcessingResponse(request_headers=ext_proc.HeadersResponse(response=common))
    return bytes(answer.SerializeToString())


def _service(handler: Any) -> grpc.GenericRpcHandler:
    methods = {"Process": grpc.stream_stream_rpc_method_handler(handler)}
    return grpc.method_handlers_generic_handler(SERVICE, methods)


async def serve_aio(listen: str, answer: bytes) -> None:
    async def answer_each(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        while await context.read() is not grpc.aio.EOF:
            await context.write(answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_service(answer_each),))
    server.add_insecure_port(listen)
    await server.start()
    await server.wait_for_termination()


def serve_threads(listen: str, answer: bytes) -> None:
    def answer_each(messages: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        for _message in messages:
            yield answer

    server = grpc.server(ThreadPoolExecutor(max_workers=MORE_THAN_THE_LOAD))
    server.add_generic_rpc_handlers((_service(answer_each),))
    server.add_insecure_port(listen)
    server.start()
    server.wait_for_termination()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["aio", "threads", "asgi"])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--cluster", required=True)
    args = parser.parse_args()
    answer = routed_to(args.cluster)
    if args.kind == "asgi":
        hosted = Hosted("", [args.listen], admin="", log_format="auto", log_level="info")
        become_envoy(hosted, "tests.bench.nothing_asgi:app")
    if args.kind == "threads":
        serve_threads(args.listen, answer)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_aio(args.listen, answer))


if __name__ == "__main__":
    main()
