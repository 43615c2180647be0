"""What the file says of tenants, models, capabilities and prices, as requests meet it."""

import pytest

from sidecar.config.bodies import needs
from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.refusal import Refusal
from sidecar.core.request import Request
from tests.builders import OK, a_plan, a_request, an_engine, decided, ticket_of
from tests.config.files import loaded

CLUSTERS = """\
clusters:
  big:
    endpoints:
      - {address: '10.0.0.1:80', id: b1, region: eu, zone: a}
      - {address: '10.0.0.2:80', id: b2, region: us, zone: a}
    models: [gpt-4]
    price: {input_per_1k: 0.03, output_per_1k: 0.06}
    capabilities: {context_window: 128000}
  small:
    endpoints: [{address: '10.0.1.1:80', id: s1}]
    models: [claude-3, best]
    price: {input_per_1k: 0.001, output_per_1k: 0.002}
    capabilities: {vision: false, context_window: 4000, max_tokens: 1000}
  plain:
    endpoints: [{address: '10.0.2.1:80', id: p1}]
"""
POOL = "routes: [{name: chat, pool: [big, small]}]\n"
CONTEXT = """\
context:
  exclude: [{header: x-exclude}]
  prefer: [{header: x-prefer}]
  capabilities: [{header: x-needs}]
  input_tokens: [{header: x-input}]
  max_tokens: [{header: x-max}]
  max_price: [{header: x-price}]
  latency_target: [{header: x-target}]
  deadline: [{header: x-deadline}]
"""


def an_engine_of(*parts: str) -> Engine:
    return an_engine(*loaded(CLUSTERS + "".join(parts)).plan.routes)


def left(engine: Engine, *headers: tuple[str, str]) -> str:
    explanation = engine.explain(a_request("/", *headers), 0.0)
    return " ".join(sorted(each.endpoint.id for each in explanation.candidates if each.place > 0))


def names(text: str) -> list[list[str]]:
    """The filters of each route."""
    return [[type(each).__name__ for each in route.filters] for route in loaded(text).plan.routes]


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("x-ai-model", "gpt-4", "b1 b2 s1"),
        ("x-ai-model", "best", "b1 b2 s1"),
        ("x-ai-model", "claude-3", "s1"),
        ("x-exclude", "b1,small", "b2"),
        ("x-needs", "vision", "b1 b2"),
        ("x-needs", "streaming", "b1 b2 s1"),
        ("x-input", "4001", "b1 b2"),
        ("x-max", "1001", "b1 b2"),
        ("x-price", "0.01", "s1"),
        ("x-target", "1ms", "b1 b2 s1"),
        ("x-unknown", "1", "b1 b2 s1"),
    ],
)
def test_a_request_asks_by_what_the_file_gives_a_source(header: str, value: str, expected: str) -> None:
    """C1 C2 C3 C6 C7: a cluster that says best means the model that best is an alias of."""
    engine = an_engine_of("models: {best: gpt-4}\n", CONTEXT, POOL)

    assert left(engine, (header, value)) == expected


def test_a_client_names_no_endpoint_where_the_file_gives_it_no_source() -> None:
    """C2 X4"""
    engine = an_engine_of(POOL)

    for header in ("x-exclude", "x-prefer", "exclude", "prefer"):
        assert left(engine, (header, "b1")) == "b1 b2 s1"


