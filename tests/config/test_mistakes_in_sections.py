"""What is said of mistakes in the file as a whole and in its small sections."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import CLUSTERS, ROUTES, loaded

MISTAKES = [
    pytest.param(
        ROUTES,
        "gateway.yaml:1: clusters: there are no clusters; give at least one",
        id="there are no clusters",
    ),
    pytest.param(
        "clusters: [shop]\n" + ROUTES,
        "gateway.yaml:1: clusters: must be a mapping of names to clusters, got a list",
        id="clusters are a list",
    ),
    pytest.param(
        CLUSTERS,
        "gateway.yaml:1: routes: there are no routes; give at least one, such as {name: default, to: …}",
        id="there are no routes",
    ),
    pytest.param(
        CLUSTERS + "routes: []\n",
        "gateway.yaml:2: routes: there are no routes; give at least one, such as {name: default, to: …}",
        id="the list of routes is empty",
    ),
    pytest.param(
        CLUSTERS + "routes: {r: shop}\n",
        "gateway.yaml:2: routes: must be a list of routes, got a mapping; begin each with - name:",
        id="routes are a mapping",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "lisen: {}\n",
        "gateway.yaml:3: lisen: unknown key; did you mean listen?",
        id="a top-level key is unknown",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "on_error: shp\n",
        'gateway.yaml:3: on_error: there is no cluster "shp"; did you mean shop?',
        id="on_error names no cluster",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "on_error: 5\n",
        "gateway.yaml:3: on_error: must be refuse or a cluster's name, got 5",
        id="on_error is a number",
    ),
    pytest.param(
        "listen: {grpc: 50051}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: listen.grpc: must be an address such as 127.0.0.1:50051, or a list of "
        "them, got 50051",
        id="listen.grpc is a number",
    ),
    pytest.param(
        "listen: {grpc: localhost}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: listen.grpc: "localhost" is not an address to listen on; write '
        "host:port or unix:/path, such as 127.0.0.1:50051",
        id="listen.grpc is no address",
    ),
    pytest.param(
        "listen: {grpc: 'unix:run.sock'}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: listen.grpc: "unix:run.sock" is not absolute; write the socket\'s '
        "whole path, such as unix:/run/sidecar/sidecar.sock",
        id="listen.grpc is a relative socket",
    ),
    pytest.param(
        "listen: {grpc: []}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: listen.grpc: must not be empty; list at least one address",
        id="listen.grpc is an empty list",
    ),
    pytest.param(
        "listen: {grpc: ['[::1]:1', '[::1]:1']}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: listen.grpc[1]: "[::1]:1" is listed twice; keep one of them',
        id="listen.grpc is there twice",
    ),
    pytest.param(
        "listen: {grpc: '127.0.0.1:1', admin: '127.0.0.1:1'}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: listen.admin: "127.0.0.1:1" is listened on for grpc already; use another port',
        id="both listen on one port",
    ),
    pytest.param(
        "tickets: {lease: 30}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: tickets.lease: 30 is not a duration; write a number with a unit, such "
        "as 250ms, 30s, 5m or 1h30m",
        id="a duration has no unit",
    ),
    pytest.param(
        "tickets: {lease: 0s}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: tickets.lease: must be longer than 0, got 0s",
        id="a duration is 0",
    ),
    pytest.param(
        "tickets: {lease: 9999d}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: tickets.lease: must be at most 366d, got 9999d",
        id="a duration is longer than a year",
    ),
    pytest.param(
        "tickets: {most: 1}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: tickets.most: must be at least 100, got 1",
        id="a number is too small",
    ),
    pytest.param(
        "tickets: {most: 1000.5}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: tickets.most: must be a whole number, got 1000.5",
        id="a number is a fraction",
    ),
    pytest.param(
        "envoy: {feedback: log}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: envoy.feedback: unknown value "log"; write access_log or response',
        id="a choice is unknown",
    ),
    pytest.param(
        "envoy: {tokens: {header: x usage}}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: envoy.tokens.header: \"x usage\" is not a header name; use letters, digits and '-'",
        id="tokens in no header",
    ),
    pytest.param(
        "envoy: {tokens: {}}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: envoy.tokens.header: is missing",
        id="tokens in a header without a name",
    ),
    pytest.param(
        "envoy: {tokens: {headers: x-usage}}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: envoy.tokens.header: is missing\n"
        "gateway.yaml:1: envoy.tokens.headers: unknown key; did you mean header?",
        id="tokens under a key that there is none of",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, expect: {endpoints: {a: [1]}}}]}\n",
        "gateway.yaml:3: demo.tour[0].expect.endpoints.a: must hold at least 2 items, got 1",
        id="a demo's range has one end",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, expect: {endpoints: {a: many}}}]}\n",
        "gateway.yaml:3: demo.tour[0].expect.endpoints.a: must be a whole number, or a list of "
        'the lowest and the highest, got "many"',
        id="a demo's count is text",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {endpoints: {shpo: {delay: 1s}}}\n",
        'gateway.yaml:3: demo.endpoints.shpo: there is no endpoint "shpo"; did you mean shop?',
        id="a demo tells how an endpoint behaves that is not there",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, become: {shpo: {down: true}}, expect: {}}]}\n",
        'gateway.yaml:3: demo.tour[0].become.shpo: there is no endpoint "shpo"; did you mean shop?',
        id="a demo's tour changes an endpoint that is not there",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo:\n"
        "  tour:\n"
        "    - {paht: /, expect: {}}\n"
        "    - {path: /, become: {shpo: {}}, expect: {}}\n",
        "gateway.yaml:5: demo.tour[0].path: is missing\n"
        "gateway.yaml:5: demo.tour[0].paht: unknown key; did you mean path?\n"
        'gateway.yaml:6: demo.tour[1].become.shpo: there is no endpoint "shpo"; did you mean shop?',
        id="a demo's tour changes an endpoint that is not there, after another mistake",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, become: {shop: {hnag: true}}, expect: {}}]}\n",
        "gateway.yaml:3: demo.tour[0].become.shop.hnag: unknown key; did you mean hang?",
        id="a demo's endpoint becomes something unknown",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {endpoints: {shop: {hang: 5s}}, tour: []}\n",
        'gateway.yaml:3: demo.endpoints.shop.hang: must be true or false, got "5s"',
        id="a demo's endpoint hangs for a time",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, until: 5s, expect: {status: 200}}]}\n",
        "gateway.yaml:3: demo.tour[0].until: no number is expected that could come; expect statuses, "
        "endpoints, asked, mirrored or slower_than, or leave it out",
        id="a demo's tour waits for nothing",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {endpoints: {shop: {status: 99}}, tour: []}\n",
        "gateway.yaml:3: demo.endpoints.shop.status: must be at least 200, got 99",
        id="a demo's endpoint answers with no status",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, body: a, json: {}, expect: {}}]}\n",
        "gateway.yaml:3: demo.tour[0]: body and json are both the request's body; keep one of them",
        id="a demo's request has two bodies",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, expect: {statuses: {2000: 1}}}]}\n",
        'gateway.yaml:3: demo.tour[0].expect.statuses.2000: "2000" is not a status; write one such as 200',
        id="a demo's status is none",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, expect: {slower_than: {ms: 0, times: 1}}}]}\n",
        "gateway.yaml:3: demo.tour[0].expect.slower_than.ms: must be above 0, got 0",
        id="a demo's time is nothing",
    ),
    pytest.param(
        CLUSTERS + ROUTES + "demo: {tour: [{path: /, bdy_bytes: 1, expect: {}}]}\n",
        "gateway.yaml:3: demo.tour[0].bdy_bytes: unknown key; did you mean body_bytes?",
        id="a demo's key is unknown",
    ),
    pytest.param(
        "listen: {admin: '0.0.0.0:10000'}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: envoy.listen: "0.0.0.0:10000" is listen.admin already; use another port',
        id="Envoy listens where the sidecar does",
    ),
    pytest.param(
        "envoy: {admin: '127.0.0.1:50051'}\n" + CLUSTERS + ROUTES,
        'gateway.yaml:1: envoy.admin: "127.0.0.1:50051" is listen.grpc already; use another port',
        id="Envoy's admin page is where the sidecar listens",
    ),
    pytest.param(
        "envoy: {body_limit: 65MB}\n" + CLUSTERS + ROUTES,
        "gateway.yaml:1: envoy.body_limit: must be at most 64MB; "
        "bodies are held in memory until rules know enough",
        id="body_limit is more than memory should hold",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said
