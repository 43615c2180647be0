"""The route cache answers what the index answers, whatever the rules, requests and changes between them."""

from typing import Final

from hypothesis import event, given
from hypothesis import strategies as st

from sidecar.core.request import Request
from sidecar.core.rules.base import Field, Matcher
from sidecar.core.rules.cache import RouteCache
from sidecar.core.rules.facts import Fact
from sidecar.core.rules.fields import CookieField, HeaderField
from sidecar.core.rules.index import RuleIndex
from sidecar.core.rules.logic import All
from sidecar.core.rules.size import SizeWithin
from sidecar.core.rules.where import OneOf
from tests.property.test_rules import drawn_requests, nested, paths


class Switch(Matcher):
    """Holds while it is on: nothing of the request says so."""

    on = False

    def matches(self, request: Request) -> bool:
        return self.on

    def text(self) -> str:
        return "on"

    def seen(self, request: Request) -> str:
        return ""


SWITCH: Final = Switch()
TIER: Final[Field] = Fact("tier", (HeaderField("h"), CookieField("c")), {"b": "a"})

special: st.SearchStrategy[Matcher] = st.one_of(
    st.just(SWITCH),
    st.builds(SizeWithin, st.integers(0, 2)),
    st.builds(OneOf, st.just(TIER), st.sampled_from([("a",), ("ab", "b")])),
)
matchers: st.SearchStrategy[Matcher] = st.one_of(
    nested,
    st.builds(lambda path, one: All((path, one)), paths, special),
    st.builds(lambda one: All((one,)), special),
)
indexes = st.lists(matchers | st.none(), max_size=10).map(RuleIndex)


def anew(request: Request) -> Request:
    """As it arrives: with nothing read of it yet."""
    return Request(request.method, request.authority, request.target, request.headers)


def _query(request: Request) -> str:
    return request.target[len(request.path) :]


# Few places, facts and values, many times: so that entries are found again, and others nearly.
drawn_requests_at_two_places = st.builds(
    lambda places, facts: [
        Request(fact.method, place.authority, place.path + _query(fact), fact.headers)
        for place in places
        for fact in facts
    ],
    st.lists(drawn_requests, min_size=2, max_size=2),
    st.lists(drawn_requests, min_size=4, max_size=4),
)
steps = st.lists(
    st.one_of(
        st.integers(0, 7),
        st.integers(0, 7),
        st.integers(0, 7),
        st.sampled_from(["another plan", "switch", "later", "clear"]),
    ),
    min_size=20,
    max_size=80,
)


@given(
    plans=st.lists(indexes, min_size=2, max_size=3),
    requests=drawn_requests_at_two_places,
    steps=steps,
    entries=st.integers(1, 12),
    always=st.booleans(),
)
def test_cached_answers_are_those_of_the_index(
    plans: list[RuleIndex], requests: list[Request], steps: list[int | str], entries: int, always: bool
) -> None:
    """M19"""
    cache = RouteCache(entries, ttl_s=2.5, always=always)
    SWITCH.on = False
    plan = 0
    now = 0.0
    asked = 0

    for step in steps:
        if isinstance(step, int):
            index = plans[plan % len(plans)]
            asked += 1
            assert cache.find(index, anew(requests[step]), now) == index.find(anew(requests[step]))
        elif step == "another plan":
            plan += 1
        elif step == "switch":
            SWITCH.on = not SWITCH.on
        elif step == "later":
            now += 1.0
        else:
            cache.clear()
        assert cache.size <= entries

    assert cache.hits + cache.misses + cache.passed == asked
    event("found again" if cache.hits else "never found again")


@given(matcher=matchers, one=drawn_requests, other=drawn_requests)
def test_a_condition_reads_nothing_that_it_does_not_say(
    matcher: Matcher, one: Request, other: Request
) -> None:
    """M19: two requests that agree in path, host and the fields that it says cannot differ in its answer."""
    fields = matcher.reads()
    if fields is None:
        return
    other = Request(other.method, one.authority, one.path + _query(other), other.headers)
    agree = all(field.read(one) == field.read(other) for field in fields)
    event("agree" if agree else "differ")
    if agree:
        assert matcher.matches(one) == matcher.matches(other)
