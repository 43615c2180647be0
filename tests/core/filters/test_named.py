"""Endpoints that a request excludes or prefers."""

import pytest

from sidecar.core.filters.named import Excluded, Preferred
from sidecar.core.plan import Route, Variant
from sidecar.core.refusal import Refusal
from sidecar.core.request import Request, Wishes
from sidecar.core.rules.fields import HeaderField
from sidecar.core.strategies.failover import Failover, Link
from sidecar.core.strategies.round_robin import RoundRobin
from tests.builders import ALWAYS, COMPILED, a_request, an_engine, decided, lines_run
from tests.core.filters.asking import a_filtered_engine, left, offering, said, whys

FLEET = [offering("a"), offering("b"), offering("c", "other"), offering("d", "other")]
EXCLUDED = Excluded((HeaderField("x-exclude"),))
PREFERRED = Preferred((HeaderField("x-prefer"),))


@pytest.mark.parametrize("name", ["b", "shop/b", "b.test:80", " b ", "b,unknown", "unknown, b"])
def test_who_is_excluded_by_id_key_or_address_is_not_picked(name: str) -> None:
    """C2"""
    engine = a_filtered_engine(FLEET, EXCLUDED)

    assert left(engine, a_request("/", ("x-exclude", name))) == "a c d"
    assert left(engine) == "a b c d"


def test_a_whole_cluster_may_be_excluded_and_values_add_up() -> None:
    """C2"""
    engine = a_filtered_engine(FLEET, EXCLUDED)

    assert left(engine, a_request("/", ("x-exclude", "other"), ("x-exclude", "a"))) == "b"


def test_who_excludes_all_is_refused() -> None:
    """C2 C8"""
    engine = a_filtered_engine(FLEET, EXCLUDED)
    request = a_request("/", ("x-exclude", "shop,other"))

    assert said(engine, request) == 'no_endpoint: no endpoint for a request that excludes "shop", "other"'
    assert whys(engine, request) == dict.fromkeys("abcd", "the request excludes it")


@pytest.mark.parametrize(
    ("prefer", "picked"),
    [("d", "d"), ("unknown,d,a", "d"), ("other/c", "c"), ("d.test:80", "d"), ("unknown", "a"), ("", "a")],
)
def test_the_first_preferred_that_is_there_is_picked(prefer: str, picked: str) -> None:
    """C2"""
    engine = a_filtered_engine(FLEET, PREFERRED)

    assert decided(engine, a_request("/", ("x-prefer", prefer))).endpoint.id == picked


def test_fallbacks_follow_the_order_of_preference_and_then_are_the_others() -> None:
    """C2 F1"""
    engine = a_filtered_engine(FLEET, PREFERRED, want=4)

    decision = decided(engine, a_request("/", ("x-prefer", "d,b")))

    assert [each.id for each in (decision.endpoint, *decision.fallbacks)][:2] == ["d", "b"]
    assert sorted(each.id for each in decision.fallbacks[1:]) == ["a", "c"]


def test_of_several_that_are_preferred_each_follows_in_its_place() -> None:
    """C2 F1"""
    engine = a_filtered_engine(FLEET, PREFERRED, want=4)

    decision = decided(engine, a_request("/", ("x-prefer", "d,c,b")))

    assert [each.id for each in (decision.endpoint, *decision.fallbacks)] == ["d", "c", "b", "a"]


def test_of_two_wishes_the_lesser_gives_way_first_and_then_the_other() -> None:
    """C2 F1"""
    lesser = Preferred((HeaderField("x-rather"),))
    engine = a_filtered_engine(FLEET, PREFERRED, lesser, want=4)

    decision = decided(engine, a_request("/", ("x-prefer", "other"), ("x-rather", "d")))

    assert [each.id for each in (decision.endpoint, *decision.fallbacks)][:2] == ["d", "c"]
    assert sorted(each.id for each in decision.fallbacks[1:]) == ["a", "b"]


def test_what_is_excluded_is_no_fallback_of_what_is_preferred() -> None:
    """C2"""
    engine = a_filtered_engine(FLEET, PREFERRED, EXCLUDED, want=4)

    decision = decided(engine, a_request("/", ("x-prefer", "d"), ("x-exclude", "b")))

    assert decision.endpoint.id == "d"
    assert {each.id for each in decision.fallbacks} == {"a", "c"}


