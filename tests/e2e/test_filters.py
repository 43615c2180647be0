"""Conditions of requests on endpoints, as a client of Envoy sees them."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.gateway import LISTEN, Gateway, running_gateway

pytestmark = pytest.mark.e2e
TRANSPORTS = ("grpc",)

FILE = (
    LISTEN
    + """\
clusters:
  big:
    endpoints: [{address: $a, id: a}, {address: $b, id: b}]
    models: [gpt-4]
    price: {input_per_1k: 0.03, output_per_1k: 0.06}
  small:
    endpoints: [{address: $c, id: c}]
    models: [claude-3]
    capabilities: {vision: false}
models: {best: gpt-4}
context:
  model: [{header: x-ai-model}, {body: model}]
  exclude: [{header: x-exclude}]
  capabilities: [{header: x-needs}]
  strategy: [{header: x-strategy}]
  max_price: [{header: x-max-price}]
strategies: {fixed: {consistent_hash: {by: {header: x-key}}}}
tenants: {acme: {allow: [a, small], prefer: [c]}, globex: {budget: {per_month: 0.04}}}
routes:
  - {name: unnamed, match: {path: /unnamed}, to: {cluster: small}}
  - {name: chat, pool: [big, small]}
"""
)


@pytest.fixture(scope="module")
def filtering(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(FILE, tmp_path_factory.mktemp("filters"), transport) as gateway:
        yield gateway


def test_a_model_goes_to_who_serves_it(filtering: Gateway) -> None:
    """C1: named by a header, by an alias, or in the body, which no match asks for."""
    assert filtering.names("/", 4, {"x-ai-model": "gpt-4"}) == ["a", "b", "a", "b"]
    assert filtering.names("/", 4, {"x-ai-model": "claude-3"}) == ["c"] * 4
    assert set(filtering.names("/", 2, {"x-ai-model": "best"})) == {"a", "b"}
    body = filtering.ask("/", {"content-type": "application/json"}, "POST", b'{"model": "claude-3"}')
    assert body.name == "c"
    refused = filtering.ask("/", {"x-ai-model": "gpt-9"})
    assert refused.status == 503
    assert json.loads(refused.body)["message"] == 'no endpoint for model "gpt-9"'


def test_a_tenant_has_what_it_is_allowed_and_rather_what_it_prefers(filtering: Gateway) -> None:
    """C2"""
    assert filtering.names("/", 3, {"x-tenant-id": "acme"}) == ["c"] * 3
    assert filtering.names("/", 3, {"x-tenant-id": "acme", "x-exclude": "c"}) == ["a"] * 3
    assert set(filtering.names("/", 6)) == {"a", "b", "c"}


def test_a_request_excludes_endpoints_by_a_header_that_the_file_names(filtering: Gateway) -> None:
    """C2"""
    assert set(filtering.names("/", 12, {"x-exclude": "a, small"})) == {"b"}
    assert filtering.ask("/", {"x-exclude": "big,small"}).status == 503


def test_a_request_goes_where_it_is_understood(filtering: Gateway) -> None:
    """C3"""
    assert set(filtering.names("/", 4, {"x-needs": "vision"})) == {"a", "b"}


def test_a_budget_is_kept(filtering: Gateway) -> None:
    """C6: an answer of 500 tokens costs $0.03 at a and b, and nothing at c."""
    assert filtering.names("/", 3, {"x-max-price": "0.01"}) == ["c"] * 3
    globex = {"x-tenant-id": "globex", "x-ai-model": "gpt-4"}
    assert [filtering.ask("/", globex).status for _ in range(3)] == [200, 402, 402]


def test_a_request_chooses_a_strategy(filtering: Gateway) -> None:
    """S18"""
    headers = {"x-strategy": "fixed", "x-key": "k"}

    assert len(set(filtering.names("/", 6, headers))) == 1
