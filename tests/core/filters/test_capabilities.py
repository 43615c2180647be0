"""What endpoints can do, and how much of it."""

import pytest

from sidecar.core.filters.capabilities import Capabilities, Room
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.tokens import Tokens
from tests.builders import a_request
from tests.core.filters.asking import a_filtered_engine, left, offering, said, whys

FLEET = [
    offering("all", can=("streaming", "function_calling", "vision")),
    offering("blind", can=("streaming", "function_calling")),
    offering("plain", can=()),
]
NEEDS = HeaderField("x-needs")
INPUT, MOST = HeaderField("x-input"), HeaderField("x-max")


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ("", "all blind plain"),
        ("streaming", "all blind"),
        ("vision", "all"),
        ("streaming, function_calling", "all blind"),
        ("Function-Calling,VISION", "all"),
        ("telepathy", ""),
    ],
)
def test_only_endpoints_that_can_do_all_that_is_needed_are_left(needs: str, expected: str) -> None:
    """C3"""
    engine = a_filtered_engine(FLEET, Capabilities(fields=(NEEDS,)))

    assert left(engine, a_request("/", ("x-needs", needs))) == expected


def test_what_the_route_needs_adds_to_what_the_request_needs() -> None:
    """C3"""
    engine = a_filtered_engine(FLEET, Capabilities(frozenset({"streaming"}), (NEEDS,)))

    assert left(engine) == "all blind"
    assert left(engine, a_request("/", ("x-needs", "streaming"))) == "all blind"
    assert left(engine, a_request("/", ("x-needs", "vision"))) == "all"


def test_says_what_is_lacking() -> None:
    """C3 C8"""
    engine = a_filtered_engine(FLEET, Capabilities(fields=(NEEDS,)))
    both = a_request("/", ("x-needs", "vision,streaming"))

    assert whys(engine, both) == {"blind": "it has no vision", "plain": "it has no streaming and no vision"}
    assert said(engine, a_request("/", ("x-needs", "vision,telepathy"))) == (
        'no_endpoint: no endpoint for vision and "telepathy"'
    )


def test_all_that_is_needed_counts_and_more_than_can_be_read_is_refused() -> None:
    """C3 C8: a condition is never heeded in part."""
    engine = a_filtered_engine(FLEET, Capabilities(fields=(NEEDS,)))

    def needing(names: list[str]) -> str:
        return left(engine, a_request("/", ("x-needs", ",".join(names))))

    assert needing([*["streaming"] * 4095, "vision"]) == "all"
    assert said(engine, a_request("/", ("x-needs", "streaming," * 4097))) == (
        "invalid_request: what the request needs has more than 4096 words or 65536 characters"
    )


def test_any_number_of_unknown_words_is_kept_as_one() -> None:
    engine = a_filtered_engine(FLEET, Capabilities(fields=(NEEDS,)))

    for at in range(50):
        engine.decide(a_request("/", ("x-needs", f"w{at}")), 0.0)

    assert len(engine.state.pools.of("main").parts) == 1


SIZES = [
    offering("small", context_window=1000, max_tokens=100),
    offering("large", context_window=8000, max_tokens=400),
    offering("any"),
]


def room() -> Room:
    return Room(
        Tokens(counted=(INPUT,)),
        (MOST,),
        frozenset(each.offer.context_window for each in SIZES),
        frozenset(each.offer.max_tokens for each in SIZES),
    )


@pytest.mark.parametrize(
    ("asked", "most", "expected"),
    [
        ("", "", "any large small"),
        ("1000", "100", "any large small"),
        ("1001", "", "any large"),
        ("8000", "", "any large"),
        ("8001", "", "any"),
        ("", "101", "any large"),
        ("", "400", "any large"),
        ("", "401", "any"),
        ("5000", "401", "any"),
        ("many", "", "any"),
        ("", "some", "any"),
        ("", "-1", "any"),
    ],
)
def test_the_request_fits_the_context_window_and_its_answer_the_most_tokens(
    asked: str, most: str, expected: str
) -> None:
    """C3: 0 is no limit."""
    engine = a_filtered_engine(SIZES, room())

    assert left(engine, a_request("/", ("x-input", asked), ("x-max", most))) == expected


def test_without_a_count_the_body_is_taken_for_text() -> None:
    """C3: four characters a token."""
    engine = a_filtered_engine(SIZES, room())

    assert left(engine, a_request("/", ("content-length", "4000"))) == "any large small"
    assert left(engine, a_request("/", ("content-length", "4004"))) == "any large"


def test_says_how_large_it_is() -> None:
    """C3 C8"""
    engine = a_filtered_engine(SIZES[:2], room())

    assert whys(engine, a_request("/", ("x-input", "5000"))) == {
        "small": "its context window is 1000 tokens, the request has about 5000"
    }
    assert whys(engine, a_request("/", ("x-max", "300"))) == {
        "small": "it answers with 100 tokens at most, and the request wants 300"
    }
    assert said(engine, a_request("/", ("x-input", "9000"), ("x-max", "900"))) == (
        "no_endpoint: no endpoint for 9000 tokens and an answer of 900 tokens"
    )


def test_as_many_parts_are_kept_as_there_are_sizes() -> None:
    engine = a_filtered_engine(SIZES, room())

    for tokens in range(1, 20_000, 100):
        engine.decide(a_request("/", ("x-input", str(tokens))), 0.0)

    assert len(engine.state.pools.of("main").parts) == 2
