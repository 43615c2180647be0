"""Sessions that stay with their endpoint, around whatever strategy."""

from collections import Counter
from random import Random

import pytest

from sidecar.core.cookie import SessionCookie
from sidecar.core.decision import Decision
from sidecar.core.endpoint import Candidates, Endpoint
from sidecar.core.engine import Engine
from sidecar.core.plan import Route, Variant
from sidecar.core.registry import STRATEGIES
from sidecar.core.request import Request
from sidecar.core.rules.fields import CookieField, HeaderField
from sidecar.core.rules.path import PathUnder
from sidecar.core.seal import Seal
from sidecar.core.split import Split
from sidecar.core.state.standing import GONE, OUT, Mark
from sidecar.core.strategies.base import Strategy, Turn
from sidecar.core.strategies.round_robin import RoundRobin
from sidecar.core.strategies.sticky import Sticky
from sidecar.core.strategies.weighted_round_robin import WeightedRoundRobin
from sidecar.core.strategies.zone_aware import ZoneAware
from tests.builders import (
    ALWAYS,
    COMPILED,
    OK,
    a_plan,
    a_request,
    a_route_by,
    an_engine,
    an_engine_by,
    decided,
    endpoints_of,
    ticket_of,
)
from tests.contract.snapshot import snapshot

SESSION = (CookieField("sid"), HeaderField("x-session"))
THREE = endpoints_of({"a": 1, "b": 1, "c": 1})
SEAL = Seal((b"0123456789abcdef",))


def sticky() -> Sticky:
    return Sticky(RoundRobin(), SESSION)


def to(engine: Engine, session: str, now: float = 0.0) -> str:
    return decided(engine, a_request("/", ("x-session", session)), now).endpoint.id


def test_ten_requests_of_a_session_stay_while_others_go_around() -> None:
    """S16"""
    engine = an_engine_by(sticky(), THREE)

    for session in ("one", "two", "three", "four"):
        assert len({to(engine, session, float(at)) for at in range(10)}) == 1
    assert len({to(engine, f"new-{at}") for at in range(10)}) == 3


@pytest.mark.parametrize("then", [RoundRobin(), WeightedRoundRobin()])
def test_a_session_with_many_requests_takes_nobody_a_turn(then: Strategy) -> None:
    """S16: after 2,000 of one session, new ones go around as before."""
    engine = an_engine_by(Sticky(then, SESSION), THREE)
    assert {to(engine, "busy") for _ in range(2_000)} == {"a"}

    assert [to(engine, f"new-{at}") for at in range(7)] == list("bcabcab")


def test_a_session_ends_when_nobody_used_it_for_300_seconds() -> None:
    """S16: each use begins the time anew, be it soon after the one before it, which writes nothing, or late.
    Never before 300 s, and a hundredth more is the most. The next turn is not that of the first."""
    for uses in ([0.0], [0.0, 2.99], [0.0, 1.0, 2.0, 2.9, 3.5, 5.0], [0.0, 299.99, 599.98, 600.0]):
        kept, ended = (an_engine_by(sticky(), THREE) for _ in range(2))
        for engine in (kept, ended):
            assert {to(engine, "one", at) for at in uses} == {"a"}

        assert to(kept, "one", uses[-1] + 299.99) == "a"
        assert to(ended, "one", uses[-1] + 303.01) != "a"


@pytest.mark.skipif(COMPILED, reason="compiled objects do not show what is in them")
def test_while_requests_of_a_session_come_fast_nothing_is_written() -> None:
    """S16: of 20 within 2 s the table is as after the first."""
    engine = an_engine_by(sticky(), THREE)
    to(engine, "one", 0.0)
    before = snapshot(engine.state.sessions)
    for at in range(1, 20):
        to(engine, "one", at / 10)

    assert snapshot(engine.state.sessions) == before
    to(engine, "one", 4.0)
    assert snapshot(engine.state.sessions) != before


