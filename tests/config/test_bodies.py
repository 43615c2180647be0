"""What conditions and sources on bodies become, what is said of mistakes, and which requests need a body."""

from collections.abc import Mapping

import pytest

from sidecar.config import schema
from sidecar.config.bodies import Need, Place, namespaces, needs
from sidecar.config.errors import ConfigError
from sidecar.core.request import Request, headers_of
from tests.config.files import a_match, a_route, loaded
from tests.xds.running import a_config


def the_match(match: str, more: str = "") -> str:
    return loaded(a_match(match) + more).plan.routes[0].matcher.text()


@pytest.mark.parametrize(
    ("match", "condition"),
    [
        ("{body: {data.priority: high}}", '(body data.priority is "high")'),
        ("{body: {n: 1.0}}", "(body n is 1)"),
        ('{body: {n: "1"}}', '(body n is "1")'),
        ("{body: {n: true}}", "(body n is true)"),
        ("{body: {n: null}}", "(body n is null)"),
        ("{body: {n: [1, high, 1.0]}}", '(body n is 1 or "high")'),
        ("{body: {items.0.name: x}}", '(body items.0.name is "x")'),
        ("{body: {a: 1, b: 2}}", "(body a is 1 and body b is 2)"),
        ("{not: {body: {a: yes}}}", '(not body a is "yes")'),
    ],
)
def test_a_condition_on_a_body(match: str, condition: str) -> None:
    """M7: what is written without quotes has the type that YAML gives it."""
    assert the_match(match) == condition


def test_a_limit_comes_from_the_file() -> None:
    """M7"""
    assert loaded(a_match("{}")).plan.body_limit == 1 << 20
    assert loaded(a_match("{}") + "envoy: {body_limit: 3MB}\n").plan.body_limit == 3 << 20


