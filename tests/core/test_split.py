"""Sharing the requests of one route among its variants.

The bounds on shares are five standard deviations of the binomial of the stated sample, which chance
leaves once in two million samples.
"""

import os
import subprocess
import sys
from math import sqrt
from pathlib import Path
from random import Random

import pytest

from sidecar.core.rules.fields import CookieField, HeaderField
from sidecar.core.split import Split, unit_hash, unit_of
from tests.builders import a_request, a_split_route, an_engine, decided

ROOT = Path(__file__).parents[2]
KEYS = [f"user-{n}" for n in range(20_000)]


def within_chance(times: int, of: int, share: float) -> bool:
    return abs(times - of * share) <= 5 * sqrt(of * share * (1 - share))


def arms_of(weights: list[float], salt: str = "checkout") -> list[int]:
    """The arm of each of the 20,000 keys; arm 0 is stable, arm 1 the canary."""
    split = Split(salt, ["stable", "canary", "third"][: len(weights)], weights)
    return [split.by_key(key) for key in KEYS]


@pytest.mark.parametrize("weights", [[90.0, 10.0], [0.5, 0.3, 0.2], [1.0, 999.0], [3.0, 0.0, 1.0]])
def test_keys_are_shared_by_weight(weights: list[float]) -> None:
    """R4"""
    arms = arms_of(weights)

    for arm, weight in enumerate(weights):
        assert within_chance(arms.count(arm), len(KEYS), weight / sum(weights))


@pytest.mark.parametrize("weights", [[90.0, 10.0], [0.5, 0.3, 0.2], [0.0, 2.0, 0.0]])
def test_chance_is_shared_by_weight(weights: list[float]) -> None:
    """R4: 50,000 draws."""
    split = Split("checkout", ["a", "b", "c"][: len(weights)], weights)
    rng = Random(4)
    arms = [split.by_chance(rng.random()) for _ in range(50_000)]

    for arm, weight in enumerate(weights):
        assert within_chance(arms.count(arm), 50_000, weight / sum(weights))


def test_a_share_may_be_a_ten_thousandth() -> None:
    """R4: of 500,000 draws, and of 300,000 keys."""
    split = Split("checkout", ["stable", "canary"], [99.99, 0.01])
    rng = Random(5)

    by_chance = sum(split.by_chance(rng.random()) for _ in range(500_000))
    by_key = sum(split.by_key(f"user-{n}") for n in range(300_000))

    assert split.share(1) == pytest.approx(0.0001)
    assert by_chance > 0 < by_key
    assert within_chance(by_chance, 500_000, 0.0001)
    assert within_chance(by_key, 300_000, 0.0001)


def test_a_key_keeps_its_arm_in_every_version_of_the_program() -> None:
    """R4: these arms are a promise; a change that breaks this test reshuffles every user of every split."""
    split = Split("checkout", ["stable", "canary", "third"], [60.0, 30.0, 10.0])

    arms = [split.by_key(f"user-{n}") for n in range(20)]
    assert arms == [2, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    odd = ["", "café", b"\xff".decode("utf-8", "surrogateescape")]
    assert [split.by_key(key) for key in odd] == [1, 1, 1]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([95.0, 5.0], [75.0, 25.0]),
        ([75.0, 25.0], [0.0, 100.0]),
        ([99.99, 0.01], [95.0, 5.0]),
        ([60.0, 20.0, 20.0], [60.0, 40.0, 20.0]),
    ],
)
def test_when_one_weight_grows_keys_move_only_to_it(before: list[float], after: list[float]) -> None:
    """R4"""
    was = arms_of(before)
    now = arms_of(after)
    moved = [(old, new) for old, new in zip(was, now, strict=True) if old != new]
    share_grew = after[1] / sum(after) - before[1] / sum(before)

    assert {new for _, new in moved} == {1}
    assert within_chance(len(moved), len(KEYS), share_grew)


def test_an_arm_that_is_added_takes_keys_from_all_and_moves_none_between_them() -> None:
    """R4"""
    was = arms_of([50.0, 50.0])
    now = arms_of([50.0, 50.0, 25.0])
    moved = [(old, new) for old, new in zip(was, now, strict=True) if old != new]

    assert set(moved) == {(0, 2), (1, 2)}
    assert within_chance(len(moved), len(KEYS), 0.2)


def test_two_routes_split_the_same_keys_independently() -> None:
    """R4: of those in one route's half, half are in the other's."""
    first = arms_of([50.0, 50.0], salt="checkout")
    second = arms_of([50.0, 50.0], salt="search")

    both = sum(one and other for one, other in zip(first, second, strict=True))

    assert within_chance(both, len(KEYS), 0.25)


def test_only_the_proportions_of_weights_count() -> None:
    assert arms_of([9.0, 1.0]) == arms_of([0.9, 0.1]) == arms_of([900.0, 100.0])


