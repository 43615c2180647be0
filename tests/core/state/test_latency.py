"""What is learnt of each endpoint's answers."""

from random import Random

import pytest

from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.latency import Latency, Track
from sidecar.core.state.tickets import Ticket, Tickets
from tests.builders import a_plan, a_route, an_endpoint, an_engine, decided, endpoints_of, ticket_of


def learnt(*durations_s: float, failed: bool = False) -> Track:
    """All at once, so that nothing fades by time."""
    track = Track()
    for duration_s in durations_s:
        track.learn(duration_s, 0.0, failed=failed)
    return track


def a_ticket(id: str = "a") -> Ticket:
    return Tickets(0).open("route", "variant", "pool", an_endpoint(id), 1, 0.0, 10.0)


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_are_within_5_percent_of_those_of_all_samples_with_their_weights(seed: int) -> None:
    """S7: 3,000 lognormal durations at uneven times; each sample fades the earlier by 0.5 %, 30 s by half."""
    rng, track, now = Random(seed), Track(), 0.0
    samples: list[tuple[float, float]] = []
    for at in range(3000):
        passed_s = rng.expovariate(10.0)
        now += passed_s
        duration_s = rng.lognormvariate(-3.0, 1.5 if at < 2000 else 0.3)
        track.learn(duration_s, now, failed=False)
        kept = 0.5 ** (passed_s / 30.0) / 1.005
        samples = [(known_s, weight * kept) for known_s, weight in samples if weight > 1e-9]
        samples.append((duration_s, 1.0))
        if at % 100 == 99:
            for share, estimate_s in ((0.5, track.p50_s()), (0.95, track.p95_s())):
                exact_s = quantile(samples, share)
                assert 0.9499 * exact_s <= estimate_s <= 1.0501 * exact_s
    mean_s = sum(known_s * weight for known_s, weight in samples) / sum(weight for _, weight in samples)
    assert track.mean_s() == pytest.approx(mean_s)


def quantile(samples: list[tuple[float, float]], share: float) -> float:
    wanted = share * sum(weight for _, weight in samples)
    below = 0.0
    for known_s, weight in sorted(samples):
        below += weight
        if below >= wanted:
            return known_s
    raise AssertionError


def test_what_was_slow_before_the_last_few_hundred_requests_is_forgotten() -> None:
    track = learnt(*[1.0] * 5000, *[0.1] * 800)

    assert track.p95_s() == pytest.approx(0.1, rel=0.05)
    assert track.mean_s() < 0.12


def test_what_was_an_hour_ago_does_not_count_against_a_few_new_answers() -> None:
    track = learnt(*[0.1] * 500)

    for at in range(3):
        track.learn(1.0, 3600.0 + at, failed=False)

    assert track.p50_s() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(("duration_s", "counts_as_s"), [(0.0, 0.0001), (1e-9, 0.0001), (5000.0, 1000.0)])
def test_durations_beyond_the_scale_count_as_its_ends(duration_s: float, counts_as_s: float) -> None:
    track = learnt(duration_s)

    assert track.p50_s() == pytest.approx(counts_as_s, rel=0.06)
    assert track.mean_s() == pytest.approx(counts_as_s)


def test_nothing_is_known_before_the_first_answer() -> None:
    track = Track()

    assert (track.p50_s(), track.p95_s(), track.mean_s()) == (-1.0, -1.0, -1.0)
    assert track.success_share() == 1.0
    assert not track.known(1)
    assert not track.failing()
    assert not track.due(1e9)


def test_it_is_known_after_as_many_outcomes_as_are_asked_for() -> None:
    assert not learnt(*[0.1] * 9).known(10)
    assert learnt(*[0.1] * 10).known(10)


def test_failures_count_but_take_no_time() -> None:
    track = learnt(0.2)
    for _ in range(3):
        track.learn(-1.0, 0.0, failed=True)

    assert track.success_share() == pytest.approx(0.25, abs=0.01)
    assert track.mean_s() == pytest.approx(0.2)
    assert not track.failing()
    assert learnt(-1.0, failed=True).failing()


