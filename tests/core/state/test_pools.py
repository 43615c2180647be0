"""What is remembered of each pool."""

import pytest

from sidecar.core.endpoint import eligible
from sidecar.core.state.pools import Pools
from sidecar.core.state.tickets import Tickets
from tests.builders import an_endpoint, endpoints_of


def test_keeps_the_turns_of_each_pool_through_new_candidates() -> None:
    pools = Pools()
    pool = pools.arrange("main", eligible(endpoints_of({"a": 1, "b": 1})))
    pool.turns += 1

    again = pools.arrange("main", eligible(endpoints_of({"c": 1})))

    assert again is pool is pools.of("main")
    assert pool.turns == 1
    assert [endpoint.id for endpoint in pool.candidates.endpoints] == ["c"]


def test_a_pool_that_no_plan_names_is_forgotten() -> None:
    pools = Pools()
    for name in ("kept", "gone"):
        pools.arrange(name, eligible(endpoints_of({"a": 1})))
    gone = Tickets(0).open("route", "variant", "gone", an_endpoint(), 1, 0.0, 10.0)

    pools.keep_only({"kept", "never"})
    pools.admitted(gone, 0.0)

    assert pools.of("kept").turns == 0
    with pytest.raises(KeyError):
        pools.of("gone")
    assert pools.arrange("gone", eligible(())).turns == 0
