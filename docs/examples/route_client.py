#!/usr/bin/env python3
"""Asks RouteService where a request should go, and tells how it ended (V1, V2, H1, O6)."""

import sys

import grpc

from sidecar.v1 import route_pb2

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"

with grpc.insecure_channel(address) as channel:
    ask = channel.unary_unary(
        "/sidecar.v1.RouteService/Route",
        request_serializer=route_pb2.RouteRequest.SerializeToString,
        response_deserializer=route_pb2.RouteResponse.FromString,
    )
    report = channel.unary_unary(
        "/sidecar.v1.RouteService/ReportOutcome",
        request_serializer=route_pb2.ReportOutcomeRequest.SerializeToString,
        response_deserializer=route_pb2.ReportOutcomeResponse.FromString,
    )

    request = route_pb2.RouteRequest(method="GET", authority="shop.test", path="/cart")
    request.headers.add(name="x-user-id", value=b"user-7")
    answer = ask(request, timeout=1.0)

    if answer.HasField("refusal"):
        print(f"refused with {answer.refusal.status}: {answer.refusal.message}")
    else:
        decision = answer.decision
        print(f"{decision.cluster} at {decision.endpoint.address}: {decision.reason}")
        # ... send the request there, and time it; then tell how it ended, once:
        outcome = route_pb2.ReportOutcomeRequest(ticket=decision.ticket, status=200, duration_seconds=0.031)
        print(f"settled: {report(outcome, timeout=1.0).settled}")
        print(f"settled again: {report(outcome, timeout=1.0).settled}")
