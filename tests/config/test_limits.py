"""`limits` of a cluster, from the file to decisions."""

from random import Random

from sidecar.core.engine import Engine
from sidecar.core.filters.quota import Quota
from sidecar.core.outcome import Outcome
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.state.memory import State
from tests.builders import a_request, decided, ticket_of
from tests.config.files import loaded

FILE = """\
context: {prompt: [{header: x-prompt}], max_tokens: [{header: x-max-tokens}]}
clusters:
  models:
    endpoints: [{address: '10.0.0.1:80', id: a}, {address: '10.0.0.2:80', id: b}]
    limits: {requests_per_minute: 3, tokens_per_minute: 1000, load: 90%, quota: 95%}
  plain: {}
routes:
  - {name: ask, match: {path: {exact: /ask}}, to: models, strategy: round_robin}
  - {name: default, to: plain}
"""


def an_engine() -> Engine:
    return Engine(loaded(FILE).plan, State(), Random(1))


def test_each_endpoint_of_the_cluster_gets_as_many_requests_as_the_file_says() -> None:
    """Q5"""
    engine = an_engine()

    given = [decided(engine, a_request("/ask", ("x-max-tokens", "1"))).endpoint.id for _ in range(6)]

    assert sorted(given) == ["a", "a", "a", "b", "b", "b"]
    refusal = engine.decide(a_request("/ask"), 1.0)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.route) == (Reason.RATE_LIMITED, "ask")
    assert decided(engine, a_request("/"), 1.0).endpoint.cluster == "plain"


def test_tokens_are_estimated_from_the_facts_of_the_file() -> None:
    """Q5: 4 characters a token, and the answer has as many as it may have."""
    engine = an_engine()
    request = a_request("/ask", ("x-prompt", "x" * 400), ("x-max-tokens", "700"))

    first, second = decided(engine, request), decided(engine, request)

    assert first.ticket is not None
    assert first.ticket.tokens == 800
    assert {first.endpoint.id, second.endpoint.id} == {"a", "b"}
    assert isinstance(engine.decide(request, 0.0), Refusal)
    engine.settle(ticket_of(first), Outcome(200, tokens=180), 1.0)
    assert decided(engine, request, 1.0).endpoint is first.endpoint


def test_only_routes_to_endpoints_that_count_tokens_ask_for_them() -> None:
    """Q5"""
    ask, default = loaded(FILE).plan.routes

    assert [type(each) for each in ask.filters] == [Quota]
    assert default.filters == ()


def test_thresholds_of_the_file_count() -> None:
    """C5"""
    engine = an_engine()
    engine.state.reports.told("models/a", 0.0, utilisation=0.95)

    assert {decided(engine, a_request("/ask", ("x-max-tokens", "1"))).endpoint.id for _ in range(2)} == {"b"}
