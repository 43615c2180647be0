"""The health score: its formula, how it fades, and who is passed over by it."""

import pytest

from sidecar.core.endpoint import Endpoint
from sidecar.core.state.scores import Scores
from sidecar.core.state.standing import DEGRADED, HEALTHY, OUT, SPENT, Mark, Standing
from sidecar.core.state.verdict import Verdict
from sidecar.core.watch import ScoreRule, Watch
from tests.builders import lines_run
from tests.core.judging import a_ticket, adopt, standing_of, watched

SERVED, FAILED, SILENT = Verdict.SERVED, Verdict.FAILED, Verdict.SILENT


class Scene:
    """One endpoint, and a score by this rule."""

    def __init__(self, rule: ScoreRule | None = None) -> None:
        (self.endpoint,) = watched("a", Watch(ScoreRule() if rule is None else rule))
        self.key = self.endpoint.key
        self.standing: Standing = standing_of([self.endpoint])
        self.scores = Scores(self.standing)

    def ended(
        self, *verdicts: Verdict, latency_s: float = 0.0, now: float = 0.0, asked_at: float | None = None
    ) -> None:
        for judged in verdicts:
            ticket = a_ticket(self.endpoint, now if asked_at is None else asked_at)
            self.scores.ended(self.endpoint, judged, latency_s, ticket, now)

    def score(self, now: float = 0.0) -> float:
        return self.scores.of(self.key, now)

    def level(self, now: float) -> int:
        if now >= self.standing.due:
            self.standing.pass_time(now)
        return self.standing.level(self.key)


def test_who_is_new_has_1() -> None:
    """H2"""
    scene = Scene()
    assert scene.score() == 1.0
    assert scene.scores.of("nobody/knows", 0.0) == 1.0

    scene.ended(SILENT)

    assert scene.scores.row(scene.key, 0.0) is None


@pytest.mark.parametrize(
    ("latency_s", "expected"), [(0.0, 1.0), (0.1, 0.94), (0.25, 0.85), (0.5, 0.7), (5.0, 0.7)]
)
def test_latency_counts_three_tenths_of_it_down_to_0_at_500_ms(latency_s: float, expected: float) -> None:
    """H2: an endpoint that is slow and never fails has 0.7, which is enough."""
    scene = Scene()

    scene.ended(*[SERVED] * 20, latency_s=latency_s)

    assert scene.score() == pytest.approx(expected)


def test_latency_is_the_median_of_the_last_15_answers() -> None:
    """H2: seven slow ones of fifteen are not the median, and the eighth is."""
    scene = Scene()
    scene.ended(*[SERVED] * 30, latency_s=0.0)
    scene.ended(*[SERVED] * 7, latency_s=5.0)
    assert scene.score() == pytest.approx(1.0)

    scene.ended(SERVED, latency_s=5.0)
    assert scene.score() == pytest.approx(0.7)

    scene.ended(*[SERVED] * 8, latency_s=0.25)
    assert scene.score() == pytest.approx(0.85)


def test_an_answer_whose_latency_nobody_knows_says_nothing_of_it() -> None:
    """H2"""
    scene = Scene()
    scene.ended(SERVED, latency_s=0.25)

    scene.ended(*[SERVED] * 20, latency_s=-1.0)

    assert scene.score() == pytest.approx(0.85)


def test_both_rates_are_moving_averages_by_alpha() -> None:
    """H2: one outcome each second, so both see the same: 1 and 0, then 0.7 and 0.3, 0.49 and 0.51, and
    after a success 0.643 and 0.357."""
    scene = Scene()
    found = []
    for now, judged in ((0.0, SERVED), (1.0, FAILED), (2.0, FAILED), (3.0, SERVED)):
        scene.ended(judged, now=now)
        found.append(scene.score(now))

    assert found == pytest.approx(
        [1.0, 0.5 * 0.7 + 0.2 * 0.7 + 0.3, 0.5 * 0.49 + 0.2 * 0.49 + 0.3, 0.7 * 0.643 + 0.3]
    )


def test_the_success_rate_is_over_attempts_and_the_error_rate_over_seconds() -> None:
    """H2: four failures at once are four attempts and one bad second; one of four at once is a quarter."""
    burst, mixed = Scene(), Scene()

    burst.ended(*[FAILED] * 4)
    mixed.ended(SERVED, SERVED, SERVED, FAILED)

    assert burst.score() == pytest.approx(0.5 * 0.7**4 + 0.2 * (1 - 0.3) + 0.3)
    assert mixed.score() == pytest.approx(0.5 * 0.7 + 0.2 * (1 - 0.3 / 4) + 0.3)


