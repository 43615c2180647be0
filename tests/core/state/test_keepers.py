"""What is kept over a restart: rows of numbers, which give the next process what this one knew."""

from collections.abc import Iterable
from math import inf, isfinite, nan
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.config.load import loads
from sidecar.core.decision import Decision
from sidecar.core.engine import Engine
from sidecar.core.outcome import Outcome
from sidecar.core.state.memory import State
from sidecar.core.state.spend import month_of
from tests.builders import a_request

FILE: Final = """
context: {tenant: [{header: x-tenant}]}
tenants: {acme: {budget: {per_month: 500}}}
clusters:
  shop:
    endpoints:
      - {address: '10.0.0.1:80', id: a, region: east}
      - {address: '10.0.0.2:80', id: b, region: east}
      - {address: '10.0.0.3:80', id: c, region: west}
      - {address: '10.0.0.4:80', id: d, region: west}
    price: {input_per_1k: 0.03, output_per_1k: 0.06}
    health:
      probe: {http: /health}
      outliers: {requests: 5, p99: 0s}
      score: {min: 0%}
    breaker: {failures: 5, max_open: 5m, open: 90s}
routes:
  - {name: rewarding, match: {path: /rewarding}, to: shop, strategy: adaptive}
  - {name: likely, match: {path: /likely}, to: shop, strategy: learned}
  - {name: rest, to: shop}
"""
RESTART_AT: Final = 1200.0
RECEIVED_AT: Final = 1_795_000_000.0


def an_engine(text: str = FILE) -> Engine:
    return Engine(loads(text, "gateway.yaml", 1).plan, State(), Random(1))


def live(engine: Engine, until: float, requests: int = 400) -> None:
    """Requests to all of it, up to then: `d` fails, the others take as long as they are far from `a`."""
    for at in range(requests):
        now = until - 0.01 * (requests - at)
        path = ("/rewarding", "/likely", "/")[at % 3]
        request = a_request(path, ("x-tenant", "acme"))
        request.received_at = RECEIVED_AT + now
        decision = engine.decide(request, now)
        if isinstance(decision, Decision):
            took_s = {"a": 0.01, "b": 0.02, "c": 0.4}.get(decision.endpoint.id, 0.001)
            status = 503 if decision.endpoint.id == "d" else 200
            assert decision.ticket is not None
            engine.settle(decision.ticket.id, Outcome(status, took_s, tokens=100), now)


def lived() -> Engine:
    engine = an_engine()
    for _ in range(3):
        engine.state.probes.checked("shop/c", False, "it was refused", RESTART_AT - 5.0)
    live(engine, RESTART_AT)
    return engine


Rows = dict[str, dict[str, list[float]]]


def rows_of(state: State, keys: dict[str, set[str]], now: float) -> Rows:
    """Those that are there."""
    found: Rows = {}
    for kind, keeper in state.keepers.items():
        rows = {key: keeper.row(key, now) for key in sorted(keys[kind])}
        found[kind] = {key: row for key, row in rows.items() if row is not None}
    return found


def keys_of(state: State) -> dict[str, set[str]]:
    return {kind: keeper.changed() for kind, keeper in state.keepers.items()}


def restored(rows: Rows, away_s: float, now: float, text: str = FILE) -> Engine:
    engine = an_engine(text)
    for kind, by_key in rows.items():
        for key, row in by_key.items():
            engine.state.keepers[kind].restore(key, row, away_s, now)
    return engine


def alike(rows: Rows) -> dict[str, dict[str, object]]:
    return {
        kind: {key: pytest.approx(row, rel=1e-6, abs=1e-6) for key, row in by_key.items()}
        for kind, by_key in rows.items()
    }


