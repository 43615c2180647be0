"""Conditions on headers and other fields."""

import re

import pytest

from sidecar.core.rules.base import Matcher
from sidecar.core.rules.fields import CookieField, HeaderField, MethodField, QueryField
from sidecar.core.rules.logic import Not
from sidecar.core.rules.where import Contains, EndsWith, OneOf, Present, Regex, StartsWith
from tests.builders import a_request, header_is

TAG = HeaderField("X-Tag")


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        (OneOf(TAG, ("beta", "rc")), "beta", "beta2"),
        (StartsWith(TAG, "be"), "beta", "abe"),
        (EndsWith(TAG, "ta"), "beta", "tab"),
        (Contains(TAG, "et"), "beta", "bata"),
        (Regex(TAG, "^b.t", re.compile("^b.t").search), "beta", "abeta"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Matcher) else str(value),
)
def test_a_header_is_asked_in_each_way(condition: Matcher, holds: str, fails: str) -> None:
    """M5"""
    assert condition.matches(a_request("/", ("x-tag", holds)))
    assert not condition.matches(a_request("/", ("x-tag", fails)))
    assert not condition.matches(a_request("/", ("x-other", holds)))


@pytest.mark.parametrize(
    "condition",
    [
        OneOf(TAG, ("beta",)),
        StartsWith(TAG, "be"),
        EndsWith(TAG, "ta"),
        Contains(TAG, "et"),
        Regex(TAG, "^b.t", re.compile("^b.t").search),
        Present(TAG),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_of_a_repeated_header_is_enough_and_its_name_ignores_case(condition: Matcher) -> None:
    """M5"""
    first = a_request("/", ("X-TAG", "beta"), ("x-tag", "zzz"))
    last = a_request("/", ("x-tag", "zzz"), ("x-Tag", "yyy"), ("X-TAG", "beta"))

    assert condition.matches(first)
    assert condition.matches(last)


def test_present_holds_for_an_empty_value_and_absent_is_its_opposite() -> None:
    """M5"""
    for request, there in [(a_request("/", ("x-tag", "")), True), (a_request("/"), False)]:
        assert Present(TAG).matches(request) is there
        assert Not(Present(TAG)).matches(request) is not there


def test_values_keep_their_case() -> None:
    assert not header_is("x-tag", "beta").matches(a_request("/", ("x-tag", "Beta")))


@pytest.mark.parametrize(
    "condition",
    [
        OneOf(TAG, ("a",)),
        StartsWith(TAG, "a"),
        EndsWith(TAG, "a"),
        Contains(TAG, "a"),
        Regex(TAG, "a", re.compile("a").search),
        Present(TAG),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bytes_that_are_not_utf_8_neither_raise_nor_hide_the_rest(condition: Matcher) -> None:
    """M5"""
    request = a_request("/", ("x-tag", b"\xff\xc3("), ("x-tag", b"a"))

    assert condition.matches(request)
    assert condition.seen(request).isprintable()


def test_method_query_and_cookie_are_asked_by_their_exact_values() -> None:
    """M6"""
    request = a_request("/?page=2&page=3&flag", ("cookie", 'seen="yes"; seen=no'), method="POST")

    assert OneOf(MethodField(), ("GET", "POST")).matches(request)
    assert not OneOf(MethodField(), ("GET",)).matches(request)
    assert OneOf(QueryField("page"), ("3",)).matches(request)
    assert not OneOf(QueryField("Page"), ("3",)).matches(request)
    assert Present(QueryField("flag")).matches(request)
    assert OneOf(QueryField("flag"), ("",)).matches(request)
    assert OneOf(CookieField("seen"), ("no",)).matches(request)
    assert not OneOf(CookieField("seen"), ('"yes"',)).matches(request)
    assert Not(Present(CookieField("other"))).matches(request)


def test_says_what_it_asks_and_what_it_saw() -> None:
    request = a_request("/", ("x-tag", "a"), ("x-tag", "b"))

    assert OneOf(TAG, ("a", "c")).text() == 'header x-tag is "a" or "c"'
    assert OneOf(TAG, ("a",)).seen(request) == '"a", "b"'
    assert Present(TAG).seen(a_request("/")) == "absent"
    for condition in (StartsWith(TAG, "q"), EndsWith(TAG, "q"), Contains(TAG, "q")):
        assert condition.text().startswith("header x-tag ")
        assert '"q"' in condition.text()
    assert "a+b" in Regex(TAG, "a+b", re.compile("a+b").search).text()


def test_what_it_saw_is_cut_and_printable() -> None:
    seen = Present(TAG).seen(a_request("/", ("x-tag", b"\x00\n" + b"x" * 5000)))

    assert seen.isprintable()
    assert len(seen) < 300


def test_only_an_exact_condition_can_be_looked_up_by_its_values() -> None:
    pin = header_is("x-tag", "a", "b").pin()

    assert pin is not None
    assert (pin.field.name(), pin.values) == ("header x-tag", ("a", "b"))
    assert Contains(TAG, "a").pin() is None


def test_needs_at_least_one_value() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        OneOf(TAG, ())
