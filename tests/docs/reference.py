"""The tables of docs/configuration.md, made from the schema that `sidecar schema` prints."""

import json
from typing import Any, Final

from sidecar.config.schema_json import json_schema

_KINDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}
_BY_EXAMPLE: Final = {
    "30s": "duration",
    "[::1]:8080": "address",
    "unix:/run/sidecar/sidecar.sock": "address or unix:/path",
}
_BY_PATTERN: Final = {"^[A-Za-z0-9]": "name", "^[!#$%": "header name", r"^[\x21-": "label"}


def sections() -> dict[str, dict[str, Any]]:
    """Each mapping of the file by its name in the schema; the file itself is `Config`."""
    whole: Any = json_schema()
    return {"Config": whole, **whole["$defs"]}


def table(name: str, among: dict[str, dict[str, Any]] | None = None) -> str:
    """Of a mapping of the configuration, or of one of those given."""
    section = (sections() if among is None else among)[name]
    required = section.get("required", [])
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for key, about in section["properties"].items():
        default = "required" if key in required else _default(about)
        cells = (f"`{key}`", _takes(about), default, _plain(about["description"]))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Nothing in it means anything in Markdown."""
    for character in "\\*|<":
        text = text.replace(character, f"\\{character}")
    return text


def _takes(about: dict[str, Any]) -> str:
    for choice in ("oneOf", "anyOf"):
        if choice in about:
            forms = [_takes(form) for form in about[choice] if form.get("type") != "null"]
            nullable = any(form.get("type") == "null" for form in about[choice])
            if nullable and about.get("default") is not None:
                forms.append("null")
            return " or ".join(dict.fromkeys(forms))
    if "$ref" in about:
        target = about["$ref"].rpartition("/")[2]
        return f"[{target}](#{target.lower()})"
    if "enum" in about:
        return " or ".join(f"`{value}`" for value in about["enum"])
    if "const" in about:
        return f"`{json.dumps(about['const'])}`"
    kind = about.get("type", "")
    if kind == "array":
        return f"list of {_takes(about['items'])}"
    if kind == "object":
        values = [*about.get("patternProperties", {}).values(), about.get("additionalProperties")]
        if isinstance(values[0], dict):
            return f"mapping of names to {_takes(values[0])}"
    text = _text(about) if kind == "string" else _KINDS.get(kind, "anything")
    return text + _bounds(about)


def _text(about: dict[str, Any]) -> str:
    for example, kind in _BY_EXAMPLE.items():
        if example in about.get("examples", []):
            return kind
    for start, kind in _BY_PATTERN.items():
        if about.get("pattern", "").startswith(start):
            return kind
    return "text"


def _bounds(about: dict[str, Any]) -> str:
    least, most = about.get("minimum"), about.get("maximum")
    return "" if least is None or most is None else f", {least:,.0f} to {most:,.0f}"


def _default(about: dict[str, Any]) -> str:
    default = about.get("default")
    if default is None:
        return "none"
    if isinstance(default, dict) and any(default.values()):
        return "as below"
    if isinstance(default, dict):
        return "`{}`"
    return f"`{_flow(default)}`"


def _flow(value: object) -> str:
    """As one would write it in the file."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items() if each is not None) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return value if isinstance(value, str) and value else json.dumps(value)
