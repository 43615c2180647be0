"""The size of a body, as the head of its request says it."""

import pytest

from sidecar.core.rules.size import UNKNOWN, SizeWithin, size_of
from tests.builders import a_request


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ([], UNKNOWN),
        ([("content-length", "0")], 0),
        ([("content-length", "1048576")], 1_048_576),
        ([("content-length", " 7 ")], 7),
        ([("transfer-encoding", "chunked")], UNKNOWN),
        ([("content-length", "-1")], UNKNOWN),
        ([("content-length", "1e6")], UNKNOWN),
        ([("content-length", "\u0667")], UNKNOWN),
        ([("content-length", "9" * 5000)], 10**18 - 1),  # a limit must not be passed by it
    ],
)
def test_the_size_is_what_the_head_says(headers: list[tuple[str, str]], size: int) -> None:
    """M8"""
    assert size_of(a_request("/", *headers)) == size


@pytest.mark.parametrize(
    ("least", "most", "fits", "does_not"),
    [(10, -1, [10, 99], [0, 9]), (0, 10, [0, 10], [11]), (5, 6, [5, 6], [4, 7])],
)
def test_both_ends_belong_to_it(least: int, most: int, fits: list[int], does_not: list[int]) -> None:
    """M8"""
    condition = SizeWithin(least, most)

    assert all(condition.matches(a_request("/", ("content-length", str(size)))) for size in fits)
    assert not any(condition.matches(a_request("/", ("content-length", str(size)))) for size in does_not)


def test_a_size_that_is_not_known_never_fits() -> None:
    """M8: neither above nor below a bound."""
    chunked = a_request("/", ("transfer-encoding", "chunked"))

    assert not SizeWithin(0, 10).matches(chunked)
    assert not SizeWithin(10).matches(chunked)
    assert SizeWithin(10).seen(chunked) == "not known"
