"""What is sound and yet can't do what its author meant, and what would silently do the opposite."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import loaded

FILE = """\
clusters:
  shop:
    endpoints:
      - {{address: '10.0.0.1:80', id: east, region: us-east-1, zone: a}}
      - {{address: '10.0.0.2:80', id: west, region: us-west-2, zone: b}}
{cluster}
  bare: {{endpoints: [{{address: '10.0.1.1:80', id: bare}}]}}
  dear: {{endpoints: [{{address: '10.0.2.1:80', id: dear}}], price: {{input_per_1k: 1, output_per_1k: 2}}}}
{more}
routes:
  - {{name: first, match: {{path: /first}}, {route}}}
  - {{name: rest, pool: [shop, bare, dear]}}
"""
PROMPT = "context: {prompt: [{body: prompt}]}"


def a_text(more: str = "", route: str = "to: shop", cluster: str = "") -> str:
    return FILE.format(more=more, route=route, cluster=cluster and f"    {cluster}")


def notes(text: str) -> list[str]:
    return [note.partition(": ")[2] for note in loaded(text).notes]


NOTES = [
    pytest.param(
        a_text("regions: {primary: us-east-2, order: [us-west-2, eu]}"),
        [
            'regions.primary: no endpoint is in "us-east-2"; the regions are us-east-1, us-west-2',
            'regions.order[1]: no endpoint is in "eu"; the regions are us-east-1, us-west-2',
        ],
        id="an order of regions where nobody is",
    ),
    pytest.param(
        a_text("zones: {a: 50%, b: 30%, c: 20%, local: d}"),
        [
            "zones.c: no endpoint is in this zone; the zones are a, b",
            'zones.local: no endpoint is in "d"; the zones are a, b',
        ],
        id="zones where nobody is",
    ),
    pytest.param(
        a_text("zones: {a: 50%}"),
        [
            (
                'clusters.shop.endpoints[1].zone: zones says nothing of "b", so it has no capacity; '
                "write b under zones, or leave zones to the weights"
            )
        ],
        id="a zone that is not named",
    ),
    pytest.param(
        a_text(
            "envoy: {load_reports: false}",
            "pool: [shop, bare], strategy: cache_aware, failover: [{to: dear, strategy: least_loaded}]",
            "limits: {load: 90%}",
        ),
        [
            (
                "envoy.load_reports: what endpoints say of their load is not read, and limits.load of shop, "
                "cache_aware, least_loaded would go by it; leave it out, unless somebody calls "
                "RouteService.ReportLoad"
            )
        ],
        id="reports that nobody reads",
    ),
    pytest.param(
        a_text(route="to: shop, strategy: cost_optimized"),
        [
            (
                "routes[0].strategy: cost_optimized goes by prices, and no cluster here has one; "
                "give clusters a price"
            )
        ],
        id="by price without any",
    ),
    pytest.param(
        a_text(route="to: dear, failover: [{to: shop, strategy: {best_score: {cost: 1}}}]"),
        [
            (
                "routes[0].failover[0].strategy: best_score goes by prices, and no cluster here has one; "
                "give clusters a price"
            )
        ],
        id="a link by price without any",
    ),
    pytest.param(
        a_text(route="to: bare, strategy: zone_aware"),
        [
            (
                "routes[0].strategy: zone_aware goes by zones, and no endpoint here has one; "
                "give endpoints their zone"
            )
        ],
        id="by zone without any",
    ),
    pytest.param(
        a_text(route="pool: [shop, bare], failover: [{pool: [bare, shop]}]"),
        ["routes[0].failover[0]: leads where the route goes already; name another, or leave it out"],
        id="a link back to the route's own",
    ),
    pytest.param(
        a_text(route="to: shop, failover: [bare, dear, bare], retry: {attempts: 4}"),
        ["routes[0].failover[2]: leads where failover[0] leads already; name another, or leave it out"],
        id="a link twice",
    ),
    pytest.param(
        a_text(route="to: shop, retry: {attempts: 1}"),
        [
            (
                "routes[0].retry.attempts: the first attempt is the only one, so nothing is tried again; "
                "write at least 2, or leave retry out"
            )
        ],
        id="a retry that tries nothing",
    ),
    pytest.param(
        a_text(
            "tenants: {acme: {budget: {per_month: 5}}}",
            cluster="{price: {input_per_1k: 1, output_per_1k: 1}}"[1:-1],
        ).replace("  bare: {", "  bare: {price: {input_per_1k: 0, output_per_1k: 0}, "),
        [
            (
                "context: neither prompt nor input_tokens has a source, so the budget of acme can only go by "
                "the length of bodies, and one without content-length counts as envoy.body_limit; "
                "give one of them a source"
            )
        ],
        id="a budget that goes by the length of bodies",
    ),
    pytest.param(
        a_text(cluster="limits: {tokens_per_minute: 10}"),
        [
            (
                "context: neither prompt nor input_tokens has a source, so tokens_per_minute of shop can "
                "only go by the length of bodies, and one without content-length counts as envoy.body_limit; "
                "give one of them a source"
            )
        ],
        id="a limit of tokens that goes by the length of bodies",
    ),
]
FINE = [
    pytest.param(a_text("regions: {primary: us-east-1, order: [us-west-2]}"), id="regions that are there"),
    pytest.param(
        a_text("zones: {a: 50%, b: 50%, local: a}", "to: shop, strategy: zone_aware"), id="zones that are"
    ),
    pytest.param(a_text("zones: {local: b}", "to: shop, strategy: zone_aware"), id="zones by weight"),
    pytest.param(a_text(route="pool: [shop, dear], strategy: cost_optimized"), id="one that has a price"),
    pytest.param(a_text(route="to: shop, strategy: best_score"), id="scores of which cost is one by itself"),
    pytest.param(a_text(route="to: shop, strategy: {best_score: {load: 1, cost: 0}}"), id="no part for cost"),
    pytest.param(
        a_text(f"envoy: {{load_reports: false}}\n{PROMPT}", "to: shop, strategy: cache_aware"),
        id="caches known by their prompts",
    ),
    pytest.param(a_text(route="to: {cluster: shop, zone: a}, failover: [shop]"), id="a link to more"),
    pytest.param(
        a_text(route="split: [{to: shop, weight: 1}, {to: bare, weight: 1}], failover: [bare]"),
        id="a link to one of two arms",
    ),
    pytest.param(a_text(PROMPT, cluster="limits: {tokens_per_minute: 10}"), id="a prompt that is known"),
    pytest.param(
        a_text(
            "strategies: {round_robin: round_robin, random: {random: {}}}\ncontext: {strategy: [{query: s}]}"
        ),
        id="words for the strategies of these names",
    ),
]
MISTAKES = [
    pytest.param(
        a_text(cluster="limits: {load: 0%}"), "clusters.shop.limits.load: must be above 0, got 0%", id="load"
    ),
    pytest.param(
        a_text(cluster="limits: {quota: 0}"), "clusters.shop.limits.quota: must be above 0, got 0", id="quota"
    ),
    pytest.param(
        a_text(cluster="price: {input_per_1k: 0.0000001, output_per_1k: 0}"),
        "clusters.shop.price.input_per_1k: 1e-07 is less than a millionth of a dollar; write 0, or 0.000001",
        id="a price that would be nothing",
    ),
    pytest.param(
        a_text("tenants: {acme: {budget: {per_month: 0.0000004}}}"),
        "tenants.acme.budget.per_month: 4e-07 is less than a millionth of a dollar; write 0, or 0.000001",
        id="a budget that would be nothing",
    ),
    pytest.param(
        a_text("strategies: {round_robin: random}\ncontext: {strategy: [{query: s}]}"),
        "strategies.round_robin: round_robin is a strategy already, with its usual options; rename it",
        id="another strategy by the name of one",
    ),
    pytest.param(
        a_text("strategies: {adaptive: {adaptive: {draw: 4}}}\ntenants: {acme: {strategy: adaptive}}"),
        "strategies.adaptive: adaptive is a strategy already, with its usual options; rename it",
        id="a strategy of this name with other options",
    ),
]


@pytest.mark.parametrize(("text", "said"), NOTES)
def test_notes_what_cannot_do_what_it_seems_to(text: str, said: list[str]) -> None:
    assert notes(text) == said


@pytest.mark.parametrize("text", FINE)
def test_notes_nothing_where_it_can(text: str) -> None:
    assert notes(text) == []


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_refuses_what_would_mean_the_opposite(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert [line.partition(": ")[2] for line in str(refused.value).splitlines()] == [said]


def test_words_and_tenants_are_told_where_no_cluster_at_all_has_what_they_go_by() -> None:
    text = (
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}}\n"
        "strategies: {cheap: cost_optimized}\n"
        "tenants: {acme: {strategy: cheap}, other: {strategy: zone_aware}}\n"
        "routes: [{name: r, to: shop}]\n"
    )

    assert notes(text) == [
        "strategies.cheap: cost_optimized goes by prices, and no cluster here has one; give clusters a price",
        (
            "tenants.other.strategy: zone_aware goes by zones, and no endpoint here has one; "
            "give endpoints their zone"
        ),
    ]
