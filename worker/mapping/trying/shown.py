"""The value of a record for display: decoded by its topic's format, before the envelope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from worker.core.reasons import Rejected
from worker.core.record_reading import read_headers
from worker.formats.with_schema import SchemaFormat

if TYPE_CHECKING:
    from worker.core.records import Record
    from worker.mapping.mappings import Mappings


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded value.

    Attributes:
        value: as JSON values.
        how: the format, with the schema's id if the record has one: `avro, schema id 7`.
    """

    value: Any
    how: str


def shown_value(mappings: Mappings, record: Record) -> Shown | None:
    """A record's value, if its topic has a format with schemas or is text; None for JSON, and for no value.

    Its schema must have been fetched, see `Mappings.prepare`.

    Raises:
        Rejected: with stage `decode`: it cannot be decoded.
    """
    file, value = mappings.file_of(record.topic()), record.value()
    if file is None or value is None or file.encodings.value.format == "json":
        return None
    headers = read_headers(record)
    how = file.encodings.value.format
    if isinstance(file.values, SchemaFormat):
        id_ = file.values.frame_of(value, headers).id
        how += "" if id_ is None else f", schema {id_}"
    return Shown(file.values.decode_any(value, headers), how)


def value_text(mappings: Mappings, record: Record) -> tuple[bytes | None, str | None]:
    """A record's value as text to print: as JSON if it can be decoded, else its own bytes; and how it was decoded."""
    try:
        shown = shown_value(mappings, record)
    except Rejected:
        shown = None
    if shown is None:
        return record.value(), None
    return orjson.dumps(shown.value), shown.how


def key_text(mappings: Mappings, record: Record) -> bytes | None:
    """A record's key as text to print and to search: decoded, if its topic has keys in a format with schemas.

    A key that is a text stands for itself, any other as JSON. Its schema must have been fetched.
    """
    file, key = mappings.file_of(record.topic()), record.key()
    if key is None or file is None or not isinstance(file.keys, SchemaFormat):
        return key
    try:
        found = file.keys.decode_any(key, read_headers(record))
    except Rejected:
        return key
    return found.encode() if isinstance(found, str) else orjson.dumps(found)
