"""The cache answers what the index answers, keeps little, and counts what it does."""

import re

import pytest

from sidecar.core.request import Attached, Request
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.body import BodyField, BodyIs
from sidecar.core.rules.cache import RouteCache
from sidecar.core.rules.fields import CookieField, HeaderField, MethodField, QueryField
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.index import RuleIndex
from sidecar.core.rules.logic import All, AnyOf, Not
from sidecar.core.rules.path import PathIs, PathPattern, PathRegex, PathStarts, PathUnder
from sidecar.core.rules.where import OneOf, Present, Regex, StartsWith
from tests.builders import a_request, header_is


class Asked(Matcher):
    """Always holds, and counts how often it is asked; reads the fields that it is told."""

    def __init__(self, *fields: Field) -> None:
        self.count = 0
        self._fields = fields

    def matches(self, request: Request) -> bool:
        self.count += 1
        return True

    def text(self) -> str:
        return "asked"

    def seen(self, request: Request) -> str:
        return ""

    def reads(self) -> tuple[Field, ...] | None:
        return self._fields


class Opening(Matcher):
    """Holds while it is open, which no field of the request says."""

    def __init__(self) -> None:
        self.open = False

    def matches(self, request: Request) -> bool:
        return self.open

    def text(self) -> str:
        return "open"

    def seen(self, request: Request) -> str:
        return ""


def counts(cache: RouteCache) -> tuple[int, int, int]:
    return (cache.hits, cache.misses, cache.passed)


def test_a_route_that_was_found_is_not_looked_for_again() -> None:
    """M19"""
    asked = Asked()
    index = RuleIndex([PathIs("/other"), asked])
    cache = RouteCache(always=True)

    found = [cache.find(index, a_request("/a"), 0.0) for _ in range(3)]

    assert found == [1, 1, 1]
    assert asked.count == 1
    assert counts(cache) == (2, 1, 0)


def test_that_nothing_matches_is_kept_too() -> None:
    """M19"""
    index = RuleIndex([PathIs("/a")])
    cache = RouteCache(always=True)

    assert [cache.find(index, a_request("/b"), 0.0) for _ in range(2)] == [-1, -1]
    assert counts(cache) == (1, 1, 0)


def test_the_values_of_the_fields_that_decide_are_told_apart() -> None:
    """M19"""
    index = RuleIndex([header_is("x-tier", "gold"), PathUnder("/")])
    cache = RouteCache(always=True)
    gold, free, none = a_request("/", ("x-tier", "gold")), a_request("/", ("x-tier", "free")), a_request("/")

    for _ in range(2):
        assert [cache.find(index, request, 0.0) for request in (gold, free, none)] == [0, 1, 1]
    assert counts(cache) == (3, 3, 0)
    assert cache.size == 4


def test_every_value_of_a_repeated_header_counts() -> None:
    """M19"""
    index = RuleIndex([header_is("x-tier", "gold"), PathUnder("/")])
    cache = RouteCache(always=True)
    one = a_request("/", ("x-tier", "free"))
    two = a_request("/", ("x-tier", "free"), ("x-tier", "gold"))
    turned = a_request("/", ("x-tier", "free"), ("x-tier", "free"))

    for _ in range(2):
        assert [cache.find(index, request, 0.0) for request in (one, two, turned)] == [1, 0, 1]


def test_what_no_rule_reads_makes_no_entry() -> None:
    """M19: a request id in each request must not fill the cache."""
    index = RuleIndex([header_is("x-tier", "gold"), PathUnder("/")])
    cache = RouteCache(always=True)

    for n in range(100):
        cache.find(index, a_request(f"/?page={n}", ("x-request-id", str(n)), ("x-tier", "gold")), 0.0)

    assert counts(cache) == (99, 1, 0)
    assert cache.size == 2


def test_only_rules_that_the_host_and_path_can_reach_say_what_decides() -> None:
    """M19"""
    elsewhere = All((HostIs(("a.test",)), header_is("x-a", "1")))
    deeper = All((PathUnder("/deep"), header_is("x-b", "1")))
    index = RuleIndex([elsewhere, deeper, PathUnder("/")])
    cache = RouteCache(always=True)

    for n in range(10):
        cache.find(index, a_request("/", ("x-a", str(n)), ("x-b", str(n)), host="b.test"), 0.0)
    assert counts(cache) == (9, 1, 0)

    assert cache.find(index, a_request("/", ("x-a", "1"), host="a.test"), 0.0) == 0
    assert cache.find(index, a_request("/deep", ("x-b", "1"), host="b.test"), 0.0) == 1


