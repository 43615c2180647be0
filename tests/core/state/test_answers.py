"""The last good answers: what is kept, for whom, and how much of it."""

import pytest

from sidecar.core.request import Attached, Headers, Request, headers_of
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
        a_request("/a", host="a.test", ends=True),
        a_request("/a?b", host="a.test", ends=True),
        a_request("/a", host="b.test", ends=True),
        a_request("/a", ("accept", "x"), host="a.test", ends=True),
        a_request("/a", ("accept", ""), host="a.test", ends=True),
    ]

    assert len({rule.question(request) for request in asked}) == len(asked)
    assert rule.question(a_request("/a", ("x-other", "1"), host="a.test", ends=True)) == rule.question(
        asked[0]
    )


@pytest.mark.parametrize("name", ["authorization", "cookie", "proxy-authorization"])
def test_credentials_are_no_part_of_it_unless_they_are_named(name: str) -> None:
    """H6"""
    mine, yours = (a_request("/a", (name, value), ends=True) for value in ("me", "you"))

    assert a_keeping().question(mine) == ""
    rule = a_keeping(vary=(name,))
    assert (
        len({rule.question(mine), rule.question(yours), rule.question(a_request("/a", ends=True)), ""}) == 4
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_only_what_changes_nothing_is_answered(method: str) -> None:
    """H6"""
    assert a_keeping().question(a_request("/a", method=method, ends=True)) == ""


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
        ("cache-control", "max-age=1, No-Cache", False),
        ("cache-control", 'no-cache="x-a"', False),
        ("cache-control", "max-age=9,must-revalidate", False),
        ("cache-control", "s-maxage=9, proxy-revalidate", False),
        ("cache-control", "max-age=0", False),
        ("cache-control", 's-maxage="00"', False),
        ("cache-control", "max-age=10, s-maxage=300", True),
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
    """H6: and when it may be given without asking (RFC 9111, 4.2.4)."""
    headers: Headers = headers_of([(name, value.encode())])

    assert a_keeping().takes(200, headers) is taken


@pytest.mark.parametrize(
    ("header", "answered"),
    [
        (("content-length", "5"), False),
        (("transfer-encoding", "chunked"), False),
        (("content-length", "0"), True),
    ],
)
def test_a_request_with_a_body_is_another_question(header: tuple[str, str], answered: bool) -> None:
    """H6: searches are asked so, of one path and with any body."""
    assert bool(a_keeping().question(a_request("/a", header, ends=True))) is answered


def test_a_coding_that_nobody_may_have_asked_for_is_not_taken() -> None:
    """H6: an endpoint that compresses and does not say by which header."""
    compressed = headers_of([("content-encoding", b"gzip")])

    assert not a_keeping().takes(200, compressed)
    assert a_keeping(vary=("accept-encoding",)).takes(200, compressed)


def test_a_load_report_is_given_to_nobody() -> None:
    """H6 H8: in feedback by the response it is still among the headers. Nor is what Envoy and the sidecar say
    of a request."""
    answers = a_shelf()
    headers = headers_of(
        [
            ("x-a", b"1"),
            ("endpoint-load-metrics", b"TEXT cpu=1"),
            ("endpoint-load-metrics-bin", b"x"),
            ("x-envoy-upstream-service-time", b"7"),
            ("x-sidecar-last-good", b"9"),
        ]
    )
    answers.keep("r", "q", headers, b"", 1.0)

    kept = answers.of("r", "q", 1.0)

    assert kept is not None
    assert kept.headers == (("x-a", "1"),)


def test_a_header_that_says_who_asks_is_a_credential_unless_it_is_named() -> None:
    """H6"""
    mine, yours = (a_request("/a", ("x-user", value), ends=True) for value in ("me", ""))
    nobody = a_request("/a", ends=True)
    rule = Keeping(60.0, 100, 3, 1 << 20, 0.0, (), ("x-user",))
    named = Keeping(60.0, 100, 3, 1 << 20, 0.0, ("x-user",), ("x-user",))

    assert [rule.question(mine), rule.question(yours)] == ["", ""]
    assert rule.question(nobody)
    assert len({named.question(each) for each in (mine, yours, nobody)} | {""}) == 4


class Said(Attached):
    def has_metadata(self, namespace: str, path: str) -> bool:
        return (namespace, path) == ("jwt", "sub")


def test_metadata_that_says_who_asks_is_a_credential() -> None:
    """H6"""
    rule = Keeping(60.0, 100, 3, 1 << 20, 0.0, (), (), (("jwt", "sub"),))
    other = Keeping(60.0, 100, 3, 1 << 20, 0.0, (), (), (("jwt", "iss"),))
    request = Request("GET", "a.test", "/a", headers_of([]), Said(), ends=True)

    assert rule.question(request) == ""
    assert other.question(request)
    assert rule.question(a_request("/a", ends=True))


def test_a_request_that_goes_on_is_another_question() -> None:
    """H6: a body may come without a word of its length."""
    assert a_keeping().question(a_request("/a", ends=False)) == ""


@pytest.mark.parametrize(
    "after",
    [
        Keeping(60.0, 100, 3, 1 << 20, 0.0, (), leads_to="two"),
        Keeping(60.0, 100, 3, 1 << 20, 0.0, (), ("x-user",), leads_to="one"),
        Keeping(60.0, 100, 3, 1 << 20, 0.0, (), (), (("jwt", "sub"),), leads_to="one"),
    ],
    ids=["elsewhere", "another credential", "other metadata"],
)
def test_a_route_that_means_something_else_has_none_of_its_former_answers(after: Keeping) -> None:
    """H6: not even those that were on their way."""
    before = Keeping(60.0, 100, 3, 1 << 20, 0.0, (), leads_to="one")
    request = a_request("/a", ends=True)
    answers = a_shelf(before)
    answers.keep("r", before.question(request), OK, b"", 0.0)

    answers.adopt({"r": after})

    assert len(answers) == 0


def test_a_copy_that_is_whole_after_the_route_leads_elsewhere_is_given_to_nobody() -> None:
    """H6"""
    before, after = (Keeping(60.0, 100, 3, 1 << 20, 0.0, (), leads_to=way) for way in ("one", "two"))
    request = a_request("/a", ends=True)
    answers = a_shelf(before)

    answers.adopt({"r": after})
    answers.keep("r", before.question(request), OK, b"", 1.0)

    assert answers.of("r", after.question(request), 1.0) is None


@pytest.mark.parametrize(("age", "until"), [("20", 41.0), ("", 61.0), ("-1", 61.0), ("9" * 50, 61.0)])
def test_what_a_cache_had_before_is_as_old_as_it_says(age: str, until: float) -> None:
    """H6: and is not taken anew for that."""
    answers = a_shelf(a_keeping(refresh_s=10.0))
    answers.keep("r", "q", headers_of([("age", age.encode())]), b"", 1.0)

    assert answers.of("r", "q", until)
    assert answers.of("r", "q", until + 0.5) is None
    assert not answers.wanted("r", "q", 2.0)
