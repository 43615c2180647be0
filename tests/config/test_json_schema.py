"""The JSON Schema for editors agrees with what is loaded."""

import re
from typing import Any

import pytest

from sidecar.config.document import read
from sidecar.config.schema_json import json_schema
from tests.config.files import loaded

EXAMPLE = """\
listen:
  grpc: [127.0.0.1:50051, unix:/run/sidecar/sidecar.sock]
  admin: null
envoy: {listen: 0.0.0.0:10000, feedback: response}
on_error: shop
tickets: {lease: 1h30m}
clusters:
  shop:
    endpoints:
      - {address: 10.0.0.1:8080, id: v1, weight: 70, version: v1, region: us-east-1, zone: a, tags: [gpu]}
      - {address: "[::1]:8080", id: v2, weight: 30}
  cart: {}
context:
  session: [{cookie: sid}, {header: x-session-id}]
routes:
  - name: chat
    priority: 100
    match:
      path: {prefix: /api/v1/ai}
      hosts: [shop.test, "*.shop.test"]
      headers: [{name: x-ai-model, exact: gpt-4}, {name: x-debug, absent: true}]
      any: [{methods: [GET]}, {not: {query: [{name: q, regex: "^a"}]}}]
    pool: [shop, {cluster: cart}]
    strategy: {random: {}}
    labels: {gpu: "1", sla: 99.9%}
  - name: checkout
    match: {path: /checkout/**}
    split: [{to: shop, weight: 90}, {to: {cluster: cart}, weight: 10, name: new}]
    sticky: {by: {cookie: sid}}
    rewrite: {strip_prefix: /v1, host: shop.internal, path: {regex: "^/a", replace: /b}}
    headers: {request: {set: {x-api: v1}, remove: [x-debug]}, response: {add: {x-served-by: shop}}}
    enabled: false
  - {name: default, to: v1}
demo:
  tour:
    - path: /checkout
      times: 100
      expect: {status: 200, endpoints: {v1: [80, 100], v2: 10}, headers: {x-debug: null}}
"""


def agrees(value: object, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether the value is valid, by the keywords that our schema uses; an unknown keyword fails the test."""
    if "$ref" in schema:
        named: dict[str, Any] = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return agrees(value, named, root)
    types: dict[str, tuple[type, ...]] = {
        "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
        "integer": (int,), "number": (int, float), "null": (type(None),),
    }  # fmt: skip
    for keyword, wanted in schema.items():
        match keyword:
            case "description" | "default" | "examples" | "title" | "$schema" | "$defs":
                held = True
            case "type":
                held = isinstance(value, types[wanted]) and (
                    wanted == "boolean" or not isinstance(value, bool)
                )
            case "anyOf":
                held = any(agrees(value, each, root) for each in wanted)
            case "oneOf":
                held = sum(agrees(value, each, root) for each in wanted) == 1
            case "enum":
                held = value in wanted
            case "const":
                held = value == wanted
            case "pattern":
                held = isinstance(value, str) and re.search(wanted, value) is not None
            case "maxLength":
                held = isinstance(value, str) and len(value) <= wanted
            case "minimum" | "maximum":
                held = isinstance(value, (int, float)) and (
                    value >= wanted if keyword == "minimum" else value <= wanted
                )
            case "minItems" | "maxItems":
                held = isinstance(value, list) and (
                    len(value) >= wanted if keyword == "minItems" else len(value) <= wanted
                )
            case "items":
                held = isinstance(value, list) and all(agrees(each, wanted, root) for each in value)
            case "required":
                held = isinstance(value, dict) and all(key in value for key in wanted)
            case "properties":
                held = isinstance(value, dict) and all(
                    agrees(value[key], each, root) for key, each in wanted.items() if key in value
                )
            case "patternProperties":
                held = isinstance(value, dict) and all(
                    agrees(each, inner, root)
                    for pattern, inner in wanted.items()
                    for key, each in value.items()
                    if re.search(pattern, key)
                )
            case "additionalProperties":
                known = schema.get("properties", {})
                held = isinstance(value, dict) and all(
                    isinstance(wanted, dict) and agrees(each, wanted, root) if wanted is not True else True
                    for key, each in value.items()
                    if key not in known
                )
            case _:
                raise AssertionError(f"the schema uses {keyword}, which this test does not know")
        if not held:
            return False
    return True


def test_the_example_is_loaded_and_agrees_with_the_schema() -> None:
    loaded(EXAMPLE)
    schema = json_schema()

    assert agrees(read(EXAMPLE).top, schema, schema)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("lease: 1h30m", "lease: 90"),
        ("lease: 1h30m", "lease: 90 minutes"),
        ("10.0.0.1:8080", "10.0.0.1"),
        ("weight: 70", "weight: 1001"),
        ("feedback: response", "feedback: log"),
        ("{cluster: cart}, weight", "{version: a}, weight"),
        ("absent: true", "absent: false"),
        ("priority: 100", "prioritty: 100"),
        ("x-api: v1", "x-api: 1"),
        ("[80, 100]", "[80]"),
    ],
)
def test_what_is_refused_for_its_shape_disagrees_with_the_schema(right: str, wrong: str) -> None:
    schema = json_schema()
    assert right in EXAMPLE

    assert not agrees(read(EXAMPLE.replace(right, wrong, 1)).top, schema, schema)


def test_every_key_has_a_description() -> None:
    schema: dict[str, Any] = json_schema()

    for model in [schema, *schema["$defs"].values()]:
        assert model["description"]
        for key, each in model["properties"].items():
            assert each.get("description"), key
