"""Envoy's messages as YAML for people: the name first, then short facts, then what is nested.

Within these by the alphabet, because protobuf's maps have an order of their own in every process.
"""

from typing import Final, TypeAlias

import yaml
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_FIRST: Final = ("@type", "name", "id", "match", "input", "endpoint", "header")
_LAST: Final = (
    "static_resources",
    "listeners",
    "clusters",
    "early_header_mutation_extensions",
    "http_filters",
    "route_config",
    "access_log",
)  # long ones, in the order in which a request meets them
_WIDTH: Final = 1000  # a folded line is harder to search than a long one


def to_yaml(message: Message, header: str = "") -> str:
    """The fields by their names in Envoy's documentation; `header` becomes a comment at the top."""
    tree = _arranged(MessageToDict(message, preserving_proto_field_name=True))
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    body = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return comment + body


class _Dumper(yaml.SafeDumper):
    """Indents lists and writes no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if _taken_for_another(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _taken_for_another(value: str) -> bool:
    """Envoy reads a plain y as true, and a plain 0x1f or 1e3 as a number; PyYAML would write them plain."""
    if value.lower() in {"y", "n"}:
        return True
    try:
        float(value)
    except ValueError:
        return value[:2].lower() in {"0x", "0o"}
    return True


def _arranged(value: Json) -> Json:
    match value:
        case dict():
            keys = sorted(value, key=lambda key: _place(key, value[key]))
            return {key: _arranged(value[key]) for key in keys}
        case list():
            return [_arranged(one) for one in value]
        case _:
            return value


def _place(key: str, value: Json) -> tuple[int, int, str]:
    if key in _FIRST:
        return (0, _FIRST.index(key), key)
    if key in _LAST:
        return (3, _LAST.index(key), key)
    return (2 if isinstance(value, dict | list) else 1, 0, key)