def test_the_key_is_the_first_field_that_has_a_value() -> None:
    """S16"""
    engine = an_engine_by(sticky(), THREE)
    first = decided(engine, a_request("/", ("cookie", "sid=x"), ("x-session", "y"))).endpoint.id

    assert decided(engine, a_request("/", ("cookie", "sid=x"))).endpoint.id == first
    assert decided(engine, a_request("/", ("cookie", "sid="), ("x-session", "x"))).endpoint.id == first
    decided(engine)
    assert to(engine, "y") != first


def test_without_a_key_there_is_no_session() -> None:
    """S16: nor with an empty one, which would send everybody without one to the same endpoint."""
    engine = an_engine_by(sticky(), THREE)

    assert [decided(engine).endpoint.id for _ in range(4)] == ["a", "b", "c", "a"]
    assert [to(engine, "") for _ in range(3)] == ["b", "c", "a"]
    assert len(engine.state.sessions) == 0


def test_when_the_endpoint_is_gone_another_is_picked_and_stays() -> None:
    """S16"""
    engine = an_engine_by(sticky(), THREE)
    first = to(engine, "one")
    left = [endpoint for endpoint in THREE if endpoint.id != first]

    engine.swap(a_plan(a_route_by(sticky(), left)))
    second = to(engine, "one")
    engine.swap(a_plan(a_route_by(sticky(), THREE)))

    assert second != first
    assert {to(engine, "one") for _ in range(6)} == {second}


def test_an_endpoint_that_this_request_may_not_have_is_not_picked() -> None:
    """S16"""
    strategy = sticky()
    engine = an_engine_by(strategy, THREE)
    first = to(engine, "one")
    fewer = Candidates([endpoint for endpoint in THREE if endpoint.id != first])
    pool = engine.state.pools.of("main")

    turn = Turn(a_request("/", ("x-session", "one")), pool, fewer, engine.state, Random(1), 1.0)

    assert strategy.rank(turn, 1)[0].id != first


def test_a_session_survives_a_reload_and_a_change_of_strategy() -> None:
    """S16, S18: 40 sessions, five strategies one after the other, no request refused and none moved."""
    engine = an_engine_by(sticky(), THREE)
    before = {f"s{at}": to(engine, f"s{at}") for at in range(40)}

    for name in ("least_loaded", "consistent_hash", "random", "weighted_round_robin", "quota_aware"):
        engine.swap(a_plan(a_route_by(Sticky(STRATEGIES[name](), SESSION), THREE)))
        assert {session: to(engine, session) for session in before} == before


def test_the_fallbacks_are_the_other_strategys_and_never_the_same_endpoint() -> None:
    """S16"""
    engine = an_engine_by(sticky(), THREE, want=3)
    request = a_request("/", ("x-session", "one"))
    first = decided(engine, request).endpoint

    for _ in range(6):
        decision = decided(engine, request)
        assert decision.endpoint is first
        assert sorted(each.id for each in decision.fallbacks) == sorted({"a", "b", "c"} - {first.id})


def test_arms_of_a_split_keep_their_own_sessions() -> None:
    """S16: a session may have one endpoint in each arm."""
    arms = tuple(
        Variant(arm, f"main/{arm}", endpoints_of({f"{arm}1": 1, f"{arm}2": 1}), sticky(), "sticky")
        for arm in "xy"
    )
    engine = an_engine(Route("main", ALWAYS, arms, Split("main", ["x", "y"], [1.0, 1.0])))

    seen = {to(engine, "one") for _ in range(60)}

    assert sorted(name[0] for name in seen) == ["x", "y"]


