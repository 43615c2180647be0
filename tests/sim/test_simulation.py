"""The simulator itself: it plays clients and servers as theory has them."""

import itertools
from datetime import UTC, datetime
from math import exp, log
from random import Random
from typing import Final

import pytest

from sidecar.core.happening import Happening
from sidecar.core.outcome import Failure
from sidecar.core.plan import Route
from sidecar.core.reply import Reply
from sidecar.core.request import Request, headers_of
from sidecar.core.retries import Backoff, Retries
from sidecar.core.rules.path import PathIs
from sidecar.sim.result import DIRECT, Played, Result
from sidecar.sim.scenario import Cache, Change, Scenario, Server, Service
from sidecar.sim.simulation import Simulation, play, simulate
from tests.builders import ALWAYS, a_plan, a_request, a_route, a_variant, an_endpoint, endpoints_of
from tests.sim.scenes import a_scenario, a_server, played, some_servers

AT_ONCE: Final = Backoff("none", 0.0, 1.0, 0.0, jitter=False)


def one(server: Server, rate: float = 10.0, duration_s: float = 100.0, **more: object) -> Result:
    return played("random", a_scenario({"a": server}, rate, duration_s, **more))


def test_one_server_with_one_place_takes_the_times_of_an_m_m_1_queue() -> None:
    """60,000 requests at 70 %; in M/M/1 the time in the system is exponential with rate mu - lambda. The
    bound of 10 % is some three standard errors, as requests in a queue depend on one another."""
    result = one(a_server(0.01, capacity=1), rate=70.0, duration_s=857.0)

    for share in (0.5, 0.95, 0.99):
        assert result.latency_s(share) == pytest.approx(-log(1.0 - share) / 30.0, rel=0.1)


def test_several_places_take_the_times_of_an_m_m_c_queue() -> None:
    """60,000 requests, four places, 70 %: by Erlang's C 42.9 % have to wait, each on average 1/(4 mu -
    lambda)."""
    result = one(a_server(0.04, capacity=4, spread="exponential"), rate=70.0, duration_s=857.0)

    assert sum(result.took_s) / len(result) == pytest.approx(0.04 + 0.429 / 30.0, rel=0.05)


def test_requests_come_as_a_poisson_process() -> None:
    """20,000 arrivals: the gaps are exponential, a share of 1/e of them longer than the mean."""
    result = one(a_server(0.001), rate=1000.0, duration_s=20.0)

    assert len(result) == pytest.approx(20_000, rel=0.03)
    gaps = [later - earlier for earlier, later in zip(result.came_at, result.came_at[1:], strict=False)]
    assert sum(gap > 0.001 for gap in gaps) / len(gaps) == pytest.approx(exp(-1), rel=0.03)


@pytest.mark.parametrize(
    ("service", "median_s"),
    [
        (Service(0.1, "constant"), 0.1),
        (Service(0.1, "exponential"), 0.1 * log(2.0)),
        (Service(0.1, "lognormal", sigma=1.0), 0.1 * exp(-0.5)),
    ],
)
def test_services_have_the_mean_and_the_median_of_their_distribution(
    service: Service, median_s: float
) -> None:
    """40,000 draws."""
    rng = Random(1)

    drawn = sorted(service.draw(rng) for _ in range(40_000))

    assert sum(drawn) / len(drawn) == pytest.approx(0.1, rel=0.03)
    assert drawn[20_000] == pytest.approx(median_s, rel=0.03)


def test_the_same_seed_gives_the_same_run_and_another_gives_another() -> None:
    first, same, other = (
        played("least_loaded", a_scenario(some_servers(3), 50.0, 20.0, sidecars=2, seed=seed))
        for seed in (1, 1, 2)
    )

    assert (first.came_at, first.went_to, first.took_s) == (same.came_at, same.went_to, same.took_s)
    assert first.came_at != other.came_at