@pytest.mark.parametrize(
    ("more", "route", "expected"),
    [
        ("", "to: plain", []),
        ("", "to: big", ["Models", "Room"]),
        ("", "to: plain, failover: [big]", ["Models", "Room"]),
        ("context: {model: []}\n", "to: big", ["Room"]),
        (CONTEXT, "to: plain", ["Excluded", "Capabilities", "Preferred", "InTime"]),
        (
            CONTEXT,
            "pool: [big, small]",
            ["Excluded", "Models", "Capabilities", "Room", "Price", "Preferred", "InTime"],
        ),
        ("", "pool: [plain, small], needs: [vision]", ["Models", "Capabilities", "Room"]),
        ("", "to: plain, needs: [vision]", []),
        ("tenants: {acme: {allow: [plain]}}\n", "to: plain", []),
        ("tenants: {acme: {allow: [p1, b1]}}\n", "to: {cluster: plain}", []),
        ("tenants: {acme: {allow: [b1]}}\n", "to: plain", ["Allowed"]),
        ("tenants: {acme: {prefer: [b1]}}\n", "to: plain", []),
        ("tenants: {acme: {prefer: [p1]}}\n", "to: plain", ["Favoured"]),
        ("tenants: {acme: {budget: {per_month: 5}}}\n", "to: plain", []),
        ("tenants: {acme: {budget: {per_month: 5}}}\n", "to: big", ["Models", "Room", "Price"]),
        ("", "respond: {}", []),
    ],
)
def test_a_route_asks_only_what_can_make_a_difference_for_it(
    more: str, route: str, expected: list[str]
) -> None:
    """C1 C2 C3 C6"""
    assert names(f"{CLUSTERS}{more}routes: [{{name: r, {route}}}]\n") == [expected]


def test_routes_to_the_same_endpoints_share_their_filters() -> None:
    first, second = loaded(CLUSTERS + "routes: [{name: r, to: big}, {name: s, to: big}]\n").plan.routes

    assert first.filters is second.filters


def test_a_route_says_what_its_requests_need() -> None:
    """C3"""
    engine = an_engine_of("routes: [{name: r, pool: [big, small], needs: [vision, streaming]}]\n")

    assert left(engine) == "b1 b2"


def test_a_target_is_a_part_of_its_cluster_by_region_and_zone() -> None:
    """C1"""
    for target, expected in (
        ("{cluster: big, region: us}", "b2"),
        ("{cluster: big, zone: a}", "b1 b2"),
        ("{cluster: big, zone: a, region: eu}", "b1"),
    ):
        assert left(an_engine_of(f"routes: [{{name: r, to: {target}}}]\n")) == expected


TENANTS = """\
tenants:
  acme: {allow: [big, s1], prefer: [b2, s1], strategy: cheap, budget: {per_request: 0.1, per_month: 0.5}}
  globex: {allow: ['10.0.1.1:80', small/s1], strategy: {least_latency: {quantile: p95}}}
  initech: {strategy: random}
strategies: {cheap: cost_optimized, quick: {least_latency: {quantile: p95}}}
"""


def of(tenant: str, *more: tuple[str, str]) -> Request:
    return a_request("/", ("x-tenant-id", tenant), *more)


def test_tenants_have_what_is_set_down_for_them() -> None:
    """C2 C6"""
    engine = an_engine_of(TENANTS, CONTEXT, "routes: [{name: chat, pool: [big, small, plain]}]\n")

    assert left(engine, ("x-tenant-id", "globex")) == "s1"
    assert left(engine, ("x-tenant-id", "initech")) == "b1 b2 p1 s1"
    assert decided(engine, of("acme")).endpoint.id == "b2"
    assert decided(engine, of("acme", ("x-exclude", "b2"))).endpoint.id == "s1"
    refused = engine.decide(of("acme", ("x-input", "100000")), 0.0)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.message) == (
        402,
        "no endpoint for what the request may cost",
    )


def test_a_tenant_spends_no_more_than_its_month() -> None:
    """C6 Q6: one token in and 1,000 out cost $0.060030 at b1, so eight requests are within $0.50."""
    engine = an_engine_of(TENANTS, CONTEXT, "routes: [{name: chat, to: b1}]\n")
    request = of("acme", ("x-input", "1"), ("x-max", "1000"))

    for _ in range(8):
        engine.settle(ticket_of(decided(engine, request)), OK, 1.0)

    assert isinstance(engine.decide(request, 2.0), Refusal)
    assert isinstance(engine.decide(of("initech"), 2.0), Decision)


def strategy_for(engine: Engine, *headers: tuple[str, str]) -> tuple[str, str]:
    decision = decided(engine, a_request("/", *headers))
    assert decision.turn is not None
    return decision.variant.strategy_name, decision.turn.pool.base


