"""`breaker` and `health.panic` of clusters, from the file to the plan."""

import pytest

from sidecar.config.retries import Orders
from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.plan import Route, Variant
from sidecar.core.refusal import Reason, Refusal
from sidecar.core.reply import Reply
from sidecar.core.watch import BreakerRule
from tests.builders import OK, a_request, an_engine, ticket_of
from tests.config.files import a_route, loaded


def clusters(**said: str) -> str:
    """Each has one endpoint, of its own name."""
    return "clusters:\n" + "".join(
        f"  {name}: {{endpoints: [{{address: '10.0.0.{at}:80', id: {name}}}], {rest}}}\n"
        for at, (name, rest) in enumerate(said.items(), 1)
    )


def only(rest: str, written: str) -> Route:
    (route,) = loaded(a_route(rest, written)).plan.routes
    return route


def rule_of(breaker: str) -> BreakerRule:
    route = only("to: db", clusters(db=f"breaker: {breaker}"))
    rule = route.variants[0].endpoints[0].offer.watch.breaker
    assert rule is not None
    return rule


def broken(route: Route, *names: str) -> Engine:
    """After these have failed often enough to open."""
    engine = an_engine(route)
    for _ in range(100):
        answer = engine.decide(a_request(), 0.0)
        if isinstance(answer, Decision):
            failed = answer.endpoint.id in names
            engine.settle(ticket_of(answer), Outcome(500) if failed else OK, 0.0)
    return engine


def gets(engine: Engine, method: str = "GET", now: float = 0.0) -> str:
    """Which endpoint, or which body, or why not."""
    match engine.decide(a_request(method=method), now):
        case Decision() as decision:
            return decision.endpoint.id
        case Reply() as reply:
            return f"{reply.status} {reply.body}"
        case Refusal() as refusal:
            return refusal.reason.value


def test_fewer_trials_need_no_second_key() -> None:
    """H5: close_after is no more than half_open, unless the file says otherwise."""
    assert [rule_of(f"{{half_open: {each}}}").close_after for each in (1, 2, 5)] == [1, 2, 2]


def test_which_statuses_are_failures_is_for_the_file_to_say() -> None:
    """H1: else all 5xx but those by which anybody could shut an endpoint out."""

    def failures(written: str) -> frozenset[int]:
        return only("to: db", clusters(db=written)).variants[0].endpoints[0].offer.watch.failures

    usual = frozenset(range(500, 600)) - {501, 505}
    assert [failures("slow_start: 1s"), failures("breaker: {}")] == [usual, usual]
    assert failures("health: {failure_statuses: [429, 503]}") == {429, 503}
    assert failures("breaker: {}, health: {failure_statuses: [404]}") == {404}


def test_without_a_breaker_nothing_opens() -> None:
    """H5: it is there for the clusters that ask for it."""
    route = only("to: db", clusters(db=""))
    assert route.variants[0].endpoints[0].offer.watch.breaker is None
    assert gets(broken(route, "db")) == "db"


def test_a_breaker_has_plain_defaults() -> None:
    """H5"""
    assert rule_of("{}").numbers() == (5, 0.0, 20, 10.0, 30.0, 60.0, 3, 2)


def test_a_breaker_is_as_it_is_written() -> None:
    """H5: such as for a database."""
    written = (
        "{failures: 3, success_rate: 95%, requests: 50, window: 1m, open: 45s, max_open: 2m, half_open: 5, "
        "close_after: 4}"
    )
    assert rule_of(written).numbers() == (3, 0.95, 50, 60.0, 45.0, 120.0, 5, 4)
    assert rule_of("{open: 5m}").most_open_s == 300.0


@pytest.mark.parametrize("otherwise", ["", "otherwise: next"])
def test_next_is_the_next_endpoint_and_then_a_refusal(otherwise: str) -> None:
    """H6"""
    route = only("pool: [db, web]", clusters(db=f"breaker: {{{otherwise}}}", web="breaker: {}"))

    assert gets(broken(route, "db")) == "web"
    assert gets(broken(route, "db", "web")) == Reason.NO_HEALTHY_ENDPOINT.value


def test_next_goes_along_the_failover_of_the_route() -> None:
    """H6 F2"""
    route = only("to: db, failover: [web]", clusters(db="breaker: {}", web=""))
    assert gets(broken(route, "db")) == "web"


def test_another_cluster_stands_in() -> None:
    """H6: for reads alone, where the file says so."""
    written = clusters(db="breaker: {otherwise: {to: replica, methods: [get, HEAD]}}", replica="")
    route = only("to: db", written)
    engine = broken(route, "db")

    assert (gets(engine), gets(engine, "HEAD")) == ("replica", "replica")
    assert gets(engine, "POST") == Reason.NO_HEALTHY_ENDPOINT.value
    assert loaded(a_route("to: db, timeout: 5s", written)).notes == [], "it is used"