def test_two_strategies_meet_the_same_clients() -> None:
    scenario = a_scenario(some_servers(3), 50.0, 20.0)

    assert played("random", scenario).came_at == played("round_robin", scenario).came_at


def test_a_full_queue_is_answered_at_once_with_a_failure() -> None:
    result = one(a_server(1.0, capacity=1, spread="constant", queue=1), rate=20.0, duration_s=50.0)

    assert len(result) - result.failures() == pytest.approx(51, abs=1)
    assert result.latency_s(0.5) < 0.01


def test_failures_have_their_share_and_their_own_time() -> None:
    """10,000 requests; the bound of 3 % of them is over four standard deviations of the binomial."""
    result = one(
        a_server(0.1, capacity=1000, spread="constant", failure_share=0.3, failure_s=0.002), rate=100.0
    )

    assert result.failures() / len(result) == pytest.approx(0.3, abs=0.02)
    assert {round(took_s, 3) for took_s in result.took_s} == {0.1, 0.002}


def test_servers_slow_down_go_away_and_recover_when_they_are_told_to() -> None:
    changes = (
        Change(10.0, "shop/a", slower=5.0),
        Change(20.0, "shop/a", slower=1.0),
        Change(30.0, "shop/a", down=True),
        Change(40.0, "shop/a", down=False, failure_share=1.0),
        Change(50.0, "shop/a", failure_share=0.0),
    )
    result = one(a_server(0.1, capacity=1000, spread="constant"), duration_s=60.0, changes=changes)

    told = [(round(each.p50_s, 3), each.failures == each.requests) for each in result.buckets(10.0)]

    assert told == [(0.1, False), (0.5, False), (0.1, False), (0.001, True), (0.1, True), (0.1, False)]


def test_clients_give_up_and_the_server_goes_on() -> None:
    """At twice what it can do: more than half fail, because it also finishes what nobody waits for any
    more."""
    result = one(a_server(0.1, capacity=1, spread="constant"), rate=20.0, duration_s=60.0, timeout_s=0.5)

    assert max(result.took_s) == pytest.approx(0.5)
    assert 0.5 < result.failures() / len(result) < 1.0


def test_some_requests_take_longer_than_others() -> None:
    def sized(rng: Random) -> Request:
        return a_request("/", ("x-size", str(rng.randint(1, 2))))

    def size(request: Request) -> float:
        return float(request.headers.first("x-size") or "1")

    result = one(a_server(0.1, capacity=1000, spread="constant", work=size), request=sized)

    assert {round(took_s, 3) for took_s in result.took_s} == {0.1, 0.2}


def test_each_sidecar_knows_its_own_requests_only() -> None:
    simulation = Simulation(
        a_plan(a_route(to=endpoints_of({"a": 1}))),
        a_scenario({"a": a_server(1000.0)}, 10.0, 30.0, sidecars=3),
    )
    arrived = len(simulation.run())

    opened = [engine.state.tickets.opened for engine in simulation.engines]

    assert sum(opened) == arrived
    assert all(count == pytest.approx(arrived / 3, rel=0.3) for count in opened)


@pytest.mark.parametrize("feedback_s", [0.0, 0.2])
def test_every_outcome_reaches_its_sidecar(feedback_s: float) -> None:
    simulation = Simulation(
        a_plan(a_route(to=endpoints_of({"a": 1}))), a_scenario({"a": a_server()}, 50.0, feedback_s=feedback_s)
    )
    count = len(simulation.run())

    tickets = simulation.engines[0].state.tickets
    assert (tickets.reported, tickets.lost, len(tickets)) == (count, 0, 0)


def test_what_is_never_reported_expires() -> None:
    simulation = Simulation(
        a_plan(a_route(to=endpoints_of({"a": 1})), lease_s=5.0),
        a_scenario({"a": a_server()}, 50.0, lost_share=0.3),
    )
    count = len(simulation.run())

    tickets = simulation.engines[0].state.tickets
    assert tickets.lost / count == pytest.approx(0.3, abs=0.05)
    assert simulation.engines[0].state.load.total() == 0


