"""How many answers to probes in a row make an endpoint unhealthy, and healthy again."""

import pytest

from sidecar.core.endpoint import Endpoint, Offer
from sidecar.core.state.probes import Probes
from sidecar.core.state.standing import DEGRADED, HEALTHY, NEVER, OUT, Roster, Standing
from sidecar.core.watch import ProbeRule, Watch

A = "shop/a"


def an_endpoint(rule: ProbeRule | None = None, id: str = "a") -> Endpoint:
    return Endpoint("shop", id, f"10.0.0.{ord(id)}:80", offer=Offer(watch=Watch(probe=rule)))


def probed(*endpoints: Endpoint) -> tuple[Standing, Probes, Roster]:
    standing = Standing()
    roster = Roster(endpoints or (an_endpoint(ProbeRule()), an_endpoint(ProbeRule(), "b")))
    standing.adopt([roster], 0.0)
    return standing, Probes(standing), roster


def answers(probes: Probes, said: str, key: str = A) -> str:
    """`g` is a good answer, `b` a bad one; of each, `!` where it changed what the endpoint is taken for."""
    return "".join(
        "!" if probes.checked(key, each == "g", "status 500", float(at)) else "."
        for at, each in enumerate(said)
    )


def test_three_bad_answers_in_a_row_make_it_unhealthy_and_two_good_ones_healthy() -> None:
    """H4 C4"""
    standing, probes, roster = probed()

    assert answers(probes, "bbgbbgbbb") == "........!"
    assert not probes.healthy(A)
    assert standing.level(A) == OUT
    assert standing.why(A) == "probe: 3 bad answers in a row: status 500"
    assert standing.until(A) == NEVER
    assert [endpoint.id for endpoint in roster.candidates.endpoints] == ["b"]

    assert answers(probes, "gbgbg") == "....."
    assert standing.level(A) == OUT
    assert answers(probes, "g") == "!"
    assert probes.healthy(A)
    assert standing.marks(A) == {}
    assert [endpoint.id for endpoint in roster.candidates.endpoints] == ["a", "b"]


def test_the_numbers_are_those_of_its_cluster() -> None:
    """H4"""
    standing, probes, _ = probed(an_endpoint(ProbeRule(healthy=4, unhealthy=1)))

    assert answers(probes, "b") == "!"
    assert standing.why(A) == "probe: 1 bad answer: status 500"
    assert answers(probes, "gggbgggg") == ".......!"


def test_a_new_endpoint_is_healthy_until_its_answers_say_otherwise() -> None:
    """H4"""
    standing, probes, _ = probed()

    assert probes.healthy(A)
    assert answers(probes, "bb") == ".."
    assert standing.level(A) == HEALTHY


def test_one_that_says_it_is_degraded_is_passed_over_until_it_does_not() -> None:
    """C4: and that is a good answer."""
    standing, probes, roster = probed()

    assert not probes.checked(A, True, "", 0.0, degraded=True)
    assert standing.level(A) == DEGRADED
    assert standing.why(A) == "probe: it says that it is degraded"
    assert [endpoint.id for endpoint in roster.candidates.endpoints] == ["b"]
    assert probes.healthy(A)

    assert answers(probes, "b") == "."
    assert standing.level(A) == DEGRADED, "a bad answer says nothing of it"
    assert answers(probes, "g") == "."
    assert standing.marks(A) == {}


def test_a_good_answer_that_is_degraded_counts_among_the_good_ones() -> None:
    standing, probes, _ = probed()
    assert answers(probes, "bbb") == "..!"

    assert not probes.checked(A, True, "", 3.0, degraded=True)
    assert probes.checked(A, True, "", 4.0, degraded=True)
    assert standing.level(A) == DEGRADED


def test_an_answer_of_one_that_is_not_probed_changes_nothing() -> None:
    standing, probes, _ = probed(an_endpoint())

    assert answers(probes, "bbbb") == "...."
    assert answers(probes, "bbbb", "gone/a") == "...."
    assert standing.marked() == []


def test_a_reload_keeps_what_was_found_out() -> None:
    standing, probes, _ = probed()
    assert answers(probes, "bbb") == "..!"
    assert answers(probes, "bb", "shop/b") == ".."

    roster = Roster((an_endpoint(ProbeRule(interval_s=1.0)), an_endpoint(ProbeRule(), "b")))
    standing.renew([roster])
    standing.adopt([roster], 10.0)
    probes.keep_endpoints({A, "shop/b"})
    probes.plan_changed(10.0)

    assert standing.level(A) == OUT
    assert [endpoint.id for endpoint in roster.candidates.endpoints] == ["b"]
    assert answers(probes, "b", "shop/b") == "!", "it had two already"


def test_a_cluster_that_is_probed_no_more_is_not_held_to_its_answers() -> None:
    standing, probes, _ = probed()
    assert answers(probes, "bbb") == "..!"
    probes.checked("shop/b", True, "", 0.0, degraded=True)

    standing.adopt([Roster((an_endpoint(), an_endpoint(id="b")))], 10.0)
    probes.keep_endpoints({A, "shop/b"})
    probes.plan_changed(10.0)

    assert standing.marked() == []
    standing.adopt([Roster((an_endpoint(ProbeRule()),))], 20.0)
    assert probes.healthy(A)
    assert answers(probes, "bb") == ".."


def test_an_endpoint_that_is_gone_is_forgotten() -> None:
    standing, probes, _ = probed()
    assert answers(probes, "bbb") == "..!"
    probes.changed()

    standing.adopt([Roster((an_endpoint(ProbeRule(), "b"),))], 10.0)
    probes.keep_endpoints({"shop/b"})

    assert probes.healthy(A)
    assert probes.changed() == {A}
    assert probes.row(A, 10.0) is None


def test_what_was_found_out_outlives_a_restart() -> None:
    """H4"""
    _, probes, _ = probed()
    assert probes.changed() == set()
    assert answers(probes, "bbb") == "..!"
    probes.checked("shop/b", True, "", 0.0, degraded=True)
    assert probes.changed() == {A, "shop/b"}
    assert probes.changed() == set()
    rows = {key: probes.row(key, 5.0) for key in (A, "shop/b")}

    standing, again, _ = probed()
    for key, row in rows.items():
        assert row is not None
        again.restore(key, row, 60.0, 0.0)

    assert standing.level(A) == OUT
    assert standing.why(A) == "probe: it was unhealthy before the restart"
    assert standing.level("shop/b") == DEGRADED
    assert answers(again, "gg") == ".!"
    assert again.row(A, 5.0) is None
    assert A in again.changed()


def test_what_was_found_out_long_ago_is_found_out_anew() -> None:
    standing, probes, _ = probed()

    probes.restore(A, [1.0, 1.0], 301.0, 0.0)

    assert standing.marked() == []
    assert probes.row(A, 0.0) is None


def test_a_row_of_one_that_is_not_probed_any_more_is_not_taken_over() -> None:
    standing, probes, _ = probed(an_endpoint())

    probes.restore(A, [1.0, 0.0], 1.0, 0.0)

    assert standing.marked() == []


@pytest.mark.parametrize("row", [[], [1.0], [2.0, 0.0], [float("nan"), 0.0], [1.0, 0.0, 0.0]], ids=str)
def test_a_row_that_cannot_be_is_refused(row: list[float]) -> None:
    _, probes, _ = probed()

    with pytest.raises(ValueError, match="not what a probe found"):
        probes.restore(A, row, 1.0, 0.0)