def test_levels_of_preference_go_on_into_the_links_of_a_chain() -> None:
    """C2 F2: the pool's own first, as ever; then whom the request prefers most among the links."""
    linked = Variant("other", "main/other", tuple(offering(each) for each in "xyz"), RoundRobin(), "")
    strategy = Failover(RoundRobin(), (Link(linked.strategy, linked.pool),))
    main = Variant("main", "main", (offering("a"),), strategy, "", links=(linked,))
    engine = an_engine(Route("main", ALWAYS, (main,), want=4, filters=(PREFERRED,)))

    decision = decided(engine, a_request("/", ("x-prefer", "nobody,z,nobody,y")))

    assert [each.id for each in (decision.endpoint, *decision.fallbacks)] == ["a", "z", "y", "x"]


@pytest.mark.skipif(COMPILED, reason="compiled lines are not counted")
@pytest.mark.parametrize("words", [["a"] * 6000, [f"x{at}" for at in range(6000)]], ids=["same", "distinct"])
@pytest.mark.parametrize("excluded", [(), ("b", "c", "d")])
def test_no_wish_costs_more_for_words_that_name_nobody(words: list[str], excluded: tuple[str, ...]) -> None:
    """C2 F1: a line or so for each word, once; not the ranking anew."""
    engine = a_filtered_engine(FLEET, want=3)

    few = lines_run(lambda: decided(engine, wishing(excluded, ("a", "b"))))
    many = lines_run(lambda: decided(engine, wishing(excluded, ("a", *words, "b"))))

    assert many <= few + 2 * len(words) + 100


@pytest.mark.skipif(COMPILED, reason="compiled lines are not counted")
@pytest.mark.parametrize("strategy", ["weighted_round_robin", "consistent_hash", "least_connections"])
def test_endpoints_are_looked_through_three_times_whatever_is_preferred(strategy: str) -> None:
    """C2 F1: for the first choice, for the levels of preference, and for what the strategy itself makes of
    those that are left; with three attempts and every word a level."""
    fleet = [offering(f"e{at}") for at in range(1000)]
    engine = a_filtered_engine(fleet, PREFERRED, want=3, strategy=strategy)

    def lines(prefer: str) -> int:
        request = a_request("/", ("x-prefer", prefer))
        decided(engine, request)
        return lines_run(lambda: decided(engine, request))

    one = lines("e1")
    assert lines(",".join(["e1"] * 64)) <= one + 500
    assert lines(",".join(f"e{at}" for at in range(64))) <= one + 1500
    assert one <= 3 * 12 * len(fleet)


def test_all_that_is_excluded_counts_and_more_than_can_be_read_is_refused() -> None:
    """C2 C8: a condition is never heeded in part."""
    engine = a_filtered_engine(FLEET, EXCLUDED)

    def without(names: list[str]) -> Request:
        return a_request("/", ("x-exclude", ",".join(names)))

    nobody = [f"z{at}" for at in range(4094)]
    assert left(engine, without([*nobody, "a", "c"])) == "b d"
    told = "invalid_request: what the request excludes has more than 4096 words or 65536 characters"
    assert said(engine, without([*nobody, "a", "b", "c"])) == told
    assert said(engine, without(["z" * 65_536, "a"])) == told
    assert whys(engine, without(["z" * 65_536, "a"]))["a"] == told.partition(": ")[2]
    answer = engine.decide(without(["z" * 65_537]), 0.0)
    assert isinstance(answer, Refusal)
    assert answer.status == 400


def test_of_more_words_than_64_the_first_are_preferred() -> None:
    """C2"""
    engine = a_filtered_engine(FLEET, PREFERRED)
    nobody = [f"z{at}" for at in range(63)]

    assert decided(engine, a_request("/", ("x-prefer", ",".join([*nobody, "d"])))).endpoint.id == "d"
    assert decided(engine, a_request("/", ("x-prefer", ",".join([*nobody, "z", "d"])))).endpoint.id == "a"


def test_says_who_is_preferred() -> None:
    """C8"""
    engine = a_filtered_engine(FLEET, PREFERRED)

    assert whys(engine, a_request("/", ("x-prefer", "d,b"))) == {
        "a": 'the request prefers "d", then "b"',
        "b": 'the request prefers "d"',
        "c": 'the request prefers "d", then "b"',
    }


def wishing(exclude: tuple[str, ...] = (), prefer: tuple[str, ...] = ()) -> Request:
    request = a_request()
    request.wishes = Wishes(exclude, prefer)
    return request


def test_a_trusted_caller_names_endpoints_on_any_route() -> None:
    """C2: without a source in the file."""
    engine = a_filtered_engine(FLEET)

    assert left(engine, wishing(exclude=("a", "other"))) == "b"
    assert decided(engine, wishing(prefer=("d",))).endpoint.id == "d"
    assert left(engine, a_request("/", ("x-exclude", "a"))) == "a b c d"
