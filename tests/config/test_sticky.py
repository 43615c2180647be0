"""What clients are known by, from the file to decisions."""

from pathlib import Path
from random import Random

import pytest

from sidecar.config.load import Loaded, load, loads
from sidecar.core.engine import Engine
from sidecar.core.request import Request
from sidecar.core.state.memory import State
from sidecar.core.state.standing import OUT, Mark
from sidecar.core.strategies.failover import Failover
from sidecar.core.strategies.sticky import Sticky
from tests.builders import a_request, decided
from tests.config.files import a_file, a_route, loaded

THREE = """\
clusters:
  shop: {endpoints: [{address: '10.0.0.1:80'}, {address: '10.0.0.2:80'}, {address: '10.0.0.3:80'}]}
"""
SECRET = "cookies: {secrets: [secret]}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("0123456789abcdef0123456789abcdef\n")
    return tmp_path


def an_engine_of(configuration: Loaded, now: float = 0.0) -> Engine:
    return Engine(configuration.plan, State(), Random(1), now)


def with_header(value: str) -> Request:
    return a_request("/", ("x-user-id", value))


def with_cookie(value: str) -> Request:
    return a_request("/", ("cookie", f"route={value}"))


def value_of(set_cookie: str) -> str:
    return set_cookie.partition("=")[2].partition(";")[0]


def test_a_route_with_one_arm_keeps_its_clients_at_their_endpoints() -> None:
    """S16: for as long as the file says."""
    engine = an_engine_of(loaded(a_route("to: shop, sticky: {by: user, timeout: 10s}", THREE)))

    assert len({decided(engine, with_header("u"), at * 9.9).endpoint.id for at in range(10)}) == 1
    assert len({decided(engine, with_header("v"), at * 10.2).endpoint.id for at in range(3)}) > 1


def test_an_arm_of_a_split_keeps_its_clients_at_their_endpoints_too() -> None:
    """S16, R4"""
    split = "split: [{to: shop, weight: 1}, {to: shop, weight: 1, name: b}]"
    engine = an_engine_of(loaded(a_route(f"{split}, sticky: {{by: user}}", THREE)))

    for user in range(20):
        found = [decided(engine, with_header(str(user))) for _ in range(5)]
        assert len({(each.variant.name, each.endpoint.id) for each in found}) == 1


def test_a_timeout_is_300_seconds_where_none_is_written() -> None:
    """S16"""
    engine = an_engine_of(loaded(a_route("to: shop, sticky: {by: user}", THREE)))
    first = decided(engine, with_header("u"), 0.0).endpoint

    assert decided(engine, with_header("u"), 299.9).endpoint is first
    assert decided(engine, with_header("u"), 603.0).endpoint is not first


def test_it_stands_inside_of_a_failover() -> None:
    """S16, F2: a client is kept at endpoints of the pool, not at those that stand in for them."""
    (route,) = loaded(a_route("to: shop, sticky: {by: user}, failover: [{to: shop}]", THREE)).plan.routes

    assert isinstance(route.variants[0].strategy, Failover)


def test_without_sticky_the_strategy_is_as_it_is() -> None:
    (route,) = loaded(a_route("to: shop", THREE)).plan.routes

    assert not isinstance(route.variants[0].strategy, Sticky)
    assert route.cookie is None


def test_a_cookie_of_the_file_leads_back_after_a_restart(folder: Path) -> None:
    """S16: whoever has the same secret."""
    text = SECRET + a_route("to: shop, sticky: {cookie: route}", THREE)

    def fresh() -> Engine:
        return an_engine_of(loads(text, "gateway.yaml", 1, folder))

    engine = fresh()
    for _ in range(3):
        decision = decided(engine)
        assert decided(fresh(), with_cookie(value_of(decision.cookie))).endpoint.id == decision.endpoint.id


def test_without_a_secret_cookies_are_of_this_process_and_outlive_reloads() -> None:
    """S16"""
    text = a_route("to: shop, sticky: {cookie: route}", THREE)
    engine = an_engine_of(loaded(text))
    decided(engine)
    second = decided(engine)

    engine.swap(loaded(text).plan)

    assert decided(engine, with_cookie(value_of(second.cookie))).endpoint.id == second.endpoint.id


def test_a_change_of_the_secret_ends_the_cookies_unless_the_old_one_is_still_read(folder: Path) -> None:
    """S16"""
    route = a_route("to: shop, sticky: {cookie: route}", THREE)
    before = an_engine_of(loads(SECRET + route, "gateway.yaml", 1, folder))
    decided(before)
    second = decided(before)
    (folder / "new").write_text("fedcba9876543210")

    def led_back(secrets: str) -> bool:
        text = f"cookies: {{secrets: [{secrets}]}}\n" + route
        engine = an_engine_of(loads(text, "gateway.yaml", 1, folder))
        return not decided(engine, with_cookie(value_of(second.cookie))).cookie

    assert led_back("new, secret")
    assert not led_back("new")


