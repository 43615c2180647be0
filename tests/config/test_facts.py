"""What `context`, `models`, `flags` and the conditions on facts become, and what is said of mistakes."""

import pytest

from sidecar.config.errors import ConfigError
from sidecar.core.request import Request, headers_of
from tests.config.files import a_match, a_route, loaded


def the_match(match: str, more: str = "") -> str:
    return loaded(a_match(match) + more).plan.routes[0].matcher.text()


def holds(match: str, more: str = "", target: str = "/", **headers: str) -> bool:
    raw = headers_of((name.replace("_", "-"), value.encode()) for name, value in headers.items())
    request = Request("GET", "shop.test", target, raw)
    return loaded(a_match(match) + more).plan.routes[0].matcher.matches(request)


@pytest.mark.parametrize(
    ("match", "condition"),
    [
        ("{tenant: [acme, globex]}", '(tenant is "acme" or "globex")'),
        ("{user: [u1]}", '(user is "u1")'),
        ("{organization: [o]}", '(organization is "o")'),
        ("{tier: [premium]}", '(tier is "premium")'),
        ("{segment: [beta_testers]}", '(segment is "beta_testers")'),
        ("{region: [eu]}", '(region is "eu")'),
        ("{country: [de, US, DE]}", '(country is "DE" or "US")'),
        ('{priority: ">= high"}', '(priority is "high" or "critical")'),
        ('{priority: "< normal"}', '(priority is "low")'),
        ("{priority: normal}", '(priority is "normal")'),
        ("{flag: new_ai_model}", '(flag new_ai_model is "on")'),
        ('{size: "> 10MB"}', "(body has at least 10485761 bytes)"),
        ('{size: ">= 1.5KB"}', "(body has at least 1536 bytes)"),
        ('{size: "< 1MB"}', "(body has at most 1048575 bytes)"),
        ('{size: "<= 0"}', "(body has at most 0 bytes)"),
        ('{size: "1KB..10 kb"}', "(body has 1024 to 10240 bytes)"),
        ("{not: {country: [XX]}}", '(not country is "XX")'),
        ("{client_ip: [10.0.0.0/8, 192.0.2.7]}", "(client_ip is in 10.0.0.0/8, 192.0.2.7)"),
    ],
)
def test_a_condition_on_a_fact(match: str, condition: str) -> None:
    """M8 M10 M11 M12 M14"""
    assert the_match(match) == condition


def test_facts_come_from_where_the_file_says() -> None:
    """M10"""
    context = "context: {tier: [{query: tier}, {header: x-plan}]}\n"

    assert holds("{tier: [premium]}", context, target="/?tier=premium")
    assert holds("{tier: [premium]}", context, x_plan="premium")
    assert not holds("{tier: [premium]}", context, x_user_tier="premium")


def test_aliases_of_models_are_followed_to_their_end() -> None:
    """M9: in the file and in the request."""
    models = "models: {best: gpt-4, gpt-4: gpt-4-0613}\n"

    assert the_match("{model: [best]}", models) == '(model is "gpt-4-0613")'
    assert holds("{model: [gpt-4]}", models, x_ai_model="best")
    assert holds("{model: [gpt-4-0613]}", models, x_ai_model="gpt-4")
    assert not holds("{model: [gpt-4]}", models, x_ai_model="gpt-3")


def test_a_model_may_stand_in_the_path() -> None:
    """M9: as the one group of a regex, and by another name."""
    context = "context: {model: [{path: '^/models/([^/]+)/(?:chat|embed)'}, {header: x-ai-model}]}\n"
    models = "models: {gpt-4: gpt-4-0613}\n"

    assert holds("{model: [gpt-4]}", context + models, target="/models/gpt-4/chat")
    assert holds("{model: [gpt-4]}", context + models, target="/models/gpt-4-0613/embed?x=/models/a/chat")
    assert not holds("{model: [gpt-4]}", context + models, target="/models/gpt-3/chat")
    assert not holds("{model: [gpt-4]}", context + models, target="/models/gpt-4")
    assert holds("{model: [gpt-4]}", context + models, target="/models/gpt-4", x_ai_model="gpt-4")


def test_the_client_s_address_is_within_ranges() -> None:
    """M12: behind as many proxies as the file says."""
    context = "context: {client_ip: {trusted_hops: 1}}\n"
    chain = "10.9.9.9, 192.0.2.7, 10.0.0.1"

    assert holds("{client_ip: [192.0.2.0/24]}", context, x_forwarded_for=chain)
    assert holds("{client_ip: [10.0.0.0/24]}", x_forwarded_for=chain)
    assert not holds("{client_ip: [10.0.0.0/8]}", context, x_forwarded_for=chain)
    assert not holds("{client_ip: [0.0.0.0/0, '::/0']}", context)


def test_a_client_keeps_its_arm_by_its_address() -> None:
    """R4 M12"""
    text = a_route("split: [{to: shop, weight: 1}, {to: shop, weight: 1, name: b}], sticky: {by: client_ip}")
    (field,) = loaded(text).plan.routes[0].sticky
    request = Request("GET", "shop.test", "/", headers_of([("x-forwarded-for", b"::ffff:192.0.2.7")]))

    assert field.read(request) == ["192.0.2.7"]


def test_flags_are_held_by_the_file() -> None:
    """M14"""
    assert holds("{flag: new}", "flags: {new: true}\n")
    assert not holds("{flag: new}", "flags: {new: true}\n", x_feature_flag="new=false")
    assert not holds("{flag: new}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            a_match("{model: [a]}") + "models: {a: b, b: c, c: a}\n",
            "models.a: is an alias of itself: a to b to c to a; end the chain at a model",
        ),
        (a_match("{model: []}"), "routes[0].match.model: must not be empty; list at least one value"),
        (
            a_match("{priority: urgent}"),
            '"urgent" is not a priority; write one of low, normal, high',
        ),
        (a_match('{priority: "> critical"}'), 'no priority is "> critical"; they are low, normal'),
        (a_match("{size: big}"), '"big" is not a size; write "> 10MB", "< 1MB" or "1MB..10MB"'),
        (a_match('{size: "2MB..1MB"}'), '"2MB..1MB" begins after its end; write the smaller size first'),
        (a_match('{size: "< 0"}'), 'no body is "< 0"; write <= 0B for none'),
        (a_match("{flag: a b}"), 'routes[0].match.flag: "a b" is'),
        (a_match("{tier: [x]}") + "context: {tier: []}\n", "context.tier has no source; give it one"),
        (a_match("{}") + "models: [a]\n", "models: must be a mapping of names, got a list"),
        (a_match("{}") + "models: {a: 1}\n", "models.a: must be a model's name, got 1"),
        (a_match("{}") + "flags: {a: maybe}\n", 'flags.a: must be true or false, got "maybe"'),
    ],
)
def test_a_mistake_is_told(text: str, said: str) -> None:
    """V4"""
    with pytest.raises(ConfigError) as refused:
        loaded(text)

    assert said in str(refused.value)
