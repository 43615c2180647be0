"""The judgements of a fault run: each goal is missed when it should be."""

from tests.bench.failing import ERROR, HANG, USUAL
from tests.bench.outage_report import Phase, Played, Rules, faults, recoveries, rows, table
from tests.bench.steady import Got

RULES = Rules(open_s=2.0, half_open=3, per_try_s=0.5, slow_start_s=10.0)


def a_run(word: str, came: list[float], *, failed: int = 0, back_at: float = 13.0) -> Played:
    """Ten seconds of a fault, and ten after it, with 90 GETs a second; `b` serves again from `back_at` on."""
    phases = [Phase(word, USUAL, 0.0, 10.0), Phase(USUAL, word, 10.0, 20.0)]
    got = []
    for number in range(1800):
        due = number / 90
        endpoint = "abc"[number % 3] if due >= back_at else "ac"[number % 2]
        got.append(Got(due, 0.01, 504 if number < failed else 200, endpoint))
    return Played(phases, got, {"a": [], "b": [(at, word) for at in came], "c": []}, [], RULES)


def missed(played: Played) -> list[str]:
    return [one["name"] for one in rows(played) if one["ok"] is False]


def test_what_comes_at_first_is_ordinary_and_later_ones_are_trials() -> None:
    (fault,) = faults(a_run(ERROR, [0.01, 0.02, 0.03, 2.1, 2.1, 2.2, 6.2]))

    assert (fault.ordinary, fault.late, fault.trials) == (3, 0, [3, 1])
    assert missed(a_run(ERROR, [0.01, 0.02, 0.03, 2.1, 2.1, 2.2, 6.2])) == []


def test_the_eleventh_ordinary_request_is_late_and_so_is_one_after_a_second() -> None:
    assert missed(a_run(ERROR, [number / 100 for number in range(10)])) == []
    assert missed(a_run(ERROR, [number / 100 for number in range(11)])) == ["outage.error.ordinary_late"]
    slowly = [0.0, 0.5, 0.9, 1.3]
    assert missed(a_run(ERROR, slowly)) == ["outage.error.ordinary_for", "outage.error.ordinary_late"]


def test_where_it_hangs_a_failure_is_known_only_after_the_time_of_an_attempt() -> None:
    assert missed(a_run(HANG, [number / 100 for number in range(50)])) == []
    assert missed(a_run(HANG, [number / 100 for number in range(62)])) == ["outage.hang.ordinary_late"]


def test_more_trials_together_than_allowed_are_told() -> None:
    assert missed(a_run(ERROR, [0.0, 3.0, 3.0, 3.1, 3.2])) == ["outage.error.trials_together"]


def test_a_thousandth_of_the_requests_may_fail() -> None:
    assert missed(a_run(ERROR, [0.0])) == []
    assert missed(a_run(ERROR, [0.0], failed=1)) == ["outage.error.failed"]
    assert "| 2 with 504 |" in table(a_run(ERROR, [0.0], failed=2))


def test_it_is_back_once_it_has_its_share_in_two_seconds_in_a_row() -> None:
    (back,) = recoveries(a_run(ERROR, [0.0], back_at=13.0))
    (never,) = recoveries(a_run(ERROR, [0.0], back_at=19.0))

    assert back.back_s == 4.0
    assert never.back_s < 0
    assert missed(a_run(ERROR, [0.0], back_at=19.0)) == ["outage.after_error.back"]
