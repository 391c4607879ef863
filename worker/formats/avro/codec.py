"""Decodes Avro with the writer's schema: `fastavro`, between a check of unusual bytes and the making of JSON values.

The logical types are taken out of the schema before fastavro reads it, because it would make Python objects of all of
them: only those that rules read are converted.
"""

from __future__ import annotations

from collections import OrderedDict
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException, UnknownType

from worker.core.reasons import Rejected, Stage
from worker.formats.avro.converters import converter, is_told
from worker.formats.avro.types import AvroType, InvalidSchemaError, read_type
from worker.formats.avro.values import OutOfRangeError
from worker.formats.avro.walk import Walk, needs_walk
from worker.formats.schema_ids import Frame
from worker.formats.schemas import Schema
from worker.formats.wanted import Wanted
from worker.formats.with_schema import Decoder

_BAD_BYTES = (EOFError, IndexError, KeyError, ValueError, OverflowError, TypeError, MemoryError)
"""What fastavro raises for bytes that are not a value of the schema; a text that is not UTF-8 is a ValueError."""

_MOST_PARSED = 100
"""How many schemas are kept as trees while decoders are made of them."""


class AvroCodec:
    """See `with_schema.Codec`."""

    reason = "INVALID_AVRO"

    def __init__(self) -> None:
        self._parsed: OrderedDict[int, tuple[Schema, AvroType, Any]] = OrderedDict()

    def decoder(self, schema: Schema, frame: Frame, wanted: Wanted) -> Decoder:
        """See `Codec.decoder`."""
        try:
            type_, parsed = self._parse(schema)
        except (InvalidSchemaError, SchemaParseException, UnknownType) as error:
            what = str(error) if isinstance(error, InvalidSchemaError) else "Avro does not allow it"
            which = f"with the {frame.id}" if frame.id is not None else "of the mapping"
            raise Rejected(Stage.DECODE, self.reason, f"The schema {which} is of no use: {what}.") from None
        return _decoder(type_, parsed, frame.start, wanted)

    def _parse(self, schema: Schema) -> tuple[AvroType, Any]:
        known = self._parsed.get(id(schema))
        if known is None:
            type_ = read_type(schema)
            known = self._parsed[id(schema)] = schema, type_, parse_schema(stripped(type_))
            if len(self._parsed) > _MOST_PARSED:
                self._parsed.popitem(last=False)
        return known[1:]


def _decoder(type_: AvroType, parsed: Any, start: int, wanted: Wanted) -> Decoder:
    convert = converter(type_, wanted)
    walks = needs_walk(type_)

    def decode(value: bytes) -> Any:
        reader = BytesIO(value)
        reader.seek(start)
        try:
            if walks:
                Walk(value, start).check(type_)
            found = schemaless_reader(reader, parsed, None)
        except _BAD_BYTES:
            raise Rejected(Stage.DECODE, "INVALID_AVRO", _what_is_wrong(reader, len(value))) from None
        if reader.tell() != len(value):
            left = len(value) - reader.tell()
            raise Rejected(Stage.DECODE, "INVALID_AVRO", f"After the value {left} more bytes follow.")
        if convert is None:
            return found
        try:
            return convert(found)
        except OutOfRangeError as error:
            raise Rejected(Stage.DECODE, "INVALID_AVRO", f"The value holds {error}.") from None

    return decode


def _what_is_wrong(reader: BytesIO, size: int) -> str:
    if reader.tell() >= size:
        return "The value ends too early for its schema."
    return f"The value stops being Avro of its schema before byte {reader.tell()}."


def stripped(type_: AvroType) -> Any:
    """The schema for fastavro: without logical types and defaults, with names that need no namespace.

    Around each branch of a union that must be told stands a record with one field, the branch's number.
    """
    return _written(type_, {})


def _written(type_: AvroType, names: dict[int, str]) -> Any:
    """A type in the form of a schema; `names` has those of the types that were defined before."""
    if type_.kind == "union":
        return _branches(type_, names)
    if type_.kind in {"array", "map"}:
        return {
            "type": type_.kind,
            "items" if type_.kind == "array" else "values": _written(type_.inner[0], names),
        }
    if type_.kind not in {"record", "enum", "fixed"}:
        return type_.kind
    if id(type_) in names:
        return names[id(type_)]
    name = names[id(type_)] = f"T{len(names)}"
    named = {"type": type_.kind, "name": name}
    if type_.kind == "record":
        fields = [{"name": field, "type": _written(each, names)} for field, each in type_.fields]
        return named | {"fields": fields}
    return named | ({"symbols": type_.symbols} if type_.kind == "enum" else {"size": type_.size})


def _branches(union: AvroType, names: dict[int, str]) -> list[Any]:
    branches = [_written(each, names) for each in union.inner]
    if not is_told(union):
        return branches
    return [
        branch
        if branch == "null"
        else {
            "type": "record",
            "name": f"B{id(union)}_{index}",
            "fields": [{"name": str(index), "type": branch}],
        }
        for index, branch in enumerate(branches)
    ]
