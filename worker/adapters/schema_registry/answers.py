"""What the answers of a schema registry mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

MAX_BYTES = 16_000_000
"""The largest answer that is read: schemas have some thousand bytes."""

_UNKNOWN_CODES = frozenset({40401, 40402, 40403})
"""Confluent's error codes for a subject, version or schema that is not there. A 404 with another body may come from a
wrong URL, and says nothing about the schema."""

_UNKNOWN_NAMES = frozenset(
    {"ArtifactNotFoundException", "ContentNotFoundException", "VersionNotFoundException"}
)
"""The same in Apicurio's own API."""


class Answer(NamedTuple):
    """An answer of the registry.

    Attributes:
        status: 200, or 404 for what it does not know.
        body: its bytes.
    """

    status: int
    body: bytes


class InvalidAnswerError(ValueError):
    """The answer is not one of a schema registry."""


def is_unknown(body: bytes) -> bool:
    """Whether the body of a 404 is a registry's answer that it does not know what was asked for."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and (
        answer.get("error_code") in _UNKNOWN_CODES or answer.get("name") in _UNKNOWN_NAMES
    )


def confluent_schema(body: bytes) -> tuple[str, str, list[dict[str, Any]]]:
    """The type, text and references of a schema in Confluent's API.

    Raises:
        InvalidAnswerError: it is something else.
    """
    answer = _load(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        raise InvalidAnswerError
    return str(answer.get("schemaType") or "AVRO"), answer["schema"], _references(answer.get("references"))


def references_of(body: bytes) -> list[dict[str, Any]]:
    """The references in Apicurio's own API.

    Raises:
        InvalidAnswerError: it is something else.
    """
    return _references(_load(body))


def _references(given: Any) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise InvalidAnswerError
    return given


def _load(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidAnswerError from None