KINDS: Final = sorted(State().keepers)


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Of all kinds, at RESTART_AT."""
    state = lived().state
    return rows_of(state, keys_of(state), RESTART_AT)


@pytest.mark.parametrize("kind", KINDS)
def test_something_is_kept_of_each_kind(kind: str, rows: Rows) -> None:
    """Else what follows would prove nothing of it."""
    assert rows[kind]
    assert all(isfinite(number) for row in rows[kind].values() for number in row)


def test_what_is_restored_is_kept_as_the_same_rows(rows: Rows) -> None:
    engine = restored(rows, 0.0, now=3.0)

    keys = {kind: set(by_key) for kind, by_key in rows.items()}
    assert rows_of(engine.state, keys, 3.0) == alike(rows)


def test_time_in_between_counts_as_if_the_process_had_lived_on(rows: Rows) -> None:
    engine = lived()
    keys = keys_of(engine.state)
    later = rows_of(engine.state, keys, RESTART_AT + 7.0)

    again = restored(rows, 7.0, now=3.0)

    assert rows_of(again.state, keys, 3.0) == alike(later)


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_is_told_once(kind: str) -> None:
    engine = lived()
    keeper = engine.state.keepers[kind]
    assert keeper.changed()

    assert keeper.changed() == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_nobody_knows_does_no_harm(kind: str, rows: Rows) -> None:
    """An endpoint that the plan does not name any more."""
    engine = an_engine()
    keeper = engine.state.keepers[kind]
    (row, *_) = rows[kind].values()
    unknown = ["", " ", "gone/x", "gone gone/x", "rewarding/shop gone/x"]

    assert [keeper.row(key, 3.0) for key in unknown] == [None] * len(unknown)
    for key in unknown:
        keeper.restore(key, row, 0.0, 3.0)

    if kind not in {"spend", "region"}:  # which are not of endpoints
        assert [keeper.row(key, 3.0) for key in unknown] == [None] * len(unknown)
    live(engine, 10.0)
    engine.swap(loads(FILE, "gateway.yaml", 2).plan, 11.0)


def broken(row: list[float]) -> Iterable[list[float]]:
    yield []
    yield row[:-1]
    yield [*row, 1.0]
    for at in range(min(len(row), 12)):
        for wrong in (nan, inf, -inf):
            yield [*row[:at], wrong, *row[at + 1 :]]


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_is_refused_and_changes_nothing(kind: str, rows: Rows) -> None:
    for key, row in rows[kind].items():
        engine = an_engine()
        keeper = engine.state.keepers[kind]
        keeper.restore(key, row, 0.0, 3.0)
        before = keeper.row(key, 3.0)
        for wrong in broken(row):
            with pytest.raises(ValueError, match=r"\w"):
                keeper.restore(key, wrong, 0.0, 3.0)
        assert keeper.row(key, 3.0) == before


@given(
    kind=st.sampled_from(KINDS),
    row=st.lists(st.floats() | st.integers(0, 40).map(float), max_size=14),
    away_s=st.floats(0.0, 1e9),
)
def test_any_numbers_are_refused_or_leave_a_state_that_works(
    kind: str, row: list[float], away_s: float
) -> None:
    engine = an_engine()
    keeper = engine.state.keepers[kind]
    for key in ("shop/a", "rewarding/shop shop/a", "likely/shop shop/a", "acme", "east"):
        try:
            keeper.restore(key, row, away_s, 3.0)
        except ValueError:
            continue
        again = keeper.row(key, 3.0)
        assert again is None or all(isfinite(number) for number in again)

    live(engine, 20.0, requests=30)


def test_a_reload_keeps_all_of_it(rows: Rows) -> None:
    """What is remembered stays, by name."""
    engine = lived()
    keys = keys_of(engine.state)

    engine.swap(loads(FILE.replace("id: b,", "id: b, weight: 5,"), "gateway.yaml", 2).plan, RESTART_AT)

    assert rows_of(engine.state, keys, RESTART_AT) == alike(rows)


def test_who_was_out_is_out_for_the_rest_of_its_time(rows: Rows) -> None:
    """H5"""
    engine = lived()
    standing = engine.state.standing
    assert standing.until("shop/d") > RESTART_AT

    again = restored(rows, 5.0, now=2.0)

    left_s = standing.until("shop/d") - RESTART_AT
    assert again.state.standing.until("shop/d") == pytest.approx(2.0 + left_s - 5.0)
    assert again.state.standing.level("shop/d") == standing.level("shop/d")
    roster = again.state.pools.of("rest/shop").roster
    assert roster is not None
    assert "shop/d" not in roster.candidates.by_key


def test_quantiles_and_shares_are_what_they_were(rows: Rows) -> None:
    for key in ("shop/a", "shop/b", "shop/d"):
        before = lived().state.latency.of(key)
        after = restored(rows, 0.0, now=3.0).state.latency.of(key)
        assert before is not None
        assert after is not None
        assert (after.p50_s(), after.p95_s()) == (before.p50_s(), before.p95_s())
        assert after.success_share() == pytest.approx(before.success_share())
        assert after.mean_s() == pytest.approx(before.mean_s())
        assert after.known(5) == before.known(5)


def test_what_is_learnt_goes_on_from_there(rows: Rows) -> None:
    """The same outcomes after the restart lead to the same rows."""
    engine = lived()
    keys = keys_of(engine.state)
    again = restored(rows, 0.0, now=3.0)
    for key in ("shop/a", "shop/b"):
        for one, offset in ((engine, RESTART_AT), (again, 3.0)):
            track = one.state.latency.of(key)
            assert track is not None
            for at in range(40):
                track.learn(0.05, offset + at, failed=at % 7 == 0)

    same = {"latency": keys["latency"] - {"shop/c", "shop/d"}}
    rows_before = {key: engine.state.latency.row(key, RESTART_AT + 50.0) for key in same["latency"]}
    rows_after = {key: again.state.latency.row(key, 53.0) for key in same["latency"]}
    assert rows_after == {key: pytest.approx(row) for key, row in rows_before.items()}


def test_the_best_of_the_posteriors_leads_again(rows: Rows) -> None:
    """S11, S12"""
    before, after = lived().state.pools, restored(rows, 0.0, now=3.0).state.pools
    arms, model = before.of("rewarding/shop").arms, before.of("likely/shop").model
    arms_after, model_after = after.of("rewarding/shop").arms, after.of("likely/shop").model
    assert arms is not None
    assert arms_after is not None
    assert model is not None
    assert model_after is not None
    known = arms_after.of(arms_after.leader)
    assert known is not None
    best = max(arm.mean(3.0) for arm in map(arms_after.of, ("shop/a", "shop/b", "shop/d")) if arm is not None)
    assert known.mean(3.0) == best
    assert model_after.outcomes == model.outcomes
    assert model_after.knows_enough() == model.knows_enough()


def test_odds_for_another_target_are_left_alone(rows: Rows) -> None:
    """They would say something else."""
    text = FILE.replace("strategy: learned", "strategy: {learned: {target: 77ms}}")
    key, row = next(iter(rows["success"].items()))
    engine = an_engine(text)

    engine.state.keepers["success"].restore(key, row, 0.0, 3.0)

    assert engine.state.keepers["success"].row(key, 3.0) is None


def test_the_months_spend_is_what_it_was_and_is_forgotten_after_two_months(rows: Rows) -> None:
    """Q6: the month is that of the calendar, so that its end during a restart counts."""
    month = month_of(RECEIVED_AT)
    spent = lived().state.spend.of("acme", month)
    assert spent > 0

    assert restored(rows, 3600.0, now=3.0).state.spend.of("acme", month) == spent
    assert restored(rows, 3600.0, now=3.0).state.spend.of("acme", month + 1) == 0
    assert restored(rows, 70 * 86_400.0, now=3.0).state.spend.of("acme", month) == 0


def test_what_a_request_reserved_is_kept_as_spent(rows: Rows) -> None:
    """Q6: nobody tells the next process how it ended."""
    engine = an_engine()
    request = a_request("/", ("x-tenant", "acme"))
    request.received_at = RECEIVED_AT
    assert isinstance(engine.decide(request, 1.0), Decision)
    reserved = engine.state.spend.of("acme", month_of(RECEIVED_AT))
    assert reserved > 0

    row = engine.state.spend.row("acme", 1.0)

    assert row == [float(month_of(RECEIVED_AT)), float(reserved)]


def test_a_region_that_was_slow_is_due_and_counts_until_more_is_known(rows: Rows) -> None:
    regions = restored(rows, 1.0, now=3.0).state.regions

    assert regions.duration_s("east") == pytest.approx(lived().state.regions.duration_s("east"))
    assert regions.due("east", 3.0)


def test_parts_of_pools_that_requests_ask_for_are_not_kept() -> None:
    """There are as many as requests think of."""
    text = FILE + "tenants: {acme: {allow: [shop], prefer: [a]}}\n"
    engine = an_engine(text.replace("tenants: {acme: {budget: {per_month: 500}}}\n", ""))

    live(engine, 10.0)

    names = {key.rpartition(" ")[0] for key in engine.state.keepers["reward"].changed()}
    assert names <= {"rewarding/shop"}
