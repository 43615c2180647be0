"""Which endpoint a key is bound to, for how long, and what that takes."""

import tracemalloc
from random import Random

import pytest

from sidecar.core.state.bindings import Bindings, key_of, salt_of
from tests.builders import COMPILED, lines_run

SALT = salt_of("main")


def test_a_key_is_bound_until_its_time_is_over() -> None:
    """S16"""
    bindings = Bindings()
    bindings.bind(7, "shop/a", 300.0, 0.0)

    assert bindings.of(7, 299.9) == "shop/a"
    assert bindings.of(7, 300.0) is None
    assert bindings.of(8, 0.0) is None


def test_binding_again_prolongs_and_changes_the_endpoint() -> None:
    """S16"""
    bindings = Bindings()
    bindings.bind(7, "shop/a", 300.0, 0.0)
    bindings.bind(7, "shop/b", 500.0, 200.0)

    assert bindings.of(7, 499.9) == "shop/b"
    assert len(bindings) == 1


def test_what_is_bound_so_already_until_hardly_earlier_stays_as_it_is() -> None:
    """S16: with 3 s to spare, and only for the same endpoint."""
    bindings = Bindings()
    bindings.bind(7, "shop/a", 303.0, 0.0, 3.0)
    bindings.bind(7, "shop/a", 305.9, 2.9, 3.0)
    assert bindings.of(7, 303.0) is None
    bindings.bind(7, "shop/a", 306.1, 3.1, 3.0)
    assert bindings.of(7, 306.0) == "shop/a"

    bindings.bind(7, "shop/b", 306.1, 3.1, 3.0)
    bindings.bind(8, "shop/a", 1.0, 0.0, 3.0)

    assert (bindings.of(7, 306.0), bindings.of(8, 0.5)) == ("shop/b", "shop/a")


def test_reading_changes_nothing() -> None:
    bindings = Bindings(2)
    bindings.bind(1, "shop/a", 300.0, 0.0)
    bindings.bind(2, "shop/b", 300.0, 1.0)
    assert bindings.of(1, 2.0) == "shop/a"  # read, not used: it stays the oldest

    bindings.bind(3, "shop/c", 300.0, 3.0)

    assert [bindings.of(key, 4.0) for key in (1, 2, 3)] == [None, "shop/b", "shop/c"]


def test_a_full_table_gives_up_the_one_used_least_lately() -> None:
    """S16"""
    bindings = Bindings(3)
    for key in (1, 2, 3):
        bindings.bind(key, "shop/a", 300.0, 0.0)
    bindings.bind(1, "shop/a", 310.0, 10.0)

    bindings.bind(4, "shop/a", 320.0, 20.0)

    assert [bindings.of(key, 30.0) for key in (1, 2, 3, 4)] == ["shop/a", None, "shop/a", "shop/a"]
    assert len(bindings) == 3


def test_never_holds_more_than_it_may() -> None:
    """S16"""
    bindings = Bindings(10_000)
    for at in range(30_000):
        bindings.bind(key_of(SALT, f"session-{at}"), f"shop/{at % 3}", 300.0 + at, float(at) / 1000)

    assert 9_900 <= len(bindings) <= 10_000
    recent = [bindings.of(key_of(SALT, f"session-{at}"), 31.0) for at in range(29_000, 30_000)]
    assert recent == [f"shop/{at % 3}" for at in range(29_000, 30_000)]


def test_what_is_over_makes_room_before_anything_else_goes() -> None:
    bindings = Bindings(4)
    for key in (1, 2, 3):
        bindings.bind(key, "shop/a", 10.0, 0.0)
    bindings.bind(4, "shop/b", 500.0, 0.0)

    bindings.bind(5, "shop/a", 400.0, 100.0)

    assert len(bindings) == 2
    assert bindings.of(4, 100.0) == "shop/b"


def test_endpoints_that_come_and_go_leave_nothing_behind() -> None:
    """20,000 endpoints, one after the other, each with ten sessions in a table of a hundred."""
    bindings = Bindings(100)
    rng = Random(1)

    for name in range(20_000):
        for _ in range(10):
            bindings.bind(rng.getrandbits(60), f"shop/{name}", name + 300.0, float(name))

    assert len(bindings._names) <= 101
    assert len(bindings._numbers) <= 101


def test_a_key_that_goes_from_endpoint_to_endpoint_leaves_nothing_behind() -> None:
    """10,000 endpoints, one after the other, all with the same session."""
    bindings = Bindings(100)

    for name in range(10_000):
        bindings.bind(7, f"shop/{name}", name + 300.0, float(name))

    assert len(bindings) == 1
    assert len(bindings._names) <= 2
    assert list(bindings._numbers) == ["shop/9999"]


def test_whatever_happens_each_key_reads_as_it_was_bound_last() -> None:
    """50,000 steps with a fixed seed, against a plain dictionary; the table is large enough for all."""
    bindings = Bindings(20_000)
    plain: dict[int, tuple[str, float]] = {}
    rng = Random(3)
    for step in range(50_000):
        now = step / 100
        key = key_of(SALT, str(rng.randrange(5_000)))
        name, until = f"shop/{rng.randrange(50)}", now + rng.randrange(1, 200)
        bindings.bind(key, name, until, now)
        plain[key] = (name, until)
        other = key_of(SALT, str(rng.randrange(5_000)))
        name, until = plain.get(other, ("", -1.0))
        assert bindings.of(other, now) == (name if now < until else None)


def test_scopes_do_not_share_their_keys() -> None:
    salts = [salt_of(scope) for scope in ("a", "b", "same")]
    keys = {key_of(salt, text) for salt in salts for text in ("a", "b", "same", "")}

    assert len(keys) == 12
    assert all(0 <= key < 1 << 60 for key in keys)


def test_a_session_takes_at_most_250_bytes() -> None:
    """S16: 200,000 sessions, some used again, in a table of so many: it keeps them in parts of the same size
    however many there are, so a million take five times that, as `make bench` measures."""
    sessions = 200_000
    rng = Random(1)
    tracemalloc.start()
    try:
        bindings = Bindings(sessions)
        for at in range(sessions):
            bindings.bind(key_of(SALT, f"session-{at}"), f"shop/{at % 30}", 300.0, 0.0)
        for _ in range(50_000):
            at = rng.randrange(sessions)
            bindings.bind(key_of(SALT, f"session-{at}"), f"shop/{at % 30}", 400.0, 100.0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(bindings) == sessions
    assert taken / sessions <= 250


@pytest.mark.skipif(COMPILED, reason="compiled code runs no lines of Python")
def test_a_full_table_takes_no_longer_however_large_it_is() -> None:
    """S16: lines of Python run for one more session, on average over 2,000, with the table full."""

    def cost(most: int) -> float:
        bindings = Bindings(most)
        for at in range(most):
            bindings.bind(key_of(SALT, str(at)), "shop/a", 1e6, 0.0)
        more = [key_of(SALT, f"more-{at}") for at in range(2_000)]

        def bind() -> None:
            for key in more:
                bindings.bind(key, "shop/a", 1e6, 0.0)

        return lines_run(bind) / len(more)

    assert cost(40_000) <= 1.2 * cost(4_000)


@pytest.mark.parametrize("most", [0, -1, 1 << 24])
def test_the_size_is_checked(most: int) -> None:
    with pytest.raises(ValueError, match="most must be 1 to 16777215"):
        Bindings(most)
