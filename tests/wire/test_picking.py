"""What a gateway gets that asks the sidecar for endpoints only."""

from typing import Any

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from sidecar.core.happening import Happening
from sidecar.core.outcome import Failure
from sidecar.core.plan import HeaderChanges, Rewrite, Route
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.request import Headers
from sidecar.core.retries import Retries
from sidecar.wire.answers import Answers
from sidecar.wire.body import Arriving, Given, Said
from tests.builders import ALWAYS, a_request, a_variant, an_endpoint, an_engine, decided
from tests.wire.messages import set_headers

NAMED = [
    an_endpoint("a", address="10.0.0.1:80"),
    an_endpoint("b", address="10.0.1.1:80", cluster="far"),
    an_endpoint("c", address="[::1]:80"),
]
EVERYTHING = Route(
    "all",
    ALWAYS,
    (a_variant("main", NAMED),),
    want=3,
    retries=Retries(3, (503,), (Failure.CONNECTION,), ("GET",)),
    happening=Happening(250, 1.0, 418, 1.0, "shadow", 1.0),
    timeout_s=2.5,
    request_headers=HeaderChanges(set=(("x-api", "v1"),), remove=("x-debug",)),
    rewrite=Rewrite("/api", host="shop.internal"),
)


def picked(route: Route, method: str = "GET") -> Any:
    encoded = Answers(picker=True).encode(decided(an_engine(route), a_request("/api/x", method=method)))
    return ext_proc.ProcessingResponse.FromString(encoded)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_list_is_in_the_header_and_in_metadata_alike(method: str) -> None:
    """checklist 25: each address once, and all of them, whatever their cluster."""
    answer = picked(EVERYTHING, method)

    value = "10.0.0.1:80,10.0.1.1:80,[::1]:80"
    assert set_headers(answer)["x-gateway-destination-endpoint"] == value
    metadata = MessageToDict(answer.dynamic_metadata)
    assert metadata["envoy.lb"] == {"x-gateway-destination-endpoint": value}
    assert answer.request_headers.response.clear_route_cache


def test_changes_of_the_request_are_told_and_nothing_that_only_our_envoy_knows() -> None:
    """checklist 25: no cluster, no route, and nothing that would make the gateway retry, wait or fail."""
    answer = picked(EVERYTHING)

    assert set_headers(answer) == {
        "x-gateway-destination-endpoint": "10.0.0.1:80,10.0.1.1:80,[::1]:80",
        "x-api": "v1",
        ":authority": "shop.internal",
        ":path": "/x",
    }
    assert list(answer.request_headers.response.header_mutation.remove_headers) == ["x-debug"]


def test_the_usual_envoy_is_told_in_metadata_only() -> None:
    """checklist 25: it would try the addresses of the header as well."""
    encoded = Answers().encode(decided(an_engine(EVERYTHING), a_request("/api/x")))

    headers = set_headers(ext_proc.ProcessingResponse.FromString(encoded))
    assert "x-gateway-destination-endpoint" not in headers


def test_a_refusal_is_the_same() -> None:
    """checklist 26"""
    refusal = Refusal(Reason.NO_ENDPOINT, "all")

    assert Answers(picker=True).encode(refusal) == Answers().encode(refusal)


def told(values: Any) -> dict[str, Struct]:
    struct = Struct()
    struct.update({"key": values})
    return {"space": struct}


@pytest.mark.parametrize(
    ("values", "there", "read"),
    [
        (["a", "b"], True, ["a", "b"]),
        ("a,b", True, ["a,b"]),
        ([], True, []),
        ("", True, [""]),
        ({"below": "a"}, True, []),
    ],
)
def test_an_empty_list_is_there_all_the_same(values: object, there: bool, read: list[str]) -> None:
    """checklist 26: over ext_proc, with bodies and without, and over RouteService."""
    metadata = ext_proc.ProcessingRequest().metadata_context
    metadata.filter_metadata["space"].CopyFrom(told(values)["space"])
    encoded = metadata.SerializeToString()
    headers = Headers({})
    for attached in (
        Said(headers, encoded),
        Arriving(headers, encoded, 100),
        Given(headers, b"", {}, 0, told(values), 100),
    ):
        assert attached.has_metadata("space", "key") is there
        assert attached.metadata("space", "key") == read
        assert not attached.has_metadata("space", "other")
        assert not attached.has_metadata("elsewhere", "key")
