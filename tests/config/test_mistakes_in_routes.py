"""What is said of mistakes in a route itself."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import CLUSTERS, a_file, a_route, loaded

MISTAKES = [
    pytest.param(
        CLUSTERS + "routes: [shop]\n",
        'gateway.yaml:2: routes[0]: must be a mapping, got "shop"',
        id="a route is text",
    ),
    pytest.param(
        CLUSTERS + "routes: [{to: shop}]\n",
        "gateway.yaml:2: routes[0].name: is missing",
        id="a route has no name",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: a/b, to: shop}]\n",
        'gateway.yaml:2: routes[0].name: "a/b" is not a name; use up to 128 letters, digits, '
        "'.', '_' and '-', and begin with a letter or digit",
        id="a route's name has a slash",
    ),
    pytest.param(
        a_route("to: shop, prioritty: 5"),
        "gateway.yaml:3: routes[0].prioritty: unknown key; did you mean priority?",
        id="a key of a route is unknown",
    ),
    pytest.param(
        CLUSTERS + "routes: [{name: r, to: shop, rewrite: {xyzzy: 5}}]\n",
        "gateway.yaml:2: routes[0].rewrite.xyzzy: unknown key; write one of host, path, strip_prefix",
        id="a key of a route is unlike any",
    ),
    pytest.param(
        a_route("to: shop, enabled: yes"),
        'gateway.yaml:3: routes[0].enabled: must be true or false, got "yes"; write true',
        id="enabled is yes",
    ),
    pytest.param(
        a_route("to: shop, priority: high"),
        'gateway.yaml:3: routes[0].priority: must be a whole number, got "high"',
        id="priority is text",
    ),
    pytest.param(
        a_route("to: shop, labels: {sla: 99.9}"),
        "gateway.yaml:3: routes[0].labels.sla: must be text, got 99.9; put it in quotes",
        id="a label is a number",
    ),
    pytest.param(
        CLUSTERS + "routes:\n  - {name: r, to: shop}\n  - {name: r, to: shop}\n",
        'gateway.yaml:4: routes[1].name: "r" is the name of routes[0] already; rename one of them',
        id="two routes have one name",
    ),
    pytest.param(
        a_file("{name: on_error, to: shop}"),
        'gateway.yaml:3: routes[0].name: "on_error" is reserved; rename the route',
        id="a route has the reserved name",
    ),
    pytest.param(
        a_file("{name: r}"),
        "gateway.yaml:3: routes[0]: needs exactly one of to, pool, split, redirect, respond, reject, set, "
        "got none",
        id="a route goes nowhere",
    ),
    pytest.param(
        a_route("to: shop, pool: [shop]"),
        "gateway.yaml:3: routes[0]: needs exactly one of to, pool, split, redirect, respond, reject, set, "
        "got to and pool",
        id="a route goes to two places",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said