def test_it_is_halved_after_5_failures_in_a_row_until_one_is_served() -> None:
    """H2"""
    scene = Scene()
    scene.ended(*[FAILED] * 4)
    whole = scene.score()
    assert whole > 0.5

    scene.ended(FAILED)
    halved = scene.score()
    scene.ended(SERVED)

    assert halved == pytest.approx((0.5 * 0.7**5 + 0.2 * 0.7 + 0.3) / 2)
    assert scene.score() > 2 * halved


def test_a_score_that_nobody_confirms_fades_towards_1_by_5_percent_each_window() -> None:
    """H2: what it lacks shrinks; nothing does for the first 60 s."""
    scene = Scene()
    scene.ended(*[FAILED] * 5)
    lacks = 1.0 - scene.score()

    for now, left in ((60.0, 1.0), (120.0, 0.95), (150.0, 0.95**1.5), (660.0, 0.95**10), (1e9, 0.0)):
        assert 1.0 - scene.score(now) == pytest.approx(lacks * left), now


def test_what_faded_stays_so_when_the_next_outcome_comes() -> None:
    """H2: three failures and 20 windows of silence leave 0.95^20 of what was lacking, and no latency."""
    scene = Scene()
    scene.ended(*[SERVED] * 15, latency_s=5.0)
    scene.ended(*[FAILED] * 3)
    faded = 0.95**20

    scene.ended(SERVED, latency_s=0.1, now=21 * 60.0)

    success = 1.0 - (1.0 - 0.7**3) * faded
    errors = 0.3 * (3 / 18) * faded
    expected = 0.5 * (success + 0.3 * (1.0 - success)) + 0.2 * (1.0 - errors * 0.7) + 0.3 * 0.8
    assert scene.score(21 * 60.0) == pytest.approx(expected)


def test_who_is_under_the_least_score_is_degraded_until_it_has_faded_to_more() -> None:
    """H2 C4: two failures in a row leave 0.643; 0.75 less the half of a hundredth is reached when 0.357 has
    shrunk to 0.255, after 6.56 windows."""
    scene = Scene(ScoreRule(least=0.7))
    scene.ended(FAILED, now=0.0)
    assert scene.level(0.0) == HEALTHY

    scene.ended(FAILED, now=1.0)

    assert scene.level(1.0) == DEGRADED
    why = scene.standing.why(scene.key)
    assert why == "health score 0.64 is below 0.7: success 49%, errors 51%, latency 1.00"
    back_at = 1.0 + (1.0 + 6.56) * 60.0
    assert scene.standing.until(scene.key) == pytest.approx(back_at, abs=1.0)
    assert scene.level(back_at - 5.0) == DEGRADED
    assert scene.level(back_at + 5.0) == HEALTHY
    assert scene.score(back_at) == pytest.approx(0.745, abs=0.001)


def test_at_the_border_it_does_not_change_with_each_outcome() -> None:
    """H2: under 0.7 once, it takes 0.75."""
    scene = Scene(ScoreRule(least=0.7))
    scene.ended(*[SERVED] * 15, latency_s=0.2)
    scene.ended(FAILED, FAILED, now=1.0)
    assert scene.score(1.0) < 0.7
    assert scene.level(1.0) == DEGRADED

    scene.ended(SERVED, SERVED, latency_s=0.2, now=1.0)
    assert 0.7 < scene.score(1.0) < 0.75
    assert scene.level(1.0) == DEGRADED

    scene.ended(*[SERVED] * 15, latency_s=0.1, now=1.0)
    assert scene.level(1.0) == HEALTHY


def test_one_that_is_slow_and_sound_is_never_under_the_usual_least() -> None:
    """H2: a moving average that once was less than 1 never is again; scores count to the hundredth."""
    scene = Scene(ScoreRule(least=0.7))
    scene.ended(FAILED, now=0.0)
    for second in range(1, 12):
        scene.ended(SERVED, latency_s=0.01, now=float(second))

    for second in range(12, 40):
        scene.ended(SERVED, latency_s=2.0, now=float(second))
        assert scene.level(float(second)) == HEALTHY

    assert scene.score(40.0) < 0.7


def test_the_mark_moves_on_while_outcomes_come() -> None:
    """H2: one that is asked for want of others stays degraded for as long as it is bad."""
    scene = Scene(ScoreRule(least=0.7))

    for second in range(2000):
        scene.ended(FAILED, SERVED, FAILED, now=float(second))
        assert second < 1 or scene.level(float(second)) == DEGRADED, second


def test_where_no_least_is_given_nobody_is_passed_over() -> None:
    """H2"""
    scene = Scene()

    scene.ended(*[FAILED] * 50)

    assert scene.score() < 0.25
    assert scene.level(0.0) == HEALTHY