def test_explaining_binds_nothing() -> None:
    """S16"""
    engine = an_engine_by(sticky(), THREE)

    for _ in range(5):
        engine.explain(a_request("/", ("x-session", "one")), 0.0)

    assert len(engine.state.sessions) == 0


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_wraps_any_strategy(name: str) -> None:
    """S16: 30 sessions with ten requests each, in turn, with outcomes in between; each stays, and no fallback
    is named twice."""
    engine = an_engine_by(Sticky(STRATEGIES[name](), SESSION), THREE, want=2)
    seen: dict[str, set[str]] = {}
    for at in range(10):
        for session in range(30):
            request = a_request("/", ("x-session", str(session)))
            decision = decided(engine, request, float(at))
            engine.settle(ticket_of(decision), OK, float(at))
            seen.setdefault(str(session), set()).add(decision.endpoint.id)
            assert decision.endpoint.id not in [each.id for each in decision.fallbacks]

    assert all(len(endpoints) == 1 for endpoints in seen.values())
    assert len(set.union(*seen.values())) > 1


def a_cookie(*endpoints: Endpoint) -> SessionCookie:
    return SessionCookie("route", SEAL, 300.0, {"main": endpoints or THREE})


def by_cookie(want: int = 1, by: tuple[HeaderField, ...] = ()) -> Engine:
    return an_engine(cookie_route(THREE, by, want))


def cookie_route(endpoints: tuple[Endpoint, ...], by: tuple[HeaderField, ...] = (), want: int = 1) -> Route:
    cookie = a_cookie(*endpoints)
    strategy = Sticky(RoundRobin(), by, cookie=cookie, arm="main")
    variant = Variant("main", "main", endpoints, strategy, "own")
    return Route("main", ALWAYS, (variant,), cookie=cookie, want=want)


def a_value(endpoint_key: str, at: float = 0.0) -> str:
    written = a_cookie().written(request_at(at), None, "main", endpoint_key)
    return written.partition("=")[2].partition(";")[0]


def request_at(at: float, *headers: tuple[str, str]) -> Request:
    request = a_request("/", *headers)
    request.received_at = at
    return request


def with_cookie(engine: Engine, value: str, at: float, *more: tuple[str, str]) -> str:
    return decided(engine, request_at(at, ("cookie", f"route={value}"), *more)).endpoint.id


def test_a_cookie_of_ours_leads_back_to_its_endpoint() -> None:
    """S16: also after a restart, and at another sidecar."""
    for endpoint in THREE:
        engine = by_cookie()
        value = a_value(endpoint.key)
        assert {with_cookie(engine, value, 449.0) for _ in range(5)} == {endpoint.id}


@pytest.mark.parametrize("forged", ["", "shop/c", "c", "AAAAAAAAAAAA.fffffff.AAAAAAAAAAAAAAAAAAAAAA"])
def test_a_cookie_that_is_not_ours_is_as_if_there_were_none(forged: str) -> None:
    """S16"""
    engine = by_cookie()

    assert [with_cookie(engine, forged, 0.0) for _ in range(3)] == ["a", "b", "c"]


def test_a_stale_cookie_is_as_if_there_were_none() -> None:
    """S16"""
    engine = by_cookie()

    assert [with_cookie(engine, a_value("shop/c"), 450.0) for _ in range(3)] == ["a", "b", "c"]


def test_a_decision_has_a_cookie_for_a_client_that_has_none_that_counts() -> None:
    """S16: none, a forged one, one that is over or soon will be."""
    engine = by_cookie()
    request = request_at(0.0)
    first = decided(engine, request)
    value = first.cookie.partition("=")[2].partition(";")[0]

    assert first.cookie == a_cookie().written(request, None, "main", "shop/a")
    for at, cookie, again in (
        (100.0, value, False),
        (200.0, value, True),
        (500.0, value, True),
        (0.0, "x", True),
    ):
        decision = decided(engine, request_at(at, ("cookie", f"route={cookie}")))
        assert bool(decision.cookie) is again, at


