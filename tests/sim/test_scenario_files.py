"""Scenario files: what they mean, and what their author is told of every mistake."""

from collections import Counter
from math import inf, log
from random import Random
from typing import Final

import pytest

from sidecar.config.errors import ConfigError
from sidecar.core.request import Request
from sidecar.sim.clients import Values
from sidecar.sim.scenario import A_MONDAY_S, Change, Scenario, Server
from sidecar.sim.simulation import play
from tests.sim.files import GATEWAY, SMALL, a_gateway, read_scenario


def scenario(text: str) -> Scenario:
    return read_scenario(text).scenario


def drawn(text: str, count: int) -> list[Request]:
    """Requests of a scenario whose clients and values are given here."""
    make, rng = scenario(f"rate: 1\nservers: {{default: {{takes: 50ms}}}}\n{text}").request, Random(1)
    return [make(rng) for _ in range(count)]


def server(text: str) -> Server:
    return scenario(f"rate: 1\nclients: [{{path: /shop}}]\nservers: {{default: {text}}}").servers["shop/a"]


def test_a_small_file_has_plain_defaults() -> None:
    read = read_scenario("rate: 5\nclients: [{path: /shop}]\nservers: {default: {takes: 50ms}}")

    told = read.scenario
    assert (told.duration_s, told.rate, told.seed, told.sidecars) == (60.0, 5.0, 1, 1)
    assert (told.reports_every_s, told.feedback_s, told.lost_share, told.timeout_s) == (0.0, 0.0, 0.0, inf)
    assert told.starts_at == A_MONDAY_S
    assert (read.warm_up_s, read.title) == (0.0, "")
    assert list(told.servers) == ["search/only", "chat/chat", "shop/a", "shop/b"]
    assert told.servers["shop/a"].service.mean_s == 0.05


def test_every_key_of_the_whole_counts() -> None:
    more = (
        "title: Hi\nwarm_up: 2s\nseed: 7\nstarts_at: 2026-11-21T23:00+01:00\nsidecars: 3\nreports_every: 1s\n"
        "feedback_delay: 200ms\nfeedback_lost: 2%\ntimeout: 5s\n"
    )
    read = read_scenario(SMALL.replace("20/s", "600/min") + more)

    told = read.scenario
    assert (read.title, read.warm_up_s) == ("Hi", 2.0)
    assert (told.rate, told.duration_s, told.seed, told.sidecars) == (10.0, 10.0, 7, 3)
    assert (told.reports_every_s, told.feedback_s, told.lost_share, told.timeout_s) == (1.0, 0.2, 0.02, 5.0)
    assert told.starts_at == 1795298400.0


def test_a_server_is_found_by_endpoint_then_by_cluster_then_by_default() -> None:
    told = scenario(
        "rate: 1\nclients: [{path: /shop}]\n"
        "servers: {default: {takes: 1s}, shop: {takes: 2s}, shop/b: {takes: 3s}}"
    )

    means = {key: each.service.mean_s for key, each in told.servers.items()}
    assert means == {"search/only": 1.0, "chat/chat": 1.0, "shop/a": 2.0, "shop/b": 3.0}


def test_endpoints_that_no_request_reaches_need_no_server() -> None:
    told = scenario("rate: 1\nclients: [{path: /shop}]\nservers: {shop: {takes: 50ms}}")

    assert list(told.servers) == ["shop/a", "shop/b"]


def test_the_rate_of_a_utilisation_is_that_of_the_servers_that_requests_reach() -> None:
    text = "utilisation: 50%\nclients: [{path: /shop}]\nservers: {default: {takes: 100ms, capacity: 5}}"

    assert scenario(text).rate == pytest.approx(50.0)
    assert scenario(text.replace("/shop", "/search")).rate == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("text", "mean_s", "spread"),
    [
        ("{takes: 50ms}", 0.05, "exponential"),
        ("{takes: {mean: 50ms, spread: constant}}", 0.05, "constant"),
        ("{takes: {median: 50ms}}", 0.05 / log(2), "exponential"),
        ("{takes: {median: 50ms, spread: constant}}", 0.05, "constant"),
        ("{takes: {median: 50ms, spread: lognormal, sigma: 0.5}}", 0.0567, "lognormal"),
    ],
)
def test_service_times_have_a_mean_or_a_median(text: str, mean_s: float, spread: str) -> None:
    service = server(text).service

    assert service.mean_s == pytest.approx(mean_s, rel=0.01)
    assert service.spread == spread


def test_the_median_is_what_half_of_the_times_do_not_reach() -> None:
    """20,000 draws of each."""
    for spread in ("exponential", "lognormal"):
        service, rng = server(f"{{takes: {{median: 50ms, spread: {spread}}}}}").service, Random(1)

        assert sorted(service.draw(rng) for _ in range(20_000))[10_000] == pytest.approx(0.05, rel=0.03)


