"""How a mapping file says that the values, or the keys, of its topics are encoded."""

from __future__ import annotations

from dataclasses import dataclass

from worker.formats.schemas import Schema

JSON, AVRO, PROTOBUF, TEXT = "json", "avro", "protobuf", "text"
"""The words of `format` and `key_format`."""

WITH_SCHEMA = (AVRO, PROTOBUF)
"""The formats that cannot be decoded without a schema."""

REGISTRY = "registry"
"""The word of `schema` for schemas from the registry."""

AUTO, PREFIX, PREFIX8, NONE = SCHEMA_IDS = ("auto", "prefix", "prefix8", "none")
"""The words of `schema_id`: where a record says which schema it was written with."""

CONTENT, GLOBAL = APICURIO_IDS = ("content", "global")
"""The words of `apicurio_id`: which of Apicurio's two ids stands in a prefix of eight bytes."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How values or keys are encoded.

    Attributes:
        format: one of the words above.
        schema: the schema of all of them, from a file; None where each record says its schema's id.
        schema_id: where that id is, one of `SCHEMA_IDS`. Beside `schema`, what is skipped before the data.
        apicurio_id: what the id is with `prefix8`, one of `APICURIO_IDS`.
        message: the Protobuf message, by its full name; None where the record says it.
        of_key: whether these are keys, whose headers have other names.
    """

    format: str = JSON
    schema: Schema | None = None
    schema_id: str = AUTO
    apicurio_id: str = CONTENT
    message: str | None = None
    of_key: bool = False
