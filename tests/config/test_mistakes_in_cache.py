"""What is said of mistakes in caches and last good answers."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import loaded

_FILE = "clusters: {shop: {endpoints: [{address: '10.0.0.1:80'}]}, next: {}}\nroutes:\n  - {name: r, %s}\n"

MISTAKES = [
    pytest.param(
        "to: shop, cache: {ttl: 100ms}",
        "routes[0].cache.ttl: must be at least 1s; Envoy counts seconds",
        id="a lifetime of less than a second",
    ),
    pytest.param(
        "to: shop, cache: {tll: 1s}",
        "routes[0].cache.tll: unknown key; did you mean ttl?",
        id="an unknown key of a cache",
    ),
    pytest.param(
        "to: shop, cache: {vary: [Accept, accept]}",
        'routes[0].cache.vary[1]: "accept" is listed twice; keep one of them',
        id="a header that is listed twice",
    ),
    pytest.param(
        "to: shop, cache: {vary: [host]}",
        "routes[0].cache.vary[0]: answers differ by host in any case; leave it out",
        id="the host",
    ),
    pytest.param(
        "to: shop, cache: {vary: ['*']}",
        "routes[0].cache.vary[0]: nothing could ever be given again; name the headers",
        id="everything",
    ),
    pytest.param(
        "split: [{to: shop, weight: 1}, {to: next, weight: 1}], cache: {}",
        "routes[0].cache: would give clients of one arm what another arm answered; write a route for each "
        "arm",
        id="a cache of a split",
    ),
    pytest.param(
        "to: shop, sticky: {by: session, cookie: s}, cache: {}",
        "routes[0].cache: would give one client's cookie to others; leave out sticky.cookie, or the cache",
        id="a cache of a route that writes cookies",
    ),
    pytest.param(
        "respond: {body: hi}, cache: {}",
        "routes[0].cache: says how requests reach an endpoint, and respond sends none; leave it out",
        id="a cache of a fixed answer",
    ),
    pytest.param(
        "respond: {body: hi}, last_good: {}",
        "routes[0].last_good: says how requests reach an endpoint, and respond sends none; leave it out",
        id="a last good answer in place of a fixed one",
    ),
    pytest.param(
        "to: shop, last_good: {max_size: 1MB, memory: 64KB}",
        "routes[0].last_good.max_size: one answer would take more than memory allows; write at most memory",
        id="an answer that is larger than all together",
    ),
    pytest.param(
        "to: shop, last_good: {max_size: 0B}",
        "routes[0].last_good.max_size: must be more than 0B, got 0B",
        id="answers of no size",
    ),
    pytest.param(
        "to: shop, last_good: {max_size: 9MB}",
        "routes[0].last_good.max_size: must be at most 8MB; Envoy takes an answer from the sidecar in one "
        "message",
        id="answers that are too large",
    ),
    pytest.param(
        "to: shop, last_good: {memory: 2GB}",
        "routes[0].last_good.memory: must be at most 1024MB; it is the sidecar's own memory",
        id="too many answers",
    ),
    pytest.param(
        "to: shop, last_good: {max_age: 5s}",
        "routes[0].last_good.refresh: an answer would be too old to be given before it is taken anew; write "
        "less than max_age",
        id="answers that are taken anew too late",
    ),
    pytest.param(
        "to: shop, last_good: {vary: ['a b']}",
        "routes[0].last_good.vary[0]: \"a b\" is not a header name; use letters, digits and '-'",
        id="no name of a header",
    ),
    pytest.param(
        "to: shop, last_good: {entries: 0}",
        "routes[0].last_good.entries: must be at least 1, got 0",
        id="no answers at all",
    ),
]


@pytest.mark.parametrize(("written", "told"), MISTAKES)
def test_says_what_is_wrong_and_what_to_do(written: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(_FILE % written)

    assert told in str(raised.value)
