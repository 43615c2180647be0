"""What is said of mistakes in a route's match."""

import pytest

from sidecar.config.errors import ConfigError
from tests.config.files import a_match, loaded

MISTAKES = [
    pytest.param(
        a_match("{path: api}"),
        'gateway.yaml:3: routes[0].match.path: must start with /, got "api"; paths are matched '
        "from their beginning",
        id="a path does not start with a slash",
    ),
    pytest.param(
        a_match("{path: //api}"),
        'gateway.yaml:3: routes[0].match.path: must not hold //, got "//api"; write one /',
        id="a path has two slashes",
    ),
    pytest.param(
        a_match("{path: /api?x=1}"),
        'gateway.yaml:3: routes[0].match.path: "/api?x=1" holds more than a path; ask for '
        "parameters with query:",
        id="a path has a query",
    ),
    pytest.param(
        a_match("{path: /my file}"),
        'gateway.yaml:3: routes[0].match.path: "/my file" holds a space or control character; '
        "percent-encode it, as in %20",
        id="a path has a space",
    ),
    pytest.param(
        a_match("{path: /café/**}"),
        'gateway.yaml:3: routes[0].match.path: "/café/**" holds a letter outside ASCII; write /caf%C3%A9/**',
        id="a path has a letter that only its encoding can carry",
    ),
    pytest.param(
        a_match("{path: /api/v**}"),
        'gateway.yaml:3: routes[0].match.path: "/api/v**" has ** within a segment; write * there, or /**/',
        id="a path has ** within a segment",
    ),
    pytest.param(
        a_match("{path: 5}"),
        "gateway.yaml:3: routes[0].match.path: must be a path such as /a/*/b/**, or a mapping "
        "with exact, prefix or regex, got 5",
        id="a path is a number",
    ),
    pytest.param(
        a_match("{path: {}}"),
        "gateway.yaml:3: routes[0].match.path: needs exactly one of exact, prefix, regex, got none",
        id="a path has no kind",
    ),
    pytest.param(
        a_match("{path: {exact: /a, prefix: /b}}"),
        "gateway.yaml:3: routes[0].match.path: needs exactly one of exact, prefix, regex, got "
        "exact and prefix",
        id="a path has two kinds",
    ),
    pytest.param(
        a_match("{path: {exact: a}}"),
        'gateway.yaml:3: routes[0].match.path.exact: must start with /, got "a"; paths are '
        "matched from their beginning",
        id="an exact path does not start with a slash",
    ),
    pytest.param(
        a_match("{path: {prefix: /a//b}}"),
        'gateway.yaml:3: routes[0].match.path.prefix: must not hold //, got "/a//b"; write one /',
        id="a prefix has two slashes",
    ),
    pytest.param(
        a_match("{path: {prefix: /a/*}}"),
        'gateway.yaml:3: routes[0].match.path.prefix: a prefix takes no wildcards, got "/a/*"; '
        "write path: /a/*",
        id="a prefix has a wildcard",
    ),
    pytest.param(
        a_match("{path: {prefix: ''}}"),
        'gateway.yaml:3: routes[0].match.path.prefix: must start with /, got ""; paths are '
        "matched from their beginning",
        id="a prefix is empty",
    ),
    pytest.param(
        a_match("{path: {exact: /a, whole_segments: false}}"),
        "gateway.yaml:3: routes[0].match.path.whole_segments: says something of a prefix only; leave it out",
        id="whole_segments stands without a prefix",
    ),
    pytest.param(
        a_match("{path: {regex: '^/(a'}}"),
        'gateway.yaml:3: routes[0].match.path.regex: the regex "^/(a" is not usable: missing '
        "): ^/(a; write it in RE2 syntax",
        id="a path's regex is broken",
    ),
    pytest.param(
        a_match("{path: {regex: '(?=a)'}}"),
        'gateway.yaml:3: routes[0].match.path.regex: the regex "(?=a)" is not usable: invalid '
        "perl operator: (?=; write it in RE2 syntax, which has no look-around and no back-references",
        id="a regex looks ahead",
    ),
    pytest.param(
        a_match("{headers: [{name: x-a, regex: '(a)\\1'}]}"),
        'gateway.yaml:3: routes[0].match.headers[0].regex: the regex "(a)\\\\1" is not usable: invalid '
        "escape sequence: \\1; write it in RE2 syntax, which has no look-around and no back-references",
        id="a regex refers back",
    ),
    pytest.param(
        a_match("{path: {regex: '((a{100}){100}){100}'}}"),
        'gateway.yaml:3: routes[0].match.path.regex: the regex "((a{100}){100}){100}" is not '
        "usable: invalid repetition size: {100}; write it in RE2 syntax",
        id="a regex is too big",
    ),
    pytest.param(
        a_match("{methods: []}"),
        "gateway.yaml:3: routes[0].match.methods: must not be empty; list at least one method, "
        "or leave it out",
        id="methods are empty",
    ),
    pytest.param(
        a_match("{methods: GET}"),
        'gateway.yaml:3: routes[0].match.methods: must be a list, got "GET"; write [GET]',
        id="methods are text",
    ),
    pytest.param(
        a_match("{methods: ['GE T']}"),
        'gateway.yaml:3: routes[0].match.methods[0]: "GE T" is not a method; write one such as GET or POST',
        id="a method has a space",
    ),
    pytest.param(
        a_match("{hosts: []}"),
        "gateway.yaml:3: routes[0].match.hosts: must not be empty; list at least one host, or leave it out",
        id="hosts are empty",
    ),
    pytest.param(
        a_match("{hosts: ['shop.test:80']}"),
        'gateway.yaml:3: routes[0].match.hosts[0]: "shop.test:80" is not a host; write a name '
        "without a port, or *.name for all names below it",
        id="a host has a port",
    ),
    pytest.param(
        a_match("{hosts: ['a.*.test']}"),
        'gateway.yaml:3: routes[0].match.hosts[0]: "a.*.test" is not a host; write a name '
        "without a port, or *.name for all names below it",
        id="a host has a wildcard in the middle",
    ),
    pytest.param(
        a_match("{headers: [{name: x-a}]}"),
        "gateway.yaml:3: routes[0].match.headers[0]: needs exactly one of exact, prefix, "
        "suffix, contains, regex, present, absent, got none",
        id="a header is asked for nothing",
    ),
    pytest.param(
        a_match("{headers: [{name: x-a, exact: a, regex: b}]}"),
        "gateway.yaml:3: routes[0].match.headers[0]: needs exactly one of exact, prefix, "
        "suffix, contains, regex, present, absent, got exact and regex",
        id="a header is asked for two things",
    ),
    pytest.param(
        a_match("{headers: [{name: x-a, present: false}]}"),
        "gateway.yaml:3: routes[0].match.headers[0].present: must be true, got false; leave it "
        "out for the opposite",
        id="a header's present is false",
    ),
    pytest.param(
        a_match("{headers: [{name: x-a, exakt: a}]}"),
        "gateway.yaml:3: routes[0].match.headers[0].exakt: unknown key; did you mean exact?",
        id="a header's test is unknown",
    ),
    pytest.param(
        a_match("{headers: [{name: x-a, prefix: ''}]}"),
        "gateway.yaml:3: routes[0].match.headers[0].prefix: must not be empty; write present: "
        "true for any value",
        id="a header's prefix is empty",
    ),
    pytest.param(
        a_match("{headers: [{name: x-a, regex: 'a**'}]}"),
        'gateway.yaml:3: routes[0].match.headers[0].regex: the regex "a**" is not usable: bad '
        "repetition operator: **; write it in RE2 syntax",
        id="a header's regex is broken",
    ),
    pytest.param(
        a_match("{headers: [{name: 'x a', exact: a}]}"),
        'gateway.yaml:3: routes[0].match.headers[0].name: "x a" is not a header name; use '
        "letters, digits and '-'",
        id="a header's name has a space",
    ),
    pytest.param(
        a_match("{headers: [{name: Host, exact: a}]}"),
        'gateway.yaml:3: routes[0].match.headers[0].name: "Host" is not asked for as a header; '
        "use path, methods or hosts",
        id="a header is the host",
    ),
    pytest.param(
        a_match("{headers: [{name: ':path', exact: a}]}"),
        'gateway.yaml:3: routes[0].match.headers[0].name: ":path" is not asked for as a '
        "header; use path, methods or hosts",
        id="a header is a pseudo-header",
    ),
    pytest.param(
        a_match("{headers: [{exact: a}]}"),
        "gateway.yaml:3: routes[0].match.headers[0].name: is missing",
        id="a header has no name",
    ),
    pytest.param(
        a_match("{query: [{name: '', exact: a}]}"),
        "gateway.yaml:3: routes[0].match.query[0].name: must not be empty; write the parameter's name",
        id="a query parameter has no name",
    ),
    pytest.param(
        a_match("{cookies: [{name: 'a;b', exact: a}]}"),
        'gateway.yaml:3: routes[0].match.cookies[0].name: "a;b" is not a cookie\'s name; use '
        "letters, digits, '-' and '_'",
        id="a cookie's name has a semicolon",
    ),
    pytest.param(
        a_match("{any: []}"),
        "gateway.yaml:3: routes[0].match.any: must not be empty; list at least one match, or leave it out",
        id="any is empty",
    ),
    pytest.param(
        a_match("{all: []}"),
        "gateway.yaml:3: routes[0].match.all: must not be empty; list at least one match, or leave it out",
        id="all is empty",
    ),
    pytest.param(
        a_match("{any: [{path: /a}, {not: {path: b}}]}"),
        'gateway.yaml:3: routes[0].match.any[1].not.path: must start with /, got "b"; paths '
        "are matched from their beginning",
        id="a nested match is wrong",
    ),
    pytest.param(
        a_match("{not: " * 32 + "{}" + "}" * 32),
        "gateway.yaml:3: "
        "routes[0].match.not.not.not.not.not.not.not.not.not.not.not.not.not.not.not.not.not.no"
        "t.not.not.not.not.not.not.not.not.not.not.not.not.not.not: match is nested more than "
        "32 deep; say it with fewer levels",
        id="match is nested too deep",
    ),
    pytest.param(
        a_match("{path: /%61dmin/**}"),
        'gateway.yaml:3: routes[0].match.path: no request has the path "/%61dmin/**", as paths are made '
        "normal; write /admin/**",
        id="a path escapes a letter",
    ),
    pytest.param(
        a_match("{path: /x/../admin/**}"),
        'gateway.yaml:3: routes[0].match.path: no request has the path "/x/../admin/**", as paths are '
        "made normal; write /admin/**",
        id="a path goes up",
    ),
    pytest.param(
        a_match("{path: {exact: /./admin}}"),
        'gateway.yaml:3: routes[0].match.path.exact: no request has the path "/./admin", as paths are '
        "made normal; write /admin",
        id="an exact path has a dot for a segment",
    ),
    pytest.param(
        a_match("{path: {prefix: /a/%2e%2e}}"),
        'gateway.yaml:3: routes[0].match.path.prefix: no request has the path "/a/%2e%2e", as paths are '
        "made normal; write /",
        id="a prefix goes up",
    ),
    pytest.param(
        a_match("{path: {prefix: '/a|', whole_segments: false}}"),
        'gateway.yaml:3: routes[0].match.path.prefix: no request has the path "/a|", as paths are made '
        "normal; write /a%7C",
        id="a prefix within a segment needs an escape",
    ),
    pytest.param(
        a_match("{path: /%2f}"),
        'gateway.yaml:3: routes[0].match.path: no request has the path "/%2f", as paths are made '
        "normal; write /",
        id="a path escapes a slash",
    ),
    pytest.param(
        a_match("{path: /a/..;/b}"),
        'gateway.yaml:3: routes[0].match.path: no request has the path "/a/..;/b", as paths are made '
        "normal; write /b",
        id="a path goes up with parameters",
    ),
    pytest.param(
        a_match("{path: '/a\\b'}"),
        'gateway.yaml:3: routes[0].match.path: no request has the path "/a\\\\b", as paths are made '
        "normal; write /a/b",
        id="a path has a backslash",
    ),
    pytest.param(
        a_match("{path: /a%00}"),
        "gateway.yaml:3: routes[0].match.path: path must have no %00, got '/a%00'; "
        "no request has such a path",
        id="a path has a null",
    ),
    pytest.param(
        a_match("{headers: [{name: X-Envoy-Retry-On, present: true}]}"),
        'gateway.yaml:3: routes[0].match.headers[0].name: Envoy lets no client send "X-Envoy-Retry-On"; '
        "give it a name that begins in another way",
        id="a header is one of Envoy's orders",
    ),
    pytest.param(
        a_match("{headers: [{name: x-sidecar-route, present: true}]}"),
        'gateway.yaml:3: routes[0].match.headers[0].name: Envoy lets no client send "x-sidecar-route"; '
        "give it a name that begins in another way",
        id="a header is one of the sidecar's",
    ),
    pytest.param(
        a_match("{body: {'items[0].k': 1}}"),
        'gateway.yaml:3: routes[0].match.body["items[0].k"]: "items[0].k" is in another notation than '
        "paths here; write items.0.k",
        id="a body's path has brackets",
    ),
    pytest.param(
        a_match("{body: {'$.model': 1}}"),
        'gateway.yaml:3: routes[0].match.body["$.model"]: "$.model" is in another notation than paths '
        "here; write model",
        id="a body's path is JSONPath",
    ),
    pytest.param(
        a_match("{body: {'/a/b': 1}}"),
        'gateway.yaml:3: routes[0].match.body./a/b: "/a/b" is in another notation than paths here; write a.b',
        id="a body's path is a pointer",
    ),
    pytest.param(
        a_match("{body: {'items.-1.k': 1}}"),
        'gateway.yaml:3: routes[0].match.body["items.-1.k"]: "items.-1.k" has a place before the first; '
        "places are counted from 0",
        id="a body's path has a negative place",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_says_in_one_line_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert str(refused.value) == said


@pytest.mark.parametrize(
    "match",
    [
        "{path: {prefix: /a/., whole_segments: false}}",
        "{path: {prefix: '/a/%6', whole_segments: false}}",
        "{path: '/.*/..x/a;b/%C3%A9/**'}",
        "{headers: [{name: x-envoy-external-address, present: true}]}",
        "{body: {$type: 1, a/b: 2, a.x-1: 3, '@id': 4}}",
        "{country: [de, XX, T1, XK]}",
    ],
)
def test_what_a_request_may_have_is_sound(match: str) -> None:
    assert loaded(a_match(match)).notes == []


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        (
            a_match("{country: [DE, uk]}"),
            'gateway.yaml:3: routes[0].match.country[1]: "uk" is the code of no country; write GB',
        ),
        (
            "gates: [{country: {block: [QQ]}}]\n" + a_match("{}"),
            (
                'gateway.yaml:1: gates[0].country.block[0]: "QQ" is the code of no country; '
                "write two letters of ISO 3166, such as DE"
            ),
        ),
    ],
)
def test_a_code_of_no_country_is_noted(text: str, noted: str) -> None:
    """M12"""
    assert loaded(text).notes == [noted]
