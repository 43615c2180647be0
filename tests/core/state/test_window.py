"""Counts of what was lately."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.state.window import Window


def counts(window: Window) -> tuple[int, int, int]:
    return (window.served, window.failed, window.slow)


def test_what_is_older_than_the_window_falls_out_a_tenth_at_a_time() -> None:
    """H3 H5"""
    window = Window(10.0)
    window.add(0.5, failed=True, slow=True)
    window.add(1.5, failed=False)
    window.add(9.9, failed=False)
    assert counts(window) == (2, 1, 1)
    assert window.total == 3

    window.pass_time(10.0)
    assert counts(window) == (2, 0, 0)
    window.pass_time(11.0)
    assert counts(window) == (1, 0, 0)
    window.pass_time(19.0)
    assert counts(window) == (0, 0, 0)


def test_after_a_long_time_nothing_is_left_at_once() -> None:
    """H5"""
    window = Window(10.0)
    window.add(3.0, failed=True, slow=True)

    window.add(1e9, failed=False)

    assert counts(window) == (1, 0, 0)


def test_a_clock_that_runs_backwards_stands_still() -> None:
    """H5"""
    window = Window(10.0)
    window.add(100.0, failed=True)
    window.add(50.0, failed=True)
    window.add(-50.0, failed=False)
    assert counts(window) == (1, 2, 0)

    window.pass_time(110.0)
    assert window.total == 0


def test_what_is_forgotten_does_not_fall_out_later() -> None:
    """H5"""
    window = Window(10.0)
    window.add(0.0, failed=True)
    window.forget()
    window.add(5.0, failed=False)

    window.pass_time(12.0)

    assert counts(window) == (1, 0, 0)


def test_a_window_has_a_length() -> None:
    with pytest.raises(ValueError, match="span_s must be above 0, got 0"):
        Window(0.0)


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.booleans()), max_size=60))
def test_it_counts_what_was_in_the_last_ten_slots(events: list[tuple[int, bool, bool]]) -> None:
    """H5: times in sixteenths of a second, a window of 8 s: the slots lie at whole multiples of 0.8 s."""
    window = Window(8.0)
    events.sort()
    kept: list[tuple[int, bool, bool]] = []
    for at, failed, slow in events:
        window.add(at / 16, failed=failed, slow=slow)
        kept.append((at, failed, slow))
        since = int(at / 16 / 0.8) - 10
        kept = [each for each in kept if int(each[0] / 16 / 0.8) > since]
        assert counts(window) == (
            sum(not each[1] for each in kept),
            sum(each[1] for each in kept),
            sum(each[2] for each in kept),
        )


def test_what_was_a_part_is_taken_away_slot_by_slot() -> None:
    """H3: what stays falls out when it would have."""
    whole, part = Window(10.0), Window(10.0)
    for at, failed in ((0.5, True), (3.5, False), (9.5, True)):
        part.add(at, failed=failed, slow=failed)
        whole.add(at, failed=failed, slow=failed)
        whole.add(at, failed=False)

    whole.take_away(part)

    assert counts(whole) == (3, 0, 0)
    whole.pass_time(10.0)
    assert counts(whole) == (2, 0, 0)
    whole.pass_time(18.0)
    assert counts(whole) == (1, 0, 0)
