"""Kafka Connect's JSON with schemas: `{"schema": ..., "payload": ...}`, as `JsonConverter` writes values and keys.

The payload is taken as it stands. The schema is used only to see whether it is that of the payload: `JsonConverter`
writes logical types as it always does (a decimal as base64 or as a number, a timestamp as milliseconds, a date as
days), and rules read those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from worker.core.record_reading import RecordHeaders
from worker.formats.envelopes.unwrapped import TYPES, Unwrapped, refuse

EXPECTED = 'expected {"schema": ..., "payload": {...}}'

_KEYS = ["schema", "payload"]

_NUMBERS = frozenset({int, float})
_TYPES: dict[str, frozenset[type]] = {
    "boolean": frozenset({bool}),
    **dict.fromkeys(["int8", "int16", "int32", "int64", "float", "double"], _NUMBERS),
    "string": frozenset({str}),
    "bytes": _NUMBERS | {str},  # a decimal may be a number
    "array": frozenset({list}),
    "map": frozenset({dict, list}),  # a list of pairs, where keys are not texts
    "struct": frozenset({dict}),
}
"""The JSON types of each type of a schema (`org.apache.kafka.connect.data.Schema.Type`), besides null."""

Columns = dict[str, frozenset[type]]
"""The JSON types that the fields of an object may have, besides null, by a schema."""


class Connect:
    """See `unwrapped.Envelope`."""

    root: str | None = None
    fields: tuple[str, ...] = ()
    json_keys: bool = True
    tombstones_on_request: bool = False
    defaults: Mapping[str, str] = {}
    expected: str = EXPECTED

    def check(self, headers: RecordHeaders) -> None:
        """See `Envelope.check`. Headers say nothing here."""

    def unwrap(
        self, value: dict[str, Any], headers: RecordHeaders, columns: Collection[str] | None = None
    ) -> Unwrapped:
        """The payload. See `Envelope.unwrap`."""
        del headers
        if "schema" not in value:
            refuse(f"The value has no `schema`: {EXPECTED}. For JSON without schemas, use `envelope: none`.")
        payload = payload_of(value)
        if payload is None:
            return Unwrapped(tombstone=True)
        if is_wrapped(payload):
            refuse(
                "The payload is a second envelope with `schema` and `payload`: the producer converted it twice."
            )
        check_columns(payload, columns_of(value["schema"]), columns)
        return Unwrapped(payload)

    def of_tombstone(self, headers: RecordHeaders) -> Unwrapped:
        """See `Envelope.of_tombstone`."""
        del headers
        return Unwrapped(tombstone=True)

    def key(self, key: Any) -> Any:
        """See `key_payload`."""
        return key_payload(key)


def is_wrapped(value: dict[str, Any]) -> bool:
    """Whether an object is what `JsonConverter` writes with schemas: these two keys, in this order."""
    return list(value) == _KEYS


def payload_of(value: dict[str, Any]) -> dict[str, Any] | None:
    """The payload of an object with `schema`; None if it is null.

    Raises:
        Rejected: `INVALID_ENVELOPE`.
    """
    if "payload" not in value:
        refuse(f"The value has `schema` but no `payload`: {EXPECTED}.")
    schema, payload = value.get("schema"), value["payload"]
    if schema is not None and type(schema) is not dict:
        refuse(f"`schema` is {TYPES[type(schema)]}: expected an object or null.")
    if payload is None:
        return None
    if type(payload) is not dict:
        refuse(f"`payload` is {TYPES[type(payload)]}: expected an object.")
    if schema is not None and not describes_objects(schema):
        refuse(
            "`schema` does not describe its `payload`, which is an object: expected the type `struct` or `map`."
        )
    return payload


def describes_objects(schema: dict[str, Any]) -> bool:
    """Whether a schema is one of objects, or says nothing."""
    return schema.get("type", "struct") in ("struct", "map")


def columns_of(schema: Any) -> Columns:
    """The types of an object's fields, as far as a schema tells them."""
    return {
        field["field"]: _TYPES[field["type"]]
        for field in fields_of(schema)
        if type(field.get("field")) is str and type(field.get("type")) is str and field["type"] in _TYPES
    }


def fields_of(schema: Any) -> list[dict[str, Any]]:
    """The fields that a schema describes; none for anything but the schema of an object."""
    fields = schema.get("fields") if type(schema) is dict else None
    return [field for field in fields if type(field) is dict] if type(fields) is list else []


def check_columns(row: dict[str, Any], types: Columns, columns: Collection[str] | None) -> None:
    """Refuse an object of which a field has another type than its schema says.

    Args:
        row: the object.
        types: of the schema.
        columns: the fields that are compared; None for all.

    Raises:
        Rejected: `INVALID_ENVELOPE`.
    """
    for name in types if columns is None else [name for name in columns if name in types]:
        value = row.get(name)
        if value is not None and type(value) not in types[name]:
            expected = " or ".join(sorted({TYPES[each] for each in types[name]}))
            found = TYPES[type(value)]
            refuse(f"`schema` does not describe its `payload`: a field is {found}, and it says {expected}.")


def key_payload(key: Any) -> Any:
    """The payload of a key with `schema` and `payload`; any other key as it is."""
    if type(key) is dict and key.keys() == {"schema", "payload"}:
        return key["payload"]
    return key
