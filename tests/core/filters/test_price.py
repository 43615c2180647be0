"""What a request may cost."""

import pytest

from sidecar.core.filters.price import Budget, Price, dollars, micro_usd
from sidecar.core.outcome import Failure, Outcome
from sidecar.core.request import Request
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.tokens import Tokens
from tests.builders import OK, a_request, decided, ticket_of
from tests.core.filters.asking import a_filtered_engine, left, offering, said, whys

CHEAP, DEAR = (1_000, 2_000), (30_000, 60_000)
FLEET = [offering("cheap", price=CHEAP), offering("dear", price=DEAR), offering("own")]
TOKENS = Tokens((), (HeaderField("x-max"),), counted=(HeaderField("x-input"),))
NOVEMBER, DECEMBER = 1_795_305_600.0, 1_796_083_200.0  # 2026-11-22 and 2026-12-01, UTC


def price(**budgets: Budget) -> Price:
    prices = frozenset((each.input_micro_usd, each.output_micro_usd) for each in FLEET[:2])
    return Price(TOKENS, prices, (HeaderField("x-price"),), HeaderField("x-tenant"), budgets)


def asking(input: int, output: int, *more: tuple[str, str], at: float = NOVEMBER) -> Request:
    request = a_request("/", ("x-input", str(input)), ("x-max", str(output)), *more)
    request.received_at = at
    return request


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("", "cheap dear own"),
        ("0.09", "cheap dear own"),
        ("0.089999", "cheap own"),
        ("0.003", "cheap own"),
        ("0.0029999", "own"),
        ("0", "own"),
        ("-1", "cheap dear own"),
        ("nothing", "cheap dear own"),
        ("1e9", "cheap dear own"),
        ("1e-9", "own"),
        (".003", "cheap own"),
        ("$0.003", "cheap own"),
        ("3e-3", "cheap own"),
    ],
)
def test_a_request_goes_where_it_costs_no_more_than_it_allows(limit: str, expected: str) -> None:
    """C6: 1,000 tokens each way cost $0.003 and $0.09; what has no price costs nothing."""
    engine = a_filtered_engine(FLEET, price())

    assert left(engine, asking(1000, 1000, ("x-price", limit))) == expected


def test_says_what_it_would_cost() -> None:
    """C6 C8"""
    engine = a_filtered_engine(FLEET[:2], price())

    assert whys(engine, asking(1000, 1000, ("x-price", "0.01"))) == {
        "dear": "it would cost $0.09, and $0.01 is the request's own limit"
    }
    assert said(engine, asking(1000, 1000, ("x-price", "0.0001"))) == (
        "budget_exceeded: no endpoint for what the request may cost"
    )


@pytest.mark.parametrize("budget", [Budget(per_request_micro_usd=1), Budget(per_month_micro_usd=1)])
def test_a_client_is_told_neither_what_a_tenant_pays_nor_for_whom(budget: Budget) -> None:
    """C6 C8: anybody may name a tenant; who may ask the sidecar itself reads why."""
    engine = a_filtered_engine(FLEET[:2], price(acme=budget))
    asked = asking(1000, 1000, ("x-tenant", "acme"))

    told = said(engine, asked)

    assert told == "budget_exceeded: no endpoint for what the request may cost"
    assert all('$0.000001 is what tenant "acme" ' in why for why in whys(engine, asked).values())


def test_who_could_not_have_been_picked_for_another_reason_is_no_matter_of_budget() -> None:
    """C6"""
    engine = a_filtered_engine([offering("never", price=CHEAP, weight=0)], price())

    assert said(engine, asking(1000, 1000, ("x-price", "0"))).startswith("no_endpoint: ")


def test_a_tenant_pays_no_more_for_a_request_than_is_set_down() -> None:
    """C6: the lower of its limit and the request's counts."""
    engine = a_filtered_engine(FLEET, price(acme=Budget(10_000)))

    assert left(engine, asking(1000, 1000, ("x-tenant", "acme"))) == "cheap own"
    assert left(engine, asking(1000, 1000, ("x-tenant", "acme"), ("x-price", "9"))) == "cheap own"
    assert left(engine, asking(1000, 1000, ("x-tenant", "acme"), ("x-price", "0.001"))) == "own"
    assert left(engine, asking(1000, 1000, ("x-tenant", "globex"))) == "cheap dear own"