def test_servers_report_what_share_of_their_places_was_busy() -> None:
    """At a third of what it can do; the mean of 60 reports of a second each."""
    simulation = Simulation(
        a_plan(a_route(to=endpoints_of({"a": 1}))),
        a_scenario({"a": a_server(0.1, capacity=10)}, 33.3, 60.0, reports_every_s=60.0, sidecars=2),
    )
    simulation.run()

    told = [engine.state.reports.utilisation("shop/a", 60.0) for engine in simulation.engines]

    assert told[0] == told[1] == pytest.approx(0.333, rel=0.1)


def test_a_refusal_goes_nowhere() -> None:
    result = simulate(a_plan(a_route(to=endpoints_of({"a": 0}))), a_scenario({"a": a_server()}, 10.0, 10.0))

    assert result.refused() == result.failures() == len(result) > 50
    assert result.shares() == {"shop/a": 0.0}
    assert result.latency_s(0.5) == 0.0


def test_shares_and_parts_add_up() -> None:
    result = played("round_robin", a_scenario(some_servers(4), 50.0, 20.0))

    assert sum(result.shares().values()) == pytest.approx(1.0)
    assert sum(each.requests for each in result.buckets(3.0)) == len(result)
    assert sum(len(result.of(endpoint)) for endpoint in result.endpoints) == len(result)
    assert len(result.between(5.0, 10.0)) == sum(5.0 <= at < 10.0 for at in result.came_at)
    assert result.latency_s(0.0) == min(result.took_s)
    assert result.latency_s(1.0) == max(result.took_s)
    assert Result(["shop/a"], [], [], [], []).buckets(1.0) == []


def test_the_rate_for_a_utilisation_follows_from_the_servers() -> None:
    scenario = a_scenario({"a": a_server(0.05, 4), "b": a_server(0.25, 4)}).at_utilisation(0.5)

    assert scenario.rate == pytest.approx((80.0 + 16.0) / 2)


def fallen_back(
    want: int = 2, retries: Retries | None = None, changes: tuple[Change, ...] = (), **servers: Server
) -> Played:
    """Requests go to the endpoints in turn, and each names as many in all."""
    named = servers or {"a": a_server(failure_share=1.0), "b": a_server()}
    variant = a_variant("main", [an_endpoint(name) for name in named], pool="main")
    plan = a_plan(Route("main", ALWAYS, (variant,), want=want, retries=retries))
    return play(plan, a_scenario(named, 20.0, changes=changes))


def test_a_request_that_fails_goes_on_to_the_next_fallback() -> None:
    """a fails always, b never: half of the requests are tried twice, none fails for its client."""
    played = fallen_back()

    requests, attempts = played.requests, played.attempts
    assert requests.failures() == 0
    assert requests.shares() == pytest.approx({"shop/a": 0.5, "shop/b": 0.5}, abs=0.01)
    assert attempts.of("shop/a").failures() == len(attempts.of("shop/a")) == len(requests.of("shop/a"))
    assert len(attempts.of("shop/b")) == len(requests)
    assert requests.of("shop/a").latency_s(0.5) > attempts.of("shop/b").latency_s(0.5)


def test_without_fallbacks_a_failure_is_one() -> None:
    played = fallen_back(want=1)

    assert len(played.attempts) == len(played.requests)
    assert played.requests.failures() == len(played.requests.of("shop/a"))


def test_fallbacks_come_to_an_end() -> None:
    bad = a_server(failure_share=1.0)
    played = fallen_back(want=2, a=bad, b=bad, c=a_server())

    assert 0 < played.requests.failures() < len(played.requests)
    assert len(played.attempts) <= 2 * len(played.requests)