def test_who_comes_back_after_it_was_out_begins_with_1() -> None:
    """H2: and what was asked before that says nothing; a quota is not health."""
    scene = Scene(ScoreRule(least=0.7))
    scene.ended(*[FAILED] * 10)
    scene.standing.mark(scene.key, "quota", Mark(SPENT, "had all", 2.0), 0.0)
    assert scene.level(3.0) == DEGRADED
    scene.standing.mark(scene.key, "outlier", Mark(OUT, "ejected", 30.0), 3.0)

    assert scene.level(31.0) == HEALTHY
    assert scene.score(31.0) == 1.0
    scene.ended(*[FAILED] * 5, now=32.0, asked_at=29.0)
    assert scene.score(32.0) == 1.0


def test_a_score_goes_with_its_endpoint() -> None:
    """H2"""
    scene = Scene()
    scene.ended(FAILED)
    scene.scores.changed()

    scene.scores.keep_endpoints(set())

    assert scene.score() == 1.0
    assert scene.scores.changed() == {scene.key}
    assert scene.scores.row(scene.key, 0.0) is None


def test_it_is_the_same_after_a_restart_a_minute_later() -> None:
    """H2: a mark may be half a window older than what is known."""
    before, after = Scene(ScoreRule(least=0.7)), Scene(ScoreRule(least=0.7))
    before.ended(SERVED, latency_s=0.1, now=1000.0)
    before.ended(*[FAILED] * 6, now=1000.0)
    assert before.scores.changed() == {before.key}
    assert before.scores.changed() == set()
    row = before.scores.row(before.key, 1090.0)
    assert row is not None

    after.scores.restore(after.key, row, 60.0, now=5.0)

    assert after.score(5.0) == pytest.approx(before.score(1150.0))
    assert after.level(5.0) == DEGRADED
    left_s = before.standing.until(before.key) - 1150.0
    assert after.standing.until(after.key) - 5.0 == pytest.approx(left_s, abs=30.0)


@pytest.mark.parametrize(
    "row",
    [
        [],
        [1.0] * 4,
        [1.0] * 6,
        [2.0, 0.0, 1.0, 0.0, 0.0],
        [float("nan"), 0.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 1.0, -1.0, 0.0],
        [1.0, 0.0, 1.0, 0.0, float("inf")],
    ],
)
def test_a_row_that_is_no_score_is_refused(row: list[float]) -> None:
    """H2"""
    with pytest.raises(ValueError, match="not a score"):
        Scene().scores.restore("shop/a", row, 0.0, 0.0)


def test_a_clock_that_runs_backwards_does_no_harm() -> None:
    """H2"""
    scene = Scene(ScoreRule(least=0.7))
    scene.ended(FAILED, now=100.0)
    scene.ended(FAILED, now=50.0)

    assert 0.0 <= scene.score(50.0) <= 1.0
    assert scene.score(60.0) == scene.score(100.0)


def test_an_outcome_costs_the_same_whatever_came_before_it() -> None:
    """H2: nothing is looked through."""
    few, many = Scene(), Scene()
    few.ended(*[SERVED] * 16, latency_s=0.1)
    for at in range(5000):
        many.ended(SERVED if at % 7 else FAILED, latency_s=at % 13 / 100, now=at / 10)
        many.ended(SERVED, latency_s=0.1, now=at / 10)

    def cost(scene: Scene, now: float) -> int:
        ticket = a_ticket(scene.endpoint, now)
        return lines_run(lambda: scene.scores.ended(scene.endpoint, SERVED, 0.1, ticket, now))

    assert cost(many, 499.9) <= cost(few, 0.0) + 3


def test_a_least_score_that_nobody_can_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="least must be 0 to less than 1, got 1"):
        ScoreRule(least=1.0)


def test_endpoints_are_told_apart() -> None:
    """H2"""
    endpoints: list[Endpoint] = watched("a b", Watch())
    scores = Scores(standing_of(endpoints))
    scores.ended(endpoints[0], FAILED, -1.0, a_ticket(endpoints[0], 0.0), 0.0)

    assert scores.of("shop/a", 0.0) < scores.of("shop/b", 0.0) == 1.0


def test_an_endpoint_that_went_has_no_score_by_what_was_under_way() -> None:
    """H2"""
    (endpoint,) = watched("a", Watch())
    standing = standing_of([endpoint])
    scores = Scores(standing)
    adopt(standing, [], 1.0)
    scores.keep_endpoints(set())

    scores.ended(endpoint, FAILED, 0.1, a_ticket(endpoint, 0.0), 2.0)

    assert scores.row(endpoint.key, 2.0) is None
    assert scores.changed() == set()