MISTAKES = [
    pytest.param(
        a_match("{body: {}}"),
        "routes[0].match.body: must not be empty; list at least one field, or leave it out",
        id="no field",
    ),
    pytest.param(
        a_match("{body: {a: []}}"),
        "routes[0].match.body.a: must not be empty; list at least one value, or leave it out",
        id="no value",
    ),
    pytest.param(
        a_match("{body: {a: {b: 1}}}"),
        "routes[0].match.body.a: is a mapping where a value should be; write the dotted path down to one "
        "value",
        id="a mapping",
    ),
    pytest.param(
        a_match("{body: {a: [1, [2]]}}"),
        "routes[0].match.body.a[1]: is a list where a value should be; write the dotted path down to one "
        "value",
        id="a list in a list",
    ),
    pytest.param(
        a_match("{body: {a: .inf}}"),
        "routes[0].match.body.a: inf is no value that JSON has; write a text, a number, true, false or null",
        id="no number of JSON",
    ),
    pytest.param(
        a_match(f"{{body: {{a: {'x' * 8193}}}}}"),
        "routes[0].match.body.a: is a text of more than 8192 bytes; Envoy tells no longer ones",
        id="a text that is too long",
    ),
    pytest.param(
        a_match("{body: {a..b: 1}}"),
        'routes[0].match.body["a..b"]: "a..b" is no path into a body; write keys and places with dots '
        "between, such as messages.0.role",
        id="an empty key",
    ),
    pytest.param(
        a_match(f"{{body: {{{'a.' * 256}b: 1}}}}"),
        "is longer than 512 characters; no body needs such a path",
        id="a path that is too long",
    ),
    pytest.param(
        a_match("{}") + "context: {model: [{body: ''}]}\n",
        'context.model[0].body: "" is no path into a body; write keys and places with dots between, such as '
        "messages.0.role",
        id="a source without a path",
    ),
    pytest.param(
        a_match("{}") + "context: {tier: [{claim: ''}]}\n",
        "context.tier[0].claim: must not be empty; write the claim's name",
        id="a claim without a name",
    ),
    pytest.param(
        a_match("{}") + "context: {tier: [{metadata: {namespace: '', path: a}}]}\n",
        "context.tier[0].metadata.namespace: must not be empty; write what the filter of Envoy uses",
        id="metadata without a namespace",
    ),
    pytest.param(
        a_match("{}") + "context: {tier: [{metadata: {namespace: a, path: ''}}]}\n",
        "context.tier[0].metadata.path: must not be empty; write what the filter of Envoy uses",
        id="metadata without a path",
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_says_where_what_and_how_to_mend_it(text: str, problem: str) -> None:
    """M7 M10"""
    with pytest.raises(ConfigError) as failed:
        loaded(text)

    assert problem in str(failed.value)


def test_notes_claims_that_nobody_verifies() -> None:
    """M10"""
    text = a_match("{}") + "context: {tier: [{claim: tier}]}\n"
    jwt = "envoy: {jwt: {issuer: a, jwks_file: b}}\n"

    assert any("without envoy.jwt, Envoy verifies no token" in note for note in loaded(text).notes)
    assert not any("envoy.jwt" in note for note in loaded(text + jwt).notes)


def test_facts_come_from_claims_and_metadata() -> None:
    """M10: an absent one leaves the next source."""
    context = "context: {tier: [{claim: tier}, {metadata: {namespace: a, path: b}}, {header: x-user-tier}]}\n"
    matcher = loaded(a_match("{tier: [gold]}") + context).plan.routes[0].matcher

    assert matcher.matches(Request("GET", "a", "/", headers_of([("x-user-tier", b"gold")])))


def a_need(match: Mapping[str, object], **changes: object) -> list[Need]:
    return needs(a_config(routes=[{"name": "r", "to": "users", "match": match}], **changes))


def test_a_route_that_asks_for_no_body_needs_none() -> None:
    """M7"""
    assert a_need({"path": "/a", "tier": ["x"], "headers": [{"name": "x-a", "present": True}]}) == []


def test_fields_that_envoy_can_tell_need_no_more() -> None:
    """M7"""
    match = {"path": "/a", "methods": ["POST"], "hosts": ["a.test"], "body": {"a.b": "x", "c": [1, 2]}}

    place = Place("/a", ("a.test",), ("POST",))
    assert a_need(match) == [Need(place, frozenset(("a.b", "c")))]


@pytest.mark.parametrize("body", [{"items.0": 1}, {"items.12.name": "x"}, {"a": None}, {"a": [1, None]}])
def test_what_envoy_cannot_tell_needs_the_whole_body(body: dict[str, object]) -> None:
    """M7: places in lists, and null."""
    assert a_need({"path": "/a", "body": body}) == [Need(Place("/a"), whole=True)]


def test_a_size_needs_to_be_counted() -> None:
    """M8"""
    assert a_need({"all": [{"path": {"prefix": "/api"}}, {"size": "> 10MB"}]}) == [
        Need(Place(schema.Path(prefix="/api")), counted=True)
    ]


def test_each_alternative_has_its_own_place() -> None:
    """M7 M15: only requests of an alternative that asks for the body need it."""
    match = {"any": [{"path": "/a", "body": {"n": 1}}, {"path": "/b"}, {"path": "/c", "size": "> 1KB"}]}

    assert a_need(match) == [Need(Place("/a"), frozenset("n")), Need(Place("/c"), counted=True)]


def test_a_negation_is_asked_wherever_the_rest_may_hold() -> None:
    """M7 M15"""
    match = {
        "path": "/a",
        "not": {"path": "/a", "headers": [{"name": "x-a", "present": True}], "body": {"n": 1}},
    }

    assert a_need(match) == [Need(Place("/a"), frozenset("n"))]


def test_of_two_paths_the_more_exact_is_enough() -> None:
    """M7"""
    match = {"path": {"prefix": "/api"}, "all": [{"path": "/api/x"}], "body": {"n": 1}}

    assert a_need(match) == [Need(Place("/api/x"), frozenset("n"))]


def test_headers_that_must_be_there_narrow_it() -> None:
    """M7"""
    headers = [
        {"name": "X-AI", "exact": "1"},
        {"name": "x-b", "absent": True},
        {"name": "x-envoy-a", "present": True},
    ]

    assert a_need({"headers": headers, "body": {"n": 1}}) == [
        Need(Place(headers=frozenset(("x-ai",))), frozenset("n"))
    ]


def test_too_many_alternatives_are_taken_as_one() -> None:
    """M7: wider is allowed, narrower is not."""
    ten = [{"path": f"/{at}", "body": {f"f{at}": 1}} for at in range(10)]

    needed = a_need({"all": [{"any": ten}, {"any": ten}]})

    assert len(needed) <= 10
    assert set().union(*(need.fields for need in needed)) == {f"f{at}" for at in range(10)}


def test_a_fact_that_comes_from_a_body_needs_it_where_it_is_asked_for() -> None:
    """M9"""
    context = {"model": [{"header": "x-ai-model"}, {"body": "model"}], "user": [{"body": "ids.0"}]}

    assert a_need({"path": "/a", "model": ["gpt-4"]}, context=context) == [
        Need(Place("/a"), frozenset(("model",)))
    ]
    assert a_need({"path": "/a", "user": ["u"]}, context=context) == [Need(Place("/a"), whole=True)]
    assert a_need({"path": "/a", "tier": ["x"]}, context=context) == []


def test_so_does_a_client_that_is_kept_by_it() -> None:
    """M9"""
    route = {"name": "r", "match": {"path": "/a"}, "to": "users", "sticky": {"by": "user"}, "share": "10%"}

    assert needs(a_config(routes=[route], context={"user": [{"body": "user"}]})) == [
        Need(Place("/a"), frozenset(("user",)))
    ]


@pytest.mark.parametrize(
    ("route", "changes", "fields"),
    [
        ({"strategy": {"consistent_hash": {"by": {"body": "conversation"}}}}, {}, {"conversation"}),
        ({"strategy": {"cache_aware": {"by": [{"header": "x"}, {"body": "prompt"}]}}}, {}, {"prompt"}),
        (
            {"strategy": {"consistent_hash": {"by": "user"}}},
            {"context": {"user": [{"body": "who"}]}},
            {"who"},
        ),
        ({"strategy": "geo_nearest"}, {"context": {"region": [{"body": "place"}]}}, {"place"}),
        ({"strategy": "random"}, {"context": {"max_tokens": [{"body": "max_tokens"}]}}, {"max_tokens"}),
        (
            {"failover": [{"to": "users", "strategy": {"consistent_hash": {"by": {"body": "k"}}}}]},
            {},
            {"k"},
        ),
        (
            {},
            {"context": {"model": [{"body": "model"}]}, "clusters": {"users": {"models": ["gpt-4"]}}},
            {"model"},
        ),
    ],
)
def test_so_does_what_a_strategy_goes_by(
    route: dict[str, object], changes: dict[str, object], fields: set[str]
) -> None:
    named = {"name": "r", "to": "users", "match": {"path": "/a"}, **route}

    assert needs(a_config(routes=[named], **changes)) == [Need(Place("/a"), fields=frozenset(fields))]


def test_a_fact_that_no_strategy_goes_by_needs_no_body() -> None:
    route = {"name": "r", "to": "users", "strategy": "random"}

    assert (
        needs(a_config(routes=[route], context={"model": [{"body": "model"}], "user": [{"body": "u"}]})) == []
    )


def test_so_do_gates() -> None:
    """M9 Q4 X2"""
    gates = [
        {"upload": {"path": "/upload", "max_size": "1MB"}},
        {"upload": {"path": "/types", "types": ["image/*"]}},
        {"country": {"paths": ["/a", "/b/**"], "allow": ["DE"]}},
    ]

    assert needs(a_config(gates=gates, context={"country": [{"body": "country"}]})) == [
        Need(Place("/upload"), counted=True),
        Need(Place("/a"), frozenset(("country",))),
        Need(Place("/b/**"), frozenset(("country",))),
    ]
    everywhere = [{"country": {"block": ["DE"]}}]
    assert needs(a_config(gates=everywhere, context={"country": [{"body": "country"}]})) == [
        Need(Place(), frozenset(("country",)))
    ]


def test_what_is_switched_off_may_be_switched_on() -> None:
    """M7 M17: without a new Envoy."""
    assert needs(
        a_config(routes=[{"name": "r", "to": "users", "match": {"body": {"n": 1}}, "enabled": False}])
    ) == [Need(Place(), frozenset("n"))]


def test_names_the_metadata_that_facts_come_from() -> None:
    """M10"""
    context = {
        "tier": [{"claim": "tier"}, {"claim": "plan"}],
        "user": [{"metadata": {"namespace": "a.filter", "path": "user"}}],
        "model": [{"body": "model"}],
    }

    assert namespaces(a_config(context=context)) == ["a.filter", "envoy.filters.http.jwt_authn"]
    assert namespaces(a_config()) == []


def test_a_route_says_where_its_body_condition_is_wrong_by_line() -> None:
    with pytest.raises(ConfigError, match=r"gateway.yaml:3: routes\[0\].match.body.a: is a mapping"):
        loaded(a_route("to: shop, match: {body: {a: {}}}"))
