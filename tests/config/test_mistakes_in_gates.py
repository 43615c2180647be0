"""What is said of mistakes in `gates`."""

from hashlib import sha256

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import CLUSTERS, ROUTES, loaded

KEY = "hunter2"
MISTAKES = [
    pytest.param(
        "{ip: {block: [10.0.0.0/8]}}",
        "gates: must be a list of gates, got a mapping; begin each with a dash",
        id="gates are a mapping",
    ),
    pytest.param("[7]", "gates[0]: must be a mapping, got 7", id="a gate is a number"),
    pytest.param(
        "[{}]",
        "gates[0]: needs exactly one of ip, country, require, upload, got none",
        id="a gate is nothing",
    ),
    pytest.param(
        "[{ip: {block: [10.0.0.0/8]}, country: {block: [XX]}}]",
        "gates[0]: needs exactly one of ip, country, require, upload, got ip and country",
        id="a gate is two",
    ),
    pytest.param("[{ips: {}}]", "gates[0].ips: unknown key; did you mean ip?", id="a kind is unknown"),
    pytest.param(
        "[{ip: {alow: [10.0.0.0/8]}}]",
        "gates[0].ip.alow: unknown key; did you mean allow?",
        id="a key is unknown",
    ),
    pytest.param("[{ip: {}}]", "gates[0].ip: refuses nobody; give allow or block", id="ip refuses nobody"),
    pytest.param(
        "[{ip: {block: [10.0.0.0/8, 10.0.0.1/8]}}]",
        "gates[0].ip.block[1]: must have no bits set beyond its prefix, got '10.0.0.1/8'; "
        "write 10.0.0.0/8 or 10.0.0.1",
        id="a range has bits beyond its prefix",
    ),
    pytest.param(
        "[{ip: {allow: [ten]}}]",
        "gates[0].ip.allow[0]: must be an address or range like 192.0.2.7, 10.0.0.0/8, 2001:db8::/32, "
        "got 'ten'",
        id="a range is none",
    ),
    pytest.param(
        "[{ip: {allow: [10.0.0.0/33]}}]",
        "gates[0].ip.allow[0]: must have a prefix of 0 to 32, got '10.0.0.0/33'",
        id="a prefix is too long",
    ),
    pytest.param(
        "[{ip: {block: [10.0.0.0/8], paths: [admin]}}]",
        'gates[0].ip.paths[0]: must start with /, got "admin"; paths are matched from their beginning',
        id="a path is none",
    ),
    pytest.param(
        "[{ip: {block: [10.0.0.0/8], status: 200}}]",
        "gates[0].ip.status: must be at least 400, got 200",
        id="a refusal with a status of success",
    ),
    pytest.param(
        "[{country: {}}]",
        "gates[0].country: refuses nobody; give allow or block",
        id="country refuses nobody",
    ),
    pytest.param(
        "[{country: {allow: [DE, Germany]}}]",
        'gates[0].country.allow[1]: "Germany" is no country; write two letters, such as DE',
        id="a country is a name",
    ),
    pytest.param(
        "[{country: {block: ['']}}]",
        'gates[0].country.block[0]: "" is no country; write two letters, such as DE',
        id="a country is empty",
    ),
    pytest.param("[{require: {}}]", "gates[0].require.header: is missing", id="require names no header"),
    pytest.param(
        "[{require: {header: host}}]",
        'gates[0].require.header: "host" is not asked for as a header; use path, methods or hosts',
        id="require names the host",
    ),
    pytest.param(
        f"[{{require: {{header: x-key, sha256: [{KEY}]}}}}]",
        "gates[0].require.sha256[0]: is no SHA-256 sum, which has 64 hexadecimal digits; "
        "write what `printf %s KEY | sha256sum` prints",
        id="a sum is the key itself",
    ),
    pytest.param(
        f"[{{require: {{header: x-key, sha256: {KEY}}}}}]",
        "gates[0].require.sha256: must be a list of SHA-256 sums; "
        "write [SUM] with what `printf %s KEY | sha256sum` prints",
        id="sums are the key itself",
    ),
    pytest.param(
        "[{require: {header: x-key, sha256: [12345]}}]",
        "gates[0].require.sha256[0]: is no SHA-256 sum, which has 64 hexadecimal digits; "
        "write what `printf %s KEY | sha256sum` prints",
        id="a sum is a key of digits",
    ),
    pytest.param(
        f"[{{require: {{header: x-key, sha256: [{sha256(b'').hexdigest().upper()}]}}}}]",
        "gates[0].require.sha256[0]: is the sum of an empty text, which is no key; "
        "write what `printf %s KEY | sha256sum` prints, with the key itself for KEY",
        id="a sum is that of nothing",
    ),
    pytest.param(
        "[{require: {header: x-envoy-internal}}]",
        'gates[0].require.header: Envoy lets no client send "x-envoy-internal"; '
        "give it a name that begins in another way",
        id="require names what Envoy takes off",
    ),
    pytest.param(
        "[{ip: {block: [10.0.0.0/8], paths: [/%61dmin/**]}}]",
        'gates[0].ip.paths[0]: no request has the path "/%61dmin/**", as paths are made normal; '
        "write /admin/**",
        id="a path is not normal",
    ),
    pytest.param(
        "[{upload: {path: /upload}}]",
        "gates[0].upload: refuses nothing; give max_size or types",
        id="upload refuses nothing",
    ),
    pytest.param(
        "[{upload: {path: /upload, max_size: 100}}]",
        "gates[0].upload.max_size: 100 is not a size; write a number with a unit, such as 500B, 64KB or 10MB",
        id="a size has no unit",
    ),
    pytest.param(
        "[{upload: {path: /upload, types: [png, '*/png', image/*]}}]",
        'gates[0].upload.types[0]: "png" is no content type; write such as image/png or image/*\n'
        'gateway.yaml:1: gates[0].upload.types[1]: "*/png" is no content type; '
        "write such as image/png or image/*",
        id="types are none",
    ),
    pytest.param(
        "[{name: a, ip: {block: [10.0.0.0/8]}}, {name: a, ip: {block: [11.0.0.0/8]}}]",
        'gates[1].name: "a" is the name of gates[0] already; rename one of them',
        id="two gates have one name",
    ),
    pytest.param(
        "[{name: ip-2, ip: {block: [10.0.0.0/8]}}, {ip: {block: [11.0.0.0/8]}}]",
        'gates[1].name: "ip-2" is the name of gates[0] already; rename one of them',
        id="a name is that of another's place",
    ),
]