def test_a_connection_that_is_refused_is_tried_elsewhere_and_a_quota_that_is_used_up_is_not() -> None:
    down = fallen_back(changes=(Change(0.0, "shop/a", down=True),), a=a_server(), b=a_server())
    used = fallen_back(a=a_server(quota_per_minute=1), b=a_server())

    assert down.attempts.of("shop/a").failures() == len(down.requests.of("shop/a")) > 0
    assert down.requests.failures() == 0
    assert used.requests.failures() == len(used.requests.of("shop/a")) - 1 > 0


def test_the_route_says_what_is_tried_again() -> None:
    """a answers 500, which this route does not try again for; with 500 it does."""
    none, all_ = (fallen_back(retries=Retries(2, (status,), (), ("GET",))) for status in (503, 500))

    assert none.requests.failures() == len(none.requests.of("shop/a")) > 0
    assert all_.requests.failures() == 0


def test_a_method_that_may_be_sent_once_only_is() -> None:
    played = fallen_back(retries=Retries(2, (500,), (), ("HEAD",)))

    assert played.requests.failures() == len(played.requests.of("shop/a")) > 0


def test_an_attempt_that_takes_too_long_is_tried_elsewhere() -> None:
    slow = a_server(1.0, capacity=1000, spread="constant")
    retries = Retries(2, (), (Failure.TIMEOUT,), ("GET",), per_try_s=0.3, backoff=AT_ONCE)
    played = fallen_back(retries=retries, a=slow, b=a_server(0.1, 1000, "constant"))

    assert played.requests.failures() == 0
    assert {round(took_s, 3) for took_s in played.requests.of("shop/a").took_s} == {0.4}
    assert played.busy_share("shop/a") == pytest.approx(10.0 / 1000, rel=0.2)


@pytest.mark.parametrize(
    ("kind", "waits"),
    [("none", [0, 0, 0]), ("exponential", [1, 2, 4]), ("linear", [1, 2, 3]), ("fibonacci", [1, 1, 2])],
)
def test_retries_wait_as_the_route_says(kind: str, waits: list[float]) -> None:
    """Three fallbacks fail at once, the fourth answers."""
    bad = a_server(0.1, failure_share=1.0, failure_s=0.0)
    retries = Retries(4, (500,), (), ("GET",), backoff=Backoff(kind, 1.0, 2.0, 10.0, jitter=False))
    played = fallen_back(4, retries, a=bad, b=bad, c=bad, d=a_server(0.1, 1000, "constant"))

    first = played.requests.of("shop/a").took_s[0]
    assert first == pytest.approx(sum(waits) + 0.1)


def test_a_wait_is_at_most_so_long_and_any_time_up_to_that_with_jitter() -> None:
    bad = a_server(0.1, failure_share=1.0, failure_s=0.0)
    for jitter, least in ((False, 3.0), (True, 0.0)):
        backoff = Backoff("exponential", 100.0, 2.0, 3.0, jitter=jitter)
        retries = Retries(2, (500,), (), ("GET",), backoff=backoff)
        took_s = (
            fallen_back(2, retries, a=bad, b=a_server(0.1, 1000, "constant")).requests.of("shop/a").took_s
        )

        assert all(least - 1e-6 <= took - 0.1 <= 3.0 + 1e-6 for took in took_s)
        assert (max(took_s) - min(took_s) > 2.0) is jitter


def test_a_cache_makes_quicker_what_it_has_and_forgets_the_oldest() -> None:
    """Five keys in turn: all stay in a cache of five, and none is ever found in one of four."""
    numbers = itertools.count()

    def asks(_rng: Random) -> Request:
        return a_request("/", ("x-key", f"key-{next(numbers) % 5}"))

    results = []
    for keys in (5, 4):
        server = a_server(0.1, 1000, "constant", cache=Cache("x-key", keys, hit_takes=0.2))
        results.append(
            play(a_plan(a_route(to=endpoints_of({"a": 1}))), a_scenario({"a": server}, 20.0, request=asks))
        )

    whole, short = results
    assert (whole.attempts.hit_rate() or 0.0) == pytest.approx(1.0, abs=0.01)
    assert round(whole.requests.latency_s(0.5), 3) == 0.02
    assert short.attempts.hit_rate() == 0.0
    assert round(short.requests.latency_s(0.5), 3) == 0.1