@pytest.mark.parametrize(
    "place",
    [
        PathIs("/a/b"),
        PathUnder("/a"),
        PathUnder("/"),
        PathStarts("/a/"),
        PathStarts("/a"),
        PathPattern("/a/*"),
        PathPattern("/*/b"),
        PathPattern("/a/b*"),
        PathPattern("/**/b"),
        PathRegex("b", re.compile("b").search),
        HostIs(("shop.test",)),
        HostIs(("*.test",)),
        Not(PathIs("/")),
        AnyOf((PathIs("/c"), PathIs("/a/b"))),
    ],
    ids=lambda place: str(place.text()),
)
def test_every_place_where_a_route_may_lie_says_what_decides(place: Matcher) -> None:
    """M19"""
    crowd = [All((place, header_is("x-a", str(n)), Not(header_is("x-b", "1")))) for n in range(9)]
    index = RuleIndex([PathIs("/other"), *crowd])

    read = index.reads(a_request("/a/b"))

    assert read is not None
    assert sorted(field.name() for field in read) == ["header x-a", "header x-b"]


def test_an_answer_that_depends_on_more_than_the_request_is_never_kept() -> None:
    """M19"""
    opening = Opening()
    index = RuleIndex([All((PathUnder("/shop"), opening)), PathUnder("/")])
    cache = RouteCache(always=True)
    assert [cache.find(index, a_request("/shop"), 0.0) for _ in range(2)] == [1, 1]

    opening.open = True

    assert cache.find(index, a_request("/shop"), 0.0) == 0
    assert counts(cache) == (0, 0, 3)
    assert [cache.find(index, a_request("/"), 0.0) for _ in range(2)] == [1, 1]
    assert counts(cache) == (1, 1, 3)


@pytest.mark.parametrize(
    ("matchers", "worth"),
    [
        ([PathUnder(f"/{n}") for n in range(100)], False),
        ([All((PathUnder("/"), header_is("x-a", str(n)))) for n in range(100)], False),
        ([All((PathUnder("/"), StartsWith(HeaderField("x-a"), str(n)))) for n in range(19)], False),
        ([All((PathUnder("/"), StartsWith(HeaderField("x-a"), str(n)))) for n in range(20)], True),
        ([All((PathUnder("/a"), Not(header_is("x-a", str(n))))) for n in range(20)], True),
        ([PathUnder("/"), *[All((PathUnder("/"), Present(QueryField(str(n))))) for n in range(20)]], False),
        ([PathRegex("^b", re.compile("^b").search)], False),
        ([PathRegex("^b", re.compile("^b").search)] * 2, True),
        ([All((PathUnder("/"), Regex(HeaderField("x-a"), "b", re.compile("b").search)))] * 2, True),
        ([All((HostIs(("shop.test",)), PathRegex("^b", re.compile("^b").search)))] * 2, True),
        ([All((HostIs(("*.test",)), PathRegex("^b", re.compile("^b").search)))] * 2, True),
        ([All((HostIs(("other.test",)), PathRegex("^b", re.compile("^b").search)))] * 2, False),
    ],
)
def test_only_what_takes_long_is_worth_an_entry(matchers: list[Matcher], worth: bool) -> None:
    """M19: a look-up that the index answers at once takes no longer because there is a cache."""
    index = RuleIndex([*matchers, PathUnder("/")])
    cache = RouteCache()

    for _ in range(2):
        assert cache.find(index, a_request("/a"), 0.0) == index.find(a_request("/a"))

    assert (cache.hits, cache.passed) == ((1, 0) if worth else (0, 2))


def test_what_is_still_to_come_is_asked_for_by_rules_alone() -> None:
    """M19: the cache must not make a request wait for a body that no rule on its way asks for."""

    class Body(Attached):
        def at_hand(self) -> bool:
            return False

        def body_json(self, path: str) -> str | None:
            raise AssertionError("no rule asks")

    index = RuleIndex([header_is("x-a", "1"), BodyIs(BodyField("model"), ('"a"',))])
    cache = RouteCache(always=True)
    plain = a_request("/", ("x-a", "1"))
    with_body = Request("POST", "shop.test", "/", plain.headers, Body())

    for _ in range(2):
        assert [cache.find(index, request, 0.0) for request in (with_body, plain)] == [0, 0]
    assert counts(cache) == (1, 1, 2)


def test_an_answer_that_depends_on_many_fields_is_not_kept() -> None:
    """M19: their values hardly come together a second time."""
    cache = RouteCache(always=True)
    for most, number in ((True, 8), (False, 9)):
        index = RuleIndex([AnyOf(tuple(header_is(f"x-{n}", "1") for n in range(number)))])
        cache.find(index, a_request("/"), 0.0)
        assert (cache.passed == 0) == most


