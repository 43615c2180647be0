"""The shape of the file as JSON Schema, so that an editor completes and checks it while it is written."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from sidecar.config.schema import Config


def json_schema() -> dict[str, object]:
    """JSON Schema, draft 2020-12, of the file."""
    schema: dict[str, object] = Config.model_json_schema(by_alias=True, schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, **schema, "title": "Configuration of the routing sidecar"}


class _Generator(GenerateJsonSchema):
    """Leaves out the title of every key: editors would show it in place of the description."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False