def test_a_client_that_comes_in_time_stays_for_ever() -> None:
    """S16: 100 requests, each 299 s after the one before, with what the client was told last."""
    engine = by_cookie()
    value = ""
    seen = set()
    for turn in range(100):
        headers = [("cookie", f"route={value}")] if value else []
        decision = decided(engine, request_at(turn * 299.0, *headers))
        seen.add(decision.endpoint.id)
        if decision.cookie:
            value = decision.cookie.partition("=")[2].partition(";")[0]

    assert seen == {"a"}


def test_when_the_endpoint_of_a_cookie_may_not_be_picked_there_is_another_and_its_cookie() -> None:
    """S16: gone by a reload, or drained."""
    engine = by_cookie()
    request = request_at(0.0, ("cookie", f"route={a_value('shop/a')}"))

    engine.state.standing.mark("shop/a", "drain", Mark(GONE, "it is drained"), 0.0)
    drained = decided(engine, request)
    assert drained.endpoint.id != "a"
    assert drained.cookie

    engine.state.standing.clear("shop/a", "drain", 0.0)
    assert decided(engine, request).endpoint.id == "a"

    engine.swap(a_plan(cookie_route(THREE[1:])))
    gone = decided(engine, request)
    assert gone.endpoint.id != "a"
    value = gone.cookie.partition("=")[2].partition(";")[0]
    assert {with_cookie(engine, value, 1.0) for _ in range(4)} == {gone.endpoint.id}


def test_when_the_endpoint_of_a_session_is_out_another_is_picked_and_kept() -> None:
    """S16: it stays there when the first one is back."""
    engine = an_engine_by(sticky(), THREE)
    first = to(engine, "one")
    engine.state.standing.mark(f"shop/{first}", "probe", Mark(OUT, "it is unhealthy"), 0.0)

    second = to(engine, "one")
    engine.state.standing.clear(f"shop/{first}", "probe", 0.0)

    assert second != first
    assert {to(engine, "one") for _ in range(6)} == {second}


def test_the_first_decision_is_the_strategys_and_those_that_follow_the_sessions() -> None:
    """S16: also in what is explained, which binds and writes nothing."""
    engine = by_cookie(by=(HeaderField("x-session"),))
    request = request_at(0.0, ("x-session", "one"))

    def stays() -> bool:
        answer = engine.explain(request, 0.0).answer
        assert isinstance(answer, Decision)
        assert answer.cookie == ""
        assert answer.turn is not None
        return answer.turn.stays

    assert not stays()
    assert decided(engine, request).cookie
    assert stays()


def test_of_two_cookies_of_the_same_name_the_one_of_ours_counts() -> None:
    """S16"""
    engine = by_cookie()

    assert with_cookie(engine, f"forged; route={a_value('shop/c')}", 0.0) == "c"


def test_memory_counts_before_the_cookie() -> None:
    """S16: when an endpoint had to be changed under way, the client's cookie still names the old one."""
    engine = by_cookie(by=(HeaderField("x-session"),))
    value = a_value("shop/c")
    assert to(engine, "one") == "a"

    assert with_cookie(engine, value, 0.0, ("x-session", "one")) == "a"
    assert with_cookie(engine, value, 0.0, ("x-session", "unknown")) == "c"
    assert with_cookie(engine, "", 0.0, ("x-session", "unknown")) == "c"


def a_split(cookie: SessionCookie, arms: dict[str, tuple[Endpoint, ...]], *by: HeaderField) -> Route:
    variants = tuple(
        Variant(arm, f"main/{arm}", listed, Sticky(RoundRobin(), by, cookie=cookie, arm=arm), "own")
        for arm, listed in arms.items()
    )
    return Route("main", ALWAYS, variants, Split("main", list(arms), [1.0] * len(arms)), by, cookie=cookie)


