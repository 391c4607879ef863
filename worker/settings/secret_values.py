"""`secrets`: the keys of `hmac_sha256` in mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

from worker.settings.secret_files import FILE_SCHEMA
from worker.settings.values import InvalidValueError, Text

NO_VALUE = "the secret has no value", "hmac_sha256 needs one in the commands that deliver"
"""The problem with a secret that a command needs, and what to do."""


def _values(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidValueError(
            "must be a mapping of names", "secrets: {pepper: ${PEPPER}}, or {pepper: {file: path}}"
        )
    return value


def _value(value: Any) -> Any:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidValueError("must be text, or the name of a file", "put the secret in quotes")
    return str(value)


Secrets = Annotated[
    dict[Text, Annotated[SecretStr | None, BeforeValidator(_value)]],
    BeforeValidator(_values),
    WithJsonSchema(
        {"type": "object", "additionalProperties": {"anyOf": [{"type": ["string", "null"]}, FILE_SCHEMA]}}
    ),
]

SECRETS_FIELD: Any = Field(
    default={},
    description="Keys for hmac_sha256 in mappings, by name: the value, best from the environment, or {file: path}. "
    "They are never printed. Only commands that deliver, and map, need the values; in test a name stands for itself.",
    examples=[{"pepper": "${PEPPER}"}, {"pepper": {"file": "/run/secrets/pepper"}}],
)