def test_after_30_s_of_silence_a_much_better_answer_makes_it_new() -> None:
    """S7: else an endpoint that recovered would not get enough requests to show it."""
    track = learnt(*[1.0] * 50)
    assert not track.due(29.0)
    assert track.due(30.0)

    track.learn(0.1, 30.0, failed=False)

    assert track.p95_s() == pytest.approx(0.1, rel=0.05)
    assert not track.known(2)
    assert not track.due(31.0)


def test_after_a_silence_an_answer_like_those_before_makes_nothing_new_but_counts_more() -> None:
    """As one against ten: after a handful, one each 30 s, what was before is outweighed."""
    track = learnt(*[1.0] * 500)

    track.learn(0.6, 30.0, failed=False)
    assert track.known(501)
    assert track.p50_s() == pytest.approx(1.0, rel=0.05)
    assert track.mean_s() == pytest.approx(10.6 / 11, abs=0.01)

    for at in range(2, 6):
        track.learn(0.6, at * 30.0, failed=False)
    assert track.p50_s() == pytest.approx(0.6, rel=0.05)


def test_after_a_silence_one_success_makes_an_endpoint_new_that_mostly_failed() -> None:
    track = learnt(*[-1.0] * 50, failed=True)

    track.learn(0.1, 40.0, failed=False)

    assert track.success_share() == 1.0


def test_numbers_stay_finite_over_many_samples_and_years() -> None:
    track = Track()
    for at in range(20_000):
        track.learn(0.1, at * 1e4, failed=False)

    assert track.p50_s() == pytest.approx(0.1, rel=0.05)
    assert track.mean_s() == pytest.approx(0.1)

    for _ in range(20_000):
        track.learn(0.2, 3e8, failed=False)
    assert track.p95_s() == pytest.approx(0.2, rel=0.05)
    assert track.success_share() == pytest.approx(1.0)


def test_learns_from_what_the_endpoint_did_and_from_nothing_else() -> None:
    latency = Latency()
    latency.keep_endpoints({"shop/a"})
    for outcome in (
        Outcome(200, 0.1),
        Outcome(500, 0.001),
        Outcome(0, 3.0, Failure.TIMEOUT),
        Outcome(0, 0.5, Failure.CANCELLED),
        Outcome(0, failure=Failure.LOST),
    ):
        latency.settled(a_ticket(), outcome, 0.0)

    track = latency.of("shop/a")
    assert track is not None
    assert track.known(3)
    assert not track.known(4)
    assert track.success_share() == pytest.approx(1 / 3, abs=0.01)
    assert track.mean_s() == pytest.approx(1.55, abs=0.03)  # of 0.1 s and the timeout


def test_an_endpoint_that_no_plan_names_is_forgotten_and_stays_so() -> None:
    """Also when the outcome of its last request comes late; what is known of the others survives."""
    engine = an_engine(a_route(to=endpoints_of({"a": 1, "b": 1})))
    late, kept = decided(engine), decided(engine)
    engine.settle(ticket_of(kept), Outcome(200, 0.1), 1.0)

    engine.swap(a_plan(a_route(to=endpoints_of({"b": 1, "c": 1}))))
    engine.settle(ticket_of(late), Outcome(200, 0.1), 1.0)

    latency = engine.state.latency
    assert latency.of("shop/a") is None
    b, c = latency.of("shop/b"), latency.of("shop/c")
    assert b is not None
    assert c is not None
    assert (b.known(1), c.known(1)) == (True, False)


@pytest.mark.parametrize("took_s", [1e-9, 1.0, 1e9])
def test_its_own_rows_are_taken_whatever_the_durations_are(took_s: float) -> None:
    """H1: also where all are as long as any can be, and sums are rounded."""
    track = Track()
    for at in range(100):
        track.learn(took_s, 0.7 * at, failed=at % 3 == 0)
        Track().restore(track.row(80.0), 0.0, 5.0)