def test_a_new_plan_drops_all_entries_and_keeps_the_counts() -> None:
    """M19"""
    cache = RouteCache(always=True)
    before = RuleIndex([PathIs("/a"), PathIs("/b")])
    after = RuleIndex([PathIs("/b"), PathIs("/a")])
    assert [cache.find(before, a_request("/a"), 0.0) for _ in range(2)] == [0, 0]

    assert cache.find(after, a_request("/a"), 0.0) == 1

    assert counts(cache) == (1, 2, 0)
    assert cache.size == 1
    cache.clear()
    assert cache.size == 0
    assert cache.find(after, a_request("/a"), 0.0) == 1
    assert counts(cache) == (1, 3, 0)


def test_an_entry_is_used_until_its_time_is_over() -> None:
    """M19"""
    asked = Asked(HeaderField("x-a"))
    index = RuleIndex([asked])
    cache = RouteCache(ttl_s=10.0, always=True)

    for now in (100.0, 109.9):
        cache.find(index, a_request("/", ("x-a", "1")), now)
    assert (asked.count, cache.hits) == (1, 1)

    cache.find(index, a_request("/", ("x-a", "1")), 110.0)
    assert (asked.count, cache.hits) == (2, 1)
    cache.find(index, a_request("/", ("x-a", "1")), 119.9)
    assert (asked.count, cache.hits) == (2, 2)


def test_an_entry_in_use_does_not_outlive_its_time_in_the_old_half() -> None:
    """M19"""
    index = RuleIndex([PathUnder("/")])
    cache = RouteCache(entries=4, ttl_s=10.0, always=True)

    for n in range(30):
        cache.find(index, a_request("/often"), float(n))
        cache.find(index, a_request(f"/{n}"), float(n))

    assert cache.hits == 27  # it is looked for anew at 0, 10 and 20


@pytest.mark.parametrize("entries", [1, 2, 3, 10, 101])
def test_never_holds_more_entries_than_it_may(entries: int) -> None:
    """M19"""
    index = RuleIndex([header_is("x-tier", "gold"), PathUnder("/")])
    cache = RouteCache(entries, always=True)
    sizes: set[int] = set()

    for n in range(1000):
        cache.find(index, a_request(f"/{n % 61}", ("x-tier", str(n % 17))), 0.0)
        sizes.add(cache.size)

    assert max(sizes) <= entries
    assert max(sizes) >= entries // 2


def test_what_is_asked_for_again_and_again_stays_while_others_pass_through() -> None:
    """M19"""
    asked = Asked()
    index = RuleIndex([All((PathIs("/often"), asked)), PathUnder("/")])
    cache = RouteCache(entries=20, always=True)

    for n in range(1000):
        cache.find(index, a_request("/often"), 0.0)
        cache.find(index, a_request(f"/once/{n}"), 0.0)

    assert asked.count == 1


def test_what_is_too_long_is_looked_up_and_not_kept() -> None:
    """M19: a client must not fill the memory."""
    index = RuleIndex([header_is("x-tier", "gold"), PathUnder("/long")])
    cache = RouteCache(always=True)
    long = [
        a_request("/long/" + "x" * 1100),
        a_request("/long", ("x-tier", "x" * 1100)),
        a_request("/long/" + "x" * 600, ("x-tier", "x" * 600)),
        a_request("/long", *[("x-tier", "")] * 200),
    ]

    for _ in range(2):
        assert [cache.find(index, request, 0.0) for request in long] == [1, 1, 1, 1]

    assert counts(cache) == (0, 0, 8)
    assert cache.size == 2  # that the header decides at the two short paths


@pytest.mark.parametrize(
    ("entries", "ttl_s", "why"),
    [
        (0, 1.0, "entries must be at least 1, got 0"),
        (2, 0.0, "ttl_s must be above 0, got 0.0"),
        (2, float("nan"), "ttl_s must be above 0, got nan"),
    ],
)
def test_a_cache_without_room_or_time_is_refused(entries: int, ttl_s: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RouteCache(entries, ttl_s)


@pytest.mark.parametrize(
    ("matcher", "fields"),
    [
        (PathIs("/a"), ""),
        (PathUnder("/a"), ""),
        (HostIs(("a.test",)), ""),
        (OneOf(MethodField(), ("GET",)), "method"),
        (Present(QueryField("q")), "query q"),
        (Not(StartsWith(CookieField("c"), "a")), "cookie c"),
        (All((PathIs("/"), header_is("x-a", "1"), AnyOf((header_is("X-A", "2"),)))), "header x-a"),
        (AnyOf((header_is("x-a", "1"), Present(CookieField("c")))), "header x-a, cookie c"),
        (AnyOf((header_is("x-a", "1"), Not(Opening()))), None),
        (All(()), ""),
    ],
    ids=lambda given: given.text() if isinstance(given, Matcher) else "",
)
def test_a_condition_says_what_it_reads(matcher: Matcher, fields: str | None) -> None:
    """M19"""
    read = matcher.reads()

    assert (None if read is None else ", ".join(field.name() for field in read)) == fields
