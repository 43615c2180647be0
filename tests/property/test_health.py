"""Whatever happens to endpoints, in whatever order: bounds of scores, of ejections and of who stands by."""

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Failure, Outcome
from sidecar.core.state.standing import NEVER, OUT, RESTING, STANDBY, Mark
from sidecar.core.watch import OutlierRule, RegionRule, ScoreRule, Watch
from tests.builders import a_request
from tests.core.judging import a_judged_engine, a_judged_plan, watched

WATCH = Watch(ScoreRule(least=0.7, window_s=5.0), OutlierRule(requests=3, base_s=2.0, most_s=10.0))
RULE = RegionRule(("us", "eu"), return_after_s=3.0, window_s=2.0, requests=3)
OUTCOMES = (
    Outcome(200, 0.01),
    Outcome(200, 3.0),
    Outcome(500, 0.01),
    Outcome(0, 1.0, Failure.TIMEOUT),
    Outcome(0, 0.1, Failure.CANCELLED),
)
ENDPOINTS = [
    *watched("u1 u2 u3", WATCH, region="us"),
    *watched("e1 e2", WATCH, cluster="cart", region="eu"),
    *watched("m1", WATCH, region="mars"),
    *watched("n1 n2", WATCH),
]
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, len(OUTCOMES) - 1)),
    st.tuples(st.just("down"), st.integers(0, len(ENDPOINTS) - 1)),
    st.tuples(st.just("up"), st.integers(0, len(ENDPOINTS) - 1)),
    st.tuples(st.just("wait"), st.integers(1, 40)),
    st.tuples(st.just("reload"), st.integers(2, len(ENDPOINTS))),
)


@given(st.lists(STEPS, max_size=120))
def test_scores_ejections_and_regions_stay_within_their_bounds(steps: list[tuple[str, int]]) -> None:
    """H2 H3 F5"""
    engine = a_judged_engine(ENDPOINTS, regions=RULE)
    state = engine.state
    endpoints = ENDPOINTS
    now = 0.0
    for step, number in steps:
        now += 0.05
        if step == "ask":
            answer = engine.decide(a_request(), now)
            ticket = getattr(answer, "ticket", None)
            if ticket is not None:
                engine.settle(ticket.id, OUTCOMES[number], now)
        elif step == "wait":
            now += number / 4
            engine.expire(now)
        elif step == "reload":
            endpoints = ENDPOINTS[:number]
            engine.swap(a_judged_plan(endpoints, regions=RULE), now)
        elif ENDPOINTS[number] in endpoints:
            key = ENDPOINTS[number].key
            if step == "down":
                state.standing.mark(key, "test", Mark(OUT, "down"), now)
            else:
                state.standing.clear(key, "test", now)
        engine.expire(now)

        assert state.standing.due > now
        active = state.region_failover.active
        for endpoint in endpoints:
            marks = state.standing.marks(endpoint.key)
            assert 0.0 <= state.scores.of(endpoint.key, now) <= 1.0
            stands_by = bool(active) and endpoint.region not in {"", active}
            assert ("region" in marks) == stands_by
            if "region" in marks:
                assert (marks["region"].level, marks["region"].until) == (STANDBY, NEVER)
            for mark in marks.values():
                assert mark.until > now
        for cluster in ("shop", "cart"):
            own = [endpoint for endpoint in endpoints if endpoint.cluster == cluster]
            ejected = [each for each in own if "outlier" in state.standing.marks(each.key)]
            assert len(own) > 1 or not ejected
        if active:
            levels = [state.standing.level(each.key) for each in endpoints if each.region == active]
            assert levels
            assert all(level < RESTING for level in levels), "of so few all have to be good"
