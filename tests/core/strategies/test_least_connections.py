"""The endpoint with the fewest requests in flight for its weight."""

from collections import Counter
from math import sqrt

from tests.builders import (
    OK,
    a_plan,
    a_request,
    a_route,
    an_engine,
    decided,
    endpoints_of,
    header_is,
    picks,
    ticket_of,
)

LEAST = "least_connections"


def test_gives_each_request_to_the_endpoint_with_the_fewest_in_flight() -> None:
    """S4"""
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 1, "c": 1}), strategy=LEAST))
    first_three = [decided(engine) for _ in range(3)]
    assert {decision.endpoint.id for decision in first_three} == {"a", "b", "c"}

    for decision in first_three:
        engine.settle(ticket_of(decision), OK, 1.0)
        assert picks(engine, 1) == decision.endpoint.id


def test_requests_in_flight_are_divided_by_the_weight() -> None:
    """S4: whatever the order, 60 requests that stay end as 50 to 10."""
    engine = an_engine(a_route(to=endpoints_of({"a": 5, "never": 0, "b": 1}), strategy=LEAST))

    given = Counter(picks(engine, 60).split())

    assert given == {"a": 50, "b": 10}


def test_equals_are_drawn_at_random_by_weight() -> None:
    """S4: 20,000 requests that end at once; the bound is five standard deviations of the binomial."""
    weights = {"a": 1, "b": 2, "c": 1}
    engine = an_engine(a_route(to=endpoints_of(weights), strategy=LEAST))
    given: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    before = ""
    draws = 20_000
    for _ in range(draws):
        decision = decided(engine)
        engine.settle(ticket_of(decision), OK, 0.0)
        given[decision.endpoint.id] += 1
        pairs[before + decision.endpoint.id] += 1
        before = decision.endpoint.id

    for name, weight in weights.items():
        share = weight / 4
        assert abs(given[name] - draws * share) <= 5 * sqrt(draws * share * (1 - share))
    assert abs(pairs["bb"] - draws / 4) <= 5 * sqrt(draws * 3 / 16)  # no turns: each is drawn anew


def test_requests_of_other_routes_to_the_same_endpoint_count() -> None:
    """S4"""
    to = endpoints_of({"a": 1, "b": 1})
    engine = an_engine(
        a_route("fixed", header_is("x-fixed", "yes"), to[:1], priority=1),
        a_route("main", to=to, strategy=LEAST),
    )
    for _ in range(3):
        decided(engine, a_request("/", ("x-fixed", "yes")))

    assert picks(engine, 3) == "b b b"


def test_a_reload_forgets_nothing_of_what_is_in_flight() -> None:
    """S4"""
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 1}), strategy=LEAST))
    tickets = {decision.endpoint.id: ticket_of(decision) for decision in (decided(engine), decided(engine))}

    engine.swap(a_plan(a_route(to=endpoints_of({"a": 1, "b": 1, "c": 1}), strategy=LEAST)))
    assert picks(engine, 1) == "c"

    engine.settle(tickets["b"], OK, 1.0)
    assert picks(engine, 1) == "b"


def test_the_fallbacks_are_the_next_least_loaded() -> None:
    """S4"""
    engine = an_engine(a_route(to=endpoints_of({"a": 4, "b": 2, "c": 1}), strategy=LEAST, want=3))
    for _ in range(20):
        decided(engine)
    load = engine.state.load
    busy = {name: load.of(f"shop/{name}") / weight for name, weight in {"a": 4, "b": 2, "c": 1}.items()}

    decision = decided(engine)

    named = [decision.endpoint.id, *[endpoint.id for endpoint in decision.fallbacks]]
    assert [busy[name] for name in named] == sorted(busy.values())
