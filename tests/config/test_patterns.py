"""A regular expression takes time in proportion to the text, whatever it is; others are not accepted."""

import time
from collections.abc import Callable

import pytest

from sidecar.config.errors import Findings
from sidecar.config.patterns import replacer, searcher
from tests.builders import a_request
from tests.config.files import a_match, loaded

_LENGTH = 50_000
_MOST_S = 0.005

# In an engine that backtracks each of these takes longer than anybody waits.
BOMBS = [
    ("(a+)+$", "a" * _LENGTH + "b"),
    ("^(a|a)*$", "a" * _LENGTH + "b"),
    ("^(a|aa)+$", "a" * _LENGTH + "b"),
    ("(x+x+)+y", "x" * _LENGTH),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * _LENGTH),
    ("(.*)*(.*)*(.*)*=", "a" * _LENGTH),
]


def shortest(act: Callable[[], object], most_s: float = _MOST_S, tries: int = 20) -> float:
    """In seconds, of several tries: others use the machine too."""
    took = []
    for _ in range(tries):
        begun = time.perf_counter()
        act()
        took.append(time.perf_counter() - begun)
        if took[-1] < most_s:
            break
    return min(took)


@pytest.mark.parametrize(("pattern", "text"), BOMBS, ids=[pattern for pattern, _ in BOMBS])
def test_no_pattern_and_no_text_take_long(pattern: str, text: str) -> None:
    """M4"""
    findings = Findings()
    search = searcher(pattern, ("regex",), findings)
    assert search is not None

    assert not search(text)
    assert shortest(lambda: search(text)) < _MOST_S
    assert findings.problems == []


@pytest.mark.parametrize(("pattern", "text"), BOMBS, ids=[pattern for pattern, _ in BOMBS])
def test_no_rewrite_takes_long(pattern: str, text: str) -> None:
    """M4, A7"""
    replace = replacer(pattern, "/new", ("path",), Findings())
    assert replace is not None

    assert replace(f"/{text}") == f"/{text}"
    assert shortest(lambda: replace(f"/{text}")) < _MOST_S


def test_a_pattern_that_looks_far_for_each_replacement_takes_no_long_time_either() -> None:
    """M4, A7: a hundred are replaced, so that the time follows the length of the path and not its square."""
    replace = replacer("a(.*b)?", "c", ("path",), Findings())
    assert replace is not None

    assert replace("/" + "a" * 100) == "/" + "c" * 100
    assert replace("/" + "a" * 200) == "/" + "c" * 100 + "a" * 100
    assert shortest(lambda: replace("/" + "a" * _LENGTH), most_s=0.1) < 0.1


@pytest.mark.parametrize(
    ("match", "target", "headers"),
    [
        ("{path: {regex: '(a+)+$'}}", "/" + "a" * _LENGTH + "b", []),
        ("{headers: [{name: x-a, regex: '(a+)+$'}]}", "/", [("x-a", "a" * _LENGTH + "b")]),
        ("{query: [{name: q, regex: '(a+)+$'}]}", "/?q=" + "a" * _LENGTH + "b", []),
        ("{cookies: [{name: c, regex: '(a+)+$'}]}", "/", [("cookie", "c=" + "a" * _LENGTH + "b")]),
    ],
    ids=["path", "header", "query", "cookie"],
)
def test_no_request_makes_a_condition_take_long(
    match: str, target: str, headers: list[tuple[str, str]]
) -> None:
    """M4"""
    plan = loaded(a_match(match)).plan
    request = a_request(target, *headers)

    assert plan.index.find(request) == -1
    assert shortest(lambda: plan.index.find(request)) < _MOST_S


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(a)\1", r"invalid escape sequence: \1"),
        (r"(?P<n>a)(?P=n)", "invalid perl operator: (?P"),
        ("a(?=b)", "invalid perl operator: (?="),
        ("a(?!b)", "invalid perl operator: (?!"),
        ("(?<=a)b", "invalid perl operator: (?<"),
        ("(?<!a)b", "invalid perl operator: (?<"),
        ("(?>a)b", "invalid perl operator: (?>"),
    ],
)
def test_what_linear_time_cannot_do_is_refused(pattern: str, said: str) -> None:
    """M4"""
    findings = Findings()

    assert searcher(pattern, ("regex",), findings) is None
    (problem,) = findings.problems
    assert said in problem.message
    assert problem.remedy == "write it in RE2 syntax, which has no look-around and no back-references"