def test_a_cookie_keeps_the_arm_of_a_split_for_a_client_without_a_key() -> None:
    """S16, R4: also where both arms have the same endpoints."""
    arms = {"x": THREE, "y": THREE}
    cookie = SessionCookie("route", SEAL, 300.0, arms)
    engine = an_engine(a_split(cookie, arms))
    first = [decided(engine, request_at(0.0)) for _ in range(20)]

    assert {decision.variant.name for decision in first} == {"x", "y"}
    for decision in first:
        value = decision.cookie.partition("=")[2].partition(";")[0]
        again = decided(engine, request_at(0.0, ("cookie", f"route={value}")))
        assert (again.variant, again.endpoint) == (decision.variant, decision.endpoint)
        assert engine.explain(request_at(0.0, ("cookie", f"route={value}")), 0.0).split == (
            "by the cookie route"
        )


def test_the_key_keeps_the_arm_before_the_cookie() -> None:
    """S16, R4"""
    arms = {"x": endpoints_of({"x": 1}), "y": endpoints_of({"y": 1})}
    cookie = SessionCookie("route", SEAL, 300.0, arms)
    engine = an_engine(a_split(cookie, arms, HeaderField("x-session")))
    (arm,) = {to(engine, "one") for _ in range(5)}
    (other,) = {"x", "y"} - {arm}
    theirs = cookie.written(request_at(0.0), None, other, f"shop/{other}")
    value = theirs.partition("=")[2].partition(";")[0]

    decision = decided(engine, request_at(0.0, ("cookie", f"route={value}"), ("x-session", "one")))

    assert decision.endpoint.id == arm
    assert decision.cookie


def test_sessions_of_the_same_scope_are_shared() -> None:
    """S16: of two pools with one cookie; and without a scope each pool has its own."""
    by = (HeaderField("x-session"),)

    def second(scope: str) -> list[str]:
        routes = [
            Route(
                name,
                PathUnder(f"/{name}"),
                (Variant("main", name, THREE, Sticky(RoundRobin(), by, scope=scope), "own"),),
            )
            for name in ("api", "ws")
        ]
        engine = an_engine(*routes)
        decided(engine, a_request("/ws"))
        for at in range(3):
            decided(engine, a_request("/api", ("x-session", str(at))))
        return [decided(engine, a_request("/ws", ("x-session", str(at)))).endpoint.id for at in range(3)]

    assert second("shared") == ["a", "b", "c"]
    assert second("") == ["b", "c", "a"]


def test_what_the_other_strategy_learns_it_still_learns() -> None:
    """S16: here, how many requests each zone had."""
    endpoints = [Endpoint("shop", zone, "10.0.0.1:80", zone=zone) for zone in "ab"]
    engine = an_engine_by(Sticky(ZoneAware(capacity={"a": 0.7, "b": 0.3}), SESSION), endpoints)
    for _ in range(300):
        decided(engine, a_request("/", ("x-session", "one")))

    assert Counter(decided(engine).endpoint.id for _ in range(50)) == {"b": 50}


def test_sessions_are_spread_as_the_other_strategy_says() -> None:
    """S16"""
    engine = an_engine_by(
        Sticky(STRATEGIES["weighted_round_robin"](), SESSION), endpoints_of({"a": 2, "b": 1})
    )

    assert Counter(to(engine, f"s{at}") for at in range(30)) == {"a": 20, "b": 10}


@pytest.mark.parametrize("times", [1, 2, 3, 7])
def test_requests_that_stay_take_no_turn(times: int) -> None:
    """S16, S1: nine sessions one after the other, three at each endpoint, however many requests each has."""
    engine = an_engine_by(sticky(), THREE)

    picked = [{to(engine, str(session)) for _ in range(times)} for session in range(9)]

    assert picked == [{"a"}, {"b"}, {"c"}] * 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": SESSION, "timeout_s": 0.0}, "timeout_s must be above 0, got 0.0"),
        ({"by": ()}, "by must name a field where there is no cookie"),
    ],
)
def test_options_are_checked(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sticky(RoundRobin(), **options)  # type: ignore[arg-type]
