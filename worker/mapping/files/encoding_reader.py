"""Reads how values and keys are encoded: the keys `format`, `schema`, `key_format` and the like of a mapping file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from worker.core.reasons import Rejected
from worker.documents.problems import ConfigError
from worker.formats.encoding import (
    APICURIO_IDS,
    AUTO,
    CONTENT,
    JSON,
    NONE,
    PREFIX8,
    PROTOBUF,
    REGISTRY,
    SCHEMA_IDS,
    WITH_SCHEMA,
    Encoding,
)
from worker.formats.encodings import Encodings
from worker.formats.envelopes.unwrapped import Envelope
from worker.formats.format import Format
from worker.formats.formats import FORMATS, MissingExtraError, format_of
from worker.formats.json_format import JsonFormat
from worker.formats.keys import key_format
from worker.formats.schema_files import SCHEMA_FILES, read_schema
from worker.formats.schemas import Schema, Schemas
from worker.formats.with_schema import SchemaFormat
from worker.mapping.files.keys import one_of_words
from worker.mapping.files.value_reader import ValueReader


class EncodingReader:
    """Reads these keys of one file and reports what is wrong with them.

    Args:
        data: the file's values.
        values: the reader of its document.
        schemas: those that are fetched from the registry.
    """

    def __init__(self, data: dict[str, Any], values: ValueReader, schemas: Schemas) -> None:
        self._data = data
        self._values = values
        self._schemas = schemas

    def read(self, envelope: Envelope | None) -> Encodings:
        """The encodings; those of JSON where the file's are wrong."""
        value = self._value(self._choice("format", tuple(FORMATS)) or JSON)
        key = self._key(value, envelope)
        self._check_words(value, key)
        return Encodings(
            value,
            key,
            self._format(value, "format") or JsonFormat(),
            None if key is None else self._format(key, "key_format"),
        )

    def _value(self, word: str) -> Encoding:
        schema = self._schema(word)
        schema_id = self._choice("schema_id", SCHEMA_IDS) or (AUTO if schema is None else NONE)
        message = self._data.get("message")
        if message is not None and not isinstance(message, str):
            self._values.report("`message` must be text", ("message",), hint="shop.v1.OrderPlaced")
            message = None
        apicurio_id = self._choice("apicurio_id", APICURIO_IDS) or CONTENT
        return Encoding(word, schema, schema_id, apicurio_id, message)

    def _key(self, value: Encoding, envelope: Envelope | None) -> Encoding | None:
        word = key_format(self._choice("key_format", tuple(FORMATS)), value.format, envelope)
        if word is None:
            return None
        schema_id = AUTO if value.schema_id == NONE else value.schema_id
        return replace(value, format=word, schema=None, schema_id=schema_id, message=None, of_key=True)

    def _schema(self, word: str) -> Schema | None:
        given = self._data.get("schema", REGISTRY)
        if given == REGISTRY or word not in WITH_SCHEMA:
            return None
        kinds = " or ".join(SCHEMA_FILES[word])
        if not isinstance(given, str) or not given:
            self._values.report("`schema` must be text", ("schema",), hint=f"registry, or a {kinds} file")
            return None
        document = self._values.document
        found = FilePath(given) if FilePath(given).exists() else FilePath(document.file).parent / given
        try:
            return read_schema(found, word)
        except ConfigError as error:
            for problem in error.problems:
                hint = problem.hint or f"registry, or a {kinds} file in the current directory or this file's"
                self._values.report(f"{problem.message}: '{given}'", ("schema",), hint=hint)
        return None

    def _check_words(self, value: Encoding, key: Encoding | None) -> None:
        """Report keys that have no meaning beside the others."""
        formats = {value.format, key.format if key is not None else value.format}
        has_schema = not formats.isdisjoint(WITH_SCHEMA)
        if "schema" in self._data and value.format not in WITH_SCHEMA:
            self._needless("schema", "`format: avro` and `format: protobuf`")
        if "schema_id" in self._data and not has_schema and value.format != JSON:
            self._needless("schema_id", "formats with a schema")
        if "message" in self._data and value.format != PROTOBUF:
            self._needless("message", "`format: protobuf`")
        if "apicurio_id" in self._data and value.schema_id != PREFIX8:
            self._needless("apicurio_id", "`schema_id: prefix8`")
        if value.schema_id == NONE and value.schema is None and value.format in WITH_SCHEMA:
            if self._data.get("schema", REGISTRY) == REGISTRY:
                hint = "schema: a file, or schema_id: auto"
                self._values.report("without an id no schema can be fetched", ("schema_id",), hint=hint)
        elif value.schema_id == PREFIX8 and has_schema and "apicurio_id" not in self._data:
            hint = "apicurio_id: content, or global, as the serializer's `apicurio.registry.use-id` says"
            self._values.report("`schema_id: prefix8` needs `apicurio_id`", ("schema_id",), hint=hint)

    def _needless(self, key: str, only: str) -> None:
        self._values.report(f"`{key}` is only for {only}", (key,), key=True, hint="remove it")

    def _format(self, encoding: Encoding, key: str) -> Format | None:
        try:
            made = format_of(encoding, self._schemas)
        except MissingExtraError as error:
            hint = f"pip install 'customerio-pipelines-worker[{error.extra}]'"
            path = (key,) if key in self._data else ()
            self._values.report(
                f"`{key}: {encoding.format}` needs the extra '{error.extra}'", path, hint=hint
            )
            return None
        if isinstance(made, SchemaFormat) and encoding.schema is not None:
            self._check_schema(made)
        return made

    def _check_schema(self, made: SchemaFormat) -> None:
        try:
            made.check()
        except Rejected as rejected:
            self._values.report(rejected.detail.rstrip("."), ("schema",))

    def _choice(self, key: str, choices: tuple[str, ...]) -> Any:
        return one_of_words(self._values, self._data, (key,), choices)