def test_the_hash_is_even() -> None:
    """20,000 texts in 100 bins: chi-square with 99 degrees of freedom is below 170 but once in 100,000."""
    bins = [0] * 100
    for key in KEYS:
        u = unit_hash(key)
        assert 0 < u < 1
        bins[int(u * 100)] += 1

    assert sum((count - 200) ** 2 / 200 for count in bins) < 170


def test_the_ends_of_the_hash_are_no_whole_numbers() -> None:
    """At 1 the logarithm is 0, and by_key would divide by it."""
    assert 0 < unit_of(0) < unit_of((1 << 64) - 1) < 1


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-53])
def test_an_arm_of_weight_0_is_never_chosen(u: float) -> None:
    """S2"""
    split = Split("checkout", ["no", "a", "never", "b", "none"], [0.0, 1.0, 0.0, 1.0, 0.0])

    assert split.by_chance(u) in {1, 3}
    assert split.by_key(str(u)) in {1, 3}


@pytest.mark.parametrize(
    ("names", "weights"),
    [([], []), (["a"], []), (["a"], [0.0]), (["a", "b"], [1.0, -1.0]), (["a"], [1.0, 2.0])],
)
def test_needs_weights_that_can_be_shared(names: list[str], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weight"):
        Split("checkout", names, weights)


def test_a_client_keeps_its_variant_and_others_are_shared_by_chance() -> None:
    """R4"""
    sticky = (CookieField("uid"), HeaderField("x-user"))
    engine = an_engine(a_split_route("checkout", {"stable": 50, "canary": 50}, sticky=sticky))

    for n in range(20):
        request = a_request("/", ("x-user", f"user-{n}"))
        assert len({decided(engine, request).variant.name for _ in range(10)}) == 1
    assert len({decided(engine, a_request("/")).variant.name for _ in range(50)}) == 2


def test_the_first_field_with_a_value_is_the_key() -> None:
    """R4"""
    sticky = (CookieField("uid"), HeaderField("x-user"))
    engine = an_engine(a_split_route("checkout", {"stable": 50, "canary": 50}, sticky=sticky))
    by_cookie, by_header = (
        Split("checkout", ["stable", "canary"], [50.0, 50.0]).by_key(key) for key in ("c", "x")
    )

    both = decided(engine, a_request("/", ("x-user", "x"), ("cookie", "uid=c")))
    header = decided(engine, a_request("/", ("x-user", "x")))

    assert by_cookie != by_header
    assert both.variant.name == ["stable", "canary"][by_cookie]
    assert header.variant.name == ["stable", "canary"][by_header]


def test_one_service_is_split_by_the_version_label_of_its_endpoints() -> None:
    """R7: 10,000 requests, 20 % to v2, and in each version its endpoints take turns."""
    engine = an_engine(a_split_route("shop", {"v1": 80, "v2": 20}, endpoints=2))
    decisions = [decided(engine) for _ in range(10_000)]

    assert all(decision.endpoint.version == decision.variant.name for decision in decisions)
    assert {decision.endpoint.cluster for decision in decisions} == {"shop"}
    assert within_chance(sum(decision.variant.name == "v2" for decision in decisions), 10_000, 0.2)
    given = [decision.endpoint.id for decision in decisions]
    assert abs(given.count("v2-0") - given.count("v2-1")) <= 1
    assert abs(given.count("v1-0") - given.count("v1-1")) <= 1


def drawn_arms() -> str:
    """Of 2,000 users of a test with 70 % in arm A, as a new engine decides."""
    route = a_split_route("checkout", {"A": 0.7, "B": 0.3}, sticky=(HeaderField("x-user"),))
    engine = an_engine(route, seed=Random().getrandbits(32))
    return "".join(
        decided(engine, a_request("/", ("x-user", f"user-{n}"))).variant.name for n in range(2_000)
    )


def test_a_share_of_0_7_is_that_of_users_and_of_requests_within_chance() -> None:
    """R4, R5: 20,000 users, once each, and 20,000 requests of nobody."""
    route = a_split_route("checkout", {"A": 0.7, "B": 0.3}, sticky=(HeaderField("x-user"),))
    engine = an_engine(route)

    users = [decided(engine, a_request("/", ("x-user", user))).variant.name for user in KEYS]
    nobody = [decided(engine).variant.name for _ in range(20_000)]

    assert within_chance(users.count("A"), 20_000, 0.7)
    assert within_chance(nobody.count("A"), 20_000, 0.7)


def test_the_same_user_has_the_same_arm_after_a_restart_and_at_another_sidecar() -> None:
    """R4, R5: in processes of their own, whose hashes of texts differ, after requests of others."""
    script = "from tests.core.test_split import drawn_arms; print(drawn_arms())"
    here = drawn_arms()

    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)])},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == here
    assert within_chance(here.count("A"), 2_000, 0.7)
