"""How the records of a topic are encoded: JSON, text, or a format whose schemas a registry has.

Avro and Protobuf are never guessed from bytes: a format is found where the registry knows the ids in the records, and
the records can be decoded with those schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from worker.core.reasons import Rejected
from worker.core.record_reading import RecordHeaders, read_headers
from worker.core.records import Record
from worker.formats.encoding import APICURIO_IDS, AVRO, PREFIX8, PROTOBUF, TEXT, Encoding
from worker.formats.format import Format
from worker.formats.formats import MissingExtraError, format_of
from worker.formats.json_format import JsonFormat
from worker.formats.schema_ids import SchemaIds
from worker.formats.schemas import SchemaId, Schemas
from worker.formats.with_schema import SchemaFormat
from worker.mapping.drafting.wrapping import Decoded
from worker.mapping.kafka_fields import as_text

Fetch = Callable[[Sequence[SchemaId]], None]
"""Fetches the schemas with these ids, and puts them to the others."""

FEWEST_TEXTS = 3
"""Values that must all be text and no JSON before a topic is taken for one of text: a few may be mistakes."""

MOST_SCHEMAS = 50
"""Ids that are asked for: a topic has a few."""

_ID_HEADERS = frozenset(
    name for of_key in (False, True) for name in SchemaIds(Encoding(AVRO, of_key=of_key), "").headers
) | {"apicurio.value.encoding", "apicurio.key.encoding"}


@dataclass(frozen=True, slots=True)
class Found:
    """How a topic is encoded.

    Attributes:
        values: the format of values.
        keys: the format of keys, if a registry has their schemas.
        lines: the lines of the mapping file that say so.
    """

    values: Format = field(default_factory=JsonFormat)
    keys: Format | None = None
    lines: tuple[str, ...] = ()

    def decoded(self, record: Record) -> Decoded:
        """Decode a record.

        Raises:
            Rejected: its value cannot be decoded.
        """
        value, headers = record.value(), read_headers(record)
        decoded = None if value is None else self.values.decode(value, headers)
        own = [(name, each) for name, each in headers if name not in _ID_HEADERS]
        return Decoded(decoded, self._key(record.key(), headers), own)

    def _key(self, key: bytes | None, headers: RecordHeaders) -> bytes | None:
        if key is None or self.keys is None:
            return key
        try:
            found = self.keys.decode_any(key, headers)
        except Rejected:
            return None
        return found.encode() if isinstance(found, str) else orjson.dumps(found)


def found_format(records: Sequence[Record], schemas: Schemas, fetch: Fetch | None) -> Found:
    """How the records of a topic are encoded; JSON where nothing else is found.

    Args:
        records: of the topic.
        schemas: those that were fetched.
        fetch: asks the registry; None without one.

    Raises:
        MissingExtraError: the registry knows the ids, and the library that decodes such records is not installed.
    """
    values = _with_schemas(records, schemas, fetch, of_key=False)
    keys = _with_schemas(records, schemas, fetch, of_key=True)
    key_lines = () if keys is None else (f"key_format: {keys[0].format}",)
    if values is not None:
        return Found(values[1], keys and keys[1], (*_lines(values[0]), *key_lines))
    if _are_texts(records):
        return Found(
            format_of(Encoding(TEXT)),
            keys and keys[1],
            ("format: text  # check: no value is JSON", *key_lines),
        )
    return Found(keys=keys and keys[1], lines=key_lines)


def _with_schemas(
    records: Sequence[Record], schemas: Schemas, fetch: Fetch | None, *, of_key: bool
) -> tuple[Encoding, SchemaFormat] | None:
    """The encoding that most records can be decoded with; None if there is none."""
    having = [record for record in records if (record.key() if of_key else record.value()) is not None]
    if fetch is None or not any(_may_have_id(record, of_key=of_key) for record in having):
        return None
    best, most, missing = None, 0, None
    for encoding in _candidates(of_key=of_key):
        try:
            made = format_of(encoding, schemas)
        except MissingExtraError as error:
            missing = error
            continue
        assert isinstance(made, SchemaFormat)
        ids = dict.fromkeys(made.missing(having).values())
        fetch([id_ for id_, _ in zip(ids, range(MOST_SCHEMAS), strict=False)])
        decoded = sum(_is_decoded(made, record, of_key=of_key) for record in having)
        if decoded > most:
            best, most = (encoding, made), decoded
    if best is None and missing is not None and len(schemas):
        raise missing
    return best


def _candidates(*, of_key: bool) -> Iterator[Encoding]:
    for word in (AVRO, PROTOBUF):
        yield Encoding(word, of_key=of_key)
    for word in (AVRO, PROTOBUF):
        for apicurio_id in APICURIO_IDS:
            yield replace(Encoding(word, of_key=of_key), schema_id=PREFIX8, apicurio_id=apicurio_id)


def _may_have_id(record: Record, *, of_key: bool) -> bool:
    data = record.key() if of_key else record.value()
    of = "key" if of_key else "value"
    named = {name for name, _ in read_headers(record)} & _ID_HEADERS
    return bool(data and data[0] == 0) or any(f".{of}." in name or f"__{of}_" in name for name in named)


def _is_decoded(made: SchemaFormat, record: Record, *, of_key: bool) -> bool:
    data = record.key() if of_key else record.value()
    try:
        found: Any = made.decode_any(data or b"", read_headers(record))
    except Rejected:
        return False
    return of_key or isinstance(found, dict)


def _lines(encoding: Encoding) -> tuple[str, ...]:
    lines: tuple[str, ...] = (f"format: {encoding.format}",)
    if encoding.schema_id == PREFIX8:
        lines += (f"schema_id: {PREFIX8}", f"apicurio_id: {encoding.apicurio_id}")
    return lines


def _are_texts(records: Sequence[Record]) -> bool:
    """Whether all values are UTF-8 text, and none is JSON."""
    values = [value for record in records if (value := record.value()) is not None]
    return len(values) >= FEWEST_TEXTS and all(
        as_text(each) is not None and not _is_json(each) for each in values
    )


def _is_json(value: bytes) -> bool:
    return value[:1] in {b"\0", b"{", b"[", b""} or not value.strip()
