"""What is said of mistakes in tenants, strategies to choose, and what requests may ask of endpoints."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import loaded

CLUSTERS = """\
clusters:
  big:
    endpoints: [{address: '10.0.0.1:80', id: b1}]
    models: [gpt-4]
    price: {input_per_1k: 1, output_per_1k: 2}
  small: {endpoints: [{address: '10.0.1.1:80', id: s1, region: eu, zone: a}], capabilities: {vision: false}}
"""
ROUTES = "routes: [{name: r, pool: [big, small]}]\n"


def with_(more: str) -> str:
    return f"{CLUSTERS}{more}\n{ROUTES}"


def a_route(rest: str) -> str:
    return f"{CLUSTERS}routes: [{{name: r, {rest}}}]\n"


MISTAKES = [
    pytest.param(
        with_("tenants: [acme]"),
        "tenants: must be a mapping of names to tenants, got a list",
        id="tenants are a list",
    ),
    pytest.param(
        with_("tenants: {acme: [big]}"),
        "tenants.acme: must be a mapping, got a list",
        id="a tenant is a list",
    ),
    pytest.param(
        with_("tenants: {'': {}}"),
        'tenants[""]: a tenant must have a name; write it as context.tenant finds it',
        id="a tenant has no name",
    ),
    pytest.param(
        with_("tenants: {acme: {alow: [big]}}"),
        "tenants.acme.alow: unknown key; did you mean allow?",
        id="a key of a tenant is unknown",
    ),
    pytest.param(
        with_("tenants: {acme: {allow: [bgi]}}"),
        'tenants.acme.allow[0]: there is no cluster or endpoint "bgi"; did you mean big?',
        id="a tenant may have what is not there",
    ),
    pytest.param(
        with_("tenants: {acme: {allow: [b1, 10.0.0.1:80, big/b1, big], prefer: [b1, s2]}}"),
        'tenants.acme.prefer[1]: there is no cluster or endpoint "s2"; write one of big, b1, small, s1',
        id="a tenant prefers what is not there",
    ),
    pytest.param(
        with_("tenants: {acme: {allow: []}}"),
        "tenants.acme.allow: must not be empty; list what it may have, or leave it out",
        id="a tenant may have nothing",
    ),
    pytest.param(
        with_("tenants: {acme: {budget: {}}}"),
        "tenants.acme.budget: limits nothing; give it per_request or per_month",
        id="a budget without a limit",
    ),
    pytest.param(
        with_("tenants: {acme: {budget: {per_request: -1}}}"),
        "tenants.acme.budget.per_request: must be at least 0, got -1",
        id="a negative budget",
    ),
    pytest.param(
        with_("tenants: {acme: {strategy: chaep}}\nstrategies: {cheap: cost_optimized}"),
        'tenants.acme.strategy: there is no strategy "chaep"; did you mean cheap?',
        id="a tenant has a strategy that is not there",
    ),
    pytest.param(
        with_("tenants: {acme: {strategy: {least_latency: {quantil: p95}}}}"),
        "tenants.acme.strategy.least_latency.quantil: unknown option; did you mean quantile?",
        id="an option of a tenant's strategy is unknown",
    ),
    pytest.param(
        with_("tenants: {acme: {strategy: 5}}"),
        "tenants.acme.strategy: must be a strategy's name, or {name: {option: value}}, got 5",
        id="a tenant's strategy is a number",
    ),
    pytest.param(
        with_("context: {tenant: []}\ntenants: {acme: {allow: [big]}}"),
        "tenants: context.tenant has no source; give it one",
        id="tenants that nobody can tell",
    ),
    pytest.param(
        with_("strategies: [cheap]"),
        "strategies: must be a mapping of words to strategies, got a list",
        id="strategies are a list",
    ),
    pytest.param(
        with_("strategies: {cheap: cost_optimised}"),
        'strategies.cheap: unknown strategy "cost_optimised"; did you mean cost_optimized?',
        id="a word means no strategy",
    ),
    pytest.param(
        with_("strategies: {cheap: 5}"),
        "strategies.cheap: must be a strategy's name, or {name: {option: value}}, got 5",
        id="a word means a number",
    ),
    pytest.param(
        with_("strategies: {'a b': random}"),
        "strategies[\"a b\"]: \"a b\" is not a name; use up to 128 letters, digits, '.', '_' and '-', and "
        "begin with a letter or digit",
        id="a word is no name",
    ),
    pytest.param(
        with_("strategies: {cheap: {random: {}, round_robin: {}}}"),
        "strategies.cheap: needs exactly one strategy, got 2; write {name: {option: value}}",
        id="a word means two strategies",
    ),
    pytest.param(
        a_route("to: small, needs: [vision]"),
        "routes[0].needs: no endpoint of small has vision; none could ever be picked",
        id="nobody can do what the route needs",
    ),
    pytest.param(
        a_route("needs: [vision], split: [{to: big, weight: 1}, {to: small, weight: 1}]"),
        "routes[0].needs: no endpoint of small has vision; none could ever be picked",
        id="nobody of an arm can do what the route needs",
    ),
    pytest.param(
        a_route("to: big, needs: [telepathy]"),
        'routes[0].needs[0]: unknown value "telepathy"; write one of streaming, function_calling, vision',
        id="the route needs what nobody has heard of",
    ),
    pytest.param(
        a_route("to: big, needs: vision"),
        'routes[0].needs: must be a list, got "vision"; write [vision]',
        id="needs is a word",
    ),
    pytest.param(
        a_route("respond: {}, needs: [vision]"),
        "routes[0].needs: says how requests reach an endpoint, and respond sends none; leave it out",
        id="needs without an endpoint",
    ),
    pytest.param(
        a_route("to: {cluster: small, region: us}"),
        'routes[0].to: cluster small has no endpoint with region "us"; it has the regions eu',
        id="a region selects nothing",
    ),
    pytest.param(
        a_route("to: {cluster: small, zone: b}"),
        'routes[0].to: cluster small has no endpoint with zone "b"; it has the zones a',
        id="a zone selects nothing",
    ),
    pytest.param(
        a_route("to: {cluster: big, region: us}"),
        'routes[0].to: cluster big has no endpoint with region "us"; its endpoints have no regions',
        id="a cluster has no regions",
    ),
]
NOTES = [
    pytest.param(
        with_("tenants: {acme: {allow: [big], prefer: [s1]}}"),
        ['tenants.acme.prefer[0]: "s1" is nothing that the tenant may have'],
        id="a tenant prefers what it may not have",
    ),
    pytest.param(
        with_("context: {prompt: [{body: p}]}\ntenants: {acme: {budget: {per_month: 5}}}"),
        ["clusters.small: has no price, so it costs tenants with a budget nothing"],
        id="what has no price costs nothing",
    ),
    pytest.param(
        with_("strategies: {cheap: random}"),
        ["strategies.cheap: nobody can choose it; give context.strategy a source, or a tenant this strategy"],
        id="a strategy that nobody can choose",
    ),
    pytest.param(
        with_("context: {strategy: [{header: x-strategy}]}"),
        ["context.strategy: there are no strategies to choose; name some under strategies"],
        id="nothing to choose",
    ),
    pytest.param(
        with_("context: {model: []}"),
        ["context.model: has no source, so the models of clusters count for nothing; give it one"],
        id="models that nobody can ask for",
    ),
    pytest.param(
        with_("strategies: {cheap: random}\ntenants: {acme: {strategy: cheap}, other: }"), [], id="fine"
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    lines = [line.partition(": ")[2] for line in str(refused.value).splitlines()]
    assert lines == [said]


@pytest.mark.parametrize(("text", "said"), NOTES)
def test_notes_what_is_likely_to_be_a_mistake(text: str, said: list[str]) -> None:
    assert [note.partition(": ")[2] for note in loaded(text).notes] == said


def test_what_could_not_be_read_is_not_called_wrong_a_second_time() -> None:
    text = a_route("to: small, needs: [vision]").replace("{vision: false}", "{vision: maybe}")

    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert len(refused.value.problems) == 1