def test_a_server_has_all_that_is_said_of_it() -> None:
    told = server(
        "{takes: 50ms, capacity: 3, queue: 4, failures: 5%, failures_take: 10ms, requests_per_minute: 60,"
        " cache: {by: X-Prompt, keys: 7, prefix: 9, hit_takes: 25%}}"
    )

    assert (told.capacity, told.queue, told.failure_share, told.failure_s) == (3, 4, 0.05, 0.01)
    assert told.quota_per_minute == 60
    cache = told.cache
    assert cache is not None
    assert (cache.header, cache.keys, cache.prefix, cache.hit_takes) == ("x-prompt", 7, 9, 0.25)


def test_larger_bodies_take_longer() -> None:
    work = server("{takes: 50ms, doubled_by: 10KB}").work
    assert work is not None
    none, one, two = (
        drawn(f"clients: [{{path: /shop{body}}}]", 1)[0] for body in ("", ", body: 10KB", ", body: 20KB")
    )

    assert [work(request) for request in (none, one, two)] == [1.0, 2.0, 3.0]


def test_changes_are_of_an_endpoint_or_of_a_whole_cluster() -> None:
    told = scenario(
        f"{SMALL}changes:\n"
        "  - {at: 2s, server: shop/b, slower: 5}\n"
        "  - {at: 3s, server: shop, failures: 50%, down: true}\n"
    )

    assert told.changes == (
        Change(2.0, "shop/b", 5.0),
        Change(3.0, "shop/a", None, 0.5, True),
        Change(3.0, "shop/b", None, 0.5, True),
    )


def test_kinds_of_requests_come_by_their_weights() -> None:
    """8,000 requests; the bound is four standard deviations of the binomial."""
    requests = drawn("clients: [{path: /shop, weight: 3}, {path: /search, method: POST}]", 8000)

    counted = Counter((request.method, request.target) for request in requests)
    assert counted["GET", "/shop"] / 8000 == pytest.approx(0.75, abs=0.02)
    assert counted["POST", "/search"] == 8000 - counted["GET", "/shop"]


def test_a_placeholder_is_one_value_for_the_whole_request() -> None:
    (request,) = drawn(
        "values: {user: {count: 1000}}\n"
        "clients: [{path: '/shop/{user}?u={user}', host: '{user}.test', headers: {X-User-Id: 'u-{user}'}}]",
        1,
    )

    user = request.path.removeprefix("/shop/")
    assert 0 <= int(user) < 1000
    assert request.target == f"/shop/{user}?u={user}"
    assert request.authority == f"{user}.test"
    assert request.headers.first("x-user-id") == f"u-{user}"


def test_values_are_uniform_or_zipf() -> None:
    """20,000 draws of ten: each a tenth, or the nth 1/n of 2.93 as often; four standard deviations."""
    for spread, first, last in (("uniform", 0.1, 0.1), ("zipf", 1 / 2.929, 0.1 / 2.929)):
        requests = drawn(
            f"values: {{n: {{count: 10, spread: {spread}}}}}\nclients: [{{path: '/shop/{{n}}'}}]", 20_000
        )
        counted = Counter(request.path for request in requests)

        assert counted["/shop/0"] / 20_000 == pytest.approx(first, abs=0.014)
        assert counted["/shop/9"] / 20_000 == pytest.approx(last, abs=0.009)


def test_an_exponent_makes_the_first_values_the_more_frequent() -> None:
    flat, steep = (
        Counter(Values("n", 100, exponent=exponent).draw(rng) for _ in range(5000))["0"]
        for exponent, rng in ((0.5, Random(1)), (2.0, Random(1)))
    )

    assert flat < 500
    assert steep > 2500


def test_values_may_be_listed() -> None:
    requests = drawn(
        "values: {tier: {of: [gold, free]}}\nclients: [{path: /shop, headers: {x-tier: '{tier}'}}]", 100
    )

    assert {request.headers.first("x-tier") for request in requests} == {"gold", "free"}


def test_values_may_be_texts_that_are_the_same_in_each_run() -> None:
    text = "values: {p: {count: 5, letters: 301}}\nclients: [{path: /shop, headers: {x-prompt: '{p}'}}]"
    first, again = ({request.headers.first("x-prompt") for request in drawn(text, 200)} for _ in range(2))

    assert first == again
    assert len(first) == 5
    assert len({(each or "")[:12] for each in first}) == 5
    assert {len(each or "") for each in first} == {301}
    assert all((each or "").isalpha() for each in first)


