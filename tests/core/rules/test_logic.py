"""All of, any of, not."""

from sidecar.core.refusal import Refusal
from sidecar.core.rules.base import Matcher
from sidecar.core.rules.fields import HeaderField
from sidecar.core.rules.host import HostIs
from sidecar.core.rules.logic import All, AnyOf, Not, alternatives
from sidecar.core.rules.path import PathUnder
from sidecar.core.rules.where import Contains
from tests.builders import ALWAYS, a_request, a_route, an_engine, decided, header_is

A = header_is("a", "1")
B = header_is("b", "1")
C = Contains(HeaderField("c"), "1")


def holds(matcher: Matcher, *names: str) -> bool:
    """For a request with these headers, by itself and through the index, which must agree."""
    request = a_request("/x/y", *[(name, "1") for name in names])
    alone = matcher.matches(request)
    assert an_engine(a_route("it", matcher)).plan.index.find(request) == (0 if alone else -1)
    return alone


def test_all_of_any_of_and_not_hold_as_they_say() -> None:
    """M15"""
    assert holds(All((A, B)), "a", "b")
    assert not holds(All((A, B)), "a")
    assert holds(AnyOf((A, B)), "b")
    assert not holds(AnyOf((A, B)), "c")
    assert holds(Not(A), "b")
    assert not holds(Not(A), "a")


def test_all_of_any_of_and_not_nest_freely() -> None:
    """M15"""
    either_not_both = AnyOf((All((A, Not(B))), All((Not(A), B))))
    nested = Not(AnyOf((Not(All((either_not_both, Not(Not(C))))), All((A, C)))))

    assert holds(either_not_both, "a")
    assert not holds(either_not_both, "a", "b")
    assert not holds(either_not_both)
    assert holds(nested, "b", "c")
    assert not holds(nested, "a", "c")
    assert not holds(nested, "b")


def test_hosts_and_paths_may_stand_under_any_of_and_not() -> None:
    """M15"""
    matcher = AnyOf((All((HostIs(("shop.test",)), PathUnder("/x"))), Not(PathUnder("/"))))

    assert holds(matcher)
    assert not holds(Not(matcher))
    assert not holds(All((matcher, Not(HostIs(("*.test",))))))


def test_none_of_all_always_hold_and_none_of_any_never_do() -> None:
    """M15"""
    assert holds(ALWAYS)
    assert not holds(AnyOf(()))
    assert holds(Not(AnyOf(())))
    assert not holds(Not(ALWAYS))


def test_nesting_never_grows_the_index_beyond_measure() -> None:
    many = All(tuple(AnyOf((header_is(f"a{n}", "1"), C, Not(B))) for n in range(40)))

    assert len(alternatives(many)) <= 64
    assert holds(many, "b", "c")
    assert not holds(many, "b", "a0")


def test_alternatives_on_one_field_stay_one_condition() -> None:
    pin = AnyOf((header_is("a", "1", "2"), header_is("A", "2", "3"))).pin()

    assert pin is not None
    assert pin.values == ("1", "2", "3")
    assert AnyOf((A, B)).pin() is None
    assert AnyOf((A, C)).pin() is None
    assert AnyOf(()).pin() is None


def test_says_what_it_asks_and_what_it_saw() -> None:
    request = a_request("/", ("a", "1"))

    assert All((A, Not(B))).text() == '(header a is "1" and not header b is "1")'
    assert AnyOf((A, B)).text() == '(header a is "1" or header b is "1")'
    assert (ALWAYS.text(), AnyOf(()).text()) == ("always", "never")
    assert All((A, B)).seen(request) == '"1"; absent'
    assert AnyOf((A, Not(B))).seen(request) == '"1"; absent'


def test_a_route_of_alternatives_is_one_route() -> None:
    engine = an_engine(a_route("one", AnyOf((A, C))), a_route("rest"))

    assert decided(engine, a_request("/", ("a", "1"), ("c", "1"))).route.name == "one"
    assert decided(engine, a_request("/")).route.name == "rest"
    assert isinstance(an_engine(a_route("one", AnyOf((A, C)))).decide(a_request("/"), 0.0), Refusal)
