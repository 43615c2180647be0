"""What is said of mistakes in strategies, header edits and rewrites."""

import pytest

from sidecar.config.errors import ConfigError
from sidecar.core.registry import STRATEGIES
from tests.config.files import a_route, loaded

MISTAKES = [
    pytest.param(
        a_route("to: shop, strategy: round_robbin"),
        'gateway.yaml:3: routes[0].strategy: unknown strategy "round_robbin"; did you mean round_robin?',
        id="a strategy is unknown",
    ),
    pytest.param(
        a_route("to: shop, strategy: best"),
        'gateway.yaml:3: routes[0].strategy: unknown strategy "best"; write one of ' + ", ".join(STRATEGIES),
        id="a strategy is like none",
    ),
    pytest.param(
        a_route("to: shop, strategy: [random]"),
        "gateway.yaml:3: routes[0].strategy: must be a strategy's name, or {name: {option: "
        "value}}, got a list",
        id="a strategy is a list",
    ),
    pytest.param(
        a_route("to: shop, strategy: {random: {}, round_robin: {}}"),
        "gateway.yaml:3: routes[0].strategy: needs exactly one strategy, got 2; write {name: "
        "{option: value}}",
        id="two strategies are given",
    ),
    pytest.param(
        a_route("to: shop, strategy: {random: 5}"),
        "gateway.yaml:3: routes[0].strategy.random: must be a mapping, got 5",
        id="a strategy's options are no mapping",
    ),
    pytest.param(
        a_route("to: shop, strategy: {random: {draw: 2}}"),
        "gateway.yaml:3: routes[0].strategy.random.draw: unknown option; random takes no options",
        id="a strategy takes no such option",
    ),
    pytest.param(
        a_route("to: shop, headers: {request: {set: {':path': /}}}"),
        'gateway.yaml:3: routes[0].headers.request.set[":path"]: ":path" is a pseudo-header; '
        "change path and host with rewrite",
        id="a pseudo-header is set",
    ),
    pytest.param(
        a_route("to: shop, headers: {request: {set: {Host: a}}}"),
        "gateway.yaml:3: routes[0].headers.request.set.Host: host is not changed as a header; "
        "use rewrite: {host: …}",
        id="the host header is set",
    ),
    pytest.param(
        a_route("to: shop, headers: {request: {remove: [Connection]}}"),
        "gateway.yaml:3: routes[0].headers.request.remove[0]: connection belongs to the "
        "connection and is Envoy's; leave it out",
        id="a header of the connection is removed",
    ),
    pytest.param(
        a_route("to: shop, headers: {response: {add: {content-length: '5'}}}"),
        "gateway.yaml:3: routes[0].headers.response.add.content-length: content-length belongs "
        "to the connection and is Envoy's; leave it out",
        id="content-length is added",
    ),
    pytest.param(
        a_route("to: shop, headers: {request: {set: {x-sidecar-route: a}}}"),
        "gateway.yaml:3: routes[0].headers.request.set.x-sidecar-route: x-sidecar-route is "
        "used between Envoy and the sidecar; choose another name",
        id="a header of the sidecar is set",
    ),
    pytest.param(
        a_route("to: shop, headers: {request: {remove: [x-gateway-destination-endpoint]}}"),
        "gateway.yaml:3: routes[0].headers.request.remove[0]: x-gateway-destination-endpoint "
        "is used between Envoy and the sidecar; choose another name",
        id="the destination header is removed",
    ),
    pytest.param(
        a_route("to: shop, headers: {request: {set: {x-a: a, X-A: b}}}"),
        "gateway.yaml:3: routes[0].headers.request.set.X-A: this header is here twice; header "
        "names ignore case; keep one of them",
        id="a header is set twice",
    ),
    pytest.param(
        a_route('to: shop, headers: {request: {set: {x-a: "a\\nb"}}}'),
        'gateway.yaml:3: routes[0].headers.request.set.x-a: "a\\u000ab" holds a control character; remove it',
        id="a header's value has a line break",
    ),
    pytest.param(
        a_route("to: shop, headers: {request: {set: {x-a: 5}}}"),
        "gateway.yaml:3: routes[0].headers.request.set.x-a: must be text, got 5; put it in quotes",
        id="a header's value is a number",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {}"),
        "gateway.yaml:3: routes[0].rewrite: changes nothing; give strip_prefix, path or host, "
        "or leave it out",
        id="rewrite changes nothing",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {strip_prefix: v1}"),
        'gateway.yaml:3: routes[0].rewrite.strip_prefix: must start with /, got "v1"',
        id="strip_prefix does not start with a slash",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {strip_prefix: /v*}"),
        "gateway.yaml:3: routes[0].rewrite.strip_prefix: a prefix takes no wildcards, got "
        '"/v*"; use path: {regex, replace}',
        id="strip_prefix has a wildcard",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {strip_prefix: /}"),
        'gateway.yaml:3: routes[0].rewrite.strip_prefix: "/" strips nothing; leave it out',
        id="strip_prefix is the root",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {host: 'a b'}"),
        'gateway.yaml:3: routes[0].rewrite.host: "a b" is not a host; write a name, with a '
        "port where it needs one",
        id="the new host has a space",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {path: {regex: '(', replace: a}}"),
        'gateway.yaml:3: routes[0].rewrite.path.regex: the regex "(" is not usable: missing ): '
        "(; write it in RE2 syntax",
        id="a rewrite's regex is broken",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {path: {regex: '(a)', replace: '/\\2'}}"),
        "gateway.yaml:3: routes[0].rewrite.path.replace: there is no group \\2; the regex has 1 groups",
        id="a rewrite names no such group",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {path: {regex: '', replace: /}}"),
        "gateway.yaml:3: routes[0].rewrite.path.regex: must not be empty; it would be found everywhere",
        id="a rewrite's regex is empty",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {path: {regex: 'a', replace: '/\\d'}}"),
        'gateway.yaml:3: routes[0].rewrite.path.replace: "/\\\\d" has a stray backslash; write '
        "\\0 to \\9 for groups, \\\\ for a backslash",
        id="a replacement has a stray backslash",
    ),
    pytest.param(
        a_route("to: shop, rewrite: {path: {regex: 'a', replace: '/b?c'}}"),
        'gateway.yaml:3: routes[0].rewrite.path.replace: "/b?c" holds a character that no path '
        "may hold; percent-encode it; the query stays as it is",
        id="a replacement has a query",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said
