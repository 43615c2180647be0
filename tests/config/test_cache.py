"""What routes say of answers that are given again."""

import pytest

from sidecar.core.state.answers import Keeping
from tests.config.files import loaded

_FILE = "clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}\nroutes:\n  - {name: r, to: shop%s}\n"


def keeping(written: str) -> Keeping | None:
    (route,) = loaded(_FILE % written).plan.routes
    return route.keeping


@pytest.mark.parametrize("written", ["", ", cache: {}"])
def test_nothing_is_kept_that_nobody_asked_for(written: str) -> None:
    """H6"""
    assert keeping(written) is None


def test_a_last_good_answer_has_bounds_in_any_case() -> None:
    """H6"""
    told = keeping(", last_good: {}")

    assert told is not None
    assert (told.max_age_s, told.max_size, told.entries) == (3600.0, 64 << 10, 1000)
    assert (told.most_bytes, told.refresh_s) == (16 << 20, 10.0)
    assert told.vary == ("accept", "accept-encoding", "accept-language")


def test_bounds_are_those_of_the_file() -> None:
    """H6"""
    told = keeping(
        ", last_good: {max_age: 1m, max_size: 1KB, entries: 2, memory: 3KB, refresh: 0s, vary: [X-Shop]}"
    )

    assert told is not None
    assert (told.max_age_s, told.max_size, told.entries) == (60.0, 1024, 2)
    assert (told.most_bytes, told.refresh_s, told.vary) == (3072, 0.0, ("x-shop",))
