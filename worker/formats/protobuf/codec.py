"""Finds the Protobuf message of each value, and decodes it with generated code."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from google.protobuf.descriptor import Descriptor

from worker.core.reasons import Rejected, Stage
from worker.formats.encoding import Encoding
from worker.formats.protobuf.compiling import descriptor_set
from worker.formats.protobuf.framing import read_index, read_name, written_index
from worker.formats.protobuf.generated import decoder
from worker.formats.protobuf.refusals import InvalidSchemaError, refuse
from worker.formats.protobuf.schemas import ProtobufSchema
from worker.formats.schema_ids import PREFIX8_BYTES, Frame
from worker.formats.schemas import IdKind, Schema
from worker.formats.wanted import Wanted
from worker.formats.with_schema import Decoder

_MOST_PARSED = 100
"""How many schemas are kept parsed while decoders are made of them."""


class ProtobufCodec:
    """See `with_schema.Codec`.

    Args:
        encoding: names the message where nothing else tells it.
    """

    reason = "INVALID_PROTOBUF"

    def __init__(self, encoding: Encoding) -> None:
        self._message = encoding.message
        self._parsed: OrderedDict[int, tuple[Schema, ProtobufSchema]] = OrderedDict()

    def decoder(self, schema: Schema, frame: Frame, wanted: Wanted) -> Decoder:
        """See `Codec.decoder`."""
        try:
            found = self._parse(schema)
            if self._message is not None:
                found.named(self._message)  # wrong in the mapping, whether it is needed or not
            if frame.in_header or not frame.start:
                return decoder(self._of_frame(found, frame), wanted)
            if frame.start == PREFIX8_BYTES:
                return _by_name(found, frame.start, wanted)
            return _by_index(found, frame.start, wanted)
        except InvalidSchemaError as error:
            which = f"with the {frame.id}" if frame.id is not None else "of the mapping"
            detail = f"The schema {which} is of no use: {error}."
            raise Rejected(Stage.DECODE, self.reason, detail) from None

    def _parse(self, schema: Schema) -> ProtobufSchema:
        known = self._parsed.get(id(schema))
        if known is None:
            known = self._parsed[id(schema)] = schema, ProtobufSchema(descriptor_set(schema))
            if len(self._parsed) > _MOST_PARSED:
                self._parsed.popitem(last=False)
        return known[1]

    def _of_frame(self, found: ProtobufSchema, frame: Frame) -> Descriptor:
        """The message of values whose header tells it, or nothing does."""
        if frame.rest and frame.id is not None and frame.id.kind in {IdKind.CONFLUENT, IdKind.GUID}:
            return _found(found.at, read_index(frame.rest, 0)[0])
        if frame.rest:
            return _found(found.named, frame.rest.decode("utf-8", "replace"))
        return found.only() if self._message is None else found.named(self._message)


def _by_index(found: ProtobufSchema, start: int, wanted: Wanted) -> Decoder:
    """The decoder of values with a message index: that of the likely message, with a way out to the others."""
    others: dict[bytes, Decoder] = {}
    usual: dict[bytes, Decoder] = {}  # by the two bytes of an index that most of the others have
    after = start + 2

    def other(value: bytes) -> Any:
        decode = usual.get(value[start:after])
        if decode is not None:
            return decode(value)
        message, begins = _indexed(found, value, start)
        if begins == after:
            made = usual[value[start:after]] = decoder(message, wanted, start=after)
            return made(value)
        which = value[start:begins]
        decode = others.get(which)
        if decode is None:
            decode = others[which] = decoder(message, wanted)
        return decode(value[begins:])

    likely = found.likely()
    return decoder(found.at((likely,)), wanted, start=start, index=written_index(likely), other=other)


def _indexed(found: ProtobufSchema, value: bytes, start: int) -> tuple[Descriptor, int]:
    """The message that a value's index says, and where it begins.

    Apicurio's serializer writes a name there although it writes Confluent's prefix (`as-confluent`). As an index, names
    lead to no message: their letters are too large numbers.
    """
    try:
        index, begins = read_index(value, start)
        return _found(found.at, index), begins
    except Rejected:
        with suppress(Rejected):
            name, begins = read_name(value, start)
            return _found(found.named, name), begins
        raise


def _by_name(found: ProtobufSchema, start: int, wanted: Wanted) -> Decoder:
    """The decoder of values with the name of a message, as Apicurio writes it."""
    named: dict[str, Decoder] = {}

    def decode_named(value: bytes) -> Any:
        name, begins = read_name(value, start)
        decode = named.get(name)
        if decode is None:
            decode = named[name] = decoder(_found(found.named, name), wanted)
        return decode(value[begins:])

    return decode_named


def _found(find: Callable[[Any], Descriptor], what: object) -> Descriptor:
    """A message that a value names. Of names the detail says nothing: they are data."""
    try:
        return find(what)
    except InvalidSchemaError:
        refuse("The schema has no such message as the value says that it holds.")
