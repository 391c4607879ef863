"""The types of Kafka's settings: topic names, where to start, librdkafka's properties."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from worker.mapping.files.topics import is_topic_name
from worker.settings.secret_files import FILE_SCHEMA
from worker.settings.values import InvalidValueError

_OWN = {
    "bootstrap.servers": "set kafka.bootstrap_servers instead",
    "metadata.broker.list": "set kafka.bootstrap_servers instead",
    "group.id": "set kafka.group_id instead",
    "auto.offset.reset": "set kafka.start_from instead",
    "isolation.level": "it is always read_committed",
    "acks": "it is always all: a dead letter must not be lost",
    "request.required.acks": "it is always all: a dead letter must not be lost",
    "enable.idempotence": "it is always on: a dead letter must not be written twice",
}
"""Properties that the worker's promises depend on, and why they cannot be set."""

_OWN_PREFIX = "enable.auto."

_PYTHON_ONLY = frozenset(
    ["logger", "on_commit", "on_delivery", "opaque", "default_topic_conf", "default.topic.config"]
)
"""What the Python client takes as functions or objects, beside all that ends in `_cb`: a file cannot hold them."""


def _topic_name(value: Any) -> str:
    if not isinstance(value, str) or not is_topic_name(value):
        raise InvalidValueError(
            "must be the name of a topic", "at most 249 letters, digits, dots, dashes and underscores"
        )
    return str(value)


def start_timestamp(text: str) -> int | None:
    """Epoch milliseconds of a point in time; None for `earliest` and `latest`. Raises ValueError for anything else."""
    if text in {"earliest", "latest"}:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return int(moment.timestamp() * 1000)


def _start_from(value: Any) -> str:
    try:
        if not isinstance(value, str) or ("T" not in value.upper() and value not in {"earliest", "latest"}):
            raise ValueError  # noqa: TRY301 - one message for everything that is not a starting point
        start_timestamp(value)
    except (ValueError, OverflowError):
        hint = "a point in time has a date, a time and an offset: 2026-11-21T10:00:00Z"
        raise InvalidValueError("must be earliest, latest or a point in time (RFC 3339)", hint) from None
    return str(value)


def _properties(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidValueError(
            "must be a mapping of librdkafka's properties", 'such as {"security.protocol": "SSL"}'
        )
    return value


def _property_name(name: str) -> str:
    if name.startswith(_OWN_PREFIX):
        raise InvalidValueError("is set by the worker", "the worker commits and stores offsets itself")
    if name in _OWN:
        raise InvalidValueError("is set by the worker", _OWN[name])
    if name in _PYTHON_ONLY or name.endswith("_cb"):
        raise InvalidValueError(
            "is a Python object, which a file cannot hold",
            "for tokens set kafka.auth; every other property is a key",
        )
    return name


def _property_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidValueError("must be text, a number, true or false")


TopicName = Annotated[
    str,
    BeforeValidator(_topic_name),
    WithJsonSchema({"type": "string", "pattern": "^[a-zA-Z0-9._-]{1,249}$"}),
]
StartFrom = Annotated[str, BeforeValidator(_start_from), WithJsonSchema({"type": "string"})]
Properties = Annotated[
    dict[Annotated[str, AfterValidator(_property_name)], Annotated[str, BeforeValidator(_property_value)]],
    BeforeValidator(_properties),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": ["string", "number", "boolean"]}, FILE_SCHEMA]},
        }
    ),
]
