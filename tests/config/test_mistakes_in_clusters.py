"""What is said of mistakes in clusters and endpoints."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import ROUTES, loaded

_LINUX = "must be from 1s to 32767s; Linux takes nothing else, and Envoy could make no connection"
_NAMES = "must be at least 1s; each question goes to a server of names"

MISTAKES = [
    *(
        pytest.param(
            f"clusters: {{shop: {{connections: {{keepalive: {{{key}: {value}}}}}}}}}\n" + ROUTES,
            f"gateway.yaml:1: clusters.shop.connections.keepalive.{key}: {_LINUX}",
            id=f"keepalive {key} of {value}",
        )
        for key in ("time", "interval")
        for value in ("10h", "32767.1s", "366d", "999ms")
    ),
    pytest.param(
        "clusters: {shop: {connections: {keepalive: {probes: 128}}}}\n" + ROUTES,
        "gateway.yaml:1: clusters.shop.connections.keepalive.probes: must be at most 127, got 128",
        id="more probes than the system counts",
    ),
    *(
        pytest.param(
            f"clusters: {{shop: {{dns: {{{key}: {value}}}}}}}\n" + ROUTES,
            f"gateway.yaml:1: clusters.shop.dns.{key}: {_NAMES}",
            id=f"dns {key} of {value}",
        )
        for key, value in (("refresh", "1ms"), ("failure_refresh", "0.1ms"), ("refresh", "999ms"))
    ),
    pytest.param(
        "clusters: {shop: {}, cart: here}\n" + ROUTES,
        'gateway.yaml:1: clusters.cart: must be a mapping, got "here"',
        id="a cluster is text",
    ),
    pytest.param(
        "clusters: {shop: {}, 'my shop': {}}\n" + ROUTES,
        'gateway.yaml:1: clusters["my shop"]: "my shop" is not a name; use up to 128 letters, '
        "digits, '.', '_' and '-', and begin with a letter or digit",
        id="a cluster's name has a space",
    ),
    pytest.param(
        "clusters: {shop: {}, refuse: {}}\n" + ROUTES,
        "gateway.yaml:1: clusters.refuse: a cluster must not be named refuse; on_error means "
        "something else by it",
        id="a cluster is named refuse",
    ),
    pytest.param(
        "clusters: {shop: {endpoint: []}}\n" + ROUTES,
        "gateway.yaml:1: clusters.shop.endpoint: unknown key; did you mean endpoints?",
        id="a key of a cluster is unknown",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{id: a}]}}\n" + ROUTES,
        "gateway.yaml:1: clusters.shop.endpoints[0].address: is missing",
        id="an endpoint has no address",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{address: 10.0.0.1}]}}\n" + ROUTES,
        'gateway.yaml:1: clusters.shop.endpoints[0].address: "10.0.0.1" is not an address; '
        "write host:port, such as 127.0.0.1:8080 or [::1]:8080",
        id="an address has no port",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:70000'}]}}\n" + ROUTES,
        'gateway.yaml:1: clusters.shop.endpoints[0].address: "10.0.0.1:70000" is not an '
        "address; write host:port, such as 127.0.0.1:8080 or [::1]:8080",
        id="a port is too high",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:80', weight: -1}]}}\n" + ROUTES,
        "gateway.yaml:1: clusters.shop.endpoints[0].weight: must be at least 0, got -1",
        id="an endpoint's weight is negative",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:80', weight: heavy}]}}\n" + ROUTES,
        'gateway.yaml:1: clusters.shop.endpoints[0].weight: must be a whole number, got "heavy"',
        id="an endpoint's weight is text",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:80', version: 1.0}]}}\n" + ROUTES,
        "gateway.yaml:1: clusters.shop.endpoints[0].version: must be text, got 1.0; put it in quotes",
        id="an endpoint's version is a number",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:80', version: 'a b'}]}}\n" + ROUTES,
        'gateway.yaml:1: clusters.shop.endpoints[0].version: "a b" is not usable here; use up '
        "to 128 printable ASCII characters without spaces",
        id="an endpoint's version has a space",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [{address: '10.0.0.1:80', tags: gpu}]}}\n" + ROUTES,
        'gateway.yaml:1: clusters.shop.endpoints[0].tags: must be a list, got "gpu"; write [gpu]',
        id="tags are text",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [\n"
        "  {address: '10.0.0.1:80', id: a},\n"
        "  {address: '10.0.0.2:80', id: a}]}}\n" + ROUTES,
        'gateway.yaml:3: clusters.shop.endpoints[1].id: "a" is the id of endpoints[0] already; '
        "give it another id",
        id="two endpoints have one id",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [\n"
        "  {address: '10.0.0.1:80', id: a},\n"
        "  {address: '10.0.0.1:80', id: b}]}}\n" + ROUTES,
        'gateway.yaml:3: clusters.shop.endpoints[1].address: "10.0.0.1:80" is the address of '
        "endpoints[0] already; keep one of them and give it a higher weight",
        id="two endpoints have one address",
    ),
    pytest.param(
        "clusters: {shop: {endpoints: [\n"
        "  {address: '[::1]:80', id: a},\n"
        "  {address: '[0:0:0::1]:80', id: b}]}}\n" + ROUTES,
        'gateway.yaml:3: clusters.shop.endpoints[1].address: "[0:0:0::1]:80" is the address of '
        "endpoints[0] already; keep one of them and give it a higher weight",
        id="two endpoints have one address in two spellings",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said