def test_a_month_has_an_end() -> None:
    """C6 Q6: ten requests of $0.003 are within $0.03, those under way among them; the next month is new."""
    engine = a_filtered_engine(FLEET[:1], price(acme=Budget(per_month_micro_usd=30_000)))
    asked = asking(1000, 1000, ("x-tenant", "acme"))

    tickets = [ticket_of(decided(engine, asked)) for _ in range(10)]
    assert said(engine, asked) == ("budget_exceeded: no endpoint for what the request may cost")
    for ticket in tickets:
        engine.settle(ticket, OK, 1.0)
    assert said(engine, asked).startswith("budget_exceeded")

    decided(engine, asking(1000, 1000, ("x-tenant", "acme"), at=DECEMBER))
    decided(engine, asking(1000, 1000, ("x-tenant", "globex")))
    assert said(engine, asked).startswith("budget_exceeded")


@pytest.mark.parametrize(
    ("outcome", "left_micro_usd"),
    [
        (OK, 27_000),
        (Outcome(404), 27_000),
        (Outcome(0, failure=Failure.CANCELLED), 27_000),
        (Outcome(0, failure=Failure.LOST), 27_000),
        (Outcome(503), 30_000),
        (Outcome(0, failure=Failure.CONNECTION), 30_000),
        (Outcome(503, failure=Failure.REFUSED), 30_000),
        (Outcome(200, tokens=1500), 28_000),
        (Outcome(200, tokens=600), 29_400),
    ],
)
def test_what_is_reserved_is_settled_by_the_outcome(outcome: Outcome, left_micro_usd: int) -> None:
    """C6 Q6: what failed costs nothing; told tokens count in place of the estimate."""
    engine = a_filtered_engine(FLEET[:1], price(acme=Budget(per_month_micro_usd=30_000)))
    ticket = ticket_of(decided(engine, asking(1000, 1000, ("x-tenant", "acme"))))

    engine.settle(ticket, outcome, 1.0)
    engine.settle(ticket, outcome, 1.0)

    spent = engine.state.spend.of("acme", 2026 * 12 + 10)
    assert 30_000 - spent == left_micro_usd


def test_explaining_reserves_nothing() -> None:
    engine = a_filtered_engine(FLEET[:1], price(acme=Budget(per_month_micro_usd=30_000)))

    for _ in range(20):
        assert left(engine, asking(1000, 1000, ("x-tenant", "acme"))) == "cheap"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1_000_000),
        ("0.05", 50_000),
        ("0.0000019", 1),
        ("123456789.123456789", 123_456_789_123_456),
        ("1.", 1_000_000),
        ("", -1),
        (".5", 500_000),
        (".000001", 1),
        ("+0.29", 290_000),
        ("$0.29", 290_000),
        (" 2.9E-1 ", 290_000),
        ("1e-9", 0),
        ("1e-99999", 0),
        ("0.00001e3", 10_000),
        ("12e0", 12_000_000),
        ("3e2", 300_000_000),
        ("1e9999", 10**15),
        ("0e9999", 0),
        ("0" * 100 + "1", 1_000_000),
        ("0." + "3" * 100, 333_333),
        (".", -1),
        ("e3", -1),
        ("1e", -1),
        ("1e+-3", -1),
        ("1e1.5", -1),
        ("-0.5", -1),
        ("nan", -1),
        ("1_0", -1),
        ("1" * 257, -1),
        ("1.2.3", -1),
        ("1,5", -1),
        ("\u0661", -1),
        ("9" * 10, 10**15),
    ],
)
def test_dollars_are_read_as_whole_millionths(text: str, expected: int) -> None:
    assert micro_usd(text) == expected


def test_dollars_are_written_with_the_digits_that_they_need() -> None:
    assert [dollars(each) for each in (0, 50_000, 1_500_000, 1, 12_345_678)] == [
        "$0.00",
        "$0.05",
        "$1.50",
        "$0.000001",
        "$12.345678",
    ]
