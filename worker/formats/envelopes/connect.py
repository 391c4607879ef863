"""Kafka Connect's JSON with schemas: `{"schema": ..., "payload": ...}`, as `JsonConverter` writes values and keys.

The payload is taken as it stands. The schema is used only to see that it describes an object: `JsonConverter` writes
logical types as it always does (a decimal as base64 or as a number, a timestamp as milliseconds, a date as days), and
rules read those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.core.record_reading import RecordHeaders
from worker.formats.envelopes.unwrapped import TYPES, Unwrapped, refuse

EXPECTED = 'expected {"schema": ..., "payload": {...}}'

_KEYS = ["schema", "payload"]


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

    def unwrap(self, value: dict[str, Any], headers: RecordHeaders) -> Unwrapped:
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


def key_payload(key: Any) -> Any:
    """The payload of a key with `schema` and `payload`; any other key as it is."""
    if type(key) is dict and key.keys() == {"schema", "payload"}:
        return key["payload"]
    return key
