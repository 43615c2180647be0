"""What is said of mistakes in breakers, and in what happens while they are open."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import a_route, loaded

OTHER = "  other: {endpoints: [{address: '10.0.1.1:80'}]}\n"
AT = "gateway.yaml:2: clusters.shop.breaker"
FORM = "must be next, or a mapping with to or respond"


def a_file(rest: str, more: str = OTHER) -> str:
    """The cluster `shop`, to which the route goes, stands in line 2."""
    written = f"clusters:\n  shop: {{endpoints: [{{address: '10.0.0.1:80', id: a}}], {rest}}}\n{more}"
    return a_route("to: shop, timeout: 5s", written)


MISTAKES = [
    pytest.param("breaker: 5", f"{AT}: must be a mapping, got 5", id="a breaker is a number"),
    pytest.param(
        "breaker: {failure: 5}", f"{AT}.failure: unknown key; did you mean failures?", id="an unknown key"
    ),
    pytest.param(
        "breaker: {failures: -1}", f"{AT}.failures: must be at least 0, got -1", id="too few failures"
    ),
    pytest.param(
        "breaker: {failures: 0}",
        f"{AT}: nothing opens it; give it failures or success_rate, or leave it out",
        id="nothing opens it",
    ),
    pytest.param(
        "breaker: {half_open: 2, close_after: 3}",
        f"{AT}.close_after: 3 of 2 trials can never be served; write at most half_open",
        id="more trials than there are",
    ),
    pytest.param(
        "breaker: {open: 30s, max_open: 10s}",
        f"{AT}.max_open: is less than open; write at least as much",
        id="a bound below the beginning",
    ),
    pytest.param("breaker: {open: 0s}", f"{AT}.open: must be longer than 0, got 0s", id="never open"),
    pytest.param("breaker: {otherwise: 5}", f"{AT}.otherwise: {FORM}, got 5", id="otherwise a number"),
    pytest.param(
        "breaker: {otherwise: []}", f"{AT}.otherwise: {FORM}, got an empty list", id="otherwise a list"
    ),
    pytest.param(
        "breaker: {otherwise: nxt}",
        f'{AT}.otherwise: unknown value "nxt"; write next',
        id="otherwise another word",
    ),
    pytest.param(
        "breaker: {otherwise: {}}",
        f"{AT}.otherwise: needs exactly one of to, respond, got none",
        id="otherwise nothing",
    ),
    pytest.param(
        "breaker: {otherwise: {to: other, respond: {}}}",
        f"{AT}.otherwise: needs exactly one of to, respond, got to and respond",
        id="otherwise both",
    ),
    pytest.param(
        "breaker: {otherwise: {to: othr}}",
        f'{AT}.otherwise.to: there is no cluster "othr"; did you mean other?',
        id="an unknown cluster stands in",
    ),
    pytest.param(
        "breaker: {otherwise: {to: shop}}",
        f"{AT}.otherwise.to: is the cluster itself; name another, or leave it out",
        id="it stands in for itself",
    ),
    pytest.param(
        "breaker: {otherwise: {to: other, methods: []}}",
        f"{AT}.otherwise.methods: must not be empty; list at least one method, or leave it out",
        id="no methods",
    ),
    pytest.param(
        "breaker: {otherwise: {respond: {}, methods: [GET]}}",
        f"{AT}.otherwise.methods: says what may go to a cluster, and there is none; leave it out",
        id="methods of an answer",
    ),
    pytest.param(
        "breaker: {otherwise: {respond: {status: 204, body: x}}}",
        f"{AT}.otherwise.respond.body: a 204 has no body; leave it out",
        id="a body that nobody gets",
    ),
    pytest.param(
        "health: {failure_statuses: [200]}",
        "gateway.yaml:2: clusters.shop.health.failure_statuses[0]: must be at least 400, got 200",
        id="a good answer is a failure",
    ),
    pytest.param(
        "health: {panic: 101%}",
        'gateway.yaml:2: clusters.shop.health.panic: "101%" is not a share; write one such as 10%, 0.01% '
        "or 0.1",
        id="panic",
    ),
]


@pytest.mark.parametrize(("rest", "said"), MISTAKES)
def test_says_what_is_wrong_where_and_what_to_write(rest: str, said: str) -> None:
    """H5 H6"""
    with pytest.raises(ConfigError) as caught:
        loaded(a_file(rest))
    assert said in str(caught.value).splitlines(), str(caught.value)


def test_a_mistake_in_a_cluster_is_told_once_whatever_number_of_routes_name_it() -> None:
    """H6"""
    with pytest.raises(ConfigError) as caught:
        loaded(a_file("breaker: {otherwise: {to: nobody}}") + "  - {name: second, to: shop}\n")
    assert str(caught.value).count("there is no cluster") == 1


def test_who_stands_in_may_be_picked() -> None:
    """H6"""
    nobody = "  other: {endpoints: [{address: '10.0.1.1:80', weight: 0}]}\n"
    with pytest.raises(ConfigError) as caught:
        loaded(a_file("breaker: {otherwise: {to: other}}", nobody))
    assert (
        f"{AT}.otherwise.to: every endpoint there has weight 0; give one a weight, as none could ever be "
        "picked"
    ) in str(caught.value)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        pytest.param(
            "breaker: {otherwise: {to: other}}, health: {panic: 50%}",
            "clusters.shop.health.panic: never counts, as breaker.otherwise comes before it; leave out one "
            "of them",
            id="something else comes before it",
        ),
        pytest.param(
            "health: {panic: 50%}",
            "clusters.shop.health.panic: nothing here finds an endpoint unhealthy; give the cluster a probe, "
            "outliers or a breaker",
            id="nobody is ever out",
        ),
    ],
)
def test_a_panic_that_never_comes_is_noted(rest: str, said: str) -> None:
    """H7"""
    notes = [note for note in loaded(a_file(rest)).notes if "no route uses" not in note]
    assert notes == [f"gateway.yaml:2: {said}"]


def test_what_contradicts_itself_in_a_pool_is_noted() -> None:
    """H6: the clusters of one pool say different things."""
    more = """\
  other: {breaker: {otherwise: {respond: {body: b}}}}
  third: {breaker: {otherwise: {to: shop}}}
  fourth: {breaker: {otherwise: {respond: {body: a}}}}
