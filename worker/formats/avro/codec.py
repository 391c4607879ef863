"""Avro with the writer's schema.

`fastavro` checks schemas. Values are decoded by Python functions that are generated from them (`generated`): these read
only what rules use, so they take less time than fastavro does for whole values, and they bound depth and memory.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from fastavro import parse_schema
from fastavro.schema import SchemaParseException, UnknownType

from worker.core.reasons import Rejected, Stage
from worker.formats.avro.generated import decoder_of
from worker.formats.avro.types import AvroType, InvalidSchemaError, read_type
from worker.formats.schema_ids import Frame
from worker.formats.schemas import Schema
from worker.formats.wanted import Wanted
from worker.formats.with_schema import Decoder

_MOST_READ = 100
"""How many schemas are kept as trees while decoders are made of them."""


class AvroCodec:
    """See `with_schema.Codec`."""

    reason = "INVALID_AVRO"

    def __init__(self) -> None:
        self._read: OrderedDict[int, tuple[Schema, AvroType]] = OrderedDict()

    def decoder(self, schema: Schema, frame: Frame, wanted: Wanted) -> Decoder:
        """See `Codec.decoder`."""
        try:
            type_ = self._type(schema)
        except (InvalidSchemaError, SchemaParseException, UnknownType, ValueError) as error:
            what = str(error) if isinstance(error, InvalidSchemaError) else "Avro does not allow it"
            which = f"with the {frame.id}" if frame.id is not None else "of the mapping"
            raise Rejected(Stage.DECODE, self.reason, f"The schema {which} is of no use: {what}.") from None
        return decoder_of(type_, wanted, frame.start)

    def _type(self, schema: Schema) -> AvroType:
        known = self._read.get(id(schema))
        if known is None:
            type_ = read_type(schema)
            parse_schema(stripped(type_, {}))
            known = self._read[id(schema)] = schema, type_
            if len(self._read) > _MOST_READ:
                self._read.popitem(last=False)
        return known[1]


def stripped(type_: AvroType, names: dict[int, str]) -> Any:
    """The schema for fastavro: without logical types and defaults, with names that need no namespace.

    Args:
        type_: the type.
        names: of the types that were defined before.
    """
    if type_.kind == "union":
        return [stripped(each, names) for each in type_.inner]
    if type_.kind in {"array", "map"}:
        inner = stripped(type_.inner[0], names)
        return {"type": type_.kind, "items" if type_.kind == "array" else "values": inner}
    if type_.kind not in {"record", "enum", "fixed"}:
        return type_.kind
    if id(type_) in names:
        return names[id(type_)]
    name = names[id(type_)] = f"T{len(names)}"
    named = {"type": type_.kind, "name": name}
    if type_.kind == "record":
        fields = [{"name": field, "type": stripped(each, names)} for field, each in type_.fields]
        return named | {"fields": fields}
    return named | ({"symbols": type_.symbols} if type_.kind == "enum" else {"size": type_.size})