def test_a_cache_by_prefix_finds_what_begins_alike() -> None:
    cache = Cache("x-key", 5, prefix=3)

    assert (
        cache.key(a_request("/", ("x-key", "abcdef")))
        == cache.key(a_request("/", ("x-key", "abcxyz")))
        == "abc"
    )
    assert cache.key(a_request("/")) is None


def test_requests_that_ask_no_cache_count_for_none() -> None:
    server = a_server(cache=Cache("x-key", 5))
    played = play(a_plan(a_route(to=endpoints_of({"a": 1}))), a_scenario({"a": server}, 20.0))

    assert played.attempts.hit_rate() is None


def test_a_quota_is_that_of_a_minute() -> None:
    """At 10 a second for three minutes: 60 of each minute are answered."""
    result = one(a_server(0.001, quota_per_minute=60), rate=10.0, duration_s=180.0)

    for minute in range(3):
        part = result.between(60.0 * minute, 60.0 * (minute + 1))
        assert len(part) - part.failures() == 60
        assert not any(part.failed[:60])


def test_servers_report_their_quota_and_their_hits() -> None:
    """a: at 30 s half of the minute's 600 are used, and each asks for the same. b has neither."""

    def asks(_rng: Random) -> Request:
        return a_request("/", ("x-key", "one"))

    servers = {"a": a_server(0.01, quota_per_minute=600, cache=Cache("x-key", 5)), "b": a_server(0.01)}
    simulation = Simulation(
        a_plan(a_route(to=endpoints_of({"a": 1, "b": 1}))),
        a_scenario(servers, 20.0, 30.0, reports_every_s=30.0, request=asks),
    )
    simulation.run()

    reports = simulation.engines[0].state.reports
    assert reports.quota_used("shop/a", 30.0) == pytest.approx(0.5, abs=0.05)
    assert reports.cache_hit_rate("shop/a", 30.0) > 0.99
    assert reports.quota_used("shop/b", 30.0) < 0.0
    assert reports.cache_hit_rate("shop/b", 30.0) < 0.0


def test_a_server_that_is_down_reports_nothing() -> None:
    simulation = Simulation(
        a_plan(a_route(to=endpoints_of({"a": 1}))),
        a_scenario(
            {"a": a_server()}, 20.0, 30.0, reports_every_s=10.0, changes=(Change(5.0, "shop/a", down=True),)
        ),
    )
    simulation.run()

    assert simulation.engines[0].state.reports.utilisation("shop/a", 30.0) < 0.0


def test_clocks_go_on_from_the_moment_of_the_scenario() -> None:
    seen: list[Request] = []

    def asks(_rng: Random) -> Request:
        seen.append(a_request("/"))
        return seen[-1]

    result = one(a_server(), request=asks, starts_at=1000.0)

    assert [request.received_at for request in seen] == [1000.0 + at for at in result.came_at]


def test_a_scenario_begins_on_a_monday_at_midnight() -> None:
    begins = datetime.fromtimestamp(a_scenario({"a": a_server()}).starts_at, UTC)

    assert (begins.strftime("%A"), begins.hour, begins.minute) == ("Monday", 0, 0)