def said_of(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        loaded(text)
    return str(refused.value)


@pytest.mark.parametrize(("gates", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(gates: str, said: str) -> None:
    """V4"""
    assert said_of(f"gates: {gates}\n{CLUSTERS}{ROUTES}") == f"gateway.yaml:1: {said}"


def test_a_key_in_the_place_of_its_sum_is_not_shown() -> None:
    """X3: configurations are checked where logs are kept."""
    for written in (KEY, f"[{KEY}]", f"[[{KEY}]]", f"{{{KEY}: {KEY}}}", f"[{{a: {KEY}}}]"):
        assert KEY not in said_of(
            f"gates: [{{require: {{header: x, sha256: {written}}}}}]\n{CLUSTERS}{ROUTES}"
        )


def test_a_country_without_a_source_is_told() -> None:
    """X2"""
    text = "context: {country: []}\ngates: [{country: {allow: [DE]}}]\n" + CLUSTERS + ROUTES

    assert said_of(text) == (
        "gateway.yaml:2: gates[0].country.allow: context.country has no source; give it one"
    )


def test_every_range_that_is_wrong_is_told() -> None:
    """V4"""
    text = "gates: [{ip: {allow: [a, 10.0.0.0/8, b]}}]\n" + CLUSTERS + ROUTES

    assert [line.partition(": must")[0] for line in said_of(text).splitlines()] == [
        "gateway.yaml:1: gates[0].ip.allow[0]",
        "gateway.yaml:1: gates[0].ip.allow[2]",
    ]
