"""Conditions on the path."""

import re

import pytest

from sidecar.core.decision import Decision
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.path import PathIs, PathMatcher, PathPattern, PathRegex, PathStarts, PathUnder
from tests.builders import a_request, a_route, an_engine


def holds(matcher: Matcher, target: str) -> bool:
    """By itself and through the index, which must agree."""
    request = a_request(target)
    alone = matcher.matches(request)
    assert isinstance(an_engine(a_route("it", matcher)).decide(request, 0.0), Decision) is alone
    return alone


@pytest.mark.parametrize("target", ["/a/b", "/a/b?x=1"])
def test_an_exact_path_is_that_path_with_any_query(target: str) -> None:
    """M1"""
    assert holds(PathIs("/a/b"), target)


@pytest.mark.parametrize("target", ["/a/b/", "/a/b/c", "/a", "/A/b", "//a/b", "", "*"])
def test_an_exact_path_is_no_other_path(target: str) -> None:
    """M1"""
    assert not holds(PathIs("/a/b"), target)


@pytest.mark.parametrize("prefix", ["/api", "/api/"])
@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("/api", True),
        ("/api/", True),
        ("/api/x/y", True),
        ("/api//x", True),
        ("/api?x=1", True),
        ("/apix", False),
        ("/api.json", False),
        ("/ap", False),
        ("//api", False),
        ("/", False),
        ("", False),
        ("*", False),
        ("api", False),
    ],
)
def test_a_prefix_ends_at_a_segment_border(prefix: str, target: str, inside: bool) -> None:
    """M2"""
    assert holds(PathUnder(prefix), target) is inside


@pytest.mark.parametrize(
    ("target", "inside"), [("/", True), ("/a", True), ("//", True), ("", False), ("*", False)]
)
def test_the_prefix_slash_is_every_path(target: str, inside: bool) -> None:
    """M2"""
    assert holds(PathUnder("/"), target) is inside


@pytest.mark.parametrize(
    ("prefix", "target", "inside"),
    [
        ("/api", "/apix", True),
        ("/api", "/api/x", True),
        ("/api/v", "/api/v1/x", True),
        ("/api/v", "/api", False),
        ("/api/", "/api", False),
        ("/api/", "/api/", True),
        ("/a//b", "/a//bc", True),
        ("/", "/x", True),
        ("", "", True),
        ("", "*", True),
    ],
)
def test_a_plain_prefix_ends_anywhere(prefix: str, target: str, inside: bool) -> None:
    """M2"""
    assert holds(PathStarts(prefix), target) is inside


@pytest.mark.parametrize(
    ("pattern", "target", "inside"),
    [
        ("/api/v1/speech/*", "/api/v1/speech/stt", True),
        ("/api/v1/speech/*", "/api/v1/speech", False),
        ("/api/v1/speech/*", "/api/v1/speech/", False),
        ("/api/v1/speech/*", "/api/v1/speech/stt/", False),
        ("/api/v1/speech/*", "/api/v1/speech/stt/x", False),
        ("/a/*/c", "/a/b/c", True),
        ("/a/*/c", "/a//c", False),
        ("/a/*/c/", "/a/b/c/", True),
        ("/a/*/c/", "/a/b/c", False),
        ("/*", "/x", True),
        ("/*", "/", False),
        ("/", "/", True),
        ("/", "/x", False),
        ("/a//b", "/a//b", True),
        ("/a//b", "/a/b", False),
        ("/**", "/", True),
        ("/**", "/a/b", True),
        ("/**", "", False),
        ("/**", "*", False),
        ("/a/**", "/a", True),
        ("/a/**", "/a/", True),
        ("/a/**", "/ab", False),
        ("/a/**/z", "/a/z", True),
        ("/a/**/z", "/a/b/c/z", True),
        ("/a/**/z", "/a/b/c/z/y", False),
        ("/a/**/m/**/z", "/a/m/1/m/2/z", True),
        ("/a/**/m/**/z", "/a/1/2/z", False),
        ("/**/*", "/", False),
        ("/img/*.png", "/img/x.png", True),
        ("/img/*.png", "/img/.png", True),
        ("/img/*.png", "/img/x.png/y", False),
        ("/img/v*-*.png", "/img/v1-small.png", True),
        ("/img/v*-*.png", "/img/v1.png", False),
        ("/img/a*a", "/img/a", False),
        ("/v*/x", "/v2/x", True),
        ("/v*/x", "/w2/x", False),
        ("/*", "/*", True),
    ],
)
def test_a_pattern_takes_whole_segments_parts_and_any_number(pattern: str, target: str, inside: bool) -> None:
    """M3"""
    assert holds(PathPattern(pattern), target) is inside


def test_a_hostile_path_does_not_make_a_pattern_slow() -> None:
    """M3: tried in all ways, five wildcards of any number over 2,000 segments would never end."""
    pattern = PathPattern("/**/a/**/a/**/a/**/a/**/a/b")

    assert not holds(pattern, "/a" * 2000)


def test_a_pattern_begins_with_a_slash() -> None:
    for pattern in ("", "*", "a/b"):
        with pytest.raises(ValueError, match="must begin with /"):
            PathPattern(pattern)


def test_a_regex_is_found_anywhere_in_the_path_and_not_in_the_query() -> None:
    matcher = PathRegex("v[0-9]$", re.compile("v[0-9]$").search)

    assert holds(matcher, "/search/v2")
    assert not holds(matcher, "/search/v2/x")
    assert not holds(matcher, "/search?v2")


@pytest.mark.parametrize(
    ("matcher", "text"),
    [
        (PathIs("/a"), 'path is "/a"'),
        (PathUnder("/a/"), 'path is under "/a"'),
        (PathStarts("/a"), 'path starts with "/a"'),
        (PathPattern("/a/*"), 'path matches "/a/*"'),
        (PathRegex("a$", re.compile("a$").search), "path matches regex a$"),
    ],
)
def test_says_what_it_asks_and_what_it_saw(matcher: PathMatcher, text: str) -> None:
    assert matcher.text() == text
    assert matcher.seen(a_request("/b?c=d")) == '"/b"'


@pytest.mark.parametrize("kind", [PathUnder, PathStarts])
def test_a_prefix_takes_no_wildcards(kind: type[PathUnder | PathStarts]) -> None:
    with pytest.raises(ValueError, match="no wildcards"):
        kind("/a/*")


def test_a_path_that_is_not_utf_8_does_not_raise() -> None:
    target = b"/caf\xe9/x".decode("utf-8", "surrogateescape")

    assert holds(PathPattern("/*/x"), target)
    assert not holds(PathUnder("/cafe"), target)
