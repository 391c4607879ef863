"""The JSON Schema of worker.yaml as it is written: durations with units, `${NAME}` for any value."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}", "description": "${NAME}"}
_WORDS = {"description", "default", "examples"}


def settings_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a settings tree."""
    schema = model.model_json_schema()
    sections = schema.pop("$defs")
    schema["properties"] = {
        key: _section(sections[value["$ref"].rpartition("/")[2]]) if "$ref" in value else _or_variable(value)
        for key, value in schema["properties"].items()
    }
    return {"$schema": _DRAFT, **schema, "title": "worker.yaml", "description": "The worker's settings."}


def _section(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {key: _or_variable(value) for key, value in schema["properties"].items()}
    return {**schema, "type": ["object", "null"], "properties": properties}


def _or_variable(value: dict[str, Any]) -> dict[str, Any]:
    """The same setting, or a variable in its place; what is said about it stays outside of the choice."""
    value.pop("title", None)
    if value.get("type") in ("object", "array"):
        return value
    words = {key: item for key, item in value.items() if key in _WORDS}
    bounds = {key: item for key, item in value.items() if key not in _WORDS}
    choices = bounds["anyOf"] if set(bounds) == {"anyOf"} else [bounds]
    return {**words, "anyOf": [*choices, _VARIABLE]}