def test_refusals_are_counted_by_their_reason_and_answers_by_their_route() -> None:
    routes = [
        a_route("shop", PathIs("/shop"), endpoints_of({"a": 1})),
        Route("moved", PathIs("/old"), (), direct=Reply("moved", 301, ())),
    ]

    def asks(rng: Random) -> Request:
        return a_request(rng.choice(["/shop", "/old", "/nowhere"]))

    result = simulate(a_plan(*routes), a_scenario({"a": a_server()}, 30.0, request=asks))

    assert result.by_reason() == {"no_route": result.refused()}
    assert result.failures() == result.refused()
    (answered,) = result.by_reason(DIRECT).items()
    assert answered[0] == "301 by moved"
    assert answered[1] + result.refused() + len(result.of("shop/a")) == len(result)


def test_a_route_s_own_timeout_counts_where_it_is_shorter() -> None:
    for timeout_s in (0.2, 5.0):
        variant = a_variant("main", endpoints_of({"a": 1}), pool="main")
        plan = a_plan(Route("main", ALWAYS, (variant,), timeout_s=timeout_s))
        result = simulate(plan, a_scenario({"a": a_server(100.0, 1000)}, 10.0, 20.0, timeout_s=1.0))

        assert max(result.took_s) == pytest.approx(min(timeout_s, 1.0))


def test_delays_and_failures_on_purpose_happen() -> None:
    """Of 1,200: half fail after 0.1 s, the others take 0.1 s longer; four standard deviations."""
    happening = Happening(delay_ms=100, abort_status=500, abort_share=0.5)
    variant = a_variant("main", endpoints_of({"a": 1}), pool="main")
    plan = a_plan(Route("main", ALWAYS, (variant,), happening=happening))
    played = play(plan, a_scenario({"a": a_server(0.05, 1000, "constant")}, 20.0))

    assert played.requests.failures() / len(played.requests) == pytest.approx(0.5, abs=0.06)
    assert {round(took_s, 3) for took_s in played.requests.took_s} == {0.1, 0.15}
    assert len(played.attempts) == len(played.requests) - played.requests.failures()


def test_the_busy_share_is_that_of_the_time() -> None:
    """Nothing in the first half, then a request each tenth of a second that takes one of ten places 0.5 s."""
    played = play(
        a_plan(a_route(to=endpoints_of({"a": 1}))),
        a_scenario({"a": a_server(0.5, 10, "constant")}, 10.0, 60.0),
    )

    assert played.busy_share("shop/a", 10.0) == pytest.approx(0.5, rel=0.1)
    assert len(played.busy["shop/a"]) == 60


def test_whoever_watches_is_told_how_far_it_is() -> None:
    told: list[float] = []
    play(a_plan(a_route(to=endpoints_of({"a": 1}))), a_scenario({"a": a_server()}, 1.0, 6.0), told.append)

    assert told == pytest.approx([at / 60 for at in range(1, 61)])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"servers": {}}, "servers must be at least one"),
        ({"rate": 0.0}, "rate must be above 0, got 0.0"),
        ({"sidecars": 0}, "sidecars must be at least 1, got 0"),
        ({"changes": (Change(1.0, "shop/b"),)}, "changes names shop/b, which is no server"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Scenario(**{"servers": {"shop/a": a_server()}, "rate": 1.0, "duration_s": 1.0, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Service(0.0), "mean_s must be above 0, got 0.0"),
        (lambda: Service(1.0, "normal"), "spread must be constant, exponential or lognormal, got normal"),
        (lambda: Server(Service(1.0), 0), "capacity must be at least 1, got 0"),
        (lambda: Cache("x-key", 0), "keys must be at least 1, got 0"),
        (lambda: Cache("x-key", 1, hit_takes=2.0), "hit_takes must be 0 to 1, got 2.0"),
        (lambda: simulate(a_plan(), a_scenario({"b": a_server()})), "servers has none for shop/a"),
    ],
)
def test_a_part_that_makes_no_sense_is_refused(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=said):
        make()


def test_a_plain_request_is_asked_for_where_none_is_described() -> None:
    request = a_scenario({"a": a_server()}).request(Random(1))

    assert (request.method, request.target) == ("GET", "/")
    assert request.headers.values("cookie") == headers_of([]).values("cookie")