def test_bodies_have_sizes() -> None:
    """4,000 bodies."""
    constant, spread = (
        [
            int(request.headers.first("content-length") or 0)
            for request in drawn(f"clients: [{{path: /shop, body: {body}}}]", 4000)
        ]
        for body in ("10KB", "{median: 10KB, spread: lognormal}")
    )

    assert set(constant) == {10240}
    assert sorted(spread)[2000] == pytest.approx(10240, rel=0.1)
    assert len(set(spread)) > 3000


def test_a_request_without_a_body_ends_with_its_head() -> None:
    bare, full = (drawn(f"clients: [{{path: /shop{body}}}]", 1)[0] for body in ("", ", body: 1KB"))

    assert (bare.ends, full.ends) == (True, False)


def test_rules_look_into_json() -> None:
    """One in two asks for the model that has a route."""
    text = (
        "rate: 50/s\nduration: 10s\nvalues: {m: {of: [gpt, other]}}\n"
        "clients: [{method: POST, path: /chat, json: {model: '{m}', n: [1, {x: '{m}'}]}}]\n"
        "servers: {default: {takes: 50ms}}"
    )
    requests = play(a_gateway(), scenario(text)).requests

    assert 0.4 < requests.shares()["chat/chat"] < 0.6
    assert requests.by_reason() == {"no_route": requests.refused()}