"""
    first = "clusters:\n  shop: {breaker: {otherwise: {respond: {body: a}}}}\n"
    pool = "shop, other, third, fourth"
    notes = loaded(f"{first}{more}routes:\n  - {{name: r, pool: [{pool}], timeout: 1s}}\n").notes
    at = "gateway.yaml:7: routes[0]"
    answers = (
        f"{at}: the clusters shop and other of its pool have different answers in breaker.otherwise, and "
        "that of shop counts; give both the same"
    )
    itself = (
        f"{at}: shop is to stand in for third, and is in the pool with it; name another in breaker.otherwise"
    )
    assert notes == [answers, itself]


HANGS = "give the route retry.per_try_timeout, timeout or idle_timeout, or the cluster a probe"


@pytest.mark.parametrize(
    ("rest", "key"),
    [
        ("breaker: {}", "breaker"),
        ("health: {outliers: {}}", "health.outliers"),
        ("health: {score: {}}", "health.score"),
    ],
)
@pytest.mark.parametrize(
    ("ends", "noted"),
    [
        ("", True),
        (", timeout: 0s", True),
        (", retry: {}", True),
        (", timeout: 5s", False),
        (", idle_timeout: 5s", False),
        (", retry: {per_try_timeout: 1s}", False),
    ],
)
def test_where_nothing_finds_out_that_an_endpoint_hangs_it_is_noted(
    rest: str, key: str, ends: str, noted: bool
) -> None:
    """H1: clients leave before anything ends, and who leaves says nothing."""
    written = f"clusters:\n  shop: {{endpoints: [{{address: '10.0.0.1:80', id: a}}], {rest}}}\n"
    said = f"gateway.yaml:2: clusters.shop.{key}: that an endpoint of shop hangs is not found out: r has no "
    said += f"timeout, so clients give up first; {HANGS}"
    assert loaded(a_route(f"to: shop{ends}", written)).notes == ([said] if noted else [])
    probed = written.replace(rest, rest + ", health: {probe: {http: /}}")
    if "health" not in rest:
        assert loaded(a_route(f"to: shop{ends}", probed)).notes == []


def test_all_clusters_where_it_is_not_found_out_are_in_one_note() -> None:
    """H1"""
    written = (
        "clusters:\n  shop: {endpoints: [{address: '10.0.0.1:80'}], breaker: {}}\n"
        "  cart: {endpoints: [{address: '10.0.0.2:80'}], breaker: {}}\n"
    )
    more = "  - {name: s, match: {path: /s}, to: cart}\n"
    (note,) = loaded(a_route("to: shop", written) + more).notes
    assert "an endpoint of cart, shop hangs is not found out: s, r have no timeout" in note
