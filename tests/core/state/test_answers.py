"""The last good answers: what is kept, for whom, and how much of it."""

import pytest

from sidecar.core.request import Headers, headers_of
from sidecar.core.state.answers import Keeping, LastGood
from tests.builders import a_request

OK = headers_of([(":status", b"200"), ("x-a", b"1")])


def a_keeping(
    *,
    max_age_s: float = 60.0,
    max_size: int = 100,
    entries: int = 3,
    most_bytes: int = 1 << 20,
    refresh_s: float = 0.0,
    vary: tuple[str, ...] = ("accept",),
) -> Keeping:
    return Keeping(max_age_s, max_size, entries, most_bytes, refresh_s, vary)


def a_shelf(keeping: Keeping | None = None) -> LastGood:
    made = LastGood()
    made.adopt({"r": keeping or a_keeping()})
    return made


def test_an_answer_is_given_until_it_is_too_old() -> None:
    """H6"""
    answers = a_shelf()
    answers.keep("r", "q", OK, b"body", 1.0)

    kept = answers.of("r", "q", 61.0)

    assert kept is not None
    assert (kept.body, kept.headers) == (b"body", (("x-a", "1"),))
    assert answers.of("r", "q", 61.5) is None
    assert answers.of("r", "other", 1.0) is None
    assert answers.of("other", "q", 1.0) is None


def test_what_was_taken_longest_ago_goes_first() -> None:
    """H6"""
    answers = a_shelf()
    for at, question in enumerate("abcad"):
        answers.keep("r", question, OK, b"", float(at))

    assert [question for question in "abcd" if answers.of("r", question, 5.0)] == ["a", "c", "d"]
    assert len(answers) == 3


def test_bytes_are_bounded_altogether() -> None:
    """H6: and counted again when they go."""
    answers = a_shelf(a_keeping(entries=1000, most_bytes=2000))
    for at in range(100):
        answers.keep("r", f"{at}", OK, bytes(100), float(at))

    assert answers.size <= 2000
    assert len(answers) == 3
    answers.keep("r", "x" * 3000, OK, b"", 100.0)
    assert answers.of("r", "x" * 3000, 100.0) is None
    assert len(answers) == 3


@pytest.mark.parametrize("body", [bytes(101), b"abc"], ids=["too large", "cut short"])
def test_a_body_that_is_not_as_it_should_be_is_not_kept(body: bytes) -> None:
    """H6"""
    answers = a_shelf()
    answers.keep("r", "q", headers_of([(":status", b"200"), ("content-length", b"99")]), body, 0.0)

    assert len(answers) == 0


def test_headers_that_are_no_text_are_not_kept() -> None:
    """H6: RouteService could not say them."""
    answers = a_shelf()
    answers.keep("r", "q", headers_of([("x-a", b"\xff")]), b"", 0.0)

    assert len(answers) == 0


def test_a_fresh_answer_is_not_wanted_again() -> None:
    """H6"""
    answers = a_shelf(a_keeping(refresh_s=10.0))
    assert answers.wanted("r", "q", 0.0)
    answers.keep("r", "q", OK, b"", 0.0)

    assert not answers.wanted("r", "q", 9.0)
    assert answers.wanted("r", "q", 10.0)
    assert not answers.wanted("r", "", 10.0)
    assert not answers.wanted("other", "q", 10.0)


def test_a_plan_keeps_what_has_the_same_bounds() -> None:
    """H6"""
    answers = a_shelf()
    answers.keep("r", "q", OK, b"", 0.0)

    answers.adopt({"r": a_keeping(max_age_s=10.0)})
    assert answers.of("r", "q", 5.0) is not None
    assert answers.of("r", "q", 11.0) is None
    answers.adopt({"r": a_keeping(vary=("x-a",))})
    assert len(answers) == 0


def test_questions_differ_by_host_target_and_what_they_vary_by() -> None:
    """H6"""
    rule = a_keeping()
    asked = [
        a_request("/a", host="a.test"),
        a_request("/a?b", host="a.test"),
        a_request("/a", host="b.test"),
        a_request("/a", ("accept", "x"), host="a.test"),
        a_request("/a", ("accept", ""), host="a.test"),
    ]

    assert len({rule.question(request) for request in asked}) == len(asked)
    assert rule.question(a_request("/a", ("x-other", "1"), host="a.test")) == rule.question(asked[0])


@pytest.mark.parametrize("name", ["authorization", "cookie"])
def test_credentials_are_no_part_of_it_unless_they_are_named(name: str) -> None:
    """H6"""
    mine, yours = (a_request("/a", (name, value)) for value in ("me", "you"))

    assert a_keeping().question(mine) == ""
    rule = a_keeping(vary=(name,))
    assert len({rule.question(mine), rule.question(yours), rule.question(a_request("/a")), ""}) == 4


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_only_what_changes_nothing_is_answered(method: str) -> None:
    """H6"""
    assert a_keeping().question(a_request("/a", method=method)) == ""


@pytest.mark.parametrize("status", [100, 201, 204, 206, 301, 304, 404, 500, 503])
def test_only_a_whole_good_answer_is_taken(status: int) -> None:
    """H6: a 206 is a part."""
    assert not a_keeping().takes(status, OK)
    assert a_keeping().takes(200, OK)


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("set-cookie", "a=b", False),
        ("cache-control", "no-store", False),
        ("cache-control", 'max-age=1, PRIVATE="x"', False),
        ("cache-control", "max-age=1, no-cache", True),
        ("vary", "Accept", True),
        ("vary", "accept, x-b", False),
        ("vary", "*", False),
        ("content-length", "100", True),
        ("content-length", "101", False),
        ("content-length", "-1", False),
        ("content-length", "9" * 5000, False),
        ("content-length", "²", False),
    ],
)
def test_an_answer_is_taken_when_it_is_for_everybody_who_asks_the_same(
    name: str, value: str, taken: bool
) -> None:
    """H6"""
    headers: Headers = headers_of([(name, value.encode())])

    assert a_keeping().takes(200, headers) is taken
