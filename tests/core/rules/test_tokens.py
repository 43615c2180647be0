"""How many tokens a request is likely to take."""

import pytest

from sidecar.core.request import Attached, Request, headers_of
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.tokens import Tokens
from sidecar.wire.body import Arriving
from tests.builders import a_request

MOST = 10_000_000
TOKENS = Tokens(
    (HeaderField("x-prompt"),), (HeaderField("x-max-tokens"),), counted=(HeaderField("x-input"),), usual=500
)


@pytest.mark.parametrize(("characters", "tokens"), [(1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_four_characters_are_a_token(characters: int, tokens: int) -> None:
    """S8, Q5"""
    assert TOKENS.input(a_request("/", ("x-prompt", "x" * characters))) == tokens


@pytest.mark.parametrize(
    ("length", "tokens"),
    [
        *[("4000", 1000), ("4001", 1001), ("0", 0), ("00004", 1)],
        *[("-5", MOST), ("many", MOST), ("", MOST), ("9" * 16, MOST), ("9" * 5000, MOST)],
    ],
)
def test_without_a_prompt_the_length_of_the_body_counts(length: str, tokens: int) -> None:
    """S8, Q5"""
    assert TOKENS.input(a_request("/", ("content-length", length))) == tokens
    assert TOKENS.input(a_request("/", ("x-prompt", ""), ("content-length", length))) == tokens


def posted(body: Attached | None = None, *, ends: bool = False, method: str = "POST") -> Request:
    return Request(method, "shop.test", "/", headers_of([]), body, ends=ends)


def test_a_body_that_came_counts_as_long_as_it_is() -> None:
    """Q5: in parts, without content-length."""
    body = Arriving(headers_of([]), b"", 1000)
    body.add(b"x" * 400, end=False)

    assert TOKENS.input(posted(body)) == 262_144, "there may be more"
    assert not body.waits(), "which is not waited for"
    body.add(b"x" * 400, end=True)
    assert TOKENS.input(posted(body)) == 200


def test_a_body_of_which_nobody_knows_how_long_it_is_is_long() -> None:
    """Q5"""
    assert TOKENS.input(posted()) == 262_144
    assert Tokens(unknown_bytes=4000).input(posted()) == 1000
    assert TOKENS.input(posted(Attached())) == 262_144
    assert TOKENS.input(posted(ends=True)) == 0
    assert TOKENS.input(posted(method="GET")) == 0


def test_without_anything_there_is_no_input() -> None:
    assert TOKENS.input(a_request()) == 0


@pytest.mark.parametrize("kind", ["x-max-tokens", "x-input"])
@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        *[("100", 100), (" 100\t", 100), ("+4097", 4097), ("00000000000004097", 4097)],
        *[("4097.0", 4097), ("4096.1", 4097), ("4.097e3", 4097), ("1E-9", 1), (".5", 1)],
        *[("10000000", MOST), ("10000001", MOST), ("9" * 16, MOST), ("1e16", MOST), ("1e300", MOST)],
        *[("1e999", MOST), ("1" * 60_000, MOST)],
        *[("-1", MOST), ("-1e-9", MOST), ("many", MOST), ("²", MOST), ("4_097", MOST), ("٤٠٩٧", MOST)],
        *[("nan", MOST), ("inf", MOST), ("0x10", MOST), ("1, 5", MOST), ("1.2.3", MOST), ("true", MOST)],
    ],
)
def test_no_spelling_of_a_number_makes_a_request_small(kind: str, written: str, tokens: int) -> None:
    """Q5, C6: what can't be read is the most."""
    request = a_request("/", (kind, written))
    read = TOKENS.output(request) if kind == "x-max-tokens" else TOKENS.input(request)

    assert read == tokens


@pytest.mark.parametrize("written", ["0", "-0", "0.0", "", " "])
def test_what_says_no_number_above_0_leaves_the_answer_as_usual(written: str) -> None:
    """S8, Q5"""
    assert TOKENS.output(a_request("/", ("x-max-tokens", written))) == 500


def test_usual_is_checked() -> None:
    with pytest.raises(ValueError, match="usual must not be negative, got -1"):
        Tokens(usual=-1)
    with pytest.raises(ValueError, match="unknown_bytes must not be negative, got -1"):
        Tokens(unknown_bytes=-1)