MISTAKES: Final = {
    "an unknown key": (f"{SMALL}sedd: 1", "5: sedd: unknown key; did you mean seed?"),
    "an unknown key of a server": (
        SMALL.replace("takes: 50ms", "takes: 50ms, capacty: 3"),
        "4: servers.default.capacty: unknown key; did you mean capacity?",
    ),
    "no duration": (
        SMALL.replace("10s", "10"),
        ("1: duration: 10 is not a duration; write a number with a unit, such as 250ms, 30s, 5m or 1h30m"),
    ),
    "no rate": (
        SMALL.replace("20/s", "20/day"),
        '2: rate: "20/day" is not a rate; write one such as 100/s or 600/min',
    ),
    "a rate of nothing": (
        SMALL.replace("20/s", "0"),
        "2: rate: must be above 0 and at most 1000000/s, got 0",
    ),
    "neither rate nor utilisation": (
        SMALL.replace("rate: 20/s\n", ""),
        "1: needs exactly one of rate and utilisation, got none",
    ),
    "both rate and utilisation": (
        f"{SMALL}utilisation: 70%",
        "1: needs exactly one of rate and utilisation, got rate and utilisation",
    ),
    "a utilisation of nothing": (
        SMALL.replace("rate: 20/s", "utilisation: 0%"),
        "2: utilisation: must be above 0; no request would ever come",
    ),
    "a utilisation of no server": (
        SMALL.replace("rate: 20/s", "utilisation: 50%").replace("/shop", "/old"),
        "2: utilisation: no request reaches a server; give a rate",
    ),
    "no share": (
        f"{SMALL}feedback_lost: 5",
        "5: feedback_lost: 5 is not a share; write one such as 10%, 0.01% or 0.1",
    ),
    "a moment without an offset": (
        f"{SMALL}starts_at: 2026-01-05",
        (
            '5: starts_at: "2026-01-05" is not a moment; '
            "write one with its offset from UTC, such as 2026-01-05T08:00Z"
        ),
    ),
    "a warm-up without an end": (
        f"{SMALL}warm_up: 10s",
        "5: warm_up: must be shorter than the duration; else nothing is left to count",
    ),
    "no servers": (
        SMALL.replace("{default: {takes: 50ms}}", "{}"),
        "4: servers: must hold at least one; add default for all endpoints",
    ),
    "servers left out": ("rate: 5", "1: servers: is missing"),
    "a server without a time": (
        SMALL.replace("takes: 50ms", ""),
        "4: servers.default.takes: is missing",
    ),
    "a server of nobody": (
        SMALL.replace("default:", "shop/c:"),
        '4: servers.shop/c: no route leads to an endpoint or cluster "shop/c"; did you mean shop/b?',
    ),
    "an endpoint without a server": (
        SMALL.replace("default:", "shop/a:"),
        "4: servers: has none for shop/b, which requests reach; add default for all the others",
    ),
    "both mean and median": (
        SMALL.replace("50ms", "{mean: 50ms, median: 50ms}"),
        "4: servers.default.takes: needs exactly one of mean and median, got both",
    ),
    "neither mean nor median": (
        SMALL.replace("50ms", "{spread: constant}"),
        "4: servers.default.takes: needs exactly one of mean and median, got none",
    ),
    "sigma without lognormal": (
        SMALL.replace("50ms", "{mean: 50ms, sigma: 2}"),
        "4: servers.default.takes.sigma: is for spread: lognormal; leave it out",
    ),
    "no spread": (
        SMALL.replace("50ms", "{mean: 50ms, spread: normal}"),
        (
            '4: servers.default.takes.spread: unknown value "normal"; '
            "write one of constant, exponential, lognormal"
        ),
    ),
    "no capacity": (
        SMALL.replace("50ms", "50ms, capacity: 0"),
        "4: servers.default.capacity: must be at least 1, got 0",
    ),
    "a body that doubles nothing": (
        SMALL.replace("50ms", "50ms, doubled_by: 0KB"),
        "4: servers.default.doubled_by: must be above 0; leave it out where size is no matter",
    ),
    "a cache without a size": (
        SMALL.replace("50ms", "50ms, cache: {by: x-user-id}"),
        "4: servers.default.cache.keys: is missing",
    ),
    "a change of nobody": (
        f"{SMALL}changes: [{{at: 1s, server: shop/z, slower: 2}}]",
        '5: changes[0].server: no route leads to an endpoint or cluster "shop/z"; did you mean shop/b?',
    ),
    "a change of a server that is not there": (
        SMALL.replace("default:", "shop:") + "changes: [{at: 1s, server: search, slower: 2}]",
        "5: changes[0].server: servers has none for search; add one",
    ),
    "a change of nothing": (
        f"{SMALL}changes: [{{at: 1s, server: shop}}]",
        "5: changes[0]: changes nothing; give it one of slower, failures and down",
    ),
    "a placeholder without values": (
        SMALL.replace("path: /shop", "path: '/shop/{user}'"),
        ('3: clients[0].path: there are no values "user"; give it under values, such as user: {count: 100}'),
    ),
    "a placeholder that is nearly there": (
        f"{SMALL}values: {{user: {{count: 5}}}}".replace(
            "path: /shop", "path: /shop, headers: {x-id: '{usr}'}"
        ),
        '3: clients[0].headers.x-id: there are no values "usr"; did you mean user?',
    ),
    "a placeholder in JSON": (
        SMALL.replace("path: /shop", "path: /shop, json: {a: [{b: '{user}'}]}"),
        (
            '3: clients[0].json.a[0].b: there are no values "user"; '
            "give it under values, such as user: {count: 100}"
        ),
    ),
    "values of nothing": (
        f"{SMALL}values: {{user: {{spread: zipf}}}}",
        "5: values.user: needs exactly one of count and of, got none",
    ),
    "values of two kinds": (
        f"{SMALL}values: {{user: {{count: 3, of: [a]}}}}",
        "5: values.user: needs exactly one of count and of, got count and of",
    ),
    "letters of given texts": (
        f"{SMALL}values: {{user: {{of: [a], letters: 5}}}}",
        "5: values.user.letters: makes up texts, and these are given by of; leave it out",
    ),
    "an exponent without zipf": (
        f"{SMALL}values: {{user: {{count: 3, exponent: 2}}}}",
        "5: values.user.exponent: is for spread: zipf; leave it out",
    ),
    "two bodies": (
        SMALL.replace("path: /shop", "path: /shop, body: 1KB, json: {}"),
        "3: clients[0]: body and json are both the request's body; keep one of them",
    ),
    "an empty body": (
        SMALL.replace("path: /shop", "path: /shop, body: 0B"),
        "3: clients[0].body: must be above 0; leave it out for none",
    ),
    "a body of no size": (
        SMALL.replace("path: /shop", "path: /shop, body: 5"),
        "3: clients[0].body: must be a size such as 10KB, or a mapping with mean or median, got 5",
    ),
    "a path without its slash": (
        SMALL.replace("/shop", "shop"),
        '3: clients[0].path: must begin with /, got "shop"',
    ),
    "a path that Envoy spells otherwise": (
        SMALL.replace("/shop", "/x/../shop"),
        '3: clients[0].path: Envoy would make "/shop" of "/x/../shop"; write it so',
    ),
    "a path with a fragment": (
        SMALL.replace("/shop", "'/shop#x'"),
        "3: clients[0].path: must have no fragment, write # as %23, got '/shop#x'",
    ),
    "no clients": (
        SMALL.replace("[{path: /shop}]", "[]"),
        "3: clients: must hold at least 1 items, got 0",
    ),
    "an empty file": ("", "1: the file is empty"),
    "no mapping": ("- 1", "1: the file must be a mapping, got a list"),
    "no YAML": (
        "rate: [",
        "2: not valid YAML: while parsing a flow node, did not find expected node content",
    ),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_line_and_its_remedy(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_scenario(text)

    assert str(told.value) == f"scenario.yaml:{said}"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        read_scenario(SMALL.replace("10s", "10").replace("20/s", "x").replace("50ms", "5"))

    assert [problem.line for problem in told.value.problems] == [1, 2, 4]


def test_the_plan_of_the_tests_is_what_its_file_says() -> None:
    assert len(a_gateway(GATEWAY).routes) == 4
