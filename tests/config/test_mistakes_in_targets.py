"""What is said of mistakes in where a route goes: targets, splits, sticky."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import CLUSTERS, ROUTES, TWO_CLUSTERS, a_route, loaded

MISTAKES = [
    pytest.param(
        a_route("to: shpo"),
        'gateway.yaml:3: routes[0].to: there is no cluster or endpoint "shpo"; did you mean shop?',
        id="to names no cluster",
    ),
    pytest.param(
        a_route("to: zzz"),
        'gateway.yaml:3: routes[0].to: there is no cluster or endpoint "zzz"; write shop',
        id="to is like nothing there",
    ),
    pytest.param(
        a_route("to: [shop]"),
        "gateway.yaml:3: routes[0].to: must be a cluster's name, or a mapping with cluster and "
        "version, tags or endpoint, got a list",
        id="to is a list",
    ),
    pytest.param(
        a_route("to: 5"),
        "gateway.yaml:3: routes[0].to: must be a cluster's name, or a mapping with cluster and "
        "version, tags or endpoint, got 5",
        id="to is a number",
    ),
    pytest.param(
        a_route("to: {version: one}"),
        "gateway.yaml:3: routes[0].to.cluster: is missing",
        id="to is a mapping without a cluster",
    ),
    pytest.param(
        a_route("to: {cluster: shop, verison: one}"),
        "gateway.yaml:3: routes[0].to.verison: unknown key; did you mean version?",
        id="a key of to is unknown",
    ),
    pytest.param(
        a_route("to: v1", TWO_CLUSTERS),
        'gateway.yaml:10: routes[0].to: the endpoint "v1" is in the clusters shop, other; '
        "write {cluster: shop, endpoint: v1}",
        id="to names an id of two clusters",
    ),
    pytest.param(
        a_route("to: {cluster: shpo}"),
        'gateway.yaml:3: routes[0].to.cluster: there is no cluster "shpo"; did you mean shop?',
        id="a target names no cluster",
    ),
    pytest.param(
        a_route("to: {cluster: shop, version: two}", TWO_CLUSTERS),
        'gateway.yaml:10: routes[0].to: cluster shop has no endpoint with version "two"; it '
        "has the versions one",
        id="a version selects nothing",
    ),
    pytest.param(
        a_route("to: {cluster: shop, tags: [gpu, big]}", TWO_CLUSTERS),
        'gateway.yaml:10: routes[0].to: cluster shop has no endpoint with tags "gpu", "big"; '
        "it has the tags gpu",
        id="tags select nothing",
    ),
    pytest.param(
        a_route("to: {cluster: shop, endpoint: v3}", TWO_CLUSTERS),
        'gateway.yaml:10: routes[0].to: cluster shop has no endpoint with id "v3"; it has the ids v1, v2',
        id="an endpoint selects nothing",
    ),
    pytest.param(
        a_route("to: {cluster: shop, version: two}"),
        'gateway.yaml:3: routes[0].to: cluster shop has no endpoint with version "two"; it '
        "lists no endpoints",
        id="a version selects nothing in a cluster without endpoints",
    ),
    pytest.param(
        a_route("to: v2", TWO_CLUSTERS),
        "gateway.yaml:10: routes[0].to: every endpoint here has weight 0; give one a weight, "
        "as none could ever be picked",
        id="every endpoint of a target has weight 0",
    ),
    pytest.param(
        a_route("pool: []"),
        "gateway.yaml:3: routes[0].pool: must not be empty; list at least one cluster",
        id="a pool is empty",
    ),
    pytest.param(
        a_route("pool: [shop, shpo]"),
        'gateway.yaml:3: routes[0].pool[1]: there is no cluster or endpoint "shpo"; did you mean shop?',
        id="a pool names no cluster",
    ),
    pytest.param(
        a_route("pool: shop"),
        'gateway.yaml:3: routes[0].pool: must be a list, got "shop"; write [shop]',
        id="a pool is text",
    ),
    pytest.param(
        a_route("split: []"),
        "gateway.yaml:3: routes[0].split: must not be empty; list at least one arm",
        id="a split is empty",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: 0}]"),
        "gateway.yaml:3: routes[0].split: every weight is 0; give one arm a weight above 0",
        id="a split's weights are 0",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: -10}]"),
        "gateway.yaml:3: routes[0].split[0].weight: must be at least 0, got -10",
        id="a split's weight is negative",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: .inf}]"),
        "gateway.yaml:3: routes[0].split[0].weight: must be a finite number, got inf",
        id="a split's weight is infinite",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: '10'}]"),
        'gateway.yaml:3: routes[0].split[0].weight: must be a number, got "10"',
        id="a split's weight is text",
    ),
    pytest.param(
        a_route("split: [{to: shop}]"),
        "gateway.yaml:3: routes[0].split[0].weight: is missing",
        id="an arm has no weight",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: 1}, {to: shop, weight: 2}]"),
        'gateway.yaml:3: routes[0].split[1].name: "shop" is the name of split[0] already; give it another',
        id="two arms have one name",
    ),
    pytest.param(
        a_route("split: [{to: shpo, weight: 1}]"),
        'gateway.yaml:3: routes[0].split[0].to: there is no cluster or endpoint "shpo"; did you mean shop?',
        id="an arm names no cluster",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: 1}], sticky: {by: usr}"),
        'gateway.yaml:3: routes[0].sticky.by: unknown value "usr"; write one of session, user, '
        "tenant, client_ip",
        id="sticky.by is unknown",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: 1}], sticky: {by: [user]}"),
        "gateway.yaml:3: routes[0].sticky.by: must be session, user, tenant, client_ip, {header: "
        "name} or {cookie: name}, got a list",
        id="sticky.by is a list",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: 1}], sticky: {by: {heder: x}}"),
        "gateway.yaml:3: routes[0].sticky.by: must be session, user, tenant, client_ip, {header: "
        "name} or {cookie: name}, got a mapping",
        id="sticky.by has an unknown key",
    ),
    pytest.param(
        a_route("split: [{to: shop, weight: 1}], sticky: {by: {header: x, cookie: y}}"),
        "gateway.yaml:3: routes[0].sticky.by: must be session, user, tenant, client_ip, {header: "
        "name} or {cookie: name}, got a mapping",
        id="sticky.by has two sources",
    ),
    pytest.param(
        "context: {user: []}\n" + a_route("split: [{to: shop, weight: 1}], sticky: {by: user}"),
        "gateway.yaml:4: routes[0].sticky.by: context.user has no source; give it one",
        id="sticky.by is a fact without a source",
    ),
    pytest.param(
        "context: {user: [{}]}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: context.user[0]: needs exactly one of header, cookie, query, path, body, "
        "claim, metadata, geoip, got none",
        id="a source names nothing",
    ),
    pytest.param(
        "context: {user: [{header: a, cookie: b}]}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: context.user[0]: needs exactly one of header, cookie, query, path, body, "
        "claim, metadata, geoip, got header and cookie",
        id="a source names two things",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said
