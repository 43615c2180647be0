"""What is said of mistakes in what a route does besides sending requests to endpoints."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import a_route, loaded

ROUTE = "gateway.yaml:3: routes[0]"
MISTAKES = [
    pytest.param(
        a_route("reject: {reason: maintenance}, to: shop"),
        f"{ROUTE}: needs exactly one of to, pool, split, redirect, respond, reject, set, got to and reject",
        id="a route refuses and sends on",
    ),
    pytest.param(
        a_route('reject: {reason: " "}'),
        f'{ROUTE}.reject.reason: " " is no reason; write invalid_request, maintenance, model_not_allowed, '
        "rate_limited, or a short text for the client",
        id="a reason says nothing",
    ),
    pytest.param(
        a_route("reject: {reason: maintenance, status: 200}"),
        f"{ROUTE}.reject.status: must be at least 400, got 200",
        id="a refusal is a success",
    ),
    pytest.param(
        a_route("reject: {reason: maintenance}, rewrite: {host: a}"),
        f"{ROUTE}.rewrite: says how requests reach an endpoint, and reject sends none; leave it out",
        id="a refused request is rewritten",
    ),
    pytest.param(
        a_route("respond: {status: 200}, headers: {response: {set: {x-a: b}}}"),
        f"{ROUTE}.headers.response: are for an endpoint's answer, and respond asks none; write them under "
        "respond",
        id="a fixed answer changes the endpoint's headers",
    ),
    pytest.param(
        a_route("respond: {status: 204, body: x}"),
        f"{ROUTE}.respond.body: a 204 has no body; leave it out",
        id="a 204 has a body",
    ),
    pytest.param(
        a_route("respond: {headers: {Content-Length: '5'}}"),
        f"{ROUTE}.respond.headers.Content-Length: Content-Length is Envoy's to write; leave it out",
        id="a fixed answer says its length",
    ),
    pytest.param(
        a_route("redirect: {status: 302}"),
        f"{ROUTE}.redirect: leads to where it came from; give path, host or scheme",
        id="a redirect leads nowhere else",
    ),
    pytest.param(
        a_route("redirect: {path: new}"),
        f'{ROUTE}.redirect.path: "new" is not a path; begin with /, and percent-encode what is not plain',
        id="a redirect's path does not begin with a slash",
    ),
    pytest.param(
        a_route("redirect: {host: 'a b'}"),
        f'{ROUTE}.redirect.host: "a b" is not a host; write a name or address',
        id="a redirect's host has a space",
    ),
    pytest.param(
        a_route("redirect: {path: /a, status: 305}"),
        f"{ROUTE}.redirect.status: unknown value 305; write one of 301, 302, 303, 307, 308",
        id="a redirect has another status",
    ),
    pytest.param(
        a_route("redirect: {path: {regex: '(', replace: /x}}"),
        f'{ROUTE}.redirect.path.regex: the regex "(" is not usable: missing ): (; write it in RE2 syntax',
        id="a redirect's regex is broken",
    ),
    pytest.param(
        a_route("set: {}"),
        f"{ROUTE}.set: changes nothing; give it a priority, or the route request headers",
        id="a step sets nothing",
    ),
    pytest.param(
        a_route("set: {priority: urgent}"),
        f'{ROUTE}.set.priority: unknown value "urgent"; write one of low, normal, high, critical',
        id="a step sets a priority that is none",
    ),
    pytest.param(
        a_route("to: shop, fault: {}"),
        f"{ROUTE}.fault: does nothing; give delay or abort, or leave it out",
        id="a fault is empty",
    ),
    pytest.param(
        a_route("to: shop, fault: {delay: {share: 110%, for: 1s}}"),
        f'{ROUTE}.fault.delay.share: "110%" is not a share; write one such as 10%, 0.01% or 0.1',
        id="a share is more than all",
    ),
    pytest.param(
        a_route("to: shop, fault: {delay: {share: 10%}}"),
        f"{ROUTE}.fault.delay.for: is missing",
        id="a delay says not how long",
    ),
    pytest.param(
        a_route("to: shop, fault: {abort: {status: 99}}"),
        f"{ROUTE}.fault.abort.status: must be at least 200, got 99",
        id="an abort has no status",
    ),
    pytest.param(
        a_route("to: shop, mirror: {to: shopp}"),
        f'{ROUTE}.mirror.to: there is no cluster "shopp"; did you mean shop?',
        id="a mirror is no cluster",
    ),
    pytest.param(
        a_route("to: shop, share: 0"),
        f"{ROUTE}.share: a share of 0 takes no request; use enabled: false",
        id="a share is nothing",
    ),
    pytest.param(
        a_route("to: shop, share: 10"),
        f"{ROUTE}.share: 10 is not a share; write one such as 10%, 0.01% or 0.1",
        id="a share lost its percent sign",
    ),
    pytest.param(
        a_route("to: shop, buffer: 64"),
        f"{ROUTE}.buffer: 64 is not a size; write a number with a unit, such as 500B, 64KB or 10MB",
        id="a size has no unit",
    ),
    pytest.param(
        a_route("to: shop, timeout: 5"),
        f"{ROUTE}.timeout: 5 is not a duration; write a number with a unit, such as 250ms, 30s, 5m or 1h30m",
        id="a timeout has no unit",
    ),
    pytest.param(
        a_route("to: shop, timeout: 0.9ms"),
        f"{ROUTE}.timeout: must be at least 1ms, or 0s for none; Envoy counts milliseconds",
        id="a timeout is shorter than Envoy can count",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said