def test_tenants_and_requests_choose_a_strategy() -> None:
    """S18: requests only by a word of `strategies`, and where they have a source for it."""
    route = "routes: [{name: chat, to: big, strategy: least_loaded}]\n"
    everybody = "routes: [{name: chat, pool: [big, small]}]\n"
    engine = an_engine_of(TENANTS, "context: {strategy: [{header: x-strategy}]}\n", route)

    assert strategy_for(engine) == ("least_loaded", "chat/big")
    assert strategy_for(engine, ("x-tenant-id", "acme")) == ("cost_optimized", "chat/big by cheap")
    assert strategy_for(an_engine_of(TENANTS, everybody), ("x-tenant-id", "globex")) == (
        "least_latency",
        "chat/big+small by tenant globex",
    )
    assert strategy_for(engine, ("x-tenant-id", "initech")) == ("random", "chat/big by random")
    assert strategy_for(engine, ("x-strategy", "quick")) == ("least_latency", "chat/big by quick")
    assert strategy_for(engine, ("x-strategy", "cheap"), ("x-tenant-id", "initech"))[0] == "cost_optimized"
    for word in ("random", "tenant globex", "least_loaded", "unheard-of"):
        assert strategy_for(engine, ("x-strategy", word)) == ("least_loaded", "chat/big")
    unsourced = an_engine_of(TENANTS, route)
    assert strategy_for(unsourced, ("x-strategy", "quick"))[0] == "least_loaded"


def test_every_arm_has_the_strategies_and_a_chain_goes_on_behind_them() -> None:
    """S18 F2"""
    engine = an_engine_of(
        TENANTS,
        "context: {strategy: [{header: x-strategy}]}\n",
        "routes: [{name: chat, split: [{to: big, weight: 1}, {to: small, weight: 1}], failover: [plain]}]\n",
    )

    seen = set()
    for _ in range(40):
        decision = decided(engine, a_request("/", ("x-strategy", "cheap")))
        assert decision.variant.strategy_name == "cost_optimized"
        assert decision.fallbacks[0].id == "p1"
        seen.add(decision.variant.name)
    assert seen == {"big", "small"}


def test_a_reload_changes_what_words_mean_and_drops_nothing() -> None:
    """S18"""
    context = "context: {strategy: [{header: x-strategy}]}\nroutes: [{name: chat, to: big}]\n"
    engine = an_engine_of("strategies: {mine: random}\n", context)
    mine = a_request("/", ("x-strategy", "mine"))
    tickets = [ticket_of(decided(engine, mine)) for _ in range(5)]
    assert decided(engine, mine).variant.strategy_name == "random"

    engine.swap(a_plan(*loaded(CLUSTERS + "strategies: {mine: least_connections}\n" + context).plan.routes))

    assert decided(engine, mine).variant.strategy_name == "least_connections"
    assert all(engine.settle(ticket, OK, 1.0) is not None for ticket in tickets)


def test_without_strategies_to_choose_a_route_has_no_others() -> None:
    (route,) = loaded(CLUSTERS + POOL).plan.routes

    assert route.chooser is None
    assert route.variants[0].others is None


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ("context: {model: [{body: model}]}\n", {"model"}),
        ("context: {tenant: [{body: tenant}]}\n", set()),
        ("context: {tenant: [{body: tenant}]}\ntenants: {acme: {allow: [b1]}}\n", {"tenant"}),
        ("context: {max_tokens: [{body: max_tokens}], prompt: [{body: prompt}]}\n", {"max_tokens", "prompt"}),
        (
            "context: {strategy: [{header: x-s}]}\nstrategies: {s: {consistent_hash: {by: {body: who}}}}\n",
            {"who"},
        ),
        ("tenants: {acme: {strategy: {consistent_hash: {by: {body: who}}}}}\n", {"who"}),
    ],
)
def test_envoy_is_told_which_fields_of_the_body_are_asked_for(more: str, fields: set[str]) -> None:
    """C1 C3: also where no match asks for them."""
    asked = needs(loaded(CLUSTERS + more + POOL).config)

    assert {field for need in asked for field in need.fields} == fields
