"""The value of a record for display: decoded by its topic's format, before the envelope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
