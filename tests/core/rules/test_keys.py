"""Required headers, and keys that are known by their sums."""

from hashlib import sha256

import pytest

from sidecar.core.rules.keys import Filled, KeyKnown
from tests.builders import a_request

SUM = sha256(b"secret-1").hexdigest()
KEYS = KeyKnown("X-Api-Key", (SUM, sha256(b"secret-2").hexdigest()))


def test_a_header_is_given_when_some_value_is_not_empty() -> None:
    """X3"""
    given = Filled("Authorization")

    assert given.matches(a_request("/", ("authorization", "Bearer x")))
    assert given.matches(a_request("/", ("authorization", ""), ("authorization", "x")))
    assert not given.matches(a_request("/", ("authorization", "")))
    assert not given.matches(a_request("/"))


@pytest.mark.parametrize("key", ["secret-1", "secret-2"])
def test_a_known_key_is_known_by_its_sum(key: str) -> None:
    """X3"""
    assert KEYS.matches(a_request("/", ("x-api-key", key)))


@pytest.mark.parametrize(
    "values",
    [[], [""], ["secret-3"], ["secret-1 "], ["Secret-1"], [SUM], [b"\xff\xfe"], ["secret-1" * 1000]],
)
def test_any_other_key_is_not_known(values: list[str | bytes]) -> None:
    """X3: nor is the sum itself."""
    assert not KEYS.matches(a_request("/", *(("x-api-key", value) for value in values)))


def test_nothing_is_no_key() -> None:
    """X3: even where the file has the sum of nothing."""
    keys = KeyKnown("x-api-key", (sha256(b"").hexdigest(),))

    assert not keys.matches(a_request("/", ("x-api-key", "")))
    assert keys.seen(a_request("/", ("x-api-key", ""))) == "empty"


def test_a_key_given_twice_is_not_known() -> None:
    """X3: whoever is asked next might look at the other one."""
    assert not KEYS.matches(a_request("/", ("x-api-key", "secret-1"), ("x-api-key", "other")))
    assert not KEYS.matches(a_request("/", ("x-api-key", "secret-1"), ("x-api-key", "secret-1")))


def test_nothing_shows_a_key() -> None:
    """X3 O6"""
    request = a_request("/", ("x-api-key", "secret-1"))
    shown = [KEYS.text(), KEYS.seen(request), Filled("x-api-key").seen(request), Filled("x-api-key").text()]

    assert shown == [
        "header x-api-key has one of 2 known keys",
        f"a key whose SHA-256 begins with {SUM[:8]}",
        "given",
        "header x-api-key is given",
    ]
    assert KEYS.seen(a_request("/")) == "absent"
    assert KEYS.seen(a_request("/", ("x-api-key", "a"), ("x-api-key", "b"))) == "given more than once"
    assert KEYS.seen(a_request("/", ("x-api-key", "x" * 5000))) == "too long for a key"