def test_a_secret_is_a_file_beside_the_configuration_that_a_reload_looks_at(folder: Path) -> None:
    """S16"""
    (folder / "gateway.yaml").write_text(SECRET + a_route("to: shop, sticky: {cookie: route}", THREE))

    assert list(load(folder / "gateway.yaml", 1).files) == [folder / "secret"]


def test_routes_with_the_same_cookie_share_their_sessions(folder: Path) -> None:
    """S16: by the cookie, and by the key."""
    text = SECRET + a_file(
        "{name: api, to: shop, match: {path: {prefix: /api}}, sticky: {by: user, cookie: route}}",
        "{name: ws, to: shop, match: {path: {prefix: /ws}}, sticky: {by: user, cookie: route}}",
        clusters=THREE,
    )
    engine = an_engine_of(loads(text, "gateway.yaml", 1, folder))
    decided(engine, a_request("/api"))
    first = decided(engine, a_request("/api", ("x-user-id", "u")))
    cookie = ("cookie", f"route={value_of(first.cookie)}")

    by_cookie = decided(engine, a_request("/ws", cookie))
    by_key = decided(engine, a_request("/ws", ("x-user-id", "u")))

    assert by_cookie.endpoint.id == by_key.endpoint.id == first.endpoint.id
    assert by_cookie.cookie == ""


def test_routes_without_a_cookie_have_sessions_of_their_own() -> None:
    """S16"""
    text = a_file(
        "{name: api, to: shop, match: {path: {prefix: /api}}, sticky: {by: user}}",
        "{name: ws, to: shop, match: {path: {prefix: /ws}}, sticky: {by: user}}",
        clusters=THREE,
    )
    engine = an_engine_of(loaded(text))
    decided(engine, a_request("/api"))

    first = decided(engine, a_request("/api", ("x-user-id", "u")))
    second = decided(engine, a_request("/ws", ("x-user-id", "u")))

    assert first.endpoint.id != second.endpoint.id


CHAIN = """\
clusters:
  shop: {endpoints: [{address: '10.0.0.1:80'}, {address: '10.0.0.2:80'}, {address: '10.0.0.3:80'}]}
  rest:
    endpoints: [{address: '10.0.1.1:80'}, {address: '10.0.1.2:80'}, {address: '10.0.1.3:80'}]
"""


def out(engine: Engine, *, is_out: bool) -> None:
    """Nobody in shop may be picked, or everybody again."""
    standing = engine.state.standing
    for at in (1, 2, 3):
        if is_out:
            standing.mark(f"shop/10.0.0.{at}:80", "test", Mark(OUT, "down"), 0.0)
        else:
            standing.clear(f"shop/10.0.0.{at}:80", "test", 0.0)


def test_a_client_stays_in_the_link_that_takes_over_and_goes_back_to_where_it_was() -> None:
    """S16 F2"""
    engine = an_engine_of(loaded(a_route("to: shop, failover: [rest], sticky: {by: user}", CHAIN)))
    users = [with_header(str(at)) for at in range(5)]
    before = [decided(engine, user).endpoint.id for user in users]

    out(engine, is_out=True)
    meanwhile = [[decided(engine, user).endpoint.id for user in users] for _ in range(4)]
    out(engine, is_out=False)

    assert set(before) == {f"10.0.0.{at}:80" for at in (1, 2, 3)}
    assert set(meanwhile[0]) == {f"10.0.1.{at}:80" for at in (1, 2, 3)}
    assert meanwhile[1:] == meanwhile[:1] * 3
    assert [decided(engine, user).endpoint.id for user in users] == before


def test_a_cookie_leads_to_the_link_that_takes_over_and_keeps_the_arm() -> None:
    """S16 F2 R4: also at another sidecar, whose memory is empty."""
    split = "split: [{to: shop, weight: 1, name: one}, {to: shop, weight: 1, name: two}]"
    plan = loaded(a_route(f"{split}, failover: [rest], sticky: {{cookie: route}}", CHAIN))
    engine = an_engine_of(plan)
    out(engine, is_out=True)

    for _ in range(10):
        first = decided(engine)
        other = an_engine_of(plan)
        out(other, is_out=True)
        for each in (engine, other):
            again = decided(each, with_cookie(value_of(first.cookie)))
            assert again.endpoint.key == first.endpoint.key
            assert again.endpoint.cluster == "rest"
            assert again.variant.name == first.variant.name
            assert again.cookie == ""


def test_routes_of_one_cookie_may_go_on_to_other_links() -> None:
    """S16 F2: what only one of them knows is no cookie to the other."""
    text = a_file(
        "{name: api, to: shop, match: {path: {prefix: /api}}, failover: [rest], sticky: {cookie: route}}",
        "{name: ws, to: shop, match: {path: {prefix: /ws}}, sticky: {cookie: route}}",
        clusters=CHAIN,
    )
    engine = an_engine_of(loaded(text))
    out(engine, is_out=True)
    first = decided(engine, a_request("/api"))
    out(engine, is_out=False)

    second = decided(engine, a_request("/ws", ("cookie", f"route={value_of(first.cookie)}")))

    assert first.endpoint.cluster == "rest"
    assert second.cookie