def test_who_stands_in_comes_after_the_links_of_the_route() -> None:
    """H6 F2"""
    written = clusters(db="breaker: {otherwise: {to: replica}}", web="breaker: {}", replica="breaker: {}")
    route = only("to: db, failover: [web]", written)
    assert gets(broken(route, "db")) == "web"
    assert gets(broken(route, "db", "web")) == "replica"
    assert gets(broken(route, "db", "web", "replica")) == Reason.NO_HEALTHY_ENDPOINT.value


def test_a_fixed_answer() -> None:
    """H6: with any status and body."""
    respond = "{status: 200, body: '[]', content_type: application/json}"
    route = only("to: db", clusters(db=f"breaker: {{otherwise: {{respond: {respond}}}}}"))

    assert gets(broken(route, "db")) == "200 []"
    reply = route.variants[0].otherwise
    assert reply is not None
    assert (reply.route, reply.headers) == ("r", (("content-type", "application/json"),))
    assert not route.variants[0].recovers


def test_in_a_pool_those_who_stand_in_come_before_the_answer() -> None:
    """H6: what several clusters say of one pool."""
    written = clusters(
        db="breaker: {otherwise: {respond: {status: 503, body: sorry}}}",
        web="breaker: {otherwise: {to: replica}}",
        replica="breaker: {}",
    )
    route = only("pool: [db, web]", written)
    assert gets(broken(route, "db")) == "web"
    assert gets(broken(route, "db", "web")) == "replica"
    assert gets(broken(route, "db", "web", "replica")) == "503 sorry"


def test_each_arm_of_a_split_has_its_own() -> None:
    """H6"""
    written = clusters(db="breaker: {otherwise: {to: replica}}", web="breaker: {}", replica="")
    route = only("split: [{to: db, weight: 50}, {to: web, weight: 50}]", written)
    by_name = {variant.name: variant for variant in route.variants}
    assert [link.name for link in by_name["db"].links] == ["replica"]
    assert by_name["web"].links == ()
    assert (by_name["db"].recovers, by_name["web"].recovers) == (False, True)


def panics(variant: Variant) -> list[float]:
    return [variant.panic, *(link.panic for link in variant.links)]


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        pytest.param("to: db", [0.3], id="of its cluster"),
        pytest.param("pool: [web, db]", [0.5], id="of several the largest"),
        pytest.param("to: db, failover: [plain, web]", [0.0, 0.0, 0.5], id="of the last of a chain"),
        pytest.param("to: stood", [0.0, 0.5], id="of who stands in"),
        pytest.param("to: stood, failover: [db]", [0.0, 0.0, 0.5], id="who stands in is last"),
        pytest.param("to: stood, failover: [web]", [0.0, 0.5], id="who stands in is on the way already"),
        pytest.param("to: answered, failover: [db]", [0.0, 0.0], id="an answer comes before it"),
    ],
)
def test_a_panic_is_where_there_is_nowhere_else_to_go(rest: str, expected: list[float]) -> None:
    """H7: who is last also recovers by being tried early."""
    written = clusters(
        db="breaker: {}, health: {panic: 30%}",
        web="breaker: {}, health: {panic: 50%}",
        plain="",
        stood="breaker: {otherwise: {to: web}}",
        answered="breaker: {otherwise: {respond: {}}}",
    )
    variant = only(rest, written).variants[0]

    assert panics(variant) == expected
    arms = (variant, *variant.links)
    assert [arm.recovers for arm in arms] == [
        at == len(arms) - 1 and variant.otherwise is None for at in range(len(arms))
    ]


def orders(rest: str, written: str) -> list[str]:
    config = loaded(a_route(rest, written)).config
    return [" ".join(order) for order in Orders(config.clusters).of(config.routes[0])]


def test_envoy_knows_the_orders_that_end_in_who_stands_in() -> None:
    """H6 F1: where the route sends again."""
    written = clusters(db="breaker: {otherwise: {to: replica}}", replica="")
    assert orders("to: db", written) == []
    assert orders("to: db, retry: {attempts: 2}", written) == ["db replica", "replica db"]


def test_of_a_large_pool_the_orders_that_end_in_who_stands_in_are_among_the_first() -> None:
    """H6 F1: of each cluster of the pool, after as many others as there are attempts."""
    said = dict.fromkeys("abcd", "breaker: {otherwise: {to: replica}}")
    found = orders("pool: [a, b, c, d], retry: {attempts: 3}", clusters(**said, replica=""))
    assert found[:4] == ["a b replica", "b c replica", "c d replica", "d a replica"]
